//! Reports over a Teiten dataset: parses the period, queries the hourly tables, draws figures from the answer, and renders a document. Each
//! step knows only the one before it; see the code map in README.md.
//!
//! Builds for fuzzing leave out what no fuzz target reaches (`cfg(not(fuzzing))`): instrumented code takes long to compile.

#[cfg(not(fuzzing))]
pub mod chart;
#[cfg(not(fuzzing))]
mod decimal;
#[cfg(not(fuzzing))]
pub mod document;
#[cfg(not(fuzzing))]
pub mod facts;
#[cfg(not(fuzzing))]
pub mod figure;
pub mod measure;
#[cfg(not(fuzzing))]
pub mod options;
#[cfg(not(fuzzing))]
pub mod pdf;
pub mod period;
#[cfg(not(fuzzing))]
pub mod program;
#[cfg(not(fuzzing))]
pub mod publish;
pub mod query;
#[cfg(not(fuzzing))]
pub mod render;
#[cfg(not(fuzzing))]
pub mod revision;
pub mod series;
pub mod supplied;
#[cfg(not(fuzzing))]
pub mod table;
pub mod text;
pub mod trend;
