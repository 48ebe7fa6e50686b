//! The identity of a capture: a hash of its uncompressed bytes, taken while they are read, and a hash of its beginning. Its name, its
//! compression and the other inputs do not matter.

use teiten_aggregator::inputs::{Capture, mark_lengths};
use twox_hash::XxHash3_128;

/// Bytes of the beginning, whose hash is known before the capture is read.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// Takes the bytes of one capture in their order.
pub(super) struct Identifier {
    hash: XxHash3_128,
    bytes: u64,
    marks: String,
    lengths: Box<dyn Iterator<Item = u64> + Send>,
    next_mark: u64,
    /// Lengths at which the hash is wanted and that are still ahead, ascending.
    wanted: Vec<u64>,
    found: Vec<(u64, String)>,
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Identifier({} bytes)", self.bytes)
    }
}

impl Identifier {
    /// A hash of no bytes yet; it also records the hashes of the beginnings of the lengths `wanted`.
    pub(super) fn new(mut wanted: Vec<u64>) -> Self {
        let mut lengths = Box::new(mark_lengths());
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|&length| length > 0);
        Identifier {
            hash: XxHash3_128::new(),
            bytes: 0,
            marks: String::new(),
            next_mark: lengths.next().unwrap_or(u64::MAX),
            lengths,
            wanted,
            found: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = self.wanted.first().copied().unwrap_or(u64::MAX);
            let room = self.next_mark.min(wanted) - self.bytes;
            let (taken, rest) =
                bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.hash.write(taken);
            self.bytes += taken.len() as u64;
            bytes = rest;
            if self.bytes == self.next_mark {
                let mark = self.hash.finish_128() as u32;
                self.marks.push_str(&format!("{mark:08x}"));
                self.next_mark = self.lengths.next().unwrap_or(u64::MAX);
            }
            if self.bytes == wanted {
                self.found.push((wanted, self.digest()));
                self.wanted.remove(0);
            }
        }
    }

    fn digest(&self) -> String {
        format!("{:032x}", self.hash.finish_128())
    }

    /// The capture of the bytes so far.
    pub(super) fn capture(&self, records: u64) -> Capture {
        Capture {
            bytes: Some(self.bytes),
            hash: Some(self.digest()),
            records: Some(records),
            marks: self.marks.clone(),
            from_bytes: 0,
        }
    }

    /// Hashes at the lengths that were wanted, as far as the bytes reach.
    pub(super) fn found(&self) -> &[(u64, String)] {
        &self.found
    }
}

/// The identity of a capture's first bytes.
pub(super) fn beginning(head: &[u8]) -> Capture {
    let mut identifier = Identifier::new(Vec::new());
    identifier.write(&head[..head.len().min(HEAD_BYTES)]);
    Capture {
        marks: identifier.marks,
        ..Capture::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_show_and_beginnings_agree() {
        let bytes: Vec<u8> = (0..200_000u32).map(|number| (number * 7) as u8).collect();
        let mut whole = Identifier::new(vec![100, 150_000]);
        whole.write(&bytes);
        let mut pieces = Identifier::new(vec![150_000, 100]);
        bytes.chunks(777).for_each(|piece| pieces.write(piece));
        assert_eq!(whole.capture(1), pieces.capture(1));
        assert_eq!(whole.found(), pieces.found());
        let mut short = Identifier::new(Vec::new());
        short.write(&bytes[..150_000]);
        assert_eq!(
            short.capture(0).hash.as_deref(),
            Some(whole.found()[1].1.as_str())
        );
        assert!(short.capture(0).is_beginning_of(&whole.capture(0)));
        assert!(beginning(&bytes).begins_as(&whole.capture(0)));
        assert!(!beginning(&bytes[1..]).begins_as(&whole.capture(0)));
    }
}
