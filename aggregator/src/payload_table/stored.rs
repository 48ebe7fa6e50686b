//! A table of payloads as bytes, for a journal. Rows are written in a compact form, so few packets take few bytes; the table's limits bound
//! the size. Reading and merging the bytes gives the same rows as the table.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::{Count, FIRST_BYTES, FirstBytes, Named, PayloadTable, ServiceKey};

/// Interned names of signatures: each is allocated once and never freed.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<&'static str>);

impl Names {
    fn of(&mut self, name: String) -> &'static str {
        if let Some(known) = self.0.get(name.as_str()) {
            return known;
        }
        let name: &'static str = name.leak();
        self.0.insert(name);
        name
    }
}

impl PayloadTable {
    /// Appends the table to `bytes`.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        let rank_max = self.named_rank_max;
        bytes.push(rank_max.is_some().into());
        bytes.extend_from_slice(&rank_max.unwrap_or(0).to_le_bytes());
        write_length(self.named.len(), bytes);
        for (&(service, name), named) in &self.named {
            bytes.extend_from_slice(&service.0.to_le_bytes());
            write_short(name.as_bytes(), bytes);
            write_short(named.example.as_slice(), bytes);
            write_count(&named.count, bytes);
        }
        write_length(self.portless.len(), bytes);
        for (&(protocol, name), count) in &self.portless {
            bytes.push(protocol);
            write_short(name.as_bytes(), bytes);
            write_count(count, bytes);
        }
        write_length(self.unknown.rows().count(), bytes);
        for row in self.unknown.rows() {
            bytes.extend_from_slice(&row.service.0.to_le_bytes());
            bytes.push(row.payload.is_some().into());
            if let Some((hash, first_bytes)) = row.payload {
                bytes.extend_from_slice(&hash.to_le_bytes());
                write_short(first_bytes, bytes);
            }
            write_count(row.count, bytes);
        }
    }

    /// Reads back what [`PayloadTable::write_to`] wrote.
    ///
    /// # Errors
    /// When `input` ends, cannot be read, or holds something else.
    pub fn read_from(input: &mut impl Read, names: &mut Names) -> io::Result<Self> {
        let mut table = PayloadTable::default();
        let limited = byte(input)? != 0;
        let rank_max = word(input)?;
        table.named_rank_max = limited.then_some(rank_max);
        for _ in 0..length(input)? {
            let service = ServiceKey(length(input)?);
            let name = names.of(text(input)?);
            let example = FirstBytes::of(&short(input)?);
            let count = read_count(input)?;
            table
                .named
                .insert((service, name), Named { count, example });
        }
        for _ in 0..length(input)? {
            let key = (byte(input)?, names.of(text(input)?));
            table.portless.insert(key, read_count(input)?);
        }
        for _ in 0..length(input)? {
            let service = ServiceKey(length(input)?);
            if byte(input)? == 0 {
                let others = read_count(input)?;
                table.unknown.count_others(service, &others);
                continue;
            }
            let (hash, first_bytes) = (word(input)?, short(input)?);
            let read = read_count(input)?;
            let unknown = &mut table.unknown;
            unknown.count(service, hash, &first_bytes, |count| count.add(&read));
        }
        Ok(table)
    }
}

/// Lengths are those of tables with far fewer than 2^32 rows.
fn write_length(length: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
}

/// A name or the first bytes of a payload: never longer than a byte can say.
fn write_short(short: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(short.len() as u8);
    bytes.extend_from_slice(short);
}

fn write_count(count: &Count, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&count.packets.to_le_bytes());
    count.sources.write_to(bytes);
}

fn read_count(input: &mut impl Read) -> io::Result<Count> {
    Ok(Count {
        packets: word(input)?,
        sources: super::distinct::Distinct::read_from(input)?,
    })
}

fn byte(input: &mut impl Read) -> io::Result<u8> {
    let mut bytes = [0];
    input.read_exact(&mut bytes).map(|()| bytes[0])
}

fn length(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input
        .read_exact(&mut bytes)
        .map(|()| u32::from_le_bytes(bytes))
}

fn word(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input
        .read_exact(&mut bytes)
        .map(|()| u64::from_le_bytes(bytes))
}

fn short(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; byte(input)?.into()];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(input: &mut impl Read) -> io::Result<String> {
    String::from_utf8(short(input)?).map_err(|_| io::Error::other("a signature's name is no text"))
}

const _: () = assert!(FIRST_BYTES <= u8::MAX as usize);
