//! Organisations that scan and say so: who stands behind a source, from lists of several forms (`read.rs` tells them apart).
//!
//! The default list is compiled in; the user's lists stand beside it. A prefix tells more than a network, a narrower prefix more than a
//! wider one, a later list more than an earlier one. Entries are dated: what holds is what held on the day of the hour. Reverse DNS is
//! never asked here; the suffixes of a list are kept for those who know a source's name.

mod actors;
mod entry;
mod error;
mod field;
mod file;
mod import;
mod name;
mod read;

pub use self::actors::{ActorCursor, Actors, ActorsOfDay};
pub use self::entry::{Actor, Days};
pub use self::error::{ACTORS_MAX, ActorError};
#[doc(hidden)]
pub use self::import::fuzz_list;
pub use self::import::{Imported, import};
pub use self::read::ActorList;
