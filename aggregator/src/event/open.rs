//! Events that are open at the end of a day, on disk: what the next day goes on with. In the order of their sources, compressed, and with a
//! checksum that is compared while they are read.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::aside::{PIECE_BYTES, ReadAside, WriteAside};
use super::hashed::HashedFile;
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

/// Memory of open events that are kept from a day to the next, at most: more are read from their file.
pub(crate) const KEPT_BYTES_MAX: usize = 64 << 20;

/// A finished file of open events.
pub(crate) struct OpenFile<W> {
    pub file: W,
    /// The XXH64 (seed 0) of its bytes.
    pub hash: u64,
    /// Its events, where they are few enough to stay in memory.
    pub kept: Option<KeptEvents>,
}

/// Writes open events.
pub(crate) struct OpenWriter<W> {
    file: WriteAside<HashedFile<W>>,
    piece: Vec<u8>,
    kept: KeptEvents,
    kept_max: usize,
}

impl<W: Write + Send + 'static> OpenWriter<W> {
    /// Begins a file; its events are kept in memory if they take no more than `kept_max` bytes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keeping(file: W, kept_max: usize) -> io::Result<Self> {
        let mut file = zstd::Encoder::new(HashedFile::new(file), ZSTD_LEVEL)?;
        file.include_checksum(true)?;
        let file = WriteAside::new(file, zstd::Encoder::finish)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        piece.extend_from_slice(MAGIC);
        Ok(OpenWriter {
            file,
            piece,
            kept: KeptEvents::default(),
            kept_max,
        })
    }

    /// Appends an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn push(&mut self, scan: &Scan) -> io::Result<()> {
        let head = OpenHead::of(scan);
        self.record(head, |bytes| write_scan(scan, bytes))
    }

    /// Appends the bytes of an event, with their number in front.
    fn record(&mut self, head: OpenHead, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let length_at = self.piece.len();
        self.piece.extend_from_slice(&[0; 4]);
        let start = self.piece.len();
        write(&mut self.piece);
        let end = self.piece.len();
        self.piece[length_at..start].copy_from_slice(&((end - start) as u32).to_le_bytes());
        self.kept.note(head, start..end, self.kept_max);
        if end >= PIECE_BYTES {
            self.hand_over()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let piece = Arc::new(piece);
        self.kept.keep(&piece, self.kept_max);
        self.file.write(piece)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<OpenFile<W>> {
        self.piece.extend_from_slice(&0_u32.to_le_bytes());
        self.hand_over()?;
        let kept = (self.kept.bytes <= self.kept_max).then_some(self.kept);
        let (file, hash) = self.file.finish()?.finish();
        Ok(OpenFile { file, hash, kept })
    }
}

/// Appends an event as bytes, which [`read_scan`] reads.
pub(crate) fn write_scan(scan: &Scan, bytes: &mut Vec<u8>) {
    write_with(scan, &scan.set, scan.destinations_min, bytes);
}

/// Appends an event whose destinations were counted: their number in place of which they are.
pub(crate) fn write_counted(scan: &Scan, destinations: u64, bytes: &mut Vec<u8>) {
    write_with(scan, &[], destinations, bytes);
}

fn write_with(scan: &Scan, set: &[u8], destinations: u64, bytes: &mut Vec<u8>) {
    scan.source.write_to(bytes);
    bytes.push(scan.key.traffic_type as u8);
    bytes.push(scan.key.protocol);
    varint::write(scan.key.port.map_or(0, |port| u64::from(port) + 1), bytes);
    bytes.extend_from_slice(&scan.start_us.to_le_bytes());
    // An event ends no earlier than it begins.
    varint::write(scan.end_us.wrapping_sub(scan.start_us) as u64, bytes);
    varint::write(scan.packets, bytes);
    varint::write(scan.bytes, bytes);
    varint::write(destinations, bytes);
    varint::write(scan.asn.map_or(0, |asn| u64::from(asn) + 1), bytes);
    bytes.extend_from_slice(&scan.country);
    for text in [scan.actor.as_bytes(), scan.stack.as_bytes(), set] {
        varint::write(text.len() as u64, bytes);
        bytes.extend_from_slice(text);
    }
    for (tool, packets) in scan.tools.iter().enumerate().filter(|(_, it)| **it > 0) {
        bytes.push(tool as u8);
        varint::write(*packets, bytes);
    }
}

/// Open events of a day, as they were written: the next day need not read them from their file.
#[derive(Default)]
pub(crate) struct KeptEvents {
    events: Vec<KeptEvent>,
    pieces: Vec<Arc<Vec<u8>>>,
    /// What they take; above the limit nothing is kept.
    bytes: usize,
}

struct KeptEvent {
    head: OpenHead,
    piece: u32,
    place: Range<u32>,
}

impl KeptEvents {
    /// Notes an event of the piece that comes next.
    fn note(&mut self, head: OpenHead, place: Range<usize>, bytes_max: usize) {
        self.bytes += place.len() + size_of::<KeptEvent>();
        if self.bytes > bytes_max {
            (self.events, self.pieces) = (Vec::new(), Vec::new());
            return;
        }
        self.events.push(KeptEvent {
            head,
            piece: self.pieces.len() as u32,
            place: place.start as u32..place.end as u32,
        });
    }

    fn keep(&mut self, piece: &Arc<Vec<u8>>, bytes_max: usize) {
        if self.bytes <= bytes_max {
            self.pieces.push(Arc::clone(piece));
        }
    }

    fn bytes_of(&self, event: &KeptEvent) -> &[u8] {
        let place = event.place.start as usize..event.place.end as usize;
        &self.pieces[event.piece as usize][place]
    }
}

/// An event that is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenHead {
    /// Who.
    pub source: SourceKey,
    /// What.
    pub key: ScanKey,
    /// Last packet, microseconds since 1970-01-01 UTC.
    pub end_us: i64,
}

impl OpenHead {
    fn of(scan: &Scan) -> Self {
        OpenHead {
            source: scan.source,
            key: scan.key,
            end_us: scan.end_us,
        }
    }

    /// Its place in the order of events: there is one at most for each source and key.
    #[must_use]
    pub(crate) const fn place(&self) -> (SourceKey, ScanKey) {
        (self.source, self.key)
    }
}

/// Reads open events, in the order in which they were written.
pub(crate) struct OpenReader {
    origin: OpenOrigin,
    head: Option<OpenHead>,
    texts: KnownTexts,
}

enum OpenOrigin {
    File(EventFile),
    /// The number of the event that is next.
    Kept(KeptEvents, usize),
}

struct EventFile {
    file: BufReader<ReadAside>,
    /// The event that is next.
    bytes: Vec<u8>,
    is_wide: bool,
}

/// Texts that came before: most events share them.
pub(crate) type KnownTexts = HashSet<Arc<str>, RandomState>;

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
        let mut file = EventFile {
            file,
            bytes: Vec::new(),
            is_wide: magic == *WIDE_MAGIC,
        };
        Ok(OpenReader {
            head: file.advance()?,
            origin: OpenOrigin::File(file),
            texts: KnownTexts::default(),
        })
    }

    /// Reads events that were kept.
    #[must_use]
    pub(crate) fn of_kept(kept: KeptEvents) -> Self {
        OpenReader {
            head: kept.events.first().map(|event| event.head),
            origin: OpenOrigin::Kept(kept, 0),
            texts: KnownTexts::default(),
        }
    }

    /// The next event; none at the end.
    #[must_use]
    pub(crate) fn next_event(&self) -> Option<OpenHead> {
        self.head
    }

    /// The next event.
    ///
    /// # Errors
    /// When the file is damaged, or at its end.
    pub(crate) fn take(&mut self) -> io::Result<Scan> {
        let scan = match &self.origin {
            OpenOrigin::File(file) if file.is_wide => {
                wide::scan(&mut &file.bytes[..], &mut self.texts)
            }
            origin => read_scan(&mut origin.bytes(), &mut self.texts),
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
        let is_wide = matches!(&self.origin, OpenOrigin::File(from) if from.is_wide);
        match self.head {
            Some(head) if !is_wide => {
                let event = self.origin.bytes();
                file.record(head, |bytes| bytes.extend_from_slice(event))?;
                self.advance()
            }
            _ => {
                let scan = self.take()?;
                file.push(&scan)
            }
        }
    }

    fn advance(&mut self) -> io::Result<()> {
        self.head = match &mut self.origin {
            OpenOrigin::File(file) => file.advance()?,
            OpenOrigin::Kept(kept, next) => {
                *next += 1;
                kept.events.get(*next).map(|event| event.head)
            }
        };
        Ok(())
    }
}

impl OpenOrigin {
    /// The event that is next; nothing at the end.
    fn bytes(&self) -> &[u8] {
        match self {
            OpenOrigin::File(file) => &file.bytes,
            OpenOrigin::Kept(kept, next) => {
                let event = kept.events.get(*next);
                event.map_or(&[], |event| kept.bytes_of(event))
            }
        }
    }
}

impl EventFile {
    /// Reads the event that follows.
    fn advance(&mut self) -> io::Result<Option<OpenHead>> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 {
            // Reads on to the checksum.
            let rest = self.file.read(&mut [0])?;
            return if rest == 0 { Ok(None) } else { Err(damaged()) };
        }
        if length > EVENT_BYTES_MAX {
            return Err(damaged());
        }
        self.bytes.resize(length, 0);
        self.file.read_exact(&mut self.bytes)?;
        let head = match self.is_wide {
            true => wide::head(&mut &self.bytes[..]),
            false => begin(&mut &self.bytes[..]).map(|(source, key, times)| OpenHead {
                source,
                key,
                end_us: times[1],
            }),
        };
        head.map(Some).ok_or_else(damaged)
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

/// An event from its bytes, all of which are its own; `None` where they are of none.
pub(crate) fn read_scan(bytes: &mut &[u8], texts: &mut KnownTexts) -> Option<Scan> {
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

    /// What stands at the head of an event.
    pub(super) fn head(bytes: &mut &[u8]) -> Option<OpenHead> {
        scan(bytes, &mut KnownTexts::default()).map(|scan| OpenHead::of(&scan))
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
        let mut file = OpenWriter::keeping(Vec::new(), KEPT_BYTES_MAX).expect("a Vec takes all");
        scans
            .iter()
            .for_each(|scan| file.push(scan).expect("a Vec takes all"));
        let OpenFile { file, hash, kept } = file.finish().expect("a Vec takes all");
        let written = file;
        assert_eq!(hash, twox_hash::XxHash64::oneshot(0, &written));
        let mut reader = OpenReader::new(io::Cursor::new(written.clone())).expect("open events");
        let mut copy = OpenWriter::keeping(Vec::new(), KEPT_BYTES_MAX).expect("a Vec takes all");
        while reader.next_event().is_some() {
            reader.pass(&mut copy).expect("sound");
        }
        assert!(copy.finish().expect("a Vec takes all").file == written);
        let from_memory = OpenReader::of_kept(kept.expect("they are few"));
        check(from_memory, &scans);
        let from_file = OpenReader::new(io::Cursor::new(written.clone())).expect("open events");
        check(from_file, &scans);
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

    fn check(mut reader: OpenReader, scans: &[Scan; 3]) {
        for scan in scans {
            assert_eq!(reader.next_event(), Some(OpenHead::of(scan)));
            assert_eq!(reader.take().expect("sound"), *scan);
        }
        assert_eq!(reader.next_event(), None);
    }

    /// Passes every other event from day to day, and takes the others; the files of all days, and how many days kept their events.
    fn days(kept_max: usize) -> (Vec<Vec<u8>>, usize) {
        let mut files = Vec::new();
        let (mut before, mut kept_days) = (None, 0);
        for day in 0..4_u32 {
            let mut file = OpenWriter::keeping(Vec::new(), kept_max).expect("a Vec takes all");
            while let Some(reader) = before.as_mut()
                && let Some(head) = OpenReader::next_event(reader)
            {
                match head.end_us % 2 {
                    0 => reader.pass(&mut file).expect("sound"),
                    _ => {
                        let mut scan = reader.take().expect("sound");
                        scan.packets = day.into();
                        file.push(&scan).expect("a Vec takes all");
                    }
                }
            }
            for number in 0..20_000 {
                let mut scan = scan_of(number % 250, Some(number as u16));
                scan.end_us += i64::from(number);
                file.push(&scan).expect("a Vec takes all");
            }
            let OpenFile { file, kept, .. } = file.finish().expect("a Vec takes all");
            let written = file;
            kept_days += usize::from(kept.is_some());
            before = Some(match kept {
                Some(kept) => OpenReader::of_kept(kept),
                None => OpenReader::new(io::Cursor::new(written.clone())).expect("open events"),
            });
            files.push(written);
        }
        (files, kept_days)
    }

    #[test]
    fn events_that_are_too_many_to_be_kept_make_the_same_files() {
        let (files, kept_days) = days(usize::MAX);
        assert_eq!(kept_days, 4);
        for (kept_max, expected) in [(0, 0), (1_000_000, 0), (5_000_000, 1)] {
            let (limited, kept_days) = days(kept_max);
            assert_eq!(kept_days, expected, "{kept_max}");
            assert!(limited == files, "{kept_max}");
        }
    }
}
