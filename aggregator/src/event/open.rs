//! Events that are open at the end of a day, on disk: what the next day goes on with. In the order of their sources, compressed, and with a
//! checksum that is compared while they are read.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use super::scan::{Scan, ScanKey};
use crate::by_source::SourceKey;
use teiten_observation::{Tool, TrafficType};

/// First bytes of the file.
const MAGIC: &[u8; 8] = b"teiten-1";
/// Bytes of a text or set, at most.
const BYTES_MAX: usize = 1 << 16;
/// Compression of the file: it is read once a day.
const ZSTD_LEVEL: i32 = 1;

/// Writes open events.
pub(crate) struct OpenWriter<W: Write> {
    file: zstd::Encoder<'static, W>,
    bytes: Vec<u8>,
}

impl<W: Write> OpenWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(file: W) -> io::Result<Self> {
        let mut file = zstd::Encoder::new(file, ZSTD_LEVEL)?;
        file.include_checksum(true)?;
        file.write_all(MAGIC)?;
        Ok(OpenWriter {
            file,
            bytes: Vec::new(),
        })
    }

    /// Appends an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn push(&mut self, scan: &Scan) -> io::Result<()> {
        let bytes = &mut self.bytes;
        bytes.clear();
        text(&scan.source.text(), bytes);
        bytes.push(scan.key.traffic_type as u8);
        bytes.push(scan.key.protocol);
        number(scan.key.port.map_or(u64::MAX, u64::from), bytes);
        number(scan.start_us as u64, bytes);
        number(scan.end_us as u64, bytes);
        number(scan.packets, bytes);
        number(scan.bytes, bytes);
        number(scan.destinations_min, bytes);
        number(scan.asn.map_or(u64::MAX, u64::from), bytes);
        text(&scan.country, bytes);
        text(scan.actor.as_bytes(), bytes);
        text(scan.stack.as_bytes(), bytes);
        text(&scan.set, bytes);
        scan.tools
            .iter()
            .for_each(|packets| number(*packets, bytes));
        self.file.write_all(&(bytes.len() as u32).to_le_bytes())?;
        self.file.write_all(bytes)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.file.write_all(&0_u32.to_le_bytes())?;
        self.file.finish()
    }
}

fn number(value: u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn text(text: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text);
}

/// Reads open events, in the order in which they were written.
pub(crate) struct OpenReader<R: Read> {
    file: zstd::Decoder<'static, BufReader<R>>,
    head: Option<Scan>,
}

impl<R: Read> OpenReader<R> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is none, or is damaged.
    pub(crate) fn new(file: R) -> io::Result<Self> {
        let mut file = zstd::Decoder::new(file)?;
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(damaged());
        }
        let mut reader = OpenReader { file, head: None };
        reader.head = reader.read()?;
        Ok(reader)
    }

    /// The source of the next event; none at the end.
    #[must_use]
    pub(crate) fn next_source(&self) -> Option<SourceKey> {
        self.head.as_ref().map(|scan| scan.source)
    }

    /// All events of a source that is next.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(crate) fn take_source(&mut self, source: SourceKey) -> io::Result<Vec<Scan>> {
        let mut scans = Vec::new();
        while self.next_source() == Some(source) {
            let next = self.read()?;
            scans.extend(std::mem::replace(&mut self.head, next));
        }
        Ok(scans)
    }

    fn read(&mut self) -> io::Result<Option<Scan>> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 {
            // Reads on to the checksum.
            let rest = self.file.read(&mut [0])?;
            return if rest == 0 { Ok(None) } else { Err(damaged()) };
        }
        if length > BYTES_MAX * 8 {
            return Err(damaged());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        scan(&mut &bytes[..]).map(Some).ok_or_else(damaged)
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the open events are damaged: remove the file, and the days behind it are made anew from the hours",
    )
}

fn scan(bytes: &mut &[u8]) -> Option<Scan> {
    let source = SourceKey::parse(&read_text(bytes)?)?;
    let key = ScanKey {
        traffic_type: TrafficType::from_code(*bytes.split_off_first()?)?,
        protocol: *bytes.split_off_first()?,
        port: match read_number(bytes)? {
            u64::MAX => None,
            port => Some(u16::try_from(port).ok()?),
        },
    };
    let [start, end, packets, on_wire, destinations_min, asn] = {
        let mut numbers = [0; 6];
        for number in &mut numbers {
            *number = read_number(bytes)?;
        }
        numbers
    };
    let country = read_text(bytes)?.as_bytes().try_into().ok()?;
    let (actor, stack) = (Arc::from(read_text(bytes)?), Arc::from(read_text(bytes)?));
    let set = read_bytes(bytes)?.to_vec();
    let mut tools = [0; Tool::ALL.len()];
    for packets in &mut tools {
        *packets = read_number(bytes)?;
    }
    Some(Scan {
        source,
        key,
        start_us: start as i64,
        end_us: end as i64,
        packets,
        bytes: on_wire,
        set,
        destinations_min,
        tools,
        stack,
        actor,
        country,
        asn: (asn != u64::MAX).then_some(asn as u32),
    })
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let number = bytes.split_off(..8)?;
    Some(u64::from_le_bytes(number.try_into().ok()?))
}

fn read_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = bytes.split_off(..4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    bytes.split_off(..length)
}

fn read_text(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(read_bytes(bytes)?.to_vec()).ok()
}
