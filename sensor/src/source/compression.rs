//! Decompressors as one reader: all members, frames or streams of a file as one. `format.rs` recognises the compression.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::CaptureError;
use super::format::{Compression, compression, starts_skippable};

/// A source of bytes that another thread can read.
pub(super) type ByteSource = Box<dyn Read + Send>;

/// Compressed bytes fetched at a time.
const FETCH_BYTES: usize = 128 << 10;

/// Longest header of a frame of zstd: magic number, descriptor, window, dictionary, size.
const ZSTD_HEADER_BYTES_MAX: usize = 4 + 1 + 1 + 4 + 8;

/// Bytes that are enough to recognise what follows a member.
const MAGIC_BYTES: usize = 4;

/// Most memory that an xz file may ask for: its strongest preset needs 65 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 512 << 20;

/// The largest window of zstd that is read, as an exponent of two: that of `zstd --long=31`. Only what a frame fills of it takes memory,
/// and [`limit_windows`] bounds that.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Windows up to this size, bytes, are not limited: every level of zstd except `--ultra` and `--long` uses smaller ones.
const WINDOW_FREE_BYTES: u64 = 8 << 20;

/// Bytes that windows may always fill together: one window of `zstd --long`.
const WINDOWS_BYTES_MIN: u64 = 128 << 20;

/// Windows may fill this fraction of the memory for rows together (the denominator), if that is more.
const WINDOWS_SHARE: u64 = 8;

/// The limit of bytes in windows and the current sum; global, because memory is shared by the process.
static WINDOWS_BYTES_MAX: AtomicU64 = AtomicU64::new(WINDOWS_BYTES_MIN);
static WINDOWS_BYTES: AtomicU64 = AtomicU64::new(0);

/// Limits the memory of long zstd windows, in proportion to the memory for rows.
pub fn limit_windows(memory_bytes: usize) {
    let bytes = (memory_bytes as u64 / WINDOWS_SHARE).max(WINDOWS_BYTES_MIN);
    WINDOWS_BYTES_MAX.store(bytes, Ordering::Relaxed);
}

/// The bytes of its window that a frame has filled.
struct ZstdWindow {
    bytes: u64,
    filled: u64,
    held: u64,
}

impl ZstdWindow {
    /// The window of the frame with this beginning; `None` without a frame header (RFC 8878, section 3.1.1.1).
    fn of(head: &[u8]) -> Self {
        let field = |from: usize, bytes: usize| {
            let field = head.get(from..from + bytes)?.iter().rev();
            Some(field.fold(0, |number, &byte| number << 8 | u64::from(byte)))
        };
        let is_frame = head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let bytes = head.get(4).filter(|_| is_frame).and_then(|&descriptor| {
            if descriptor & 0x20 == 0 {
                let byte = field(5, 1)?;
                let base = 1 << (10 + (byte >> 3));
                return Some(base + base / 8 * (byte & 7));
            }
            // A frame of a single segment has its contents' size for a window.
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let size = [1, 2, 4, 8][usize::from(descriptor >> 6)];
            field(5 + dictionary, size)
        });
        ZstdWindow {
            bytes: bytes.unwrap_or(0),
            filled: 0,
            held: 0,
        }
    }

    /// Notes that the frame gave `bytes` more.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        self.filled = self.filled.saturating_add(bytes as u64).min(self.bytes);
        if self.filled <= WINDOW_FREE_BYTES.max(self.held) {
            return Ok(());
        }
        let more = self.filled - self.held;
        let limit = WINDOWS_BYTES_MAX.load(Ordering::Relaxed);
        let before = WINDOWS_BYTES.fetch_add(more, Ordering::Relaxed);
        self.held = self.filled;
        if before + more <= limit {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "its window of {} MiB (zstd --long) fills more than the {} MiB that windows may have together; give more --memory, or pack it anew with zstd --long=27 or less",
                self.bytes >> 20,
                limit >> 20
            ),
        ))
    }
}

impl Drop for ZstdWindow {
    fn drop(&mut self) {
        WINDOWS_BYTES.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// A frame of zstd.
struct ZstdFrame {
    decoder: zstd::stream::read::Decoder<'static, Raw>,
    window: ZstdWindow,
}

impl Read for ZstdFrame {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.window.fill(read)?;
        Ok(read)
    }
}

/// A reader of compressed bytes that can look ahead.
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
        Compression::Zstandard => Box::new(Members::<ZstdFrame>::new(raw, compression)),
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
    /// Starts decompressing one.
    fn begin(raw: Raw) -> io::Result<Self>;
    /// The bytes after it.
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

impl CompressedMember for ZstdFrame {
    fn begin(mut raw: Raw) -> io::Result<Self> {
        let window = ZstdWindow::of(raw.peek(ZSTD_HEADER_BYTES_MAX)?);
        let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        let mut decoder = decoder.single_frame();
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(ZstdFrame { decoder, window })
    }

    fn rest(self) -> Raw {
        self.decoder.finish()
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

    /// A frame of `bytes` whose window is as large as `--long=LOG` makes it, packed as a stream.
    fn long_frame(bytes: &[u8], log: u32) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.long_distance_matching(true).expect("long");
        encoder.window_log(log).expect("a window");
        io::Write::write_all(&mut encoder, bytes).expect("packed");
        encoder.finish().expect("packed")
    }

    #[test]
    fn a_long_window_is_read_as_far_as_it_fills_what_windows_may_have() {
        let small = long_frame(&[7; 100_000], 31);
        assert_eq!(ZstdWindow::of(&small).bytes, 1 << 31);
        for (packed, length) in [
            (small, 100_000),
            (long_frame(&vec![7; 140 << 20], 27), 140 << 20),
        ] {
            let mut read =
                decompressed(Box::new(Cursor::new(packed)), Some(Compression::Zstandard))
                    .expect("a decoder");
            let copied = io::copy(&mut read, &mut io::sink()).expect("read");
            assert_eq!(copied, length);
        }
        let large = long_frame(&vec![7; 140 << 20], 31);
        let read = decompressed(Box::new(Cursor::new(large)), Some(Compression::Zstandard));
        let error = io::copy(&mut read.expect("a decoder"), &mut io::sink()).expect_err("refused");
        let text = error.to_string();
        assert!(
            text.contains("2048 MiB") && text.contains("--memory"),
            "{text}"
        );
        assert_eq!(WINDOWS_BYTES.load(Ordering::Relaxed), 0, "all given back");
    }

    #[test]
    fn the_window_of_a_frame_is_that_of_its_header() {
        for (head, bytes) in [
            (&b"\x28\xb5\x2f\xfd\x00\x88"[..], 1 << 27),
            (b"\x28\xb5\x2f\xfd\x00\x09", 2048 + 256),
            (b"\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x10", 1 << 28),
            (b"\x28\xb5\x2f\xfd\x00", 0),
            (b"\x50\x2a\x4d\x18\x01\x00\x00\x00\x00", 0),
            (b"", 0),
        ] {
            assert_eq!(ZstdWindow::of(head).bytes, bytes, "{head:?}");
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
