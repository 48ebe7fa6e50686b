//! From the paths on the command line to the inputs of a replay: folders searched, each file looked at once, what cannot be read
//! reported. Reading packets is not done here.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use super::compression::Bytes;
use super::error::CaptureError;
use super::format::Compression;
use super::input::Input;
use super::map::map;
use super::probe::{IDENTITY_BYTES, file_digest, probe, stream_digest};
use super::{FileReport, Reading};

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// Deepest nesting of folders, so that links in a circle end.
const FOLDER_DEPTH_MAX: usize = 32;

/// An input that holds a capture.
pub(super) struct Candidate {
    pub path: PathBuf,
    /// As it lies on the disk; 0 for a stream.
    pub size_bytes: u64,
    pub digest: [u8; 32],
    pub first_time_us: Option<i64>,
    compression: Option<Compression>,
    origin: Origin,
}

enum Origin {
    File,
    /// What was read in advance, and the rest; none once it is being read.
    Stream(Option<Bytes>),
}

impl Candidate {
    /// Opens it and reads its first block.
    pub(super) fn open(&mut self, reading: Reading) -> Result<Input, CaptureError> {
        let raw: Bytes = match &mut self.origin {
            Origin::Stream(stream) => stream.take().ok_or(CaptureError::ReaderLost)?,
            Origin::File => {
                let file = File::open(&self.path)?;
                if self.compression.is_none() && reading == Reading::Mapped {
                    // Where a file system does not map, the file can still be read.
                    if let Ok(mapped) = map(&file) {
                        return Ok(Input::mapped(mapped));
                    }
                }
                Box::new(file)
            }
        };
        Ok(Input::chunked(raw, self.compression)?)
    }

    /// The same once more; none for a stream, which cannot be read twice.
    pub(super) fn again(&self) -> Option<Candidate> {
        match self.origin {
            Origin::Stream(_) => None,
            Origin::File => Some(Candidate {
                path: self.path.clone(),
                origin: Origin::File,
                ..*self
            }),
        }
    }

    /// Whether it can be read but once.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.origin, Origin::Stream(_))
    }
}

/// What the paths lead to.
#[derive(Default)]
pub(super) struct Found {
    pub candidates: Vec<Candidate>,
    pub problems: Vec<FileReport>,
    /// Resolved paths of the files met, to read none twice.
    met: std::collections::HashMap<PathBuf, PathBuf>,
}

/// Looks at every path and everything in the folders among them. The candidates come in order of their first packet, then path.
pub(super) fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if let Err(error) = found.add(path) {
            found.report(path, &error);
        }
    }
    found.candidates.sort_by(|left, right| {
        (left.first_time_us, &left.path).cmp(&(right.first_time_us, &right.path))
    });
    found
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<(), CaptureError> {
        if path.as_os_str() == STANDARD_INPUT {
            self.once(path, path.to_path_buf())?;
            return self.add_stream(path, Box::new(io::stdin()));
        }
        let metadata = existing(path)?;
        if metadata.is_dir() {
            return match self.add_folder(path, FOLDER_DEPTH_MAX)? {
                0 => Err(CaptureError::EmptyFolder),
                _ => Ok(()),
            };
        }
        if metadata.is_file() {
            return self.add_file(path);
        }
        self.add_stream(path, Box::new(File::open(path)?))
    }

    /// Adds what a folder holds, in order of names; gives how many files were met.
    fn add_folder(&mut self, folder: &Path, depth_left: usize) -> Result<usize, CaptureError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let mut files = 0;
        for path in paths {
            match self.add_entry(&path, depth_left) {
                Ok(count) => files += count,
                Err(error) => {
                    self.report(&path, &error);
                    files += 1;
                }
            }
        }
        Ok(files)
    }

    fn add_entry(&mut self, path: &Path, depth_left: usize) -> Result<usize, CaptureError> {
        let metadata = existing(path)?;
        if metadata.is_dir() {
            return match depth_left {
                0 => Err(CaptureError::TooDeep),
                _ => self.add_folder(path, depth_left - 1),
            };
        }
        if !metadata.is_file() {
            return Err(CaptureError::NotRegular);
        }
        self.add_file(path).map(|()| 1)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), CaptureError> {
        self.once(path, path.canonicalize()?)?;
        let mut file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        let digest = file_digest(&mut file, size_bytes)?;
        let seen = probe(Box::new(file), true)?;
        self.candidates.push(Candidate {
            path: path.to_path_buf(),
            size_bytes,
            digest,
            first_time_us: seen.first_time_us,
            compression: seen.compression,
            origin: Origin::File,
        });
        Ok(())
    }

    fn add_stream(&mut self, path: &Path, mut stream: Bytes) -> Result<(), CaptureError> {
        let mut head = Vec::new();
        (&mut stream).take(IDENTITY_BYTES).read_to_end(&mut head)?;
        let whole = (head.len() as u64) < IDENTITY_BYTES;
        let seen = probe(Box::new(Cursor::new(head.clone())), whole)?;
        self.candidates.push(Candidate {
            path: path.to_path_buf(),
            size_bytes: 0,
            digest: stream_digest(&head),
            first_time_us: seen.first_time_us,
            compression: seen.compression,
            origin: Origin::Stream(Some(Box::new(Cursor::new(head).chain(stream)))),
        });
        Ok(())
    }

    /// Fails for what was met before under this or another name.
    fn once(&mut self, path: &Path, resolved: PathBuf) -> Result<(), CaptureError> {
        match self.met.insert(resolved, path.to_path_buf()) {
            Some(first) => Err(CaptureError::SameFile(first)),
            None => Ok(()),
        }
    }

    fn report(&mut self, path: &Path, error: &CaptureError) {
        self.problems.push(FileReport {
            path: path.display().to_string(),
            records: 0,
            unsupported_records: 0,
            error: Some(error.to_string()),
        });
    }
}

fn existing(path: &Path) -> Result<fs::Metadata, CaptureError> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CaptureError::Missing,
        _ => CaptureError::Unreadable(error),
    })
}
