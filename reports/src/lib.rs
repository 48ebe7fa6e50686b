//! Reports over a Teiten dataset: a period is asked for, a question is put to the hourly tables, figures are drawn from the answer, and a
//! document is rendered. Each step knows only the one before it; see the code map in README.md.

pub mod chart;
pub mod document;
pub mod facts;
pub mod figure;
pub mod measure;
pub mod options;
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
