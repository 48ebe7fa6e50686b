//! A cache of files that were read before: (path, size, times, inode) and the capture in them, so that replaying a folder every night costs
//! only its new files. A file that the cache does not prove unchanged is read again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use teiten_aggregator::inputs::Capture;
use teiten_aggregator::store::random_name;

/// How old a file must be, by its own times, before it counts as unchanged: file times have a resolution of some milliseconds.
const SETTLED_SECONDS: i64 = 2;

/// Identifies an unchanged file. A change of contents changes one of its times, even if a program sets the time of modification back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Stamp {
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    fn is_settled(&self, newest_seconds: i64) -> bool {
        self.modified.0.max(self.changed.0) + SETTLED_SECONDS <= newest_seconds
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct IndexEntry {
    stamp: Stamp,
    capture: Capture,
}

/// The cache.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CaptureIndex(BTreeMap<PathBuf, IndexEntry>);

impl CaptureIndex {
    /// Reads the cache; if it is missing, damaged or of another version, it is empty.
    pub(super) fn load(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The capture that a file of this stamp holds.
    pub(super) fn capture(&self, path: &Path, stamp: &Stamp) -> Option<&Capture> {
        let entry = self.0.get(path)?;
        (entry.stamp == *stamp).then_some(&entry.capture)
    }

    /// Records the capture in a file of this stamp.
    pub(super) fn note(&mut self, path: PathBuf, stamp: Stamp, capture: Capture) {
        self.0.insert(path, IndexEntry { stamp, capture });
    }

    /// Writes the cache without files that are gone, or changed so recently that a further change might not show. The time of `path` serves
    /// as the clock, because the same file system sets it.
    pub(super) fn store(mut self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension(format!("{}.under-way", random_name()));
        fs::write(&temporary, b"")?;
        let newest = fs::metadata(&temporary)?.mtime();
        self.0
            .retain(|path, entry| entry.stamp.is_settled(newest) && path.exists());
        let text = serde_json::to_vec(&self.0).map_err(io::Error::other)?;
        fs::write(&temporary, text)?;
        fs::rename(&temporary, path)
    }
}
