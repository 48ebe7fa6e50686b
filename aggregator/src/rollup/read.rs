//! Adds the rows of a part to sums. Columns are found by name: a part may have been written before a column was added.

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::FileReader;
use parquet::record::Field;

use super::making::MakingNotes;
use super::sums::{Key, PeriodSums};
use crate::part;
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS};
use crate::store::Part;

/// Adds the rows and notes of a part, which stands for so many hours; none: its rows say it.
pub(super) fn add_part(
    part: &Part,
    hours: Option<i64>,
    sums: &mut PeriodSums,
    notes: &mut MakingNotes,
) -> Result<()> {
    part::read(part.place(), |part| add_rows(part, hours, sums, notes))
}

fn add_rows(
    part: &part::CheckedPart,
    hours: Option<i64>,
    sums: &mut PeriodSums,
    notes: &mut MakingNotes,
) -> Result<()> {
    let (reader, about) = (part.reader(), part.about());
    for note in about.key_value_metadata().into_iter().flatten() {
        notes.add(&note.key, note.value.as_deref().unwrap_or_default());
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
    let hours_place = hours.is_none().then(|| place(HOURS_COLUMN)).transpose()?;
    let mut counted = hours;
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        if let (None, Some(place)) = (counted, hours_place) {
            counted = Some(number(fields[place])?);
        }
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
