//! Reads columns of parts of hours, and notes in the answer what the parts say of their making.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use parquet::file::metadata::KeyValue;
use teiten_aggregator::columns::PartColumns;
pub(super) use teiten_aggregator::columns::{Columns, unknown};
use teiten_aggregator::part::{CHECKSUM_KEY, PartError, guarded};
use teiten_aggregator::schema::names;
use teiten_aggregator::whole_day::{
    CONTENT_KEY, HELD_PARTS_KEY, PartOfHour, held_parts, notes_of_held,
};

use super::Answer;

/// Metadata keys that a writer adds for its own use.
const FOREIGN_KEYS: &[&str] = &[
    "ARROW:schema",
    "pandas",
    CHECKSUM_KEY,
    CONTENT_KEY,
    HELD_PARTS_KEY,
];

/// Name, date and hash of each file of country and network data. Parts of one report can differ in them; a part names its first file under
/// `geo_`, further ones under `geo_2_`, `geo_3_` and so on.
fn geolocation(pairs: &[KeyValue]) -> impl Iterator<Item = [String; 3]> {
    let value = |key: &str| {
        let pair = pairs.iter().find(|pair| pair.key == key)?;
        pair.value.clone()
    };
    let prefixes =
        std::iter::once("geo_".to_owned()).chain((2..).map(|place| format!("geo_{place}_")));
    prefixes.map_while(move |prefix| {
        let name = value(&format!("{prefix}name"))?;
        let other = |key| value(&format!("{prefix}{key}")).unwrap_or_default();
        Some([name, other("date"), other("sha256")])
    })
}

/// Reads the named columns of a file, batch by batch, into `each`, and its key-value metadata into `part`.
///
/// # Errors
/// The reason as text, when the file is no Parquet file, lacks a column, or `each` refuses a batch.
pub(super) fn read(
    path: &Path,
    columns: &[&str],
    part: &mut Answer,
    each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    read_with(path, columns, &[], part, each)
}

/// As [`read`], of the rows of some hours, which are those of the period `hours` since 1970-01-01 UTC.
///
/// # Errors
/// As [`read`].
pub(super) fn read_hours(
    file: &PartOfHour,
    hours: &Range<i64>,
    columns: &[&str],
    part: &mut Answer,
    mut each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    let path = file.part.place();
    if file.held.is_none() {
        return read(path, columns, part, each);
    }
    let columns = [columns, &[names::HOUR_START]].concat();
    read_opened(path, |opened| {
        for held in held_parts(opened.notes()).map_err(|error| error.to_string())? {
            if hours.contains(&held.hour) {
                note(&notes_of_held(opened.notes(), &held), part);
            }
        }
        opened.read(&columns, &[], |batch| {
            batch.of_hours(|hour| hours.contains(&hour), |rows| each(rows, part))
        })
    })
}

/// As [`read`]; columns of `optional` are read where the file has them, as not every writer of datasets knows them.
///
/// # Errors
/// As [`read`].
pub(super) fn read_with(
    path: &Path,
    columns: &[&str],
    optional: &[&str],
    part: &mut Answer,
    mut each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    read_opened(path, |opened| {
        note(opened.notes(), part);
        opened.read(columns, optional, |batch| each(batch, part))
    })
}

/// Opens a file with a valid checksum, and passes it to `read`.
fn read_opened(
    path: &Path,
    read: impl FnOnce(PartColumns) -> Result<(), String>,
) -> Result<(), String> {
    let opened = PartColumns::open_checked(path).map_err(|error| error.to_string())?;
    let read = || read(opened).map_err(ReadFailure::Text);
    guarded(read).map_err(|reason| match reason {
        ReadFailure::Text(text) => text,
        ReadFailure::Part(error) => error.to_string(),
    })
}

/// Reads the named columns of the rows with one of these ports.
///
/// # Errors
/// As [`read`].
pub(super) fn read_ports(
    path: &Path,
    columns: &[&str],
    ports: &[u16],
    each: impl FnMut(&Columns<'_>) -> Result<(), String>,
) -> Result<(), String> {
    // Its pages have checksums of their own, and most of them are not read.
    let read = || {
        let file = File::open(path).map_err(|error| ReadFailure::Text(error.to_string()))?;
        let opened = PartColumns::open(file).map_err(ReadFailure::Text)?;
        let read = opened.read_ports(columns, ports, each);
        read.map_err(ReadFailure::Text)
    };
    guarded(read).map_err(|reason| match reason {
        ReadFailure::Text(text) => text,
        ReadFailure::Part(error) => error.to_string(),
    })
}

/// Why a file is not read: a text, or the error of opening it.
enum ReadFailure {
    Text(String),
    Part(PartError),
}

impl From<PartError> for ReadFailure {
    fn from(error: PartError) -> Self {
        ReadFailure::Part(error)
    }
}

/// Adds what a part says of its making.
pub(super) fn note(notes: &[KeyValue], part: &mut Answer) {
    let own = |pair: &&KeyValue| !FOREIGN_KEYS.contains(&pair.key.as_str());
    for pair in notes.iter().filter(own) {
        let values = part.metadata.entry(pair.key.clone()).or_default();
        values.insert(pair.value.clone().unwrap_or_default());
    }
    part.geolocation.extend(geolocation(notes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_files_of_a_part_keep_name_date_and_hash_together() {
        let pairs = [
            ("geo_name", "geoip"),
            ("geo_date", "2026-06-25"),
            ("geo_sha256", "ab"),
            ("geo_2_name", "asn.tsv"),
            ("geo_4_name", "behind a gap"),
        ];
        let pairs = pairs.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
        let found: Vec<_> = geolocation(&pairs).collect();
        assert_eq!(found, [["geoip", "2026-06-25", "ab"], ["asn.tsv", "", ""]]);
        assert_eq!(geolocation(&pairs[1..3]).count(), 0);
    }
}
