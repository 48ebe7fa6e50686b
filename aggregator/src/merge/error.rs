//! Why datasets cannot be merged, and what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::compact::CompactError;

use super::rename::RenameError;
use crate::part::PartError;

/// Why datasets were not merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A compacted day cannot be taken apart.
    #[error(transparent)]
    Compact(#[from] CompactError),
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
        "{theirs} and {ours} have one name and differ, and neither is the later state of the other: two sensors of one name, or a dataset that was changed, such as by --recount; give one of two sensors another name (--rename), or remove the part that is not wanted",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    Conflict {
        /// The part to be copied.
        theirs: PathBuf,
        /// The part that is there.
        ours: PathBuf,
    },
    /// One capture in two runs.
    #[error(
        "{theirs} and {ours} hold packets of the same capture, and neither holds all that the other does: together they would be counted twice; replay the captures of that hour into one dataset",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    CountedTwice {
        /// A part of the run to be copied.
        theirs: PathBuf,
        /// A part of the run that is there.
        ours: PathBuf,
    },
    /// One name, two sensors.
    #[error(
        "{theirs} and {ours} are of two sensors that have the name `{sensor}`: in one dataset nobody could distinguish them; merge one of them under another name (--rename {identity}=NAME), and give it that name from now on (--sensor)",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    TwoSensors {
        /// The name.
        sensor: String,
        /// The identity of the first.
        identity: String,
        /// A part of it.
        theirs: PathBuf,
        /// A part of the other.
        ours: PathBuf,
    },
    /// A part that `verify` finds fault with.
    #[error(
        "{path}: {reason}; it is not merged: `teiten-aggregator verify` lists every fault; merge again once such parts are removed or written again",
        path = .path.display()
    )]
    Unsound {
        /// The part.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name that is to be given.
    #[error(transparent)]
    Rename(#[from] RenameError),
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

pub(super) fn file_error(path: &Path) -> impl Fn(std::io::Error) -> MergeError {
    move |source| MergeError::File {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn unsound(path: &Path) -> impl Fn(PartError) -> MergeError {
    move |error| MergeError::Unsound {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
