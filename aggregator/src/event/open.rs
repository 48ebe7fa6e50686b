//! Events that are open at the end of a day, on disk: what the next day goes on with. In the order of their sources, compressed, and with a
//! checksum that is compared while they are read.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::aside::{ReadAside, WriteAside};
use super::scan::{Scan, ScanKey};
use crate::by_source::SourceKey;
use crate::varint;
use teiten_observation::{Tool, TrafficType};

/// First bytes of the file; of the form before, whose numbers and texts all have their full width, files are still read.
const MAGIC: &[u8; 8] = b"teiten-2";
const WIDE_MAGIC: &[u8; 8] = b"teiten-1";
/// Bytes of an event, at most.
const EVENT_BYTES_MAX: usize = 1 << 19;
/// Texts that are kept to be shared, at most.
const TEXTS_MAX: usize = 1 << 12;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Compression of the file: it is read once a day.
const ZSTD_LEVEL: i32 = 1;

/// Writes open events.
pub(crate) struct OpenWriter<W: Write + Send + 'static> {
    file: WriteAside<W>,
    bytes: Vec<u8>,
}

impl<W: Write + Send + 'static> OpenWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(file: W) -> io::Result<Self> {
        let mut file = zstd::Encoder::new(file, ZSTD_LEVEL)?;
        file.include_checksum(true)?;
        let mut file = WriteAside::new(file, zstd::Encoder::finish)?;
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
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        scan.source.write_to(&mut bytes);
        bytes.push(scan.key.traffic_type as u8);
        bytes.push(scan.key.protocol);
        varint::write(
            scan.key.port.map_or(0, |port| u64::from(port) + 1),
            &mut bytes,
        );
        bytes.extend_from_slice(&scan.start_us.to_le_bytes());
        // An event ends no earlier than it begins.
        varint::write(scan.end_us.wrapping_sub(scan.start_us) as u64, &mut bytes);
        varint::write(scan.packets, &mut bytes);
        varint::write(scan.bytes, &mut bytes);
        varint::write(scan.destinations_min, &mut bytes);
        varint::write(scan.asn.map_or(0, |asn| u64::from(asn) + 1), &mut bytes);
        bytes.extend_from_slice(&scan.country);
        for text in [scan.actor.as_bytes(), scan.stack.as_bytes(), &scan.set] {
            varint::write(text.len() as u64, &mut bytes);
            bytes.extend_from_slice(text);
        }
        for (tool, packets) in scan.tools.iter().enumerate().filter(|(_, it)| **it > 0) {
            bytes.push(tool as u8);
            varint::write(*packets, &mut bytes);
        }
        let written = self.record(&bytes);
        self.bytes = bytes;
        written
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
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

/// An event that is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenHead {
    /// Who.
    pub source: SourceKey,
    /// Last packet, microseconds since 1970-01-01 UTC.
    pub end_us: i64,
}

/// Reads open events, in the order in which they were written.
pub(crate) struct OpenReader {
    file: BufReader<ReadAside>,
    head: Option<OpenHead>,
    /// The event that is next.
    bytes: Vec<u8>,
    is_wide: bool,
    texts: KnownTexts,
}

/// Texts that came before: most events share them.
type KnownTexts = HashSet<Arc<str>, RandomState>;

impl OpenReader {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is none, or is damaged.
    pub(crate) fn new(file: impl Read + Send + 'static) -> io::Result<Self> {
        let unpacked = ReadAside::new(zstd::Decoder::new(file)?)?;
        let mut file = BufReader::with_capacity(BUFFER_BYTES, unpacked);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if ![MAGIC, WIDE_MAGIC].contains(&&magic) {
            return Err(damaged());
        }
        let mut reader = OpenReader {
            file,
            head: None,
            bytes: Vec::new(),
            is_wide: magic == *WIDE_MAGIC,
            texts: KnownTexts::default(),
        };
        reader.advance()?;
        Ok(reader)
    }

    /// The next event; none at the end.
    #[must_use]
    pub(crate) fn next_event(&self) -> Option<OpenHead> {
        self.head
    }

    /// All events of a source that is next.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(crate) fn take_source(&mut self, source: SourceKey) -> io::Result<Vec<Scan>> {
        let mut scans = Vec::new();
        while self.head.is_some_and(|head| head.source == source) {
            scans.push(self.take()?);
        }
        Ok(scans)
    }

    /// The next event.
    ///
    /// # Errors
    /// When the file is damaged, or at its end.
    pub(crate) fn take(&mut self) -> io::Result<Scan> {
        let bytes = &mut &self.bytes[..];
        let scan = match self.is_wide {
            true => wide::scan(bytes, &mut self.texts),
            false => scan(bytes, &mut self.texts),
        };
        self.advance()?;
        scan.ok_or_else(damaged)
    }

    /// Appends the next event to `file` as it is.
    ///
    /// # Errors
    /// When this file is damaged, or that one cannot be written.
    pub(crate) fn pass<W: Write + Send + 'static>(
        &mut self,
        file: &mut OpenWriter<W>,
    ) -> io::Result<()> {
        match self.is_wide {
            true => {
                let scan = self.take()?;
                file.push(&scan)
            }
            false => {
                file.record(&self.bytes)?;
                self.advance()
            }
        }
    }

    fn advance(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 {
            self.head = None;
            // Reads on to the checksum.
            let rest = self.file.read(&mut [0])?;
            return if rest == 0 { Ok(()) } else { Err(damaged()) };
        }
        if length > EVENT_BYTES_MAX {
            return Err(damaged());
        }
        self.bytes.resize(length, 0);
        self.file.read_exact(&mut self.bytes)?;
        let head = match self.is_wide {
            true => wide::head(&mut &self.bytes[..]),
            false => begin(&mut &self.bytes[..]).map(|(source, _, times)| OpenHead {
                source,
                end_us: times[1],
            }),
        };
        self.head = Some(head.ok_or_else(damaged)?);
        Ok(())
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the open events are damaged: remove the file, and the days behind it are made anew from the hours",
    )
}

/// Source, key, start and end.
fn begin(bytes: &mut &[u8]) -> Option<(SourceKey, ScanKey, [i64; 2])> {
    let source = SourceKey::read_from(bytes)?;
    let key = ScanKey {
        traffic_type: TrafficType::from_code(*bytes.split_off_first()?)?,
        protocol: *bytes.split_off_first()?,
        port: match varint::read(bytes)?.checked_sub(1) {
            Some(port) => Some(u16::try_from(port).ok()?),
            None => None,
        },
    };
    let start_us = i64::from_le_bytes(bytes.split_off(..8)?.try_into().ok()?);
    let end_us = start_us.wrapping_add(varint::read(bytes)? as i64);
    Some((source, key, [start_us, end_us]))
}

fn scan(bytes: &mut &[u8], texts: &mut KnownTexts) -> Option<Scan> {
    let (source, key, [start_us, end_us]) = begin(bytes)?;
    let [packets, on_wire, destinations_min, asn] = {
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = varint::read(bytes)?;
        }
        numbers
    };
    let country = bytes.split_off(..2)?.try_into().ok()?;
    let mut field = || {
        let length = usize::try_from(varint::read(bytes)?).ok()?;
        bytes.split_off(..length)
    };
    let (actor, stack, set) = (field()?, field()?, field()?);
    let mut tools = [0; Tool::ALL.len()];
    while let Some(tool) = bytes.split_off_first() {
        *tools.get_mut(usize::from(*tool))? = varint::read(bytes)?;
    }
    Some(Scan {
        source,
        key,
        start_us,
        end_us,
        packets,
        bytes: on_wire,
        set: set.to_vec(),
        destinations_min,
        tools,
        stack: shared(std::str::from_utf8(stack).ok()?, texts),
        actor: shared(std::str::from_utf8(actor).ok()?, texts),
        country,
        asn: match asn.checked_sub(1) {
            Some(asn) => Some(u32::try_from(asn).ok()?),
            None => None,
        },
    })
}

/// A text that came before, or this one.
fn shared(text: &str, texts: &mut KnownTexts) -> Arc<str> {
    if let Some(known) = texts.get(text) {
        return Arc::clone(known);
    }
    if texts.len() == TEXTS_MAX {
        texts.clear();
    }
    let text: Arc<str> = text.into();
    texts.insert(Arc::clone(&text));
    text
}

/// Events of the form before.
mod wide {
    use super::{Arc, KnownTexts, OpenHead, Scan, ScanKey, SourceKey, Tool, TrafficType, shared};

    /// Source and end of an event.
    pub(super) fn head(bytes: &mut &[u8]) -> Option<OpenHead> {
        let scan = scan(bytes, &mut KnownTexts::default())?;
        Some(OpenHead {
            source: scan.source,
            end_us: scan.end_us,
        })
    }

    pub(super) fn scan(bytes: &mut &[u8], texts: &mut KnownTexts) -> Option<Scan> {
        let source = SourceKey::parse(read_text(bytes)?)?;
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
        let mut text = || Some(Arc::clone(&shared(read_text(bytes)?, texts)));
        let (actor, stack) = (text()?, text()?);
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

    fn read_text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
        std::str::from_utf8(read_bytes(bytes)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_of(number: u32, port: Option<u16>) -> Scan {
        let mut tools = [0; Tool::ALL.len()];
        tools[Tool::Zmap as usize] = u64::from(number);
        Scan {
            source: SourceKey::parse(&format!("192.0.2.{number}")).expect("a source"),
            key: ScanKey {
                traffic_type: TrafficType::TcpSyn,
                port,
                protocol: 6,
            },
            start_us: -5,
            end_us: 1_800_000_000_000_000,
            packets: u64::MAX,
            bytes: 300,
            set: vec![4, 1, 2, 3, 4],
            destinations_min: 1,
            tools,
            stack: "65535:M1460".into(),
            actor: "".into(),
            country: *b"JP",
            asn: port.map(|_| u32::MAX),
        }
    }

    #[test]
    fn events_come_back_and_pass_as_they_are() {
        let scans = [
            scan_of(1, None),
            scan_of(1, Some(65_535)),
            scan_of(7, Some(0)),
        ];
        let mut file = OpenWriter::new(Vec::new()).expect("a Vec takes all");
        scans
            .iter()
            .for_each(|scan| file.push(scan).expect("a Vec takes all"));
        let written = file.finish().expect("a Vec takes all");
        let mut reader = OpenReader::new(io::Cursor::new(written.clone())).expect("open events");
        let mut copy = OpenWriter::new(Vec::new()).expect("a Vec takes all");
        while reader.next_event().is_some() {
            reader.pass(&mut copy).expect("sound");
        }
        assert!(copy.finish().expect("a Vec takes all") == written);
        let mut reader = OpenReader::new(io::Cursor::new(written.clone())).expect("open events");
        assert_eq!(
            reader.next_event().map(|head| head.end_us),
            Some(scans[0].end_us)
        );
        assert_eq!(
            reader.take_source(scans[0].source).expect("sound"),
            scans[..2]
        );
        assert_eq!(reader.take().expect("sound"), scans[2]);
        assert_eq!(reader.next_event(), None);
        for length in 0..written.len() {
            let cut = io::Cursor::new(written[..length].to_vec());
            let read = OpenReader::new(cut).and_then(|mut reader| {
                while reader.next_event().is_some() {
                    reader.take()?;
                }
                Ok(())
            });
            assert!(read.is_err(), "{length}");
        }
    }
}
