//! Helpers that turn rows into the values of columns: text by number from small codes, and the encoding of many columns at once.

use parquet::schema::types::SchemaDescPtr;

use crate::encode::{EncodedColumn, Encoder, Values};
use crate::parallel::ordered;
use crate::writer::WriteError;

/// Values of one column, owned.
#[derive(Debug)]
pub enum Column {
    /// Integers.
    Integers(Vec<i64>),
    /// Integers with nulls.
    SparseIntegers(Vec<i64>, Vec<bool>),
    /// Text by number.
    Numbered(Vec<Vec<u8>>, Vec<u32>),
    /// Byte strings end to end, with their ends.
    Strings(Vec<u8>, Vec<u32>),
}

impl Column {
    /// The same text in every row.
    pub fn constant(text: &str, rows: usize) -> Column {
        Column::Numbered(vec![text.as_bytes().to_vec()], vec![0; rows])
    }

    /// Text from codes below 2^16: each code that occurs is named once, in the order of the codes.
    pub fn named(codes: &[u16], name: impl Fn(u16) -> Vec<u8>) -> Column {
        let mut numbers = vec![u32::MAX; 1 + codes.iter().copied().max().unwrap_or(0) as usize];
        for &code in codes {
            numbers[code as usize] = 0;
        }
        let mut texts = Vec::new();
        for (code, number) in numbers.iter_mut().enumerate() {
            if *number == 0 {
                *number = texts.len() as u32;
                texts.push(name(code as u16));
            }
        }
        Column::Numbered(
            texts,
            codes.iter().map(|&code| numbers[code as usize]).collect(),
        )
    }

    /// Integers of which some are missing.
    pub fn sparse(values: impl Iterator<Item = Option<i64>>) -> Column {
        let mut there = Vec::with_capacity(values.size_hint().0);
        let mut present = Vec::with_capacity(values.size_hint().0);
        for value in values {
            present.push(value.is_some());
            there.extend(value);
        }
        Column::SparseIntegers(there, present)
    }

    fn encode(
        &self,
        encoder: &mut Encoder,
        schema: &SchemaDescPtr,
        index: usize,
    ) -> parquet::errors::Result<EncodedColumn> {
        let column = schema.column(index);
        match self {
            Column::Integers(values) => encoder.encode(&column, &Values::Integers(values)),
            Column::SparseIntegers(values, present) => {
                encoder.encode(&column, &Values::SparseIntegers(values, present))
            }
            Column::Numbered(texts, numbers) => {
                let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
                encoder.encode(&column, &Values::Numbered(&texts, numbers))
            }
            Column::Strings(bytes, ends) => encoder.encode(&column, &Values::Strings(bytes, ends)),
        }
    }
}

/// Encodes the columns of a row group, in the order of the schema, on several threads.
pub fn encode_group(
    columns: &[Column],
    schema: &SchemaDescPtr,
    threads: usize,
    path: &std::path::Path,
) -> Result<Vec<EncodedColumn>, WriteError> {
    let failed = |source| WriteError::Encode {
        path: path.to_owned(),
        source,
    };
    let mut encoded = Vec::with_capacity(columns.len());
    let task = |index: usize| {
        let mut encoder = Encoder::new()?;
        columns[index].encode(&mut encoder, schema, index)
    };
    ordered(threads, columns.len(), task, |column| encoded.push(column));
    encoded
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(failed)
}
