//! The arrow schemas under which parts are read, of each form of a table once: the hours of a year are files with the same columns.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::Type;

/// Schemas that are kept.
const SCHEMAS_MAX: usize = 64;
static KNOWN: Mutex<Vec<KnownSchema>> = Mutex::new(Vec::new());
static KNOWN_LEVELS: Mutex<Vec<KnownLevels>> = Mutex::new(Vec::new());

struct KnownSchema {
    columns: Type,
    distinct: Vec<String>,
    schema: SchemaRef,
}

/// What of a schema is read.
struct KnownLevels {
    columns: Type,
    wanted: Vec<String>,
    distinct: Vec<String>,
    levels: Arc<FieldLevels>,
}

/// How the columns `wanted` are read of a part, with dictionaries as [`with_dictionaries`] has them.
///
/// # Errors
/// As [`with_dictionaries`].
pub(crate) fn levels_of(
    metadata: &Arc<ParquetMetaData>,
    wanted: &[&str],
    distinct: &[&str],
) -> Result<Arc<FieldLevels>> {
    let columns = metadata.file_metadata().schema_descr();
    let is_known = |known: &&KnownLevels| {
        known.wanted == wanted
            && known.distinct == distinct
            && known.columns == *columns.root_schema()
    };
    let known = || KNOWN_LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known().iter().find(is_known) {
        return Ok(Arc::clone(&known.levels));
    }
    let schema = with_dictionaries(Arc::clone(metadata), distinct)?;
    let mask = ProjectionMask::columns(columns, wanted.iter().copied());
    let levels = parquet_to_arrow_field_levels(columns, mask, Some(schema.schema().fields()))?;
    let levels = Arc::new(levels);
    let mut known = known();
    if known.len() < SCHEMAS_MAX {
        known.push(KnownLevels {
            columns: columns.root_schema().clone(),
            wanted: owned(wanted),
            distinct: owned(distinct),
            levels: Arc::clone(&levels),
        });
    }
    Ok(levels)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The metadata for reading a part in which texts are dictionaries, but for those of `distinct`, as most of them differ.
///
/// # Errors
/// When its columns are of types that arrow does not know.
pub(crate) fn with_dictionaries(
    metadata: Arc<ParquetMetaData>,
    distinct: &[&str],
) -> Result<ArrowReaderMetadata> {
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let columns = metadata.file_metadata().schema_descr().root_schema();
    let is_known = |known: &&KnownSchema| known.distinct == distinct && known.columns == *columns;
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let schema = known()
        .iter()
        .find(is_known)
        .map(|it| Arc::clone(&it.schema));
    let schema = match schema {
        Some(schema) => schema,
        None => {
            let read = ArrowReaderMetadata::try_new(Arc::clone(&metadata), plain.clone())?;
            let schema = dictionaries_of(read.schema(), distinct);
            let mut known = known();
            if known.len() < SCHEMAS_MAX {
                known.push(KnownSchema {
                    columns: columns.clone(),
                    distinct: owned(distinct),
                    schema: Arc::clone(&schema),
                });
            }
            schema
        }
    };
    ArrowReaderMetadata::try_new(metadata, plain.with_schema(schema))
}

fn dictionaries_of(schema: &Schema, distinct: &[&str]) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 if !distinct.contains(&field.name().as_str()) => {
            let dictionary =
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Field::new(field.name(), dictionary, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
