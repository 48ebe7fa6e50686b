//! Finds the inputs of a replay from the paths on the command line: searches folders, probes each file once, and reports what is skipped or
//! cannot be read. It reads no packets.

use std::collections::HashMap;
use std::fs::{self, File, FileType};
use std::io;
use std::path::{Path, PathBuf};

use teiten_aggregator::parallel::ordered;

use super::FileReport;
use super::ahead::opening_threads;
use super::candidate::Candidate;
use super::compression::ByteSource;
use super::error::CaptureError;

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

/// Files that a thread probes one after the other before it takes others.
const PROBED_TOGETHER: usize = 16;

/// The inputs found under the paths.
#[derive(Default)]
pub(super) struct FoundInputs {
    pub candidates: Vec<Candidate>,
    /// Inputs that are not read, each with its reason.
    pub reports: Vec<FileReport>,
}

/// Searches every path and everything in the folders among them. The candidates are ordered by their first packet, then path.
pub(super) fn find(paths: &[PathBuf]) -> FoundInputs {
    let mut search = Search::default();
    // A file named on the command line is read under that name, even if a folder on the command line holds it too.
    let (folders, others): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.is_dir());
    for path in others.into_iter().chain(folders) {
        if let Err(error) = search.add(path) {
            search.finds.push(Find::Unread(failed(path, &error)));
        }
    }
    let mut found = FoundInputs::of(search.finds);
    found.candidates.sort_by(|left, right| {
        (left.first_time_us, &left.path).cmp(&(right.first_time_us, &right.path))
    });
    found
}

/// What lies under a path.
enum Find {
    /// A file that is not probed yet.
    File(FoundFile),
    /// A stream, which was probed.
    Stream(Candidate),
    /// Something that is not read.
    Unread(FileReport),
    /// A folder of the command line, to which so many of the next finds belong.
    Folder(PathBuf, usize),
}

/// A file, before it is probed.
struct FoundFile {
    path: PathBuf,
    resolved: PathBuf,
    /// Whether it is an error if this is no capture.
    promises: bool,
}

impl FoundInputs {
    /// Probes the files among `finds`, several at once: of small files, this takes as long as reading them.
    fn of(finds: Vec<Find>) -> Self {
        let files: Vec<&FoundFile> = finds
            .iter()
            .filter_map(|find| match find {
                Find::File(file) => Some(file),
                _ => None,
            })
            .collect();
        let mut probed = Vec::with_capacity(files.len());
        let batches: Vec<&[&FoundFile]> = files.chunks(PROBED_TOGETHER).collect();
        let probe = |index: usize| -> Vec<_> {
            let files = batches[index].iter();
            files
                .map(|file| Candidate::probed(&file.path, &file.resolved))
                .collect()
        };
        ordered(opening_threads(), batches.len(), probe, |seen| {
            probed.extend(seen);
        });
        let mut probed = probed.into_iter();
        let mut found = FoundInputs::default();
        let mut finds = finds.into_iter();
        while let Some(find) = finds.next() {
            match find {
                Find::Folder(path, count) => {
                    let within = finds.by_ref().take(count);
                    if let Err(error) = found.take_folder(within, &mut probed) {
                        found.reports.push(failed(&path, &error));
                    }
                }
                other => found.take(other, &mut probed),
            }
        }
        found
    }

    /// Whether there is any error; skipped inputs are none.
    pub(super) fn has_errors(&self) -> bool {
        self.reports.iter().any(|report| report.error.is_some())
    }

    fn take_folder(
        &mut self,
        finds: impl Iterator<Item = Find>,
        probed: &mut impl Iterator<Item = Result<Candidate, CaptureError>>,
    ) -> Result<(), CaptureError> {
        let before = (self.candidates.len(), self.reports.len());
        finds.for_each(|find| self.take(find, probed));
        let captures = self.candidates.len() - before.0;
        let met = captures + self.reports.len() - before.1;
        let only_ignored = self.reports.iter().all(|report| report.ignored);
        match (captures, met) {
            (0, 0) => Err(CaptureError::EmptyFolder),
            (0, _) if only_ignored && self.candidates.is_empty() => Err(CaptureError::NoCaptures),
            _ => Ok(()),
        }
    }

    /// Takes what was found; `probed` gives what the probes of the files showed, in their order.
    fn take(
        &mut self,
        find: Find,
        probed: &mut impl Iterator<Item = Result<Candidate, CaptureError>>,
    ) {
        match find {
            Find::File(file) => match probed.next() {
                Some(Ok(candidate)) => self.candidates.push(candidate),
                Some(Err(CaptureError::NotACapture { .. } | CaptureError::Empty))
                    if !file.promises =>
                {
                    self.reports.push(ignored(&file.path, "is no capture"));
                }
                Some(Err(error)) => self.reports.push(failed(&file.path, &error)),
                None => {}
            },
            Find::Stream(candidate) => self.candidates.push(candidate),
            Find::Unread(report) => self.reports.push(report),
            Find::Folder(..) => {}
        }
    }
}

/// Lists what there is. It opens no file but streams.
#[derive(Default)]
struct Search {
    finds: Vec<Find>,
    /// Resolved paths of the files and folders found, so that each is read once.
    met: HashMap<PathBuf, PathBuf>,
}

impl Search {
    fn add(&mut self, path: &Path) -> Result<(), CaptureError> {
        if path.as_os_str() == STANDARD_INPUT {
            if self.is_new(path, path.to_path_buf()) {
                self.add_stream(path, Box::new(io::stdin()))?;
            }
            return Ok(());
        }
        let metadata = existing(path)?;
        if metadata.is_dir() {
            let before = self.finds.len();
            self.add_folder(path, &path.canonicalize()?, FOLDER_DEPTH_MAX)?;
            let count = self.finds.len() - before;
            self.finds
                .insert(before, Find::Folder(path.to_path_buf(), count));
            return Ok(());
        }
        if metadata.is_file() {
            self.add_file(path, path.canonicalize()?, true);
            return Ok(());
        }
        self.add_stream(path, Box::new(File::open(path)?))
    }

    /// Adds the files of a folder in order of their names.
    fn add_folder(
        &mut self,
        folder: &Path,
        resolved: &Path,
        depth_left: usize,
    ) -> Result<(), CaptureError> {
        if !self.is_new(folder, resolved.to_path_buf()) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            entries.push((entry.path(), entry.file_type()));
        }
        entries.sort_by(|left, right| left.0.cmp(&right.0));
        for (path, file_type) in entries {
            let name = path.file_name().unwrap_or_default();
            let added = if name.to_string_lossy().starts_with('.') {
                self.ignore(&path, "is hidden");
                Ok(())
            } else {
                match file_type {
                    Ok(kind) if kind.is_symlink() => self.add_link(&path, depth_left),
                    Ok(kind) => self.add_entry(&path, resolved.join(name), kind, depth_left),
                    Err(error) => Err(error.into()),
                }
            };
            if let Err(error) = added {
                self.finds.push(Find::Unread(failed(&path, &error)));
            }
        }
        Ok(())
    }

    /// Adds what a symbolic link leads to.
    fn add_link(&mut self, path: &Path, depth_left: usize) -> Result<(), CaptureError> {
        let file_type = existing(path)?.file_type();
        self.add_entry(path, path.canonicalize()?, file_type, depth_left)
    }

    fn add_entry(
        &mut self,
        path: &Path,
        resolved: PathBuf,
        file_type: FileType,
        depth_left: usize,
    ) -> Result<(), CaptureError> {
        if file_type.is_dir() {
            if depth_left == 0 {
                return Err(CaptureError::TooDeep);
            }
            return self.add_folder(path, &resolved, depth_left - 1);
        }
        if !file_type.is_file() {
            self.ignore(
                path,
                "is neither a file nor a folder; name it to read it as a stream",
            );
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().to_lowercase();
        if TEMPORARY_ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            self.ignore(path, "is a temporary file by its name");
            return Ok(());
        }
        let promises = CAPTURE_NAMES.iter().any(|part| name.contains(part));
        self.add_file(path, resolved, promises);
        Ok(())
    }

    fn add_file(&mut self, path: &Path, resolved: PathBuf, promises: bool) {
        if self.is_new(path, resolved.clone()) {
            let path = path.to_path_buf();
            self.finds.push(Find::File(FoundFile {
                path,
                resolved,
                promises,
            }));
        }
    }

    fn add_stream(&mut self, path: &Path, stream: ByteSource) -> Result<(), CaptureError> {
        let candidate = Candidate::of_stream(path, stream)?;
        self.finds.push(Find::Stream(candidate));
        Ok(())
    }

    /// Whether a file or folder was not found before, under this or another name; otherwise it is skipped.
    fn is_new(&mut self, path: &Path, resolved: PathBuf) -> bool {
        if let Some(first) = self.met.get(&resolved) {
            let reason = format!("is the same as {}, which is read once", first.display());
            self.ignore(path, &reason);
            return false;
        }
        self.met.insert(resolved, path.to_path_buf());
        true
    }

    fn ignore(&mut self, path: &Path, reason: &str) {
        self.finds.push(Find::Unread(ignored(path, reason)));
    }
}

fn ignored(path: &Path, reason: &str) -> FileReport {
    FileReport {
        path: path.display().to_string(),
        ignored: true,
        note: Some(reason.to_owned()),
        ..FileReport::default()
    }
}

fn failed(path: &Path, error: &CaptureError) -> FileReport {
    FileReport {
        path: path.display().to_string(),
        error: Some(error.to_string()),
        ..FileReport::default()
    }
}

fn existing(path: &Path) -> Result<fs::Metadata, CaptureError> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CaptureError::Missing,
        _ => CaptureError::Unreadable(error),
    })
}
