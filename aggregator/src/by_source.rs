//! The rows of `sources` read back, source by source over any number of parts: what days and events are made of.
//!
//! Parts hold their rows in the order of their sources, so all parts of a day are merged with a batch of each in memory, however many
//! sources there are. Parts are decoded by threads of their own. What becomes of a source is the caller's business.

mod key;
mod line;
mod read;

pub use key::SourceKey;
pub use line::{LineNames, SourceLine, SourceLines};
pub use read::{LinesError, each_source};
