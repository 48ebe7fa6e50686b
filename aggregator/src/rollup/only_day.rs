//! A month of one day has the rows of that day: its column chunks are copied as they are, but for that of the date.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::error::RollupError;
use crate::close::encode_with;
use crate::part::{PartError, checked_with_metadata, guarded};
use crate::schema::Table;
use crate::whole_day::PartOfHour;
use crate::writer::{CREATED_BY, PartWriter, WriteError};

/// The day, open.
pub(super) struct OnlyDay<'p> {
    path: &'p Path,
    file: File,
    metadata: ParquetMetaData,
}

impl<'p> OnlyDay<'p> {
    /// The only one of `parts`, if this program would write its rows of the table `daily` in the same bytes.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn of(
        parts: &'p BTreeSet<PartOfHour>,
        daily: &Table,
    ) -> Result<Option<Self>, RollupError> {
        let mut parts = parts.iter();
        let (Some(only), None) = (parts.next(), parts.next()) else {
            return Ok(None);
        };
        let path = &only.part.path;
        let (file, metadata) = checked_with_metadata(path, true).map_err(failed(path))?;
        let about = metadata.file_metadata();
        let is_own = about.created_by() == Some(CREATED_BY)
            && *about.schema_descr().root_schema() == *daily.parquet_type();
        Ok(is_own.then_some(OnlyDay {
            path,
            file,
            metadata,
        }))
    }

    /// Copies its rows into a part at `within` of a table whose first column is the month, of which `month` is the first day, counted from
    /// 1970-01-01. Returns their number.
    ///
    /// # Errors
    /// When a column cannot be copied.
    pub(super) fn copy(
        &self,
        into: &mut PartWriter,
        within: &Path,
        month: i64,
    ) -> Result<u64, RollupError> {
        let mut rows = 0;
        for group in self.metadata.row_groups() {
            rows += group.num_rows().unsigned_abs();
            let copied =
                guarded(|| Ok::<_, PartError>(self.copy_group(into, within, (group, month))));
            copied.map_err(failed(self.path))??;
        }
        Ok(rows)
    }

    fn copy_group(
        &self,
        into: &mut PartWriter,
        within: &Path,
        (group, month): (&RowGroupMetaData, i64),
    ) -> Result<(), WriteError> {
        let schema = into.schema();
        let months = encode_with(within, |encoder| {
            let rows = usize::try_from(group.num_rows())?;
            Ok(vec![encoder.constant_integer(
                &schema.column(0),
                month,
                rows,
            )?])
        })?;
        let months = months.into_iter().map(|months| (0, months));
        into.append_group(&self.file, group, months.collect())
    }
}

fn failed(path: &Path) -> impl Fn(PartError) -> RollupError + use<'_> {
    |source| RollupError::Part {
        path: path.to_owned(),
        source: source.into(),
    }
}
