//! Renderers: they turn a document or a figure into bytes, and never query a dataset.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod png;
pub mod report_json;
