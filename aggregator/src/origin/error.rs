//! Why origin data cannot be used.

use std::path::PathBuf;

use super::provenance::{BadRow, OriginFormat, Subject};
use crate::actor::ActorError;

/// Why origin data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The file cannot be read.
    #[error("cannot read origin data {path}: {source}; name a readable file with --geo or --asn")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No line has a known format.
    #[error("origin data {path}, {row}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The first line that was read.
        row: BadRow,
    },
    /// More rows are bad than good.
    #[error(
        "origin data {path}: {bad} of {rows} rows are not understood, so the file is not used; {}",
        listed(first)
    )]
    MostlyBad {
        /// The file.
        path: PathBuf,
        /// Rows that are not understood.
        bad: u64,
        /// All rows, without comments and column names.
        rows: u64,
        /// The first of the bad ones.
        first: Vec<BadRow>,
    },
    /// The file's format is known, but does not have the requested data.
    #[error("origin data {path}: {} hold no {}; give the file with {}", format.name(), subject.noun(), subject.other_flag())]
    Subject {
        /// The file.
        path: PathBuf,
        /// Its kind.
        format: OriginFormat,
        /// What it was asked for.
        subject: Subject,
    },
    /// A MaxMind DB file is damaged.
    #[error("origin data {path} is a damaged MaxMind DB file: {source}")]
    Mmdb {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: maxminddb::MaxMindDbError,
    },
    /// A list of actors.
    #[error(transparent)]
    Actor(#[from] ActorError),
    /// The file holds no range at all.
    #[error("origin data {path} holds no range of addresses; is it the whole file?")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

fn listed(rows: &[BadRow]) -> String {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.join("; ")
}
