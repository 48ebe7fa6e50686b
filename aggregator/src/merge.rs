//! Several datasets into one: the parts of each are copied beside one another, for sensors and runs stand side by side in an hour. A
//! part that is there already with the same bytes is left alone, so a merge can be run again; one with other bytes is a conflict, and
//! then nothing is copied at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::schema::TABLES;
use crate::store::{Staged, Store};

/// Bytes copied and compared at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Parts copied.
    pub copied: u64,
    /// Parts that were there already.
    pub present: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// Why datasets were not merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// One name, two contents.
    #[error(
        "{theirs} and {ours} have one name and differ: two sensors of one name, or a dataset that was changed; give each sensor a name of its own (--sensor)",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    Conflict {
        /// The part to be copied.
        theirs: PathBuf,
        /// The part that is there.
        ours: PathBuf,
    },
    /// A folder that is no dataset.
    #[error("{path} holds no part of a dataset: is it the folder that a sensor wrote with --data?", path = .path.display())]
    NoDataset {
        /// The folder.
        path: PathBuf,
    },
    /// A dataset into itself.
    #[error("{path} is where the datasets are to be merged into", path = .path.display())]
    Itself {
        /// The folder.
        path: PathBuf,
    },
}

/// A part to be copied, and where to.
struct Copying {
    from: PathBuf,
    to: PathBuf,
}

/// Copies every part of `datasets` into the dataset `into`, which is made where it is missing.
///
/// # Errors
/// When a part cannot be read or written, or two differ under one name; in the latter case before anything is copied.
pub fn merge(into: &Path, datasets: &[PathBuf]) -> Result<Merged, MergeError> {
    let mut merged = Merged::default();
    // By the place that a part is copied to, where it is copied from.
    let mut wanted = BTreeMap::<PathBuf, PathBuf>::new();
    for dataset in datasets {
        if is_same_folder(dataset, into) {
            return Err(MergeError::Itself {
                path: dataset.clone(),
            });
        }
        let parts = parts(dataset)?;
        if parts.is_empty() {
            return Err(MergeError::NoDataset {
                path: dataset.clone(),
            });
        }
        for part in parts {
            let from = dataset.join(&part);
            let to = into.join(&part);
            let there = wanted.get(&to).unwrap_or(&to);
            match is_same(&from, there)? {
                None => {
                    wanted.insert(to, from);
                }
                Some(true) => merged.present += 1,
                Some(false) => {
                    return Err(MergeError::Conflict {
                        theirs: from,
                        ours: there.clone(),
                    });
                }
            }
        }
    }
    // All tables of an hour one after the other, so that a reader sees an hour of a sensor whole for all but a moment.
    let mut wanted: Vec<Copying> = wanted
        .into_iter()
        .map(|(to, from)| Copying { from, to })
        .collect();
    wanted.sort_by_cached_key(|copying| hour_and_name(&copying.to));
    let store = Store::at(into);
    store.recover().map_err(file_error(into))?;
    for hour in wanted.chunk_by(|left, right| hour_and_name(&left.to) == hour_and_name(&right.to)) {
        let mut publication = store.publication();
        for copying in hour {
            let staged = copy(copying, into, &store)?;
            publication.put(staged).map_err(file_error(&copying.to))?;
            merged.copied += 1;
        }
        merged.bytes += publication.commit().map_err(file_error(into))?;
    }
    Ok(merged)
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> MergeError {
    move |source| MergeError::File {
        path: path.to_owned(),
        source,
    }
}

fn is_same_folder(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

/// Every part of a dataset by its path within.
fn parts(dataset: &Path) -> Result<Vec<PathBuf>, MergeError> {
    let store = Store::at(dataset);
    let mut parts = Vec::new();
    for table in TABLES {
        let listed = store.parts_within(table.name, &(i64::MIN..i64::MAX));
        let listed = listed.map_err(file_error(dataset))?;
        parts.extend(listed.iter().map(crate::store::Part::within));
    }
    parts.sort();
    Ok(parts)
}

/// `date=…/hour=…` and the file's name, which the tables of one hour and run share.
fn hour_and_name(part: &Path) -> Vec<std::ffi::OsString> {
    let mut last: Vec<_> = part.components().rev().take(3).collect();
    last.reverse();
    last.into_iter()
        .map(|component| component.as_os_str().to_owned())
        .collect()
}

/// Whether two files have the same bytes; none where the second is missing.
fn is_same(theirs: &Path, ours: &Path) -> Result<Option<bool>, MergeError> {
    let mut second = match File::open(ours) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(ours)(error)),
    };
    let mut first = File::open(theirs).map_err(file_error(theirs))?;
    let length = |file: &File, path| {
        file.metadata()
            .map(|data| data.len())
            .map_err(file_error(path))
    };
    if length(&first, theirs)? != length(&second, ours)? {
        return Ok(Some(false));
    }
    let (mut left, mut right) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let count = first.read(&mut left).map_err(file_error(theirs))?;
        if count == 0 {
            return Ok(Some(true));
        }
        let read = second.read_exact(&mut right[..count]);
        match read {
            Ok(()) if left[..count] == right[..count] => {}
            Ok(()) => return Ok(Some(false)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(false)),
            Err(error) => return Err(file_error(ours)(error)),
        }
    }
}

/// Copies a part to where nobody sees it yet.
fn copy(copying: &Copying, into: &Path, store: &Store) -> Result<Staged, MergeError> {
    let Copying { from, to } = copying;
    let within = to.strip_prefix(into).unwrap_or(to);
    let mut source = File::open(from).map_err(file_error(from))?;
    let mut staged = store.stage(within).map_err(file_error(to))?;
    std::io::copy(&mut source, &mut staged).map_err(file_error(from))?;
    staged.finish().map_err(file_error(to))?;
    Ok(staged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dataset with a part of this name and these bytes in each table.
    fn dataset(folder: &Path, name: &str, part: &str, bytes: &[u8]) -> PathBuf {
        let dataset = folder.join(name);
        for table in TABLES {
            let hour = dataset.join(table.name).join("date=2026-11-05/hour=08");
            std::fs::create_dir_all(&hour).expect("a folder");
            std::fs::write(hour.join(part), bytes).expect("written");
        }
        dataset
    }

    fn tables() -> u64 {
        TABLES.len() as u64
    }

    #[test]
    fn sensors_stand_side_by_side_and_a_second_merge_changes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let a = dataset(folder.path(), "a", "tokyo-1-0000.parquet", b"one");
        let b = dataset(folder.path(), "b", "osaka-1-0000.parquet", b"other");
        std::fs::write(b.join("traffic/date=2026-11-05/hour=08/.unfinished"), b"x")
            .expect("written");
        let into = folder.path().join("all");
        let datasets = [a, b];
        let merged = merge(&into, &datasets).expect("merged");
        assert_eq!(merged.copied, 2 * tables());
        assert_eq!(merged.bytes, 8 * tables());
        let hour = into.join("traffic/date=2026-11-05/hour=08");
        assert_eq!(
            std::fs::read(hour.join("osaka-1-0000.parquet")).expect("there"),
            b"other"
        );
        assert!(!hour.join(".unfinished").exists());
        let again = merge(&into, &datasets).expect("merged");
        assert_eq!((again.copied, again.present), (0, 2 * tables()));
        assert_eq!(
            std::fs::read_dir(into.join(".teiten/work"))
                .expect("listed")
                .count(),
            0
        );
    }

    #[test]
    fn one_name_with_two_contents_stops_everything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let a = dataset(folder.path(), "a", "sensor-1-0000.parquet", b"one");
        let b = dataset(folder.path(), "b", "sensor-1-0000.parquet", b"two");
        let into = folder.path().join("all");
        let error = merge(&into, &[a.clone(), b]).expect_err("a conflict");
        assert!(error.to_string().contains("--sensor"), "{error}");
        assert!(!into.exists());
        let same = dataset(folder.path(), "c", "sensor-1-0000.parquet", b"one");
        let merged = merge(&into, &[a, same]).expect("the same bytes");
        assert_eq!((merged.copied, merged.present), (tables(), tables()));
    }

    #[test]
    fn what_is_no_dataset_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let empty = folder.path().join("empty");
        let error = merge(&folder.path().join("all"), &[empty]).expect_err("no dataset");
        assert!(error.to_string().contains("empty"), "{error}");
        let a = dataset(folder.path(), "a", "x-1-0000.parquet", b"one");
        assert!(matches!(
            merge(&a, std::slice::from_ref(&a)),
            Err(MergeError::Itself { .. })
        ));
    }
}
