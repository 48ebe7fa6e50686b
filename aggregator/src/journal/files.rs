//! Names and folders of a journal's files; nothing here reads their contents.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::journal_place;

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The names in a folder that do not begin with a dot, in order; empty if the folder does not exist.
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

/// The hour in the name of a rows or account file, if it has one.
pub(super) fn hour_of_name(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    let sign = stem.starts_with('-');
    let hour = stem.trim_start_matches('-').split('-').next()?;
    let hour: i64 = hour.parse().ok()?;
    Some(if sign { -hour } else { hour })
}

/// Moves a damaged file or folder to `DIR/.teiten/damaged`, under an unused name, and returns its path.
pub(super) fn keep_damaged(path: &Path) -> io::Result<PathBuf> {
    let (name, folder) =
        journal_place(path).unwrap_or_else(|| (path, Path::new("damaged").to_owned()));
    std::fs::create_dir_all(&folder)?;
    let name = name
        .to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "-");
    let free = (0..u32::MAX)
        .map(|number| folder.join(format!("{name}.{number}")))
        .find(|kept| !kept.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    std::fs::rename(path, &free)?;
    Ok(free)
}
