//! The commands of the program: each composes sources, engine, hours and the other modules.

pub mod capture;
pub mod check;
pub mod destinations;
pub mod explain;
pub mod geo;
pub mod replay;
pub mod rules;
pub mod summary;
#[cfg(feature = "top")]
pub mod top;
