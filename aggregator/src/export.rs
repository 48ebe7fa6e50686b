//! Exports a table as CSV or JSON lines, row by row in the order of the hours (of compacted days in the order of their files), for programs that do not read Parquet. CSV quotes all text
//! (the country NA is not a missing value) and leaves null fields empty; bytes are hexadecimal, times RFC 3339.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::file::reader::FileReader;
use parquet::record::{Field, Row};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::hour::{HOUR_US, Hour};
use crate::part::{self, PartError, listed};
use crate::schema::{Span, Table, names};
use crate::store::{Part, Period, Store};
use crate::text;
use crate::whole_day;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180, with a line of names.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Why an export failed.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} {source}", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        source: PartError,
    },
    /// A bound.
    #[error("{0} is no time: give a day such as 2026-11-05 or an hour such as 2026-11-05T08")]
    Time(String),
    /// Where the rows go to.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

/// Writes the rows of `table` in the dataset `directory` to `out`, for hours, days or months that begin at or after `from` and before `to`
/// (`2026-11-05` or `2026-11-05T08`; empty: no bound). Returns the number of rows.
///
/// # Errors
/// When `from` or `to` is no such time, a part is damaged or unreadable, or `out` cannot be written.
pub fn export(
    directory: &Path,
    table: &'static Table,
    (from, to): (&str, &str),
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let (from, to) = (bound(from)?, bound(to)?);
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    if format == ExportFormat::Csv {
        writeln!(out, "{}", names.join(","))?;
    }
    let mut rows = 0;
    let failed = |source| ExportError::File {
        path: directory.join(table.name),
        source,
    };
    let wanted = from.unwrap_or(i64::MIN)..to.unwrap_or(i64::MAX);
    let parts = match table.span {
        Span::Hour => {
            let (mut parts, days) =
                whole_day::listed(&Store::at(directory), table.name, &wanted).map_err(failed)?;
            parts.extend(days);
            parts.sort_by_key(|part| part.period.first_hour());
            parts
        }
        Span::Day | Span::Month => {
            let mut parts = listed(directory, table).map_err(failed)?;
            parts.retain(|part| wanted.contains(&part.period.first_hour().0));
            parts
        }
    };
    for part in parts {
        rows += export_part(&part, &wanted, &names, format, out)?;
    }
    Ok(rows)
}

/// The hour of a bound; `None` if it is open.
fn bound(text: &str) -> Result<Option<i64>, ExportError> {
    if text.is_empty() {
        return Ok(None);
    }
    let hour = Hour::parse(text).ok_or_else(|| ExportError::Time(text.to_owned()))?;
    Ok(Some(hour.0))
}

/// An error in the export of a part.
enum ExportStop {
    Write(std::io::Error),
    Part(PartError),
}

impl From<PartError> for ExportStop {
    fn from(error: PartError) -> Self {
        ExportStop::Part(error)
    }
}

fn export_part(
    part: &Part,
    wanted: &Range<i64>,
    columns: &[&str],
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let unreadable = |error| ExportStop::Part(PartError::Parquet(error));
    let is_whole_day = matches!(part.period, Period::WholeDay(_));
    let is_wanted = |row: &Row| match field(row, names::HOUR_START) {
        Field::TimestampMicros(start) => wanted.contains(&start.div_euclid(HOUR_US)),
        _ => true,
    };
    let written = part::read(part.place(), |part| {
        let mut rows = 0;
        for row in part.reader().get_row_iter(None).map_err(unreadable)? {
            let row = row.map_err(unreadable)?;
            if is_whole_day && !is_wanted(&row) {
                continue;
            }
            let written = match format {
                ExportFormat::Csv => write_csv(&row, columns, out),
                ExportFormat::JsonLines => write_json(&row, columns, out),
            };
            written.map_err(ExportStop::Write)?;
            rows += 1;
        }
        Ok(rows)
    });
    written.map_err(|stop| match stop {
        ExportStop::Write(error) => ExportError::Write(error),
        ExportStop::Part(source) => ExportError::Part {
            path: part.path.clone(),
            source,
        },
    })
}

/// The value of a column; a part of an older program may lack one.
pub(crate) fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    let mut columns = row.get_column_iter();
    columns
        .find(|(column, _)| *column == name)
        .map_or(&Field::Null, |(_, field)| field)
}

fn write_csv(row: &Row, names: &[&str], out: &mut dyn Write) -> std::io::Result<()> {
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match value(field(row, name)) {
            Value::Null => {}
            Value::String(text) => write!(out, "\"{}\"", text.replace('"', "\"\""))?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_all(b"\n")
}

fn write_json(row: &Row, names: &[&str], out: &mut dyn Write) -> std::io::Result<()> {
    let object: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), value(field(row, name))))
        .collect();
    writeln!(out, "{}", Value::Object(object))
}

/// A value as an export has it.
pub(crate) fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.clone().into(),
        Field::Bytes(bytes) => text::hexadecimal(bytes.data()).into(),
        Field::Date(days) => text::date_of_day((*days).into()).to_string().into(),
        Field::TimestampMicros(time_us) => text::time(*time_us).into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_no_time_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (from, to) in [("garbage", ""), ("", "2026-13-01"), ("2026-11-05T24", "")] {
            let mut out = Vec::new();
            let table = &crate::schema::TRAFFIC_MONTHLY;
            let outcome = export(
                folder.path(),
                table,
                (from, to),
                ExportFormat::Csv,
                &mut out,
            );
            assert!(matches!(outcome, Err(ExportError::Time(_))), "{from} {to}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn values_have_the_forms_that_the_documentation_names() {
        let bytes = vec![0_u8, 255, 16];
        assert_eq!(value(&Field::Bytes(bytes.into())), "00ff10");
        assert_eq!(
            value(&Field::TimestampMicros(1_237_107_849_000_001)),
            "2009-03-15T09:04:09.000001Z"
        );
        assert_eq!(
            value(&Field::TimestampMicros(-1)),
            "1969-12-31T23:59:59.999999Z"
        );
        assert_eq!(value(&Field::Null), Value::Null);
    }
}
