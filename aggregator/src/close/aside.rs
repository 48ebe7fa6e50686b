//! Rows of an hour that wait on disk for its close, because memory is short.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::observation::Address;
use crate::run::{DiskRun, Run};
use crate::writer::WriteError;

/// Writes runs to files of this process and counts on nobody else using the same number.
pub(super) fn set_aside<A: Address>(
    runs: Vec<Run<A>>,
    folder: &Path,
) -> Result<Vec<Run<A>>, WriteError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut aside = Vec::with_capacity(runs.len());
    for run in runs {
        let Run::Memory(memory) = run else {
            aside.push(run);
            continue;
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.run", std::process::id()));
        let disk = DiskRun::write(&path, &memory).map_err(|source| WriteError::File {
            path: path.clone(),
            source,
        })?;
        aside.push(Run::Disk(disk));
    }
    Ok(aside)
}
