//! Appends alerts to a file, a JSON object a line. A line that a kill cut short is ended before the next one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::SinkFailure;

/// The file in the dataset's folder, where no other is named.
pub(super) const FILE_DEFAULT: &str = "alerts.jsonl";
/// Bytes at the end of the file in which an alert is looked for that was written just before a kill.
const TAIL_BYTES: u64 = 256 << 10;

/// Appends an alert, durably, unless its line is among the last ones already.
pub(super) fn append(path: &Path, line: &str) -> Result<(), SinkFailure> {
    append_line(path, line)
        .map_err(|error| SinkFailure::again(format!("cannot write {}: {error}", path.display())))
}

fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    let tail = tail(&mut file)?;
    let is_there = tail
        .split(|byte| *byte == b'\n')
        .any(|known| known == line.as_bytes());
    let is_whole = tail.ends_with(b"\n") || tail.is_empty();
    if is_there && is_whole {
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if !is_whole {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_data()
}

fn tail(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(tail)
}
