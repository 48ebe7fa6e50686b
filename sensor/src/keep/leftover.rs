//! Files that a killed run left unfinished: their whole records are kept, and they get their final names.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use super::pcap::{FILE_HEADER_BYTES, RECORD_HEADER_BYTES, captured_bytes, is_ours};

/// Ending of a file that is not finished.
pub(super) const UNFINISHED_ENDING: &str = "part";

/// Finishes a file unless another process writes to it: cuts off an incomplete record and gives the file its final name. Returns the number
/// of packets in it; `None` where another process writes to it.
///
/// # Errors
/// When it cannot be read or renamed.
pub(super) fn finish(path: &Path) -> io::Result<Option<u64>> {
    let file = File::options().read(true).write(true).open(path)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let (packets, whole_bytes) = whole(&file)?;
    if packets == 0 {
        std::fs::remove_file(path)?;
        return Ok(Some(0));
    }
    file.set_len(whole_bytes)?;
    file.sync_data()?;
    std::fs::rename(path, finished(path))?;
    Ok(Some(packets))
}

/// The name of a file once it is finished.
pub(super) fn finished(path: &Path) -> std::path::PathBuf {
    debug_assert!(
        path.extension()
            .is_some_and(|found| found == UNFINISHED_ENDING)
    );
    path.with_extension("")
}

/// The number of whole packets in a file, and where the last of them ends.
fn whole(file: &File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; FILE_HEADER_BYTES];
    match input.read_exact(&mut header) {
        Ok(()) if is_ours(&header) => {}
        Ok(()) => return Ok((0, 0)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok((0, 0)),
        Err(error) => return Err(error),
    }
    let (mut packets, mut at) = (0, FILE_HEADER_BYTES as u64);
    let mut record = [0; RECORD_HEADER_BYTES];
    loop {
        match input.read_exact(&mut record) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok((packets, at)),
            Err(error) => return Err(error),
        }
        let Some(captured) = captured_bytes(&record) else {
            return Ok((packets, at));
        };
        let end = at + RECORD_HEADER_BYTES as u64 + u64::from(captured);
        if end > length {
            return Ok((packets, at));
        }
        input.seek_relative(i64::from(captured))?;
        (packets, at) = (packets + 1, end);
    }
}
