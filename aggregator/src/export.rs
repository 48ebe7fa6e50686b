//! A table as CSV or as JSON lines, row by row in the order of the hours: for programs that do not read Parquet. Text is always quoted
//! in CSV (the country NA is no missing value), a missing value is nothing at all, bytes are hexadecimal, times RFC 3339.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::dataset::{PART_ENDING, hour_folders};
use crate::schema::Table;
use crate::text;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a line of names.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Why a table was not exported, or not to the end.
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
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        source: ParquetError,
    },
    /// Where the rows go to.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

/// Writes the rows of `table` in the dataset `directory` to `out`, those of folders from `from` to before `to` as `2026-11-05T08`
/// sorts (either may be left open by an empty text); how many there were.
///
/// # Errors
/// When a part cannot be read, or `out` not be written.
pub fn export(
    directory: &Path,
    table: &Table,
    (from, to): (&str, &str),
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    if format == Format::Csv {
        writeln!(out, "{}", names.join(","))?;
    }
    let root = directory.join(table.name);
    let mut rows = 0;
    for hour in hour_folders(&root).map_err(|source| ExportError::File {
        path: root.clone(),
        source,
    })? {
        let text = hour_text(&hour);
        if text.as_str() < from || (!to.is_empty() && text.as_str() >= to) {
            continue;
        }
        for path in parts(&hour)? {
            rows += export_part(&path, &names, format, out)?;
        }
    }
    Ok(rows)
}

/// `date=2026-11-05/hour=08` as `2026-11-05T08`.
fn hour_text(folder: &Path) -> String {
    let mut last = folder
        .components()
        .rev()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    let (hour, date) = (
        last.next().unwrap_or_default(),
        last.next().unwrap_or_default(),
    );
    format!(
        "{}T{}",
        date.trim_start_matches("date="),
        hour.trim_start_matches("hour=")
    )
}

fn parts(hour: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let failed = |source| ExportError::File {
        path: hour.to_owned(),
        source,
    };
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(hour).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == PART_ENDING) {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

fn export_part(
    path: &Path,
    names: &[&str],
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let failed = |source| ExportError::Part {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|source| ExportError::File {
        path: path.to_owned(),
        source,
    })?;
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let mut rows = 0;
    for row in reader.get_row_iter(None).map_err(failed)? {
        let row = row.map_err(failed)?;
        match format {
            Format::Csv => write_csv(&row, names, out)?,
            Format::JsonLines => write_json(&row, names, out)?,
        }
        rows += 1;
    }
    Ok(rows)
}

/// The value of a column; a part of an older program may lack one.
fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
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

fn value(field: &Field) -> Value {
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
        Field::TimestampMicros(time_us) => text::time(*time_us).into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_told_by_their_folders() {
        assert_eq!(
            hour_text(Path::new("d/traffic/date=2026-11-05/hour=08")),
            "2026-11-05T08"
        );
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
