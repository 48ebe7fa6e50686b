//! The sizes of an hour that was written.

use crate::minute::MINUTES;
use teiten_observation::Tool;

/// The sizes of what was written for an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedHour {
    /// Rows of `sources`.
    pub source_rows: u64,
    /// Rows of `traffic`.
    pub traffic_rows: u64,
    /// Rows of `payloads`; without any the table has no part.
    pub payload_rows: u64,
    /// Rows of `backscatter`; without any the table has no part.
    pub reply_rows: u64,
    /// Replies left out of it, because the hour has more rows than it may.
    pub replies_left_out: u64,
    /// Packets in either.
    pub packets: u64,
    /// Bytes on the wire in either.
    pub bytes: u64,
    /// Size of the files, bytes.
    pub file_bytes: u64,
    /// Packets of folded sources, by minute; empty where none was folded.
    pub collapsed: Vec<u64>,
    /// Packets by tool, in the order of the tools.
    pub tools: [u64; Tool::ALL.len()],
}

impl ClosedHour {
    /// Adds what a further part of the same hour holds.
    pub fn add(&mut self, other: &ClosedHour) {
        self.source_rows += other.source_rows;
        self.traffic_rows += other.traffic_rows;
        self.payload_rows += other.payload_rows;
        self.reply_rows += other.reply_rows;
        self.replies_left_out += other.replies_left_out;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.file_bytes += other.file_bytes;
        self.add_collapsed(&other.collapsed);
        self.add_tools(&other.tools);
    }

    /// Adds packets of folded sources, by minute.
    pub(super) fn add_collapsed(&mut self, by_minute: &[u64]) {
        if by_minute.iter().all(|packets| *packets == 0) {
            return;
        }
        self.collapsed.resize(MINUTES, 0);
        for (ours, theirs) in self.collapsed.iter_mut().zip(by_minute) {
            *ours += theirs;
        }
    }

    /// Adds packets by tool.
    pub(super) fn add_tools(&mut self, tools: &[u64; Tool::ALL.len()]) {
        for (ours, theirs) in self.tools.iter_mut().zip(tools) {
            *ours += theirs;
        }
    }
}
