//! Organisations that scan openly, by source, from lists of several forms (`read.rs` recognises them).
//!
//! The default list is compiled in; the user's lists are added to it. A prefix has precedence over a network, a narrower prefix over a
//! wider one, a later list over an earlier one. Entries are dated: those of the hour's day are used. Reverse DNS is never queried; the
//! suffixes of a list are kept for users who know a source's name.

mod actors;
mod entry;
mod error;
mod field;
mod file;
mod import;
mod name;
mod read;

pub use self::actors::{ActorCursor, Actors, ActorsOfDay};
pub(crate) use self::entry::prefix_bounds;
pub use self::entry::{Actor, Days};
pub use self::error::{ACTORS_MAX, ActorError};
#[doc(hidden)]
pub use self::import::fuzz_list;
pub use self::import::{Imported, import};
pub use self::read::ActorList;
