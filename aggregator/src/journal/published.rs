//! How much of a journal is published: the metadata of the published parts says it.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::Target;
use crate::close::{Closer, JOURNAL_THROUGH_KEY};
use crate::hour::Hour;
use crate::schema::{COVERAGE, SOURCES, TRAFFIC};

/// The last published stretches; `None` without a readable part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// In the tables of rows.
    pub rows: Option<u64>,
    /// In `coverage`.
    pub coverage: Option<u64>,
}

impl Published {
    /// Of the parts at `target`.
    #[must_use]
    pub fn at(closer: &Closer, target: Target) -> Self {
        let hour = Hour(target.hour);
        let rows =
            [&SOURCES, &TRAFFIC].map(|table| through(&closer.path(table, hour, target.part)));
        Published {
            rows: rows.into_iter().flatten().max(),
            coverage: through(&closer.path(&COVERAGE, hour, target.coverage_part)),
        }
    }
}

fn through(path: &Path) -> Option<u64> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let pair = pairs.iter().find(|pair| pair.key == JOURNAL_THROUGH_KEY)?;
    pair.value.as_ref()?.parse().ok()
}
