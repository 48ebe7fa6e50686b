//! Names and folders of a journal's files; what they hold is not looked at here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::dataset::SCRATCH_FOLDER;

pub(super) fn parent(directory: &Path) -> PathBuf {
    directory.join(SCRATCH_FOLDER).join("journal")
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What lies in a folder under names that do not begin with a dot, in order; a folder that does not exist holds nothing.
pub(super) fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

/// The last number of a rows file's name.
pub(super) fn number_of(path: &Path) -> u64 {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.rsplit('-').next()?.parse().ok())
        .unwrap_or(0)
}
