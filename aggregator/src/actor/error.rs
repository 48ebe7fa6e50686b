//! Why a list of actors cannot be used.

use std::path::PathBuf;

/// Most actors: their numbers have 16 bits, and 0 is none.
pub const ACTORS_MAX: usize = u16::MAX as usize;

/// Why a list of actors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The file cannot be read.
    #[error("cannot read the list of actors {path}: {source}; name a readable file with --actors")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no such list.
    #[error("the list of actors {list} is not understood: {reason}")]
    Form {
        /// The list's name.
        list: String,
        /// Line and reason.
        reason: String,
    },
    /// An entry has an invalid value.
    #[error("the list of actors {list}, actor {actor:?}: {reason}")]
    Entry {
        /// The list's name.
        list: String,
        /// The entry's name.
        actor: String,
        /// What, and what it should be.
        reason: String,
    },
    /// Too many actors for their numbers.
    #[error(
        "the list of actors {list} makes more than {} actors altogether",
        ACTORS_MAX
    )]
    TooMany {
        /// The list's name.
        list: String,
    },
    /// More rows are bad than good.
    #[error(
        "the list of actors {list}: {bad} of {rows} rows are not understood, so the list is not used; {first}"
    )]
    MostlyBad {
        /// The list's name.
        list: String,
        /// Rows that are not understood.
        bad: usize,
        /// All rows.
        rows: usize,
        /// The first of the bad ones.
        first: String,
    },
}
