//! The middle room: what an observation is, what an hour is, what the tables are.
//!
//! `sensor` fills hours with observations, `reports` reads the tables; see the code map in README.md.

pub mod observation;
pub mod origin;
pub mod schema;
pub mod destinations;
mod prefetch;
pub mod table;
pub mod minute;
pub mod sketch;
pub mod window;
pub mod encode;
pub mod parallel;
pub mod run;
pub mod dataset;
pub mod writer;
pub mod close;
pub mod ledger;
