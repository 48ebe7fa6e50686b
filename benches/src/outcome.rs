//! What a case gave: best of its runs, with the hash of the tables it wrote, as a row for people and an object for `runs/`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::child::Usage;

/// The best run of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case's name.
    pub name: &'static str,
    /// Packets replayed.
    pub packets: u64,
    /// The run with the shortest wall time.
    pub best: Usage,
    /// Runs made.
    pub runs: usize,
    /// First half of the SHA-256 of the tables.
    pub tables: String,
}

impl Outcome {
    /// Packets a second of wall time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.packets as f64 / self.best.wall.as_secs_f64()
    }

    /// The object that `runs/` keeps.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "case": self.name,
            "packets": self.packets,
            "runs": self.runs,
            "wall_seconds": self.best.wall.as_secs_f64(),
            "processor_seconds": self.best.processor.as_secs_f64(),
            "packets_per_second": self.rate(),
            "peak_bytes": self.best.peak_bytes,
            "tables_sha256": self.tables,
        })
    }
}

/// What the columns of a row are.
pub const HEADINGS: &str =
    "case               packets   wall s    CPU s  packets/s  packets/CPU-s  peak MiB  tables";

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processor_seconds = self.best.processor.as_secs_f64();
        write!(
            formatter,
            "{:<16}{:>10}{:>9.3}{:>9.3}{:>10.2}M{:>14.2}M{:>10.0}  {}",
            self.name,
            self.packets,
            self.best.wall.as_secs_f64(),
            processor_seconds,
            self.rate() / 1e6,
            self.packets as f64 / processor_seconds / 1e6,
            self.best.peak_bytes as f64 / f64::from(1 << 20),
            &self.tables[..16.min(self.tables.len())],
        )
    }
}

/// SHA-256 over the paths and contents of all files below `folder`, lower-case hexadecimal: the same tables give the same text.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn hash_of_tables(folder: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let inner = file.strip_prefix(folder).unwrap_or(&file);
        hash.update(inner.to_string_lossy().as_bytes());
        hash.update(Sha256::digest(std::fs::read(&file)?));
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_names_and_contents() {
        let folder = std::env::temp_dir().join(format!("teiten-benches-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("a")).expect("a temporary folder");
        let empty = hash_of_tables(&folder).expect("readable");
        std::fs::write(folder.join("a/x.parquet"), b"1").expect("writable");
        let one = hash_of_tables(&folder).expect("readable");
        std::fs::write(folder.join("a/x.parquet"), b"2").expect("writable");
        let two = hash_of_tables(&folder).expect("readable");
        std::fs::remove_dir_all(&folder).expect("removable");
        assert!(empty != one && one != two);
    }
}
