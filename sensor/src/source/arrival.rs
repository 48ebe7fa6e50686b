//! What a source passes to the engine in one step.

use crate::source::block::Block;
use crate::source::live::Drops;

/// A block of packets, and the clock, drops and completeness of a live source.
#[derive(Debug)]
pub struct Arrival {
    /// Packets, perhaps none.
    pub block: Block,
    /// Packets of the same lane have the same sources, so one worker is best for all of them; a replay has no lanes.
    pub lane: Option<usize>,
    /// The clock of a live capture, microseconds UTC; a replay has none but its packets.
    pub clock_us: Option<i64>,
    /// Whether a capture saw all that it is to see: else silence is a gap.
    pub complete: bool,
    /// Packets that were lost since the last arrival.
    pub drops: Drops,
}

impl Arrival {
    /// Packets of a source that has no clock but them.
    #[must_use]
    pub fn of(block: Block) -> Self {
        Arrival {
            block,
            lane: None,
            clock_us: None,
            complete: true,
            drops: Drops::default(),
        }
    }
}
