//! Why a rollup was not made, or not to the end.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use thiserror::Error;

use crate::by_source::LinesError;
use crate::calendar::CalendarError;
use crate::destinations::NoSet;
use crate::writer::WriteError;

/// Why a rollup was not made, or not to the end.
#[derive(Debug, Error)]
pub enum RollupError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} cannot be read: {source}; teiten-aggregator verify says what else is wrong", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        source: ParquetError,
    },
    /// Rows of sources.
    #[error(transparent)]
    Read(#[from] LinesError),
    /// Destinations of a source of a day.
    #[error("of {day}: {source}; teiten-aggregator verify says in which part")]
    Destinations {
        /// The day.
        day: String,
        /// What is wrong.
        source: NoSet,
    },
    /// The time zone.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// Days of another time zone.
    #[error(
        "{path} is a day of {found}, not of {wanted}: roll all days up anew (without --from and --to), or with --timezone {found}",
        path = .path.display()
    )]
    OtherZone {
        /// The day.
        path: PathBuf,
        /// Its zone.
        found: String,
        /// The zone asked for.
        wanted: String,
    },
    /// The rollup cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Makes an error of the system one of a file.
pub(super) fn file_error(path: &Path) -> impl Fn(std::io::Error) -> RollupError + use<> {
    let path = path.to_owned();
    move |source| RollupError::File {
        path: path.clone(),
        source,
    }
}
