//! Messages from the reader to a worker.

use std::ops::Range;
use std::sync::Arc;

use super::deal::Picks;
use crate::source::block::Block;
use crate::source::live::Drops;

/// Which packets of a block a worker is to count.
pub(super) enum Share {
    Range(Range<usize>),
    Picks(Picks),
}

/// One message. Every worker gets the same barriers, at the same places of the input.
pub(super) enum Work {
    Block(Arc<Block>, Share),
    /// The end of a round: hours before `before` close. With `open_too` the worker also hands over what it has of the others.
    Barrier {
        before: i64,
        open_too: bool,
    },
    /// All of this second, counted from 1970-01-01 UTC, was observed.
    Observed(i64),
    /// Packets that never arrived.
    Dropped(Drops),
}
