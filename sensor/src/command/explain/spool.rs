//! Stores a stream's packets for the second pass in an unnamed temporary file, which the system removes with the process. The file takes
//! the captured bytes and 18 bytes a packet; memory is that of one block.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Result, Seek, SeekFrom, Write};

use crate::source::BLOCK_BYTES_MAX;
use crate::source::block::{BLOCK_RECORDS_MAX, Block, BlockBytes};
use crate::source::record::Record;
use teiten_aggregator::store::random_name;
use teiten_packet::LinkType;

/// Bytes before each packet: time, length on the wire, bytes captured, link type.
const HEAD_BYTES: usize = 8 + 4 + 4 + 2;

/// Writes packets to the file.
#[derive(Debug)]
pub struct Spool {
    file: BufWriter<File>,
}

impl Spool {
    /// An empty spool in the system's folder for temporary files.
    ///
    /// # Errors
    /// When the file cannot be created there.
    pub fn new() -> Result<Self> {
        let name = format!("teiten-spool-{}", random_name());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 20, file),
        })
    }

    /// Appends the packets of a block.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, block: &Block) -> Result<()> {
        let bytes = block.bytes();
        for record in &block.records {
            let mut head = [0; HEAD_BYTES];
            head[..8].copy_from_slice(&record.time_us.to_le_bytes());
            head[8..12].copy_from_slice(&record.wire_bytes.to_le_bytes());
            head[12..16].copy_from_slice(&record.captured_bytes.to_le_bytes());
            head[16..].copy_from_slice(&record.link_type.0.to_le_bytes());
            self.file.write_all(&head)?;
            let captured = &bytes[record.offset as usize..][..record.captured_bytes as usize];
            self.file.write_all(captured)?;
        }
        Ok(())
    }

    /// Reads the packets from the first one.
    ///
    /// # Errors
    /// When the file cannot be written to its end or read.
    pub fn read(self) -> Result<SpoolReader> {
        let mut file = self.file.into_inner().map_err(|error| error.into_error())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(SpoolReader {
            file: BufReader::with_capacity(1 << 20, file),
        })
    }
}

/// A reader of the stored packets.
#[derive(Debug)]
pub struct SpoolReader {
    file: BufReader<File>,
}

impl SpoolReader {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        // Long records must not make a block of gigabytes.
        while records.len() < BLOCK_RECORDS_MAX && bytes.len() < BLOCK_BYTES_MAX {
            let mut head = [0; HEAD_BYTES];
            match self.file.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            let word = |place: usize| {
                u32::from_le_bytes([
                    head[place],
                    head[place + 1],
                    head[place + 2],
                    head[place + 3],
                ])
            };
            let captured_bytes = word(12);
            let offset = bytes.len();
            bytes.resize(offset + captured_bytes as usize, 0);
            self.file.read_exact(&mut bytes[offset..])?;
            records.push(Record {
                time_us: (u64::from(word(4)) << 32 | u64::from(word(0))) as i64,
                nanoseconds: 0,
                offset: offset as u32,
                captured_bytes,
                wire_bytes: word(8),
                link_type: LinkType(u16::from_le_bytes([head[16], head[17]])),
            });
        }
        let block = Block {
            bytes: BlockBytes::Owned(bytes),
            records,
        };
        Ok((!block.records.is_empty()).then_some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RECORD_BYTES_MAX;

    #[test]
    fn very_long_records_come_out_in_blocks_of_bounded_size() {
        let record = |number: u32| Record {
            time_us: i64::from(number),
            nanoseconds: 0,
            offset: number,
            captured_bytes: RECORD_BYTES_MAX,
            wire_bytes: RECORD_BYTES_MAX,
            link_type: LinkType(1),
        };
        let count = 40;
        let bytes = 0..count + RECORD_BYTES_MAX;
        let block = Block {
            bytes: BlockBytes::Owned(bytes.map(|byte| (byte % 251) as u8).collect()),
            records: (0..count).map(record).collect(),
        };
        let mut spool = Spool::new().unwrap();
        spool.add(&block).unwrap();
        let mut reader = spool.read().unwrap();
        let mut number = 0;
        while let Some(found) = reader.next_block().unwrap() {
            assert!(found.bytes().len() < BLOCK_BYTES_MAX + RECORD_BYTES_MAX as usize);
            for record in &found.records {
                let expected = &block.records[number];
                assert_eq!(record.time_us, expected.time_us);
                assert_eq!(
                    record.captured(found.bytes()),
                    expected.captured(block.bytes())
                );
                number += 1;
            }
        }
        assert_eq!(number, count as usize);
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let record = |number: u32| Record {
            time_us: -5 + i64::from(number) * (1 << 40),
            nanoseconds: 0,
            offset: number * 3,
            captured_bytes: number % 4,
            wire_bytes: 70_000 + number,
            link_type: LinkType(number as u16 * 7),
        };
        let count = BLOCK_RECORDS_MAX as u32 + 10;
        let block = Block {
            bytes: BlockBytes::Owned((0..count * 3 + 4).map(|byte| byte as u8).collect()),
            records: (0..count).map(record).collect(),
        };
        let mut spool = Spool::new().unwrap();
        spool.add(&block).unwrap();
        let mut reader = spool.read().unwrap();
        let mut number = 0;
        while let Some(found) = reader.next_block().unwrap() {
            for record in &found.records {
                let expected = &block.records[number];
                assert_eq!(
                    (record.time_us, record.wire_bytes),
                    (expected.time_us, expected.wire_bytes)
                );
                assert_eq!(record.link_type, expected.link_type);
                let bytes = |block: &Block, record: &Record| {
                    block.bytes()[record.offset as usize..][..record.captured_bytes as usize]
                        .to_vec()
                };
                assert_eq!(bytes(&found, record), bytes(&block, expected));
                number += 1;
            }
        }
        assert_eq!(number, count as usize);
    }
}
