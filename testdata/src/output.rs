//! The output of a capture: a file or standard output, plain or compressed, in one part or several.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A compression that captures come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstandard,
    /// LZ4 frames.
    Lz4,
}

const GZIP_LEVEL: u32 = 6;
const ZSTANDARD_LEVEL: i32 = 3;

impl Compression {
    /// The compression that a file's name promises.
    #[must_use]
    pub fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstandard,
            Some("lz4") => Compression::Lz4,
            _ => Compression::None,
        }
    }
}

/// An open capture file. It is whole only after [`Output::finish`].
pub enum Output {
    /// As it is.
    Plain(Box<dyn Write>),
    /// Through gzip.
    Gzip(flate2::write::GzEncoder<Box<dyn Write>>),
    /// Through Zstandard.
    Zstandard(zstd::Encoder<'static, Box<dyn Write>>),
    /// Through LZ4.
    Lz4(Box<lz4_flex::frame::FrameEncoder<Box<dyn Write>>>),
}

impl Output {
    /// Opens `path`, or standard output for `-`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(path: &Path, compression: Compression) -> io::Result<Self> {
        let plain: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path)?)
        };
        Ok(match compression {
            Compression::None => Output::Plain(plain),
            Compression::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Output::Gzip(flate2::write::GzEncoder::new(plain, level))
            }
            Compression::Zstandard => {
                Output::Zstandard(zstd::Encoder::new(plain, ZSTANDARD_LEVEL)?)
            }
            Compression::Lz4 => Output::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(plain))),
        })
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let mut plain = match self {
            Output::Plain(plain) => plain,
            Output::Gzip(encoder) => encoder.finish()?,
            Output::Zstandard(encoder) => encoder.finish()?,
            Output::Lz4(encoder) => encoder.finish().map_err(io::Error::other)?,
        };
        plain.flush()
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Output::Plain(plain) => plain,
            Output::Gzip(encoder) => encoder,
            Output::Zstandard(encoder) => encoder,
            Output::Lz4(encoder) => encoder,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}

/// `FILE.000`, `FILE.001` … : the name of the part with this index.
#[must_use]
pub fn part_path(path: &Path, index: u64) -> PathBuf {
    PathBuf::from(format!("{}.{index:03}", path.display()))
}

/// `FILE.truth.json`.
#[must_use]
pub fn truth_path(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.truth.json", path.display()))
}
