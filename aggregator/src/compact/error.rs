//! Why days are not compacted, or not taken apart.

use std::path::PathBuf;

use thiserror::Error;

use crate::part::PartError;
use crate::writer::WriteError;

/// Why days are not compacted, or not taken apart.
#[derive(Debug, Error)]
pub enum CompactError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} {source}; teiten-aggregator verify says what else is wrong", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: PartError,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
