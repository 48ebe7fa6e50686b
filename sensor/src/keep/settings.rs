//! Settings for kept packets.

use std::path::PathBuf;

/// Where packets are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepSettings {
    /// Folder of the files.
    pub folder: PathBuf,
    /// Hours before the current one whose files stay.
    pub hours: u32,
}
