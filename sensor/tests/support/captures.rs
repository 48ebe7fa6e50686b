//! The real captures and their oracles: the folder `shared/captures` beside the checkout, or TEITEN_CAPTURES.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of captures; prints SKIPPED if there is none.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("TEITEN_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"),
        PathBuf::from,
    );
    if folder.join("oracles.jsonl").is_file() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: no captures at {}; set TEITEN_CAPTURES to the folder with oracles.jsonl",
        folder.display()
    );
    None
}

/// The oracle of each capture (rules in the README beside them).
pub(crate) fn oracles(folder: &Path) -> Vec<Value> {
    std::fs::read_to_string(folder.join("oracles.jsonl"))
        .expect("the oracles can be read")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an oracle is JSON"))
        .collect()
}
