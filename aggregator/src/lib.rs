//! The aggregator: observations, hours, tables, and what is done with a dataset.
//!
//! `sensor` fills hours with observations, `reports` reads the tables; see the code map in README.md.

pub mod actor;
pub mod alert;
mod batch;
pub mod by_source;
pub mod calendar;
pub mod close;
pub mod columns;
pub mod compact;
pub mod config;
pub mod counter;
pub mod describe;
pub mod destinations;
pub mod documents;
pub mod encode;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod export;
pub mod hour;
pub mod inputs;
pub mod journal;
pub mod leading;
pub mod ledger;
pub mod merge;
pub mod minute;
pub mod news;
pub mod origin;
pub mod parallel;
pub mod part;
pub mod payload_table;
mod pieces;
pub mod prefetch;
#[cfg(not(fuzzing))]
pub mod program;
pub mod prune;
pub mod pruned;
mod ranges;
pub mod reply_run;
pub mod reply_table;
pub mod role;
pub mod rollup;
pub mod run;
pub mod schema;
mod schema_cache;
pub mod sketch;
pub mod store;
pub mod survey;
pub mod table;
pub mod text;
mod unpack;
mod varint;
pub mod verify;
pub mod whole_day;
pub mod window;
pub mod writer;
