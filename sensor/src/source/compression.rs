//! Decompressors as one reader: all members, frames or streams of a file as one. `format.rs` tells which compression it is.

use std::io::{self, BufRead, Read};

use super::error::CaptureError;
use super::format::{Compression, compression, starts_skippable};

/// A source of bytes that another thread can read.
pub(super) type ByteSource = Box<dyn Read + Send>;

/// Compressed bytes fetched at a time.
const FETCH_BYTES: usize = 128 << 10;

/// Bytes that tell what follows a member.
const MAGIC_BYTES: usize = 4;

/// Most memory that an xz file may ask for: its strongest preset needs 65 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 512 << 20;

/// The largest window of zstd that is read, as an exponent of two: that of `zstd --long=31`. A frame only takes memory for the part that it
/// fills.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Compressed bytes with a peek at the next ones.
struct Raw {
    bytes: ByteSource,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Raw {
    fn new(bytes: ByteSource) -> Self {
        Raw {
            bytes,
            buffer: vec![0; FETCH_BYTES],
            start: 0,
            end: 0,
        }
    }

    /// The next `wanted` bytes, or fewer at the end.
    fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            match self.bytes.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let bytes = &self.buffer[self.start..self.end];
        Ok(&bytes[..bytes.len().min(wanted)])
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)?;
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// The decompressed bytes of `raw`.
pub(super) fn decompressed(
    raw: ByteSource,
    compression: Option<Compression>,
) -> io::Result<ByteSource> {
    let Some(compression) = compression else {
        return Ok(raw);
    };
    let raw = Raw::new(raw);
    Ok(match compression {
        Compression::Gzip => Box::new(Members::<flate2::bufread::GzDecoder<Raw>>::new(
            raw,
            compression,
        )),
        Compression::Zstandard => Box::new(
            Members::<zstd::stream::read::Decoder<'static, Raw>>::new(raw, compression),
        ),
        Compression::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, flags)
                .map_err(io::Error::other)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
        }
        Compression::Lz4 => Box::new(Members::<lz4_flex::frame::FrameDecoder<Raw>>::new(
            raw,
            compression,
        )),
    })
}

/// One member or frame of a compressed file.
trait CompressedMember: Read + Sized {
    /// Begins to read one.
    fn begin(raw: Raw) -> io::Result<Self>;
    /// What comes behind it.
    fn rest(self) -> Raw;
}

impl CompressedMember for flate2::bufread::GzDecoder<Raw> {
    fn begin(raw: Raw) -> io::Result<Self> {
        Ok(Self::new(raw))
    }

    fn rest(self) -> Raw {
        self.into_inner()
    }
}

impl CompressedMember for zstd::stream::read::Decoder<'static, Raw> {
    fn begin(raw: Raw) -> io::Result<Self> {
        let mut decoder = Self::with_buffer(raw)?.single_frame();
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(decoder)
    }

    fn rest(self) -> Raw {
        self.finish()
    }
}

impl CompressedMember for lz4_flex::frame::FrameDecoder<Raw> {
    fn begin(mut raw: Raw) -> io::Result<Self> {
        // The decoder does not know skippable frames.
        while starts_skippable(raw.peek(MAGIC_BYTES)?) {
            let mut head = [0; 8];
            raw.read_exact(&mut head)?;
            let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            let skipped = io::copy(&mut (&mut raw).take(length), &mut io::sink())?;
            if skipped < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Self::new(raw))
    }

    fn rest(self) -> Raw {
        self.into_inner()
    }
}

/// All members of a file as one. Zeros after the last are padding of tapes and block devices, which gzip(1) ignores too.
struct Members<M> {
    state: MemberState<M>,
    compression: Compression,
}

enum MemberState<M> {
    Between(Raw),
    Within(M),
    Ended,
}

impl<M: CompressedMember> Members<M> {
    fn new(raw: Raw, compression: Compression) -> Self {
        Members {
            state: MemberState::Between(raw),
            compression,
        }
    }
}

impl<M: CompressedMember> Read for Members<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut is_first = true;
        loop {
            match std::mem::replace(&mut self.state, MemberState::Ended) {
                MemberState::Ended => return Ok(0),
                MemberState::Between(mut raw) => {
                    let head = raw.peek(MAGIC_BYTES)?;
                    if head.is_empty() {
                        return Ok(0);
                    }
                    if !is_first && compression(head).is_none() {
                        return end(&mut raw, self.compression);
                    }
                    self.state = MemberState::Within(M::begin(raw)?);
                }
                MemberState::Within(mut member) => match member.read(buffer) {
                    Ok(0) if !buffer.is_empty() => {
                        is_first = false;
                        self.state = MemberState::Between(member.rest());
                    }
                    read => {
                        self.state = MemberState::Within(member);
                        return read;
                    }
                },
            }
        }
    }
}

/// The end of the compressed bytes; an error if more than zeros follow.
fn end(raw: &mut Raw, compression: Compression) -> io::Result<usize> {
    loop {
        let bytes = raw.fill_buf()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        if bytes.iter().any(|&byte| byte != 0) {
            let trailing = CaptureError::Trailing { compression };
            return Err(io::Error::other(trailing.to_string()));
        }
        let count = bytes.len();
        raw.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::format;
    use super::super::sample::compressed;
    use super::*;

    #[test]
    fn several_members_read_as_one() {
        for compression in [
            Compression::Gzip,
            Compression::Zstandard,
            Compression::Xz,
            Compression::Lz4,
        ] {
            let mut bytes = compressed(compression, b"first ");
            bytes.extend(compressed(compression, b"second"));
            assert_eq!(format::compression(&bytes), Some(compression));
            let mut text = String::new();
            decompressed(Box::new(Cursor::new(bytes)), Some(compression))
                .expect("a decoder")
                .read_to_string(&mut text)
                .expect("sound data");
            assert_eq!(text, "first second", "{compression}");
        }
    }

    #[test]
    fn data_that_breaks_off_is_an_error() {
        for compression in [
            Compression::Gzip,
            Compression::Zstandard,
            Compression::Xz,
            Compression::Lz4,
        ] {
            let mut bytes = compressed(compression, &[7; 5000]);
            bytes.truncate(bytes.len() - 5);
            let mut read = Vec::new();
            let result = decompressed(Box::new(Cursor::new(bytes)), Some(compression))
                .expect("a decoder")
                .read_to_end(&mut read);
            assert!(result.is_err(), "{compression}");
        }
    }
}
