//! Decompressors behind one reader: all members, frames or streams of a file as one. Which compression it is must be known.

use std::io::{self, BufRead, BufReader, Read};

use super::format::Compression;

/// A source of bytes that a thread of its own may read.
pub(super) type Bytes = Box<dyn Read + Send>;

/// Compressed bytes fetched at a time.
const FETCH_BYTES: usize = 128 << 10;

/// Most memory that an xz file may ask for: its strongest preset needs 65 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 512 << 20;

/// The bytes of `raw` without their compression.
pub(super) fn decompressed(raw: Bytes, compression: Option<Compression>) -> io::Result<Bytes> {
    let Some(compression) = compression else {
        return Ok(raw);
    };
    let raw = BufReader::with_capacity(FETCH_BYTES, raw);
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        Compression::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(raw)?),
        Compression::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, flags)
                .map_err(io::Error::other)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
        }
        Compression::Lz4 => Box::new(Lz4Frames {
            decoder: lz4_flex::frame::FrameDecoder::new(raw),
        }),
    })
}

/// LZ4 frames one after another: the decoder says "end" at the end of each.
struct Lz4Frames<R: BufRead> {
    decoder: lz4_flex::frame::FrameDecoder<R>,
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read_bytes = self.decoder.read(buffer)?;
            if read_bytes > 0 || buffer.is_empty() || self.decoder.get_mut().fill_buf()?.is_empty()
            {
                return Ok(read_bytes);
            }
        }
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
