//! Finds the inputs of a replay from the paths on the command line: searches folders, checks each file once, and reports what is skipped or
//! cannot be read. It reads no packets.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use teiten_aggregator::inputs::Capture;
use teiten_aggregator::store::random_name;

use super::compression::ByteSource;
use super::error::CaptureError;
use super::format::Compression;
use super::index::Stamp;
use super::input::{Input, Terms};
use super::map::map;
use super::probe::{STREAM_HEAD_BYTES, probe};
use super::{FileReport, ReadingMode};

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// Deepest nesting of folders.
const FOLDER_DEPTH_MAX: usize = 32;

/// Parts of a file's name that suggest a capture: if a file with such a name is no capture, it is an error.
const CAPTURE_NAMES: &[&str] = &[
    ".pcap", ".pcapng", ".cap", ".dmp", ".dump", ".snoop", ".erf", ".ntar",
];

/// Endings of temporary files that programs write.
const TEMPORARY_ENDINGS: &[&str] = &[
    "~",
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".swp",
    ".lock",
    ".under-way",
];

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
        if self.compression.is_none() && reading == ReadingMode::Mapped {
            // Some file systems cannot map files; then the file is read.
            if let Ok(mapped) = map(&file) {
                return Ok(Input::mapped(mapped, terms));
            }
        }
        Ok(Input::chunked(Box::new(file), self.compression, terms)?)
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

/// The inputs found under the paths.
#[derive(Default)]
pub(super) struct FoundInputs {
    pub candidates: Vec<Candidate>,
    /// Inputs that are not read, each with its reason.
    pub reports: Vec<FileReport>,
    /// Resolved paths of the files and folders found, so that each is read once.
    met: HashMap<PathBuf, PathBuf>,
}

/// Searches every path and everything in the folders among them. The candidates are ordered by their first packet, then path.
pub(super) fn find(paths: &[PathBuf]) -> FoundInputs {
    let mut found = FoundInputs::default();
    // A file named on the command line is read under that name, even if a folder on the command line holds it too.
    let (folders, others): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.is_dir());
    for path in others.into_iter().chain(folders) {
        if let Err(error) = found.add(path) {
            found.fail(path, &error);
        }
    }
    found.candidates.sort_by(|left, right| {
        (left.first_time_us, &left.path).cmp(&(right.first_time_us, &right.path))
    });
    found
}

impl FoundInputs {
    /// Whether there is any error; skipped inputs are none.
    pub(super) fn has_errors(&self) -> bool {
        self.reports.iter().any(|report| report.error.is_some())
    }

    fn add(&mut self, path: &Path) -> Result<(), CaptureError> {
        if path.as_os_str() == STANDARD_INPUT {
            if self.is_new(path, path.to_path_buf()) {
                self.add_stream(path, Box::new(io::stdin()))?;
            }
            return Ok(());
        }
        let metadata = existing(path)?;
        if metadata.is_dir() {
            let before = self.candidates.len() + self.reports.len();
            let captures = self.add_folder(path, FOLDER_DEPTH_MAX)?;
            let only_ignored = self.reports.iter().all(|report| report.ignored);
            let met = self.candidates.len() + self.reports.len() - before;
            return match (captures, met) {
                (0, 0) => Err(CaptureError::EmptyFolder),
                (0, _) if only_ignored && self.candidates.is_empty() => {
                    Err(CaptureError::NoCaptures)
                }
                _ => Ok(()),
            };
        }
        if metadata.is_file() {
            return self.add_file(path);
        }
        self.add_stream(path, Box::new(File::open(path)?))
    }

    /// Adds the files of a folder in order of their names; returns how many captures were found.
    fn add_folder(&mut self, folder: &Path, depth_left: usize) -> Result<usize, CaptureError> {
        if !self.is_new(folder, folder.canonicalize()?) {
            return Ok(0);
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let before = self.candidates.len();
        for path in paths {
            if let Err(error) = self.add_entry(&path, depth_left) {
                self.fail(&path, &error);
            }
        }
        Ok(self.candidates.len() - before)
    }

    fn add_entry(&mut self, path: &Path, depth_left: usize) -> Result<(), CaptureError> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if name.starts_with('.') {
            self.ignore(path, "is hidden");
            return Ok(());
        }
        let metadata = existing(path)?;
        if metadata.is_dir() {
            if depth_left == 0 {
                return Err(CaptureError::TooDeep);
            }
            return self.add_folder(path, depth_left - 1).map(|_| ());
        }
        if !metadata.is_file() {
            self.ignore(
                path,
                "is neither a file nor a folder; name it to read it as a stream",
            );
            return Ok(());
        }
        if TEMPORARY_ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            self.ignore(path, "is a temporary file by its name");
            return Ok(());
        }
        let promises = CAPTURE_NAMES.iter().any(|part| name.contains(part));
        match self.add_file(path) {
            Err(CaptureError::NotACapture { .. } | CaptureError::Empty) if !promises => {
                self.ignore(path, "is no capture");
                Ok(())
            }
            added => added,
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), CaptureError> {
        let resolved = path.canonicalize()?;
        if !self.is_new(path, resolved.clone()) {
            return Ok(());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let seen = probe(Box::new(file), true)?;
        self.candidates.push(Candidate {
            path: path.to_path_buf(),
            size_bytes: metadata.len(),
            first_time_us: seen.first_time_us,
            capture: seen.beginning,
            from_bytes: 0,
            file: Some((resolved, Stamp::of(&metadata))),
            compression: seen.compression,
            origin: InputOrigin::File,
        });
        Ok(())
    }

    fn add_stream(&mut self, path: &Path, mut stream: ByteSource) -> Result<(), CaptureError> {
        let mut head = Vec::new();
        (&mut stream)
            .take(STREAM_HEAD_BYTES)
            .read_to_end(&mut head)?;
        let whole = (head.len() as u64) < STREAM_HEAD_BYTES;
        let seen = probe(Box::new(Cursor::new(head.clone())), whole)?;
        self.candidates.push(Candidate {
            path: path.to_path_buf(),
            size_bytes: 0,
            first_time_us: seen.first_time_us,
            capture: seen.beginning,
            from_bytes: 0,
            file: None,
            compression: seen.compression,
            origin: InputOrigin::Stream(Some(Box::new(Cursor::new(head).chain(stream)))),
        });
        Ok(())
    }

    /// Whether a file or folder was not found before, under this or another name; otherwise it is skipped.
    fn is_new(&mut self, path: &Path, resolved: PathBuf) -> bool {
        match self.met.insert(resolved.clone(), path.to_path_buf()) {
            None => true,
            Some(first) => {
                self.ignore(
                    path,
                    &format!("is the same as {}, which is read once", first.display()),
                );
                self.met.insert(resolved, first);
                false
            }
        }
    }

    fn ignore(&mut self, path: &Path, reason: &str) {
        self.reports.push(FileReport {
            path: path.display().to_string(),
            ignored: true,
            note: Some(reason.to_owned()),
            ..FileReport::default()
        });
    }

    fn fail(&mut self, path: &Path, error: &CaptureError) {
        self.reports.push(FileReport {
            path: path.display().to_string(),
            error: Some(error.to_string()),
            ..FileReport::default()
        });
    }
}

fn existing(path: &Path) -> Result<fs::Metadata, CaptureError> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CaptureError::Missing,
        _ => CaptureError::Unreadable(error),
    })
}
