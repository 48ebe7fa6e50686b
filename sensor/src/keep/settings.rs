//! What is to be kept.

use std::path::PathBuf;

/// What is to be kept, where, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepSettings {
    /// Folder of the files.
    pub folder: PathBuf,
    /// Hours before the present one whose files are left.
    pub hours: u32,
}
