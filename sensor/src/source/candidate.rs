//! An input of a replay that holds a capture: what its first bytes show, and how it is opened. It reads no packets.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use teiten_aggregator::inputs::Capture;
use teiten_aggregator::store::random_name;

use super::ReadingMode;
use super::ahead::Opening;
use super::compression::ByteSource;
use super::error::CaptureError;
use super::format::Compression;
use super::index::Stamp;
use super::input::{Input, Terms};
use super::map::map;
use super::probe::{STREAM_HEAD_BYTES, probe};

/// An input that holds a capture.
pub(super) struct Candidate {
    pub path: PathBuf,
    /// Its size on disk; 0 for a stream.
    pub size_bytes: u64,
    pub first_time_us: Option<i64>,
    /// The identity of the capture before it is read: complete, or of its beginning.
    pub capture: Capture,
    /// Records that begin before this byte were counted already.
    pub from_bytes: u64,
    /// Which file it is; `None` for a stream.
    pub file: Option<(PathBuf, Stamp)>,
    compression: Option<Compression>,
    origin: InputOrigin,
}

enum InputOrigin {
    File,
    /// A stream that was written to an unnamed file, so that it can be read more than once.
    Spooled(File),
    /// The bytes read in advance and the rest; `None` once it is being read.
    Stream(Option<ByteSource>),
}

impl Candidate {
    /// The file at `path`, whose links lead to `resolved`.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub(super) fn probed(path: &Path, resolved: &Path) -> Result<Candidate, CaptureError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let seen = probe(Box::new(file), true)?;
        Ok(Candidate {
            path: path.to_path_buf(),
            size_bytes: metadata.len(),
            first_time_us: seen.first_time_us,
            capture: seen.beginning,
            from_bytes: 0,
            file: Some((resolved.to_path_buf(), Stamp::of(&metadata))),
            compression: seen.compression,
            origin: InputOrigin::File,
        })
    }

    /// A stream; waits for its first 64 KiB.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub(super) fn of_stream(
        path: &Path,
        mut stream: ByteSource,
    ) -> Result<Candidate, CaptureError> {
        let mut head = Vec::new();
        (&mut stream)
            .take(STREAM_HEAD_BYTES)
            .read_to_end(&mut head)?;
        let whole = (head.len() as u64) < STREAM_HEAD_BYTES;
        let seen = probe(Box::new(Cursor::new(head.clone())), whole)?;
        Ok(Candidate {
            path: path.to_path_buf(),
            size_bytes: 0,
            first_time_us: seen.first_time_us,
            capture: seen.beginning,
            from_bytes: 0,
            file: None,
            compression: seen.compression,
            origin: InputOrigin::Stream(Some(Box::new(Cursor::new(head).chain(stream)))),
        })
    }

    /// Opens it and reads its first block.
    pub(super) fn open(
        &mut self,
        reading: ReadingMode,
        terms: Terms,
    ) -> Result<Input, CaptureError> {
        let file = match &mut self.origin {
            InputOrigin::Stream(stream) => {
                let stream = stream.take().ok_or(CaptureError::ReaderLost)?;
                return Ok(Input::chunked(stream, self.compression, terms)?);
            }
            InputOrigin::File => File::open(&self.path)?,
            InputOrigin::Spooled(file) => {
                let mut file = file.try_clone()?;
                io::Seek::rewind(&mut file)?;
                file
            }
        };
        open_file(file, self.compression, reading, terms)
    }

    /// The same for another thread, where the input is a file.
    pub(super) fn opening(&self, reading: ReadingMode, terms: Terms) -> Option<Opening> {
        let (path, compression) = (self.path.clone(), self.compression);
        match self.origin {
            InputOrigin::File => Some(Box::new(move || {
                open_file(File::open(path)?, compression, reading, terms)
            })),
            InputOrigin::Spooled(_) | InputOrigin::Stream(_) => None,
        }
    }

    /// A second candidate of the same file; `None` for a stream, which cannot be read twice.
    pub(super) fn again(&self) -> Option<Candidate> {
        let origin = match &self.origin {
            InputOrigin::Stream(_) => return None,
            InputOrigin::File => InputOrigin::File,
            InputOrigin::Spooled(file) => InputOrigin::Spooled(file.try_clone().ok()?),
        };
        Some(Candidate {
            path: self.path.clone(),
            capture: self.capture.clone(),
            file: self.file.clone(),
            origin,
            ..*self
        })
    }

    /// Whether it can be read only once.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.origin, InputOrigin::Stream(_))
    }

    /// Writes a stream to a file without a name in `folder`, so that it can be read more than once.
    pub(super) fn spool(&mut self, folder: &Path) -> io::Result<()> {
        let InputOrigin::Stream(stream) = &mut self.origin else {
            return Ok(());
        };
        let Some(mut stream) = stream.take() else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        let mut file = unnamed_file(folder)?;
        self.size_bytes = io::copy(&mut stream, &mut file)?;
        self.origin = InputOrigin::Spooled(file);
        Ok(())
    }
}

fn open_file(
    file: File,
    compression: Option<Compression>,
    reading: ReadingMode,
    terms: Terms,
) -> Result<Input, CaptureError> {
    if compression.is_none() && reading == ReadingMode::Mapped {
        // Some file systems cannot map files; then the file is read.
        if let Ok(mapped) = map(&file) {
            return Ok(Input::mapped(mapped, terms));
        }
    }
    Ok(Input::chunked(Box::new(file), compression, terms)?)
}

/// A file that is removed when it is closed.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.read(true).write(true);
    let unnamed = options.clone().custom_flags(libc::O_TMPFILE).open(folder);
    if let Ok(file) = unnamed {
        return Ok(file);
    }
    // Not every file system has files without a name.
    let path = folder.join(format!("stream-{}.under-way", random_name()));
    let file = options.create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
