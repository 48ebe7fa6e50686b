//! SIGNATURES: what the payload of a datagram or segment asks for, one row each with its test and source.
//!
//! The files of `payload/` hold the rows by purpose; here they are put in order, and an index by port and first byte finds the few rows
//! that can match a packet. A row names the class; `classify.rs` decides whether the packet gets it.

mod applications;
mod bacnet;
mod ber;
mod device_replies;
mod discovery;
mod exploits;
mod games;
mod industry;
mod peer_to_peer;
mod quic;
mod replies;
mod requests;
mod services;
mod tcp;
mod tunnels;
mod words;

use std::cell::Cell;

use memchr::memmem;
use teiten_observation::Class;

use words::{TEXT_BYTES_MAX, Word, Words};

/// What a test may look at.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    source_port: u16,
    destination_port: u16,
    /// The words in it, computed when a row first asks for them.
    words: Cell<Option<Words>>,
}

impl<'a> Payload<'a> {
    /// The captured data, which is not empty, and its ports.
    #[inline(always)]
    #[must_use]
    pub const fn new(bytes: &'a [u8], source_port: u16, destination_port: u16) -> Self {
        Payload {
            bytes,
            source_port,
            destination_port,
            words: Cell::new(None),
        }
    }
}

/// A known payload.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Its name, as `explain` prints it.
    pub name: &'static str,
    /// The class of packets that carry it.
    pub class: Class,
    /// The ports it is looked for on.
    pub ports: Ports,
    /// Its possible first bytes; an empty list means any.
    pub first: &'static [u8],
    /// Whether a payload is this one.
    pub test: fn(&Payload) -> bool,
    /// Where it is described.
    pub source: &'static str,
}

/// The ports on which a signature can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// On all.
    Any,
    /// To one of these.
    To(&'static [u16]),
    /// From one of these.
    From(&'static [u16]),
}

impl Ports {
    fn contain(self, payload: &Payload) -> bool {
        match self {
            Ports::Any => true,
            Ports::To(ports) => ports.contains(&payload.destination_port),
            Ports::From(ports) => ports.contains(&payload.source_port),
        }
    }
}

const UDP_LISTS: &[&[Signature]] = &[
    exploits::UDP,
    quic::UDP,
    replies::UDP,
    device_replies::UDP,
    requests::UDP,
    discovery::UDP,
    games::UDP,
    industry::UDP,
    applications::UDP,
    peer_to_peer::UDP,
    tunnels::UDP,
];
const TCP_LISTS: &[&[Signature]] = &[
    exploits::TCP,
    peer_to_peer::TCP,
    industry::TCP,
    tcp::REQUESTS,
    services::TCP,
];

/// Signatures of UDP datagrams, in the order in which they decide: exploits before the requests that hide them, signatures of one port
/// before those of any port.
pub static UDP: [Signature; count(UDP_LISTS)] = joined(UDP_LISTS);
/// Signatures of TCP segments with data.
pub static TCP: [Signature; count(TCP_LISTS)] = joined(TCP_LISTS);

/// What a UDP payload is.
#[inline]
#[must_use]
pub fn udp(payload: &Payload) -> Option<&'static Signature> {
    find(&UDP, &UDP_INDEX, payload)
}

/// What the data of a TCP segment is.
#[inline]
#[must_use]
pub fn tcp(payload: &Payload) -> Option<&'static Signature> {
    find(&TCP, &TCP_INDEX, payload)
}

/// Signatures that one part of an index has bits for.
const PART_ROWS: usize = 128;
/// Parts of an index.
const PARTS: usize = 2;

/// All signatures in their order; the first part decides for most packets.
type Index = [IndexPart; PARTS];

/// For the low byte of each port and for the first byte, a bit per signature that can match.
struct IndexPart {
    any: u128,
    to: [u128; 256],
    from: [u128; 256],
    first: [u128; 256],
}

static UDP_INDEX: Index = [part(UDP_LISTS, 0), part(UDP_LISTS, 1)];
static TCP_INDEX: Index = [part(TCP_LISTS, 0), part(TCP_LISTS, 1)];

fn find(
    rows: &'static [Signature],
    index: &Index,
    payload: &Payload,
) -> Option<&'static Signature> {
    let first = *payload.bytes.first()?;
    for (number, part) in index.iter().enumerate() {
        let mut candidates = (part.any
            | part.to[usize::from(payload.destination_port & 0xff)]
            | part.from[usize::from(payload.source_port & 0xff)])
            & part.first[usize::from(first)];
        while candidates != 0 {
            let row = &rows[number * PART_ROWS + candidates.trailing_zeros() as usize];
            if row.ports.contain(payload) && (row.test)(payload) {
                return Some(row);
            }
            candidates &= candidates - 1;
        }
    }
    None
}

const fn count(lists: &[&[Signature]]) -> usize {
    let mut total = 0;
    let mut list = 0;
    while list < lists.len() {
        total += lists[list].len();
        list += 1;
    }
    assert!(
        total <= PART_ROWS * PARTS,
        "the index has a bit for each signature"
    );
    total
}

const fn joined<const N: usize>(lists: &[&[Signature]]) -> [Signature; N] {
    let mut rows = [lists[0][0]; N];
    let (mut list, mut next) = (0, 0);
    while list < lists.len() {
        let mut row = 0;
        while row < lists[list].len() {
            rows[next] = lists[list][row];
            next += 1;
            row += 1;
        }
        list += 1;
    }
    rows
}

/// The part with this number, from 0.
const fn part(lists: &[&[Signature]], number: usize) -> IndexPart {
    let mut index = IndexPart {
        any: 0,
        to: [0; 256],
        from: [0; 256],
        first: [0; 256],
    };
    let (mut list, mut position) = (0, 0);
    while list < lists.len() {
        let mut row = 0;
        while row < lists[list].len() {
            let signature = &lists[list][row];
            let is_here = position / PART_ROWS == number;
            let bit = (is_here as u128) << (position % PART_ROWS);
            match signature.ports {
                Ports::Any => index.any |= bit,
                Ports::To(ports) => index.to = with_ports(index.to, ports, bit),
                Ports::From(ports) => index.from = with_ports(index.from, ports, bit),
            }
            index.first = with_first(index.first, signature.first, bit);
            position += 1;
            row += 1;
        }
        list += 1;
    }
    index
}

const fn with_ports(mut masks: [u128; 256], ports: &[u16], bit: u128) -> [u128; 256] {
    let mut position = 0;
    while position < ports.len() {
        masks[(ports[position] & 0xff) as usize] |= bit;
        position += 1;
    }
    masks
}

const fn with_first(mut masks: [u128; 256], first: &[u8], bit: u128) -> [u128; 256] {
    let mut value = 0;
    while value < 256 {
        let mut listed = first.is_empty();
        let mut position = 0;
        while position < first.len() {
            listed |= first[position] as usize == value;
            position += 1;
        }
        if listed {
            masks[value] |= bit;
        }
        value += 1;
    }
    masks
}

impl Payload<'_> {
    fn starts_with(&self, prefix: &[u8]) -> bool {
        self.bytes.starts_with(prefix)
    }

    /// Whether `needle` is anywhere in the first [`TEXT_BYTES_MAX`] bytes. For rows that check a port or a word first, because each call
    /// scans the data.
    fn contains(&self, needle: &[u8]) -> bool {
        let searched = &self.bytes[..self.bytes.len().min(TEXT_BYTES_MAX)];
        memmem::find(searched, needle).is_some()
    }

    /// Whether it holds a word of [`words`]; the first call searches for all of them.
    fn holds(&self, word: Word) -> bool {
        let words = self.words.get().unwrap_or_else(|| {
            let words = words::words(self.bytes);
            self.words.set(Some(words));
            words
        });
        words.contain(word)
    }

    /// The protocol and version of a request: the text after the last space of the first line.
    fn version(&self) -> &[u8] {
        let line = words::first_line(self.bytes);
        let space = memchr::memrchr(b' ', line);
        space.map_or(&[], |space| &line[space + 1..])
    }

    fn byte(&self, position: usize) -> u8 {
        self.bytes.get(position).copied().unwrap_or(0)
    }

    fn big_endian_16(&self, position: usize) -> Option<u16> {
        match self.bytes.get(position..position + 2) {
            Some(&[high, low]) => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    fn big_endian_32(&self, position: usize) -> Option<u32> {
        match self.bytes.get(position..position + 4) {
            Some(&[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        }
    }
}

#[cfg(test)]
mod chance;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
