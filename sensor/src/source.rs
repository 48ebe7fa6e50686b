//! The sources of packets: captures as files, folders and streams ([`Replay`]), and interfaces. Each gives blocks of records. This module
//! never interprets packets, and a replay reads no clock.

mod admit;
mod ahead;
mod arrival;
pub mod block;
mod candidate;
mod chunks;
mod clock;
mod compression;
mod error;
mod filter;
mod format;
pub mod fuzz;
mod header;
mod identity;
mod index;
mod input;
pub mod judge;
pub mod live;
mod map;
mod pcap;
mod pcapng;
mod prefix_ranges;
mod probe;
pub mod record;
mod replay;
mod ring;
#[cfg(test)]
mod sample;
mod search;
mod segments;
mod unsupported;
mod walk;
mod walker;

use serde::Serialize;

pub use admit::{Admission, Admitted, DatasetView};
pub use arrival::Arrival;
pub use compression::limit_windows;
pub use error::{CaptureError, SourceError};
pub use format::Compression;
pub use pcapng::{PCAPNG_BLOCK_BYTES_MAX, PCAPNG_INTERFACES_MAX};
pub use replay::{Replay, ReplaySettings};
pub use ring::RingBlock;
pub use segments::WalkAhead;
pub use walk::{BLOCK_BYTES_MAX, RECORD_BYTES_MAX};

/// Most captures that are open at once. If more overlap in time, the later ones wait, and their packets come late.
pub const OPEN_INPUTS_MAX: usize = 64;

/// How plain files are read. Compressed files and streams cannot be mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadingMode {
    /// Through memory maps: fastest, but a file that shrinks meanwhile ends the process.
    #[default]
    Mapped,
    /// Through buffers.
    Buffered,
}

/// What became of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The path as given, or as found in a folder.
    pub path: String,
    /// Records read.
    pub records: u64,
    /// Those of them whose link type is not supported; the account counts them as `not_ip`.
    #[serde(skip)]
    pub unsupported_records: u64,
    /// Why it could not be read, not to its end, or not in all its link types.
    pub error: Option<String>,
    /// Whether it was skipped because all its packets were counted before, in the dataset or in another input.
    pub already_counted: bool,
    /// Whether it was skipped because it is no capture, or is read under another name.
    pub ignored: bool,
    /// Records with an implausible time; they are in no hour.
    pub implausible: u64,
    /// A remark for the user, though nothing is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read from the files; compressed files count compressed.
    pub read_bytes: u64,
    /// Bytes of all inputs; `None` if one of them is a stream.
    pub total_bytes: Option<u64>,
    /// Packets handed over.
    pub packets: u64,
}
