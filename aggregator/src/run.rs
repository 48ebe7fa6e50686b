//! Sorted runs of rows: one worker's share of an hour in the order of its keys, in memory or on disk, and their merge.
//!
//! Several runs may have the same (source, kind); merging adds its counts and merges its destinations, so the merged rows do not depend on
//! how packets were spread over workers or over time.

mod disk;
mod either;
mod memory;
mod merge;
mod packed;
mod row;

pub use disk::DiskRun;
pub use either::Run;
pub use memory::MemoryRun;
pub use merge::{Merged, RowsInPlace, RowsOfSource, merge_range, merge_sources, split_sources};
pub use row::SourceRow;

use teiten_observation::Address;

/// Any bytes of a file as the rows of a run: for fuzzing, where nothing may crash and reading has to end.
#[doc(hidden)]
pub fn fuzz_rows(path: &std::path::Path) {
    fn read<A: Address>(path: &std::path::Path) -> std::io::Result<()> {
        let file = std::fs::File::open(path)?;
        // A row takes a byte at least: of more rows some must be missing.
        let rows = file.metadata()?.len() as usize + 1;
        let mut reader = packed::RowReader::<A>::new(file, 0, rows)?;
        while let Some(row) = reader.next()? {
            std::hint::black_box(row.1.view());
        }
        Ok(())
    }
    let _ = read::<u32>(path);
    let _ = read::<u128>(path);
}
