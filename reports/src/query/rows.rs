//! Columns of a Parquet file as arrow arrays: text as dictionaries, so that a name is parsed once per batch and not once per row.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int32Type, Int64Type, Schema,
    TimestampMicrosecondType,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::KeyValue;

use teiten_aggregator::part::{CHECKSUM_KEY, PartError, checked, guarded};
use teiten_aggregator::schema::names;
use teiten_aggregator::whole_day::{CONTENT_KEY, HELD_PARTS_KEY};
use teiten_observation::Class;

use super::Answer;
use super::layout::HourFile;
use super::tally::PortRole;
use crate::period::HOUR_US;

/// Rows in a batch.
const BATCH_ROWS: usize = 16_384;
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
    file: &HourFile,
    hours: &Range<i64>,
    columns: &[&str],
    part: &mut Answer,
    mut each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    if !file.is_whole_day {
        return read(&file.path, columns, part, each);
    }
    let columns = [columns, &[names::HOUR_START]].concat();
    read(&file.path, &columns, part, |batch, part| {
        let starts = batch.timestamps(names::HOUR_START)?;
        let is_wanted = |start: &i64| hours.contains(&start.div_euclid(HOUR_US));
        let wanted: BooleanArray = starts.iter().map(|start| Some(is_wanted(start))).collect();
        let rows = filter_record_batch(batch.0, &wanted).map_err(|error| error.to_string())?;
        each(&Columns(&rows), part)
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
    each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    let (file, _) = checked(path).map_err(|error| error.to_string())?;
    let read = || read_checked(file, columns, optional, part, each).map_err(ReadFailure::Text);
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

fn read_checked(
    file: File,
    columns: &[&str],
    optional: &[&str],
    part: &mut Answer,
    mut each: impl FnMut(&Columns<'_>, &mut Answer) -> Result<(), String>,
) -> Result<(), String> {
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata =
        ArrowReaderMetadata::load(&file, plain.clone()).map_err(|error| error.to_string())?;
    for column in columns {
        metadata
            .schema()
            .field_with_name(column)
            .map_err(|_| format!("no column {column}"))?;
    }
    if let Some(pairs) = metadata.metadata().file_metadata().key_value_metadata() {
        for pair in pairs
            .iter()
            .filter(|pair| !FOREIGN_KEYS.contains(&pair.key.as_str()))
        {
            let values = part.metadata.entry(pair.key.clone()).or_default();
            values.insert(pair.value.clone().unwrap_or_default());
        }
        part.geolocation.extend(geolocation(pairs));
    }
    let options = plain.with_schema(with_dictionaries(metadata.schema()));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
        .map_err(|error| error.to_string())?;
    let wanted = columns.iter().chain(optional).copied();
    let mask = ProjectionMask::columns(metadata.parquet_schema(), wanted);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| error.to_string())?;
    for batch in reader {
        let batch = batch.map_err(|error| error.to_string())?;
        each(&Columns(&batch), part)?;
    }
    Ok(())
}

fn with_dictionaries(schema: &Schema) -> Arc<Schema> {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => {
            let dictionary =
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Field::new(field.name(), dictionary, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of one batch, by name and type.
pub(super) struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// The rows of each hour since 1970-01-01 UTC, of rows that are in the order of their hours.
    pub(super) fn by_hour(
        &self,
        mut each: impl FnMut(i64, &Columns<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let starts = self.timestamps(names::HOUR_START)?;
        let mut first = 0;
        for of_hour in starts.chunk_by(|left, right| left == right) {
            let rows = self.0.slice(first, of_hour.len());
            each(of_hour[0].div_euclid(HOUR_US), &Columns(&rows))?;
            first += of_hour.len();
        }
        Ok(())
    }

    /// A text column with each distinct value converted by `meaning`.
    pub(super) fn text<T>(
        &self,
        name: &str,
        meaning: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Texts<'a, T>, String> {
        let array = self.array(name)?;
        let array = array
            .as_dictionary_opt::<Int32Type>()
            .ok_or_else(|| wrong_type(name))?;
        let values: &StringArray = array
            .values()
            .as_string_opt()
            .ok_or_else(|| wrong_type(name))?;
        if array.null_count() > 0 {
            return Err(format!("column {name} holds nulls"));
        }
        let values = (0..values.len())
            .map(|index| meaning(values.value(index)))
            .collect::<Result<_, _>>()?;
        Ok(Texts {
            keys: array.keys().values(),
            values,
        })
    }

    /// The column of classes: whether packets of each row ask for a service, which is what rankings of ports count.
    pub(super) fn asking(&self) -> Result<Texts<'a, bool>, String> {
        self.text(names::CLASS, |name| {
            let class = Class::from_name(name).ok_or_else(|| unknown(names::CLASS, name))?;
            let role = PortRole::of(class);
            Ok(matches!(role, Some(PortRole::Probed | PortRole::Reflector)))
        })
    }

    /// The column of countries, `ZZ` for what is no country's code.
    pub(super) fn countries(&self) -> Result<Texts<'a, [u8; 2]>, String> {
        self.text(names::COUNTRY, |name| {
            Ok(name.as_bytes().try_into().unwrap_or(*b"ZZ"))
        })
    }

    /// A 32-bit integer column.
    pub(super) fn int32(&self, name: &str) -> Result<&'a Int32Array, String> {
        self.array(name)?
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(|| wrong_type(name))
    }

    /// A 64-bit integer column.
    pub(super) fn int64(&self, name: &str) -> Result<&'a Int64Array, String> {
        self.array(name)?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of 64-bit integers; `None` if the file lacks it.
    pub(super) fn int64_if_there(&self, name: &str) -> Result<Option<&'a Int64Array>, String> {
        self.0
            .column_by_name(name)
            .map(|_| self.int64(name))
            .transpose()
    }

    /// A column of floating-point numbers; `None` if the file lacks it.
    pub(super) fn float64_if_there(&self, name: &str) -> Result<Option<&'a Float64Array>, String> {
        let array = self.0.column_by_name(name);
        let typed = |array: &'a ArrayRef| {
            let array = array.as_primitive_opt::<Float64Type>();
            array.ok_or_else(|| wrong_type(name))
        };
        array.map(typed).transpose()
    }

    /// A column of floating-point numbers.
    pub(super) fn float64(&self, name: &str) -> Result<&'a Float64Array, String> {
        self.float64_if_there(name)?
            .ok_or_else(|| format!("no column {name}"))
    }

    /// A column of true and false.
    pub(super) fn booleans(&self, name: &str) -> Result<&'a BooleanArray, String> {
        self.array(name)?
            .as_boolean_opt()
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of dates, days since 1970-01-01.
    pub(super) fn dates(&self, name: &str) -> Result<&'a [i32], String> {
        let array = self.array(name)?.as_primitive_opt::<Date32Type>();
        array
            .map(|array| array.values().as_ref())
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of timestamps, microseconds since 1970-01-01 UTC.
    pub(super) fn timestamps(&self, name: &str) -> Result<&'a [i64], String> {
        let array = self
            .array(name)?
            .as_primitive_opt::<TimestampMicrosecondType>();
        array
            .map(|array| array.values().as_ref())
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of bytes.
    pub(super) fn bytes(&self, name: &str) -> Result<&'a BinaryArray, String> {
        self.array(name)?
            .as_binary_opt::<i32>()
            .ok_or_else(|| wrong_type(name))
    }

    fn array(&self, name: &str) -> Result<&'a Arc<dyn Array>, String> {
        self.0
            .column_by_name(name)
            .ok_or_else(|| format!("no column {name}"))
    }
}

/// The error of a word that this program does not know.
pub(super) fn unknown(column: &str, word: &str) -> String {
    format!("unknown {column} `{word}`: the dataset is newer than this program")
}

fn wrong_type(name: &str) -> String {
    format!(
        "column {name} has another type than schema version {}",
        teiten_aggregator::schema::SCHEMA_VERSION
    )
}

/// A text column with converted values.
pub(super) struct Texts<'a, T> {
    keys: &'a [i32],
    values: Vec<T>,
}

impl<T> Texts<'_, T> {
    /// The meaning of a row's text.
    pub(super) fn at(&self, row: usize) -> &T {
        &self.values[self.keys[row] as usize]
    }
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
