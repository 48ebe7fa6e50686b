//! Runs a decompressor alone, on one thread, and discards its output: the baseline for the replay of a compressed capture. It uses the
//! sensor's libraries.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Compressed bytes fetched at a time, and uncompressed bytes asked for at a time.
const FETCH_BYTES: usize = 128 << 10;
const ASK_BYTES: usize = 1 << 20;

/// Reads the file through the decompressor that its name asks for; the uncompressed bytes.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn decompress(path: &Path) -> io::Result<u64> {
    let raw = BufReader::with_capacity(FETCH_BYTES, File::open(path)?);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => drain(flate2::bufread::MultiGzDecoder::new(raw)),
        Some("zst") => drain(zstd::stream::read::Decoder::with_buffer(raw)?),
        Some("lz4") => drain(lz4_flex::frame::FrameDecoder::new(raw)),
        _ => drain(raw),
    }
}

fn drain(mut reader: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; ASK_BYTES];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_form_gives_the_same_bytes() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let bytes = vec![7u8; 3_000_000];
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("x.pcap"), &bytes)?;
        std::fs::write(path("x.pcap.zst"), zstd::encode_all(&bytes[..], 3)?)?;
        let mut gzip =
            flate2::write::GzEncoder::new(File::create(path("x.pcap.gz"))?, Default::default());
        gzip.write_all(&bytes)?;
        gzip.finish()?;
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(File::create(path("x.pcap.lz4"))?);
        lz4.write_all(&bytes)?;
        lz4.finish().map_err(io::Error::other)?;
        for name in ["x.pcap", "x.pcap.gz", "x.pcap.zst", "x.pcap.lz4"] {
            assert_eq!(decompress(&path(name))?, 3_000_000, "{name}");
        }
        Ok(())
    }
}
