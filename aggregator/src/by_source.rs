//! Reads the rows of `sources` back, source by source over any number of parts. Days and events are made from them.
//!
//! The rows of a part are sorted by source, so this is a merge of sorted inputs: one batch of each part is in memory, for any number of
//! sources. Threads decode the parts; the caller decides what to do with a source.

mod key;
mod line;
mod read;

pub use key::SourceKey;
pub(crate) use line::asks;
pub use line::{LineNames, SourceLine, SourceLines};
pub use read::{DecodedParts, LinesError, each_source};
