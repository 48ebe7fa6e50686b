//! What waits of all prefixes at the end of a day, on disk: what the next day goes on with. In the order of the prefixes, compressed, and with
//! a checksum that is compared while it is read. It begins with what it was made of.

use std::io::{self, BufReader, Read, Write};

use super::flow::{AttackFlow, RateWindow};
use super::minute::{ReplyMinute, ReplyTally};
use super::{AttackScope, Undecided, VictimPrefix};
use crate::destinations::DestinationSet;
use crate::reply_table::MINUTE_SLOTS;
use teiten_observation::Family;

/// First bytes of the file.
const MAGIC: &[u8; 8] = b"teiten-2";
/// Bytes of a prefix, at most: far more than waits of one.
const PREFIX_BYTES_MAX: u32 = 1 << 30;
/// Compression of the file: it is read once a day.
const ZSTD_LEVEL: i32 = 1;

/// What a file was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UndecidedHead {
    /// Hash of the parts, the settings and what waited before.
    pub inputs: String,
    /// Hash of the parts alone.
    pub parts: String,
    /// Everything before was known, microseconds since 1970-01-01 UTC.
    pub horizon_us: i64,
}

/// Writes what waits.
pub(crate) struct UndecidedWriter<W: Write> {
    file: zstd::Encoder<'static, W>,
    bytes: Vec<u8>,
}

impl<W: Write> UndecidedWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(file: W, head: &UndecidedHead) -> io::Result<Self> {
        let mut file = zstd::Encoder::new(file, ZSTD_LEVEL)?;
        file.include_checksum(true)?;
        let mut bytes = MAGIC.to_vec();
        text(&head.inputs, &mut bytes);
        text(&head.parts, &mut bytes);
        number(head.horizon_us as u64, &mut bytes);
        file.write_all(&bytes)?;
        Ok(UndecidedWriter { file, bytes })
    }

    /// Appends what waits of a prefix; nothing of nothing.
    ///
    /// # Errors
    /// When the file cannot be written, or too much waits.
    pub(crate) fn push(&mut self, prefix: VictimPrefix, undecided: &Undecided) -> io::Result<()> {
        if undecided.minutes.is_empty() && undecided.flows.is_empty() {
            return Ok(());
        }
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.push(prefix.0 as u8);
        wide(prefix.1, bytes);
        number(undecided.flows.len() as u64, bytes);
        for AttackFlow { tally, rate } in &undecided.flows {
            write_tally(tally, bytes);
            number(rate.minute as u64, bytes);
            let slots = rate.slots.into_iter().chain(rate.before);
            slots.for_each(|slot| number(slot, bytes));
            number(rate.most, bytes);
        }
        number(undecided.minutes.len() as u64, bytes);
        for minute in &undecided.minutes {
            bytes.push(minute.scope as u8);
            number(minute.minute as u64, bytes);
            minute.slots.iter().for_each(|slot| number(*slot, bytes));
            write_tally(&minute.tally, bytes);
        }
        let length = u32::try_from(bytes.len()).ok();
        let length = length.filter(|length| *length <= PREFIX_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("too much waits of one prefix"))?;
        self.file.write_all(&length.to_le_bytes())?;
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

fn write_tally(tally: &ReplyTally, bytes: &mut Vec<u8>) {
    bytes.push(tally.protocol);
    number(tally.victims.len() as u64, bytes);
    tally.victims.iter().for_each(|victim| wide(*victim, bytes));
    number(tally.ports.len() as u64, bytes);
    for (port, packets) in &tally.ports {
        bytes.extend_from_slice(&port.to_le_bytes());
        number(*packets, bytes);
    }
    for count in [
        tally.first_us as u64,
        tally.last_us as u64,
        tally.packets,
        tally.bytes,
    ]
    .into_iter()
    .chain(tally.replies)
    {
        number(count, bytes);
    }
    tally.set.view().write_to(bytes);
    bytes.extend_from_slice(&tally.country);
    number(tally.asn.map_or(u64::MAX, u64::from), bytes);
}

fn number(value: u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn wide(value: u128, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(text.len() as u8);
    bytes.extend_from_slice(&text.as_bytes()[..usize::from(text.len() as u8)]);
}

/// Reads what waits, in the order in which it was written.
pub(crate) struct UndecidedReader<R: Read> {
    file: zstd::Decoder<'static, BufReader<R>>,
    head: UndecidedHead,
    next: Option<(VictimPrefix, Undecided)>,
}

impl<R: Read> UndecidedReader<R> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is none, or is damaged.
    pub(crate) fn new(file: R) -> io::Result<Self> {
        let mut file = zstd::Decoder::new(file)?;
        if chunk(&mut file)? != *MAGIC {
            return Err(damaged());
        }
        let head = UndecidedHead {
            inputs: read_text(&mut file)?,
            parts: read_text(&mut file)?,
            horizon_us: read_number(&mut file)? as i64,
        };
        let next = None;
        let mut reader = UndecidedReader { file, head, next };
        reader.next = reader.read()?;
        Ok(reader)
    }

    /// What the file was made of.
    pub(crate) const fn head(&self) -> &UndecidedHead {
        &self.head
    }

    /// The prefix that comes next; none at the end.
    pub(crate) fn next_prefix(&self) -> Option<VictimPrefix> {
        self.next.as_ref().map(|(prefix, _)| *prefix)
    }

    /// What waits of a prefix; nothing if it does not come next.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(crate) fn take(&mut self, prefix: VictimPrefix) -> io::Result<Undecided> {
        if self.next_prefix() != Some(prefix) {
            return Ok(Undecided::default());
        }
        let next = self.read()?;
        let taken = std::mem::replace(&mut self.next, next);
        Ok(taken.map(|(_, undecided)| undecided).unwrap_or_default())
    }

    fn read(&mut self) -> io::Result<Option<(VictimPrefix, Undecided)>> {
        let length = u32::from_le_bytes(chunk(&mut self.file)?);
        if length == 0 {
            // Reads on to the checksum.
            let rest = self.file.read(&mut [0])?;
            return if rest == 0 { Ok(None) } else { Err(damaged()) };
        }
        if length > PREFIX_BYTES_MAX {
            return Err(damaged());
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        let mut input = &bytes[..];
        let read = read_undecided(&mut input)?;
        if input.is_empty() {
            Ok(Some(read))
        } else {
            Err(damaged())
        }
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what waits of attacks is damaged: remove the file, and the days behind it are made anew from the hours",
    )
}

fn read_undecided(input: &mut impl Read) -> io::Result<(VictimPrefix, Undecided)> {
    let family = match byte(input)? {
        4 => Family::Ipv4,
        6 => Family::Ipv6,
        _ => return Err(damaged()),
    };
    let prefix = (family, read_wide(input)?);
    let mut undecided = Undecided::default();
    for _ in 0..read_number(input)? {
        let tally = read_tally(input)?;
        let minute = read_number(input)? as i64;
        let (slots, before) = (read_slots(input)?, read_slots(input)?);
        let rate = RateWindow {
            minute,
            slots,
            before,
            most: read_number(input)?,
        };
        undecided.flows.push(AttackFlow { tally, rate });
    }
    for _ in 0..read_number(input)? {
        let scope = usize::from(byte(input)?);
        undecided.minutes.push(ReplyMinute {
            scope: *AttackScope::ALL.get(scope).ok_or_else(damaged)?,
            minute: read_number(input)? as i64,
            slots: read_slots(input)?,
            tally: read_tally(input)?,
        });
    }
    Ok((prefix, undecided))
}

fn read_tally(input: &mut impl Read) -> io::Result<ReplyTally> {
    let protocol = byte(input)?;
    let mut victims = Vec::new();
    for _ in 0..read_number(input)? {
        victims.push(read_wide(input)?);
    }
    let mut ports = Vec::new();
    for _ in 0..read_number(input)? {
        let port = u16::from_le_bytes(chunk(input)?);
        ports.push((port, read_number(input)?));
    }
    let (first_us, last_us) = (read_number(input)? as i64, read_number(input)? as i64);
    let (packets, bytes) = (read_number(input)?, read_number(input)?);
    let mut replies = [0; 4];
    for count in &mut replies {
        *count = read_number(input)?;
    }
    let set = DestinationSet::read_from(input)?;
    let country = chunk(input)?;
    let asn = read_number(input)?;
    Ok(ReplyTally {
        protocol,
        victims,
        ports,
        first_us,
        last_us,
        packets,
        bytes,
        replies,
        set,
        country,
        asn: (asn != u64::MAX).then_some(asn as u32),
    })
}

fn read_slots(input: &mut impl Read) -> io::Result<[u64; MINUTE_SLOTS]> {
    let mut slots = [0; MINUTE_SLOTS];
    for slot in &mut slots {
        *slot = read_number(input)?;
    }
    Ok(slots)
}

fn chunk<const BYTES: usize>(input: &mut impl Read) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    input.read_exact(&mut bytes).map(|()| bytes)
}

fn byte(input: &mut impl Read) -> io::Result<u8> {
    chunk(input).map(|[byte]| byte)
}

fn read_number(input: &mut impl Read) -> io::Result<u64> {
    chunk(input).map(u64::from_le_bytes)
}

fn read_wide(input: &mut impl Read) -> io::Result<u128> {
    chunk(input).map(u128::from_le_bytes)
}

fn read_text(input: &mut impl Read) -> io::Result<String> {
    let mut bytes = vec![0; byte(input)?.into()];
    input.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| damaged())
}
