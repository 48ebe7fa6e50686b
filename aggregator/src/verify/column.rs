//! The values of a column in a row group: all of its pages are read, its values are checked against what the column may hold, and its
//! statistics against its values.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::RowGroupReader;
use parquet::file::statistics::Statistics;

use crate::destinations::{DestinationSet, merge_packed};
use crate::part::PartError;
use crate::schema::{Column, Holds};
use crate::sketch::SketchUnion;
use crate::sketch::distinct::{LG_K_SMALL, SourceSketch};

/// Values read at a time.
const BATCH_VALUES: usize = 16 << 10;

/// What the values of a part are checked against.
pub(super) struct Expected {
    /// The sensor that the metadata names.
    pub sensor: String,
    /// Start and end of the part's time, microseconds since 1970-01-01 UTC.
    pub time_us: std::ops::Range<i64>,
    /// Of a whole day's part the starts of the hours that it holds, which its rows name.
    pub starts_us: Option<BTreeSet<i64>>,
    /// Its date, days since 1970-01-01; the first day of a month.
    pub date: Option<i64>,
}

/// The values of a column, in a form that sorts as the table does.
#[derive(Debug)]
pub(super) enum Values {
    /// Integers, or codes of words; null sorts first.
    Integers(Vec<Option<i64>>),
    /// Bytes.
    Bytes(Vec<ByteArray>),
    /// Whether an address is a prefix, and its number.
    Addresses(Vec<(bool, u128)>),
    /// Rows are not compared by this column.
    None,
}

impl Values {
    /// The number in a row; 0 where there is none.
    pub(super) fn number(&self, row: usize) -> i64 {
        match self {
            Values::Integers(values) => values[row].unwrap_or(0),
            _ => 0,
        }
    }

    /// Compares a row of this group with a row of `other`.
    pub(super) fn compare(
        &self,
        row: usize,
        other: &Values,
        other_row: usize,
    ) -> std::cmp::Ordering {
        match (self, other) {
            (Values::Integers(ours), Values::Integers(theirs)) => ours[row].cmp(&theirs[other_row]),
            (Values::Bytes(ours), Values::Bytes(theirs)) => {
                ours[row].data().cmp(theirs[other_row].data())
            }
            (Values::Addresses(ours), Values::Addresses(theirs)) => {
                ours[row].cmp(&theirs[other_row])
            }
            _ => std::cmp::Ordering::Equal,
        }
    }

    /// The value of a row as bytes; equal values have equal bytes.
    pub(super) fn key(&self, row: usize) -> Vec<u8> {
        match self {
            Values::Integers(values) => format!("{:?}", values[row]).into_bytes(),
            Values::Bytes(values) => values[row].data().to_vec(),
            Values::Addresses(values) => format!("{:?}", values[row]).into_bytes(),
            Values::None => Vec::new(),
        }
    }
}

/// Reads the column at `index` of a row group.
///
/// # Errors
/// When a page cannot be read, or a value is not allowed in the column.
pub(super) fn read(
    group: &dyn RowGroupReader,
    index: usize,
    column: &Column,
    expected: &Expected,
) -> Result<Values, PartError> {
    let rows = usize::try_from(group.metadata().num_rows())
        .map_err(|_| PartError::Damaged("a row group has less than no row".to_owned()))?;
    let statistics = group.metadata().column(index).statistics();
    let wrong = |reason: String| PartError::Damaged(format!("column {}: {reason}", column.name));
    let values = match group.get_column_reader(index)? {
        ColumnReader::Int32ColumnReader(reader) => {
            let values = all(reader, column, rows)?;
            if let Some(Statistics::Int32(stored)) = statistics {
                agree(
                    (stored.min_opt(), stored.max_opt(), stored.null_count_opt()),
                    &values,
                )
                .map_err(wrong)?;
            }
            let wide = values.into_iter().map(|value| value.map(i64::from));
            integers(column, wide.collect(), expected).map_err(wrong)?
        }
        ColumnReader::Int64ColumnReader(reader) => {
            let values = all(reader, column, rows)?;
            if let Some(Statistics::Int64(stored)) = statistics {
                agree(
                    (stored.min_opt(), stored.max_opt(), stored.null_count_opt()),
                    &values,
                )
                .map_err(wrong)?;
            }
            integers(column, values, expected).map_err(wrong)?
        }
        ColumnReader::BoolColumnReader(reader) => {
            let values = all(reader, column, rows)?;
            if let Some(Statistics::Boolean(stored)) = statistics {
                agree(
                    (stored.min_opt(), stored.max_opt(), stored.null_count_opt()),
                    &values,
                )
                .map_err(wrong)?;
            }
            Values::Integers(values.into_iter().map(|it| it.map(i64::from)).collect())
        }
        ColumnReader::DoubleColumnReader(reader) => {
            let values = all(reader, column, rows)?;
            if let Some(Statistics::Double(stored)) = statistics {
                agree(
                    (stored.min_opt(), stored.max_opt(), stored.null_count_opt()),
                    &values,
                )
                .map_err(wrong)?;
            }
            Values::None
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            let values = all(reader, column, rows)?;
            if let Some(Statistics::ByteArray(stored)) = statistics {
                agree(
                    (stored.min_opt(), stored.max_opt(), stored.null_count_opt()),
                    &values,
                )
                .map_err(wrong)?;
            }
            let values: Vec<ByteArray> = values.into_iter().flatten().collect();
            bytes(column, values, expected).map_err(wrong)?
        }
        _ => return Err(wrong("it is of a type that no table has".to_owned())),
    };
    Ok(values)
}

/// All values of a column; null is `None`.
fn all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    column: &Column,
    rows: usize,
) -> Result<Vec<Option<T::T>>, PartError> {
    let mut all = Vec::new();
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    loop {
        levels.clear();
        values.clear();
        let wanted = column.nullable.then_some(&mut levels);
        let (records, ..) = reader.read_records(BATCH_VALUES, wanted, None, &mut values)?;
        if records == 0 {
            break;
        }
        let mut present = values.drain(..);
        match column.nullable {
            true => all.extend(levels.iter().map(|&level| {
                let is_there = level == 1;
                is_there.then(|| present.next()).flatten()
            })),
            false => all.extend(present.map(Some)),
        }
        if all.len() > rows {
            break;
        }
    }
    if all.len() == rows {
        return Ok(all);
    }
    let reason = format!(
        "column {} has {} values in a group of {rows} rows",
        column.name,
        all.len()
    );
    Err(PartError::Damaged(reason))
}

/// Checks that a column's statistics match its values.
fn agree<T: PartialOrd>(
    (stored_least, stored_greatest, stored_nulls): (Option<&T>, Option<&T>, Option<u64>),
    values: &[Option<T>],
) -> Result<(), String> {
    let (mut least, mut greatest, mut nulls) = (None::<&T>, None::<&T>, 0);
    for value in values {
        let Some(value) = value else {
            nulls += 1;
            continue;
        };
        if least.is_none_or(|known| value < known) {
            least = Some(value);
        }
        if greatest.is_none_or(|known| value > known) {
            greatest = Some(value);
        }
    }
    let is_right = stored_least == least
        && stored_greatest == greatest
        && stored_nulls.is_none_or(|stored| stored == nulls);
    match is_right {
        true => Ok(()),
        false => Err("its statistics are not those of its values".to_owned()),
    }
}

fn integers(
    column: &Column,
    values: Vec<Option<i64>>,
    expected: &Expected,
) -> Result<Values, String> {
    let time = &expected.time_us;
    let may_be = |value: i64| match column.holds {
        Holds::Between(least, greatest) => (least..=greatest).contains(&value),
        Holds::Start => match &expected.starts_us {
            Some(starts) => starts.contains(&value),
            None => value == time.start,
        },
        Holds::Date => Some(value) == expected.date,
        Holds::Inside => time.contains(&value),
        _ => true,
    };
    match values.iter().flatten().find(|value| !may_be(**value)) {
        Some(value) => Err(format!("it holds {value}")),
        None => Ok(Values::Integers(values)),
    }
}

fn bytes(column: &Column, values: Vec<ByteArray>, expected: &Expected) -> Result<Values, String> {
    let holds = |value: &ByteArray| match std::str::from_utf8(value.data()) {
        Ok(text) => format!("it holds `{}`", text.escape_default()),
        Err(_) => "it holds bytes that are no text".to_owned(),
    };
    let check = |may_be: &dyn Fn(&[u8]) -> bool| {
        let other = values.iter().find(|value| !may_be(value.data()));
        other.map_or(Ok(()), |other| Err(holds(other)))
    };
    match column.holds {
        Holds::Sensor => check(&|value| value == expected.sensor.as_bytes())?,
        Holds::Country => {
            check(&|value| value.len() == 2 && value.iter().all(u8::is_ascii_uppercase))?;
        }
        Holds::Hash => check(&|value| {
            value.is_empty() || value.len() == 16 && value.iter().all(u8::is_ascii_hexdigit)
        })?,
        Holds::Destinations => check(&|value| {
            value.is_empty() || merge_packed(value, &mut DestinationSet::<u128>::new()).is_ok()
        })?,
        Holds::SmallSketch => {
            check(&|value| SourceSketch::new(LG_K_SMALL).merge_image(value).is_ok())?;
        }
        Holds::Sketch => check(&|value| SketchUnion::default().add(value).is_ok())?,
        Holds::Word(code) => return words(&values, code, &holds),
        Holds::Address => return addresses(&values, &holds),
        _ if column.column_type == crate::schema::ColumnType::Text => {
            check(&|value| std::str::from_utf8(value).is_ok())?;
        }
        _ => {}
    }
    Ok(Values::Bytes(values))
}

fn words(
    values: &[ByteArray],
    code: fn(&str) -> Option<u16>,
    holds: &dyn Fn(&ByteArray) -> String,
) -> Result<Values, String> {
    let mut known: HashMap<&[u8], i64> = HashMap::new();
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        let found = match known.get(value.data()) {
            Some(found) => *found,
            None => {
                let text = std::str::from_utf8(value.data()).ok();
                let found = text.and_then(code).ok_or_else(|| holds(value))?;
                known.insert(value.data(), found.into());
                found.into()
            }
        };
        codes.push(Some(found));
    }
    Ok(Values::Integers(codes))
}

fn addresses(values: &[ByteArray], holds: &dyn Fn(&ByteArray) -> String) -> Result<Values, String> {
    let address = |value: &ByteArray| {
        let text = std::str::from_utf8(value.data()).ok()?;
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let (number, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        length
            .is_none_or(|length| length <= bits)
            .then_some((length.is_some(), number))
    };
    let parsed = values
        .iter()
        .map(|value| address(value).ok_or_else(|| holds(value)));
    Ok(Values::Addresses(parsed.collect::<Result<_, String>>()?))
}
