//! The origin of a source: its country and its autonomous system, from files that the user names or that are in known folders
//! (`default.rs`).
//!
//! Files are read once, by content not name, into one table per family; sources are looked up once each, when their hour closes. If there
//! are files of several dates, each hour uses those of its day (`edition.rs`). Special-purpose space has no origin, regardless of the files
//! (`special.rs`). The lists of actors (`actor.rs`) belong to it, so that a reload replaces all of a source's origin at once.

mod asn;
mod cache;
mod country;
mod date;
mod default;
mod edition;
mod error;
mod layout;
mod load;
mod mmdb;
mod number;
mod origins;
mod provenance;
mod special;
mod tables;
mod text;

pub use self::country::Country;
pub use self::date::DateSource;
pub use self::default::{MACHINE_FOLDER, user_folder};
pub use self::error::OriginError;
#[doc(hidden)]
pub use self::load::fuzz_load;
pub use self::origins::{OriginCursor, OriginPeriod, Origins, OriginsOfDay};
pub use self::provenance::{BadRow, Oddities, OriginFormat, Provenance, Subject};
