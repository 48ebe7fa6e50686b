//! Adds the rows of a part to sums. Columns are found by name: a part may have been written before a column was added.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::io::Read;
use std::path::Path;

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use twox_hash::XxHash64;

use super::sums::{Key, PeriodSums};
use crate::part::{self, CHECKSUM_KEY, PartError};
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS, START_COLUMNS};
use crate::store::Part;

/// A value of a part's metadata; `None` if there is no such part or value.
pub(super) fn note_of(path: &Path, key: &str) -> Option<String> {
    let note = |part: &part::CheckedPart| Ok::<_, PartError>(part.note(key).map(str::to_owned));
    part::read(path, note).ok()?
}

/// What changes when the rows of a part change: the hash in its metadata, or of the whole file where an older program has written it.
pub(super) fn content_of(part: &Part) -> Result<String> {
    let noted = part::guarded(|| {
        let reader = SerializedFileReader::new(part.open().map_err(PartError::from)?)?;
        let notes = reader.metadata().file_metadata().key_value_metadata();
        let noted = notes.and_then(|notes| notes.iter().find(|note| note.key == CHECKSUM_KEY));
        Ok::<_, PartError>(noted.and_then(|note| note.value.clone()))
    })?;
    if let Some(noted) = noted {
        return Ok(noted);
    }
    let mut file = part.open()?;
    let (mut sum, mut bytes) = (XxHash64::with_seed(0), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(format!("file-{:016x}", sum.finish())),
            count => Hasher::write(&mut sum, &bytes[..count]),
        }
    }
}

/// Adds the rows and metadata of a part of so many hours; with `None` its rows have the number.
pub(super) fn add_part(
    part: &Part,
    hours: Option<i64>,
    sums: &mut PeriodSums,
    notes: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    part::read(part.place(), |part| add_rows(part, hours, sums, notes))
}

fn add_rows(
    part: &part::CheckedPart,
    hours: Option<i64>,
    sums: &mut PeriodSums,
    notes: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    let (reader, about) = (part.reader(), part.about());
    for note in about.key_value_metadata().into_iter().flatten() {
        let values = notes.entry(note.key.clone()).or_default();
        values.extend(note.value.clone());
    }
    let names: Vec<&str> = about
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    let place = |name: &str| {
        let missing = || ParquetError::General(format!("it has no column {name}"));
        let place = names.iter().position(|found| *found == name);
        place.ok_or_else(missing)
    };
    let mut places = [0; ROLLUP_COLUMNS.len()];
    for (found, name) in places.iter_mut().zip(ROLLUP_COLUMNS) {
        *found = place(name)?;
    }
    let [of_hour, of_period] = START_COLUMNS;
    let start = place(of_hour).or_else(|_| place(of_period))?;
    let hours_place = hours.is_none().then(|| place(HOURS_COLUMN)).transpose()?;
    let mut counted = hours;
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        if let (None, Some(place)) = (counted, hours_place) {
            counted = Some(number(fields[place])?);
        }
        sums.begin(number(fields[start])?);
        let [
            ip_version,
            protocol,
            port,
            traffic_type,
            class,
            tool,
            actor,
            country,
            packets,
            bytes,
            sketch,
        ] = places.map(|place| fields[place]);
        let key = Key {
            ip_version: number(ip_version)?,
            protocol: number(protocol)?,
            port: match port {
                Field::Null => None,
                port => Some(number(port)?),
            },
            texts: [
                sums.name(text(traffic_type)?),
                sums.name(text(class)?),
                sums.name(text(tool)?),
                sums.name(text(actor)?),
                sums.name(text(country)?),
            ],
        };
        let Field::Bytes(sketch) = sketch else {
            return Err(unexpected(sketch));
        };
        sums.add(key, [number(packets)?, number(bytes)?], sketch.data())
            .map_err(|error| ParquetError::General(error.to_string()))?;
    }
    sums.hours += counted.unwrap_or(0);
    Ok(())
}

fn number(field: &Field) -> Result<i64> {
    match field {
        Field::Int(number) => Ok(i64::from(*number)),
        Field::Long(number) | Field::TimestampMicros(number) => Ok(*number),
        other => Err(unexpected(other)),
    }
}

fn text(field: &Field) -> Result<&str> {
    match field {
        Field::Str(text) => Ok(text),
        other => Err(unexpected(other)),
    }
}

fn unexpected(field: &Field) -> ParquetError {
    ParquetError::General(format!("a column holds {field}, which is not of its type"))
}
