//! A folder for targets whose parser reads files; `.ci/fuzz` names one in memory and removes it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let named = std::env::var_os("TEITEN_FUZZ_FOLDER").map(PathBuf::from);
    named
        .unwrap_or_else(|| std::env::temp_dir().join(format!("teiten-fuzz-{}", std::process::id())))
});

/// The folder.
#[allow(dead_code)]
pub(crate) fn folder() -> &'static Path {
    &FOLDER
}

/// A file in it with these bytes.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    let folder = path.parent().unwrap_or(&FOLDER);
    std::fs::create_dir_all(folder).expect("a folder for scratch files");
    std::fs::write(&path, bytes).expect("room for a scratch file");
    path
}
