//! Counts of packets for `--keep-packets`: kept, lost by reason, waiting.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

/// Why an observed packet was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKeptReason {
    /// Too many bytes waited for the disk.
    Slow,
    /// The disk is almost full; the rest is reserved for the tables.
    Full,
    /// The folder cannot be written.
    Refused,
}

impl NotKeptReason {
    /// All reasons, in the order of [`KeptCounts::lost`].
    pub const ALL: [NotKeptReason; 3] = [
        NotKeptReason::Slow,
        NotKeptReason::Full,
        NotKeptReason::Refused,
    ];

    /// Its label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            NotKeptReason::Slow => "slow",
            NotKeptReason::Full => "full",
            NotKeptReason::Refused => "refused",
        }
    }
}

impl fmt::Display for NotKeptReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            NotKeptReason::Slow => "the disk is too slow for kept packets",
            NotKeptReason::Full => "no room for kept packets",
            NotKeptReason::Refused => "packets cannot be kept",
        })
    }
}

/// Counts of packets for `--keep-packets`. Each observed packet is kept, lost for a reason, or waiting.
#[derive(Debug, Default)]
pub struct KeptCounts {
    packets: AtomicU64,
    bytes: AtomicU64,
    lost: [AtomicU64; 3],
}

impl KeptCounts {
    /// Packets written.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Bytes written, headers of the files' records included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Packets not kept, by reason.
    #[must_use]
    pub fn lost(&self) -> [(NotKeptReason, u64); 3] {
        NotKeptReason::ALL
            .map(|reason| (reason, self.lost[reason as usize].load(Ordering::Relaxed)))
    }

    /// Packets not kept.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        self.lost().iter().map(|(_, count)| count).sum()
    }

    /// The counts as an object.
    #[must_use]
    pub fn json(&self) -> Value {
        let lost = self
            .lost()
            .map(|(reason, count)| (reason.name().to_owned(), count.into()));
        json!({
            "packets": self.packets(),
            "bytes": self.bytes(),
            "lost": Value::Object(Map::from_iter(lost)),
        })
    }

    /// Counts packets that were written.
    pub fn keep(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts packets that were not written.
    pub fn lose(&self, reason: NotKeptReason, packets: u64) {
        self.lost[reason as usize].fetch_add(packets, Ordering::Relaxed);
    }
}
