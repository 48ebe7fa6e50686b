//! Renderers: they turn a document or a figure into bytes, and never query a dataset.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod png;
pub mod report_json;

use std::io::{self, Write};

/// Bytes that are written at once.
const PIECE_BYTES: usize = 128 << 10;

/// What `write` writes, as text.
fn text_of(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    // Memory takes everything.
    let _ = write(&mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}
