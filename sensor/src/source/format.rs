//! Recognises the compression of a file by its first bytes, never by its name. `header.rs` recognises the capture formats.

use std::fmt;
use std::io::{self, Read};

use teiten_aggregator::text::hexadecimal;

/// The compressions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip, RFC 1952, with any number of members
    Gzip,
    /// Zstandard, RFC 8878, with any number of frames
    Zstandard,
    /// xz, with any number of streams
    Xz,
    /// LZ4 frames
    Lz4,
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Compression::Gzip => "gz",
            Compression::Zstandard => "zst",
            Compression::Xz => "xz",
            Compression::Lz4 => "lz4",
        })
    }
}

/// First bytes of each compression; the last is LZ4's legacy frame, as the Linux kernel's tools write it.
const COMPRESSIONS: &[(&[u8], Compression)] = &[
    (&[0x1f, 0x8b], Compression::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstandard),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    (&[0x04, 0x22, 0x4d, 0x18], Compression::Lz4),
    (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
];

/// Bytes that are enough to recognise a compression.
const MAGIC_BYTES: usize = 8;

/// Most bytes of skippable frames that are skipped.
const SKIPPED_BYTES_MAX: usize = 1 << 20;

/// Reads enough of `raw` to recognise its compression; returns the bytes read and the compression. Zstandard and LZ4 both may begin with
/// skippable frames (RFC 8878, section 3.1.2; LZ4 frame format 1.6.4), so the frame after them decides.
pub(super) fn told(raw: &mut impl Read) -> io::Result<(Vec<u8>, Option<Compression>)> {
    let mut head = Vec::new();
    let mut frame = 0;
    loop {
        let wanted = frame + MAGIC_BYTES;
        let missing = wanted.saturating_sub(head.len()) as u64;
        raw.take(missing).read_to_end(&mut head)?;
        let found = compression(head.get(frame..).unwrap_or_default());
        if !starts_skippable(head.get(frame..).unwrap_or_default()) {
            return Ok(match (found, frame) {
                (None, 1..) => (head, Some(Compression::Zstandard)),
                (found, _) => (head, found),
            });
        }
        let length = head
            .get(frame + 4..wanted)
            .and_then(|bytes| bytes.first_chunk::<4>());
        let next = length.map(|&length| wanted + u32::from_le_bytes(length) as usize);
        match next {
            Some(next) if next <= SKIPPED_BYTES_MAX => {
                let missing = next.saturating_sub(head.len()) as u64;
                raw.take(missing).read_to_end(&mut head)?;
                if head.len() < next {
                    return Ok((head, found));
                }
                frame = next;
            }
            _ => return Ok((head, found)),
        }
    }
}

/// The compression that `head`, the first bytes of a file, belongs to.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    if starts_skippable(head) {
        return Some(Compression::Zstandard);
    }
    COMPRESSIONS
        .iter()
        .find(|(first_bytes, _)| head.starts_with(first_bytes))
        .map(|&(_, compression)| compression)
}

/// A skippable frame (RFC 8878, section 3.1.2) comes before the first real one in files of pzstd.
pub(super) fn starts_skippable(head: &[u8]) -> bool {
    head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18]
}

/// The first bytes of something unknown, in hexadecimal.
pub(super) fn first_bytes(head: &[u8]) -> String {
    let shown = head.iter().take(8);
    shown
        .map(|byte| hexadecimal(&[*byte]))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_are_told_by_content() {
        assert_eq!(compression(&[0x1f, 0x8b, 8, 0]), Some(Compression::Gzip));
        assert_eq!(
            compression(&[0x51, 0x2a, 0x4d, 0x18]),
            Some(Compression::Zstandard)
        );
        assert_eq!(compression(&[0xd4, 0xc3, 0xb2, 0xa1]), None);
        assert_eq!(compression(&[]), None);
    }

    #[test]
    fn unknown_bytes_are_shown_in_hexadecimal() {
        assert_eq!(first_bytes(b"snoop"), "73 6e 6f 6f 70");
    }
}
