//! Reports over a Teiten dataset: parses the period, queries the hourly tables, draws figures from the answer, and renders a document. Each
//! step knows only the one before it; see the code map in README.md.

pub mod chart;
mod decimal;
pub mod document;
pub mod facts;
pub mod figure;
pub mod measure;
pub mod options;
mod parallel;
pub mod pdf;
pub mod period;
pub mod publish;
pub mod query;
pub mod render;
pub mod revision;
pub mod series;
pub mod supplied;
pub mod table;
pub mod text;
pub mod trend;
