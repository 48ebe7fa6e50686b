//! What is known of files that were read before: (path, size, times, inode) and the capture that they held, so that a folder that is
//! replayed every night costs what its new files cost. It is a cache beside the dataset: whatever it does not prove is read again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use teiten_aggregator::inputs::Capture;

/// How old a file must be, by its own times, before it is taken for unchanged: file systems stamp to some milliseconds.
const SETTLED_SECONDS: i64 = 2;

/// What tells that a file is the one that was read. A change of contents changes one of its times, also where a program has set
/// the time of modification back.
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
    /// Reads the cache; one that is missing, damaged or of another program is empty.
    pub(super) fn load(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The capture that a file of this stamp holds.
    pub(super) fn capture(&self, path: &Path, stamp: &Stamp) -> Option<&Capture> {
        let entry = self.0.get(path)?;
        (entry.stamp == *stamp).then_some(&entry.capture)
    }

    /// Notes what a file of this stamp was found to hold.
    pub(super) fn note(&mut self, path: PathBuf, stamp: Stamp, capture: Capture) {
        self.0.insert(path, IndexEntry { stamp, capture });
    }

    /// Writes the cache; files that are gone, or were changed so recently that a further change might not show, are left out. `path` is
    /// itself the clock: it is made by the same file system, or one with the same time.
    pub(super) fn store(mut self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension(format!("{}.under-way", std::process::id()));
        fs::write(&temporary, b"")?;
        let newest = fs::metadata(&temporary)?.mtime();
        self.0
            .retain(|path, entry| entry.stamp.is_settled(newest) && path.exists());
        let text = serde_json::to_vec(&self.0).map_err(io::Error::other)?;
        fs::write(&temporary, text)?;
        fs::rename(&temporary, path)
    }
}
