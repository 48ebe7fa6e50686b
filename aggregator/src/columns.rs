//! Columns of a part as arrow arrays, by name and type: text as dictionaries, so that a name is parsed once per batch and not once per row.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use teiten_observation::Class;

use crate::hour::HOUR_US;
use crate::part::{PartError, checked_with_metadata, guarded};
use crate::schema::{SCHEMA_VERSION, names};
use crate::schema_cache::with_dictionaries;

/// Rows in a batch.
const BATCH_ROWS: usize = 16_384;

/// An open part, of which columns are read.
pub struct PartColumns {
    file: File,
    metadata: ArrowReaderMetadata,
}

impl PartColumns {
    /// Reads the footer of a part.
    ///
    /// # Errors
    /// The reason as text, when it is no Parquet file.
    pub fn open(file: File) -> Result<Self, String> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
        let metadata = metadata.map_err(|error| error.to_string())?;
        Self::of(file, metadata)
    }

    /// Opens a part whose checksum, if it has one, is valid.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn open_checked(path: &Path) -> Result<Self, PartError> {
        let (file, metadata) = checked_with_metadata(path, true)?;
        guarded(|| Self::of(file, metadata).map_err(PartError::Damaged))
    }

    fn of(file: File, metadata: ParquetMetaData) -> Result<Self, String> {
        let metadata = with_dictionaries(Arc::new(metadata), &[]);
        let metadata = metadata.map_err(|error| error.to_string())?;
        Ok(PartColumns { file, metadata })
    }

    /// What the part says of itself.
    #[must_use]
    pub fn notes(&self) -> &[KeyValue] {
        let about = self.metadata.metadata().file_metadata();
        about.key_value_metadata().map_or(&[], Vec::as_slice)
    }

    /// The value of a note.
    #[must_use]
    pub fn note(&self, key: &str) -> Option<&str> {
        let note = self.notes().iter().find(|note| note.key == key)?;
        note.value.as_deref()
    }

    /// Reads the named columns batch by batch into `each`; those of `optional` where the part has them.
    ///
    /// # Errors
    /// The reason as text, when the part lacks a column of `columns`, is damaged, or `each` refuses a batch.
    pub fn read(
        self,
        columns: &[&str],
        optional: &[&str],
        each: impl FnMut(&Columns<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let builder = self.builder(columns, optional)?;
        read_batches(builder, each)
    }

    /// As [`PartColumns::read`], of rows with one of these ports alone: row groups without them are not read, nor the other columns of other
    /// rows decoded where that can be helped.
    ///
    /// # Errors
    /// As [`PartColumns::read`].
    pub fn read_ports(
        self,
        columns: &[&str],
        wanted: &[u16],
        each: impl FnMut(&Columns<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let schema = self.metadata.parquet_schema();
        let of_port = ProjectionMask::columns(schema, [names::PORT]);
        let mut found = schema.columns().iter();
        let place = found.position(|column| column.name() == names::PORT);
        let place = place.ok_or_else(|| format!("no column {}", names::PORT))?;
        let groups = self.metadata.metadata().row_groups().iter();
        let groups = groups.map(|group| match group.column(place).statistics() {
            Some(Statistics::Int32(known)) => match (known.min_opt(), known.max_opt()) {
                (Some(least), Some(most)) => {
                    let inside = |port: &u16| (*least..=*most).contains(&i32::from(*port));
                    wanted.iter().any(inside)
                }
                // Rows without ports have no least one.
                _ => true,
            },
            _ => true,
        });
        let groups = groups.enumerate();
        let groups = groups.filter_map(|(group, may_hold)| may_hold.then_some(group));
        let groups: Vec<usize> = groups.collect();
        let wanted: Vec<u16> = wanted.to_vec();
        let is_wanted =
            move |port: Option<i32>| wanted.iter().any(|it| Some(i32::from(*it)) == port);
        let filter = ArrowPredicateFn::new(of_port, move |batch| {
            let ports = batch.column(0).as_primitive::<Int32Type>();
            Ok(ports.iter().map(|port| Some(is_wanted(port))).collect())
        });
        let builder = self.builder(columns, &[])?.with_row_groups(groups);
        let filter = RowFilter::new(vec![Box::new(filter)]);
        read_batches(builder.with_row_filter(filter), each)
    }

    fn builder(
        self,
        columns: &[&str],
        optional: &[&str],
    ) -> Result<ParquetRecordBatchReaderBuilder<File>, String> {
        for column in columns {
            self.metadata
                .schema()
                .field_with_name(column)
                .map_err(|_| format!("no column {column}"))?;
        }
        let wanted = columns.iter().chain(optional).copied();
        let mask = ProjectionMask::columns(self.metadata.parquet_schema(), wanted);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata);
        Ok(builder.with_projection(mask).with_batch_size(BATCH_ROWS))
    }
}

fn read_batches(
    builder: ParquetRecordBatchReaderBuilder<File>,
    mut each: impl FnMut(&Columns<'_>) -> Result<(), String>,
) -> Result<(), String> {
    for batch in builder.build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        each(&Columns(&batch))?;
    }
    Ok(())
}

/// The columns of one batch, by name and type.
pub struct Columns<'a>(&'a RecordBatch);

impl<'a> From<&'a RecordBatch> for Columns<'a> {
    fn from(batch: &'a RecordBatch) -> Self {
        Columns(batch)
    }
}

impl<'a> Columns<'a> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// The rows of each hour since 1970-01-01 UTC, of rows that are in the order of their hours.
    ///
    /// # Errors
    /// When there is no column of hours, or what `each` says.
    pub fn by_hour(
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

    /// The rows of the hours since 1970-01-01 UTC that are wanted.
    ///
    /// # Errors
    /// When there is no column of hours, or what `each` says.
    pub fn of_hours(
        &self,
        is_wanted: impl Fn(i64) -> bool,
        each: impl FnOnce(&Columns<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let starts = self.timestamps(names::HOUR_START)?.iter();
        let wanted: BooleanArray = starts
            .map(|start_us| Some(is_wanted(start_us.div_euclid(HOUR_US))))
            .collect();
        if wanted.true_count() == self.rows() {
            return each(self);
        }
        let rows = filter_record_batch(self.0, &wanted).map_err(|error| error.to_string())?;
        each(&Columns(&rows))
    }

    /// A text column with each distinct value converted by `meaning`.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn text<T>(
        &self,
        name: &str,
        mut meaning: impl FnMut(&str) -> Result<T, String>,
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
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn asking(&self) -> Result<Texts<'a, bool>, String> {
        self.text(names::CLASS, |name| {
            let class = Class::from_name(name).ok_or_else(|| unknown(names::CLASS, name))?;
            Ok(asks(class))
        })
    }

    /// The column of countries, `ZZ` for what is no country's code.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn countries(&self) -> Result<Texts<'a, [u8; 2]>, String> {
        self.text(names::COUNTRY, |name| {
            Ok(name.as_bytes().try_into().unwrap_or(*b"ZZ"))
        })
    }

    /// A 32-bit integer column.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn int32(&self, name: &str) -> Result<&'a Int32Array, String> {
        self.array(name)?
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(|| wrong_type(name))
    }

    /// The column of ports.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn ports(&self) -> Result<PortNumbers<'a>, String> {
        self.int32(names::PORT).map(PortNumbers)
    }

    /// A 64-bit integer column.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn int64(&self, name: &str) -> Result<&'a Int64Array, String> {
        self.array(name)?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of 64-bit integers; `None` if the file lacks it.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn int64_if_there(&self, name: &str) -> Result<Option<&'a Int64Array>, String> {
        self.0
            .column_by_name(name)
            .map(|_| self.int64(name))
            .transpose()
    }

    /// A column of floating-point numbers; `None` if the file lacks it.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn float64_if_there(&self, name: &str) -> Result<Option<&'a Float64Array>, String> {
        let array = self.0.column_by_name(name);
        let typed = |array: &'a ArrayRef| {
            let array = array.as_primitive_opt::<Float64Type>();
            array.ok_or_else(|| wrong_type(name))
        };
        array.map(typed).transpose()
    }

    /// A column of floating-point numbers.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn float64(&self, name: &str) -> Result<&'a Float64Array, String> {
        self.float64_if_there(name)?
            .ok_or_else(|| format!("no column {name}"))
    }

    /// A column of true and false.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn booleans(&self, name: &str) -> Result<&'a BooleanArray, String> {
        self.array(name)?
            .as_boolean_opt()
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of dates, days since 1970-01-01.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn dates(&self, name: &str) -> Result<&'a [i32], String> {
        let array = self.array(name)?.as_primitive_opt::<Date32Type>();
        array
            .map(|array| array.values().as_ref())
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of timestamps, microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn timestamps(&self, name: &str) -> Result<&'a [i64], String> {
        let array = self
            .array(name)?
            .as_primitive_opt::<TimestampMicrosecondType>();
        array
            .map(|array| array.values().as_ref())
            .ok_or_else(|| wrong_type(name))
    }

    /// A column of bytes.
    ///
    /// # Errors
    /// When there is no such column of that type.
    pub fn bytes(&self, name: &str) -> Result<&'a BinaryArray, String> {
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

/// Whether packets of a class ask for a service.
#[must_use]
pub const fn asks(class: Class) -> bool {
    matches!(class, Class::Scan | Class::ReflectorScan | Class::Exploit)
}

/// The error of a word that this program does not know.
pub fn unknown(column: &str, word: &str) -> String {
    format!("unknown {column} `{word}`: the dataset is newer than this program")
}

fn wrong_type(name: &str) -> String {
    format!(
        "column {name} has another type than schema version {}",
        SCHEMA_VERSION
    )
}

/// A column of ports, which are missing where the protocol has none.
#[derive(Clone, Copy, Debug)]
pub struct PortNumbers<'a>(&'a Int32Array);

impl PortNumbers<'_> {
    /// The port of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<u16> {
        (!self.0.is_null(row)).then(|| self.0.value(row) as u16)
    }
}

/// A text column with converted values.
pub struct Texts<'a, T> {
    keys: &'a [i32],
    values: Vec<T>,
}

impl<T> Texts<'_, T> {
    /// The meaning of a row's text.
    pub fn at(&self, row: usize) -> &T {
        &self.values[self.keys[row] as usize]
    }
}
