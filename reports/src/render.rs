//! Renderers: a document or a figure becomes bytes. No question is put to a dataset here.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod png;
