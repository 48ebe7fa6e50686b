//! One Parquet column chunk from values that are known to be few, sorted or small: dictionary indices for text, delta for integers.
//!
//! The `parquet` crate writes the pages' headers, the footer and the file; here are the bytes within the pages. The crate's own
//! column writers look every value up in a hash table, which costs more than all the rest of an hour's close; here each text is
//! known by its number before it is written. Format: Apache Parquet, `Encodings.md`.

mod delta;
mod hybrid;

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// zstd's level: the fastest standard one; columns that matter for size are small already.
pub const ZSTD_LEVEL: i32 = 1;

/// The values of one column in one row group.
#[derive(Debug)]
pub enum Values<'a> {
    /// Integers, stored as deltas.
    Integers(&'a [i64]),
    /// Integers with nulls: the values that are there, and for each row whether it has one.
    SparseIntegers(&'a [i64], &'a [bool]),
    /// Text by number: the texts, and for each row the number of its text.
    Numbered(&'a [&'a [u8]], &'a [u32]),
    /// Byte strings laid end to end, with the end of each.
    Strings(&'a [u8], &'a [u32]),
}

impl Values<'_> {
    fn rows(&self) -> usize {
        match self {
            Values::Integers(values) => values.len(),
            Values::SparseIntegers(_, present) => present.len(),
            Values::Numbered(_, numbers) => numbers.len(),
            Values::Strings(_, ends) => ends.len(),
        }
    }
}

/// A column chunk ready to be appended to a row group.
#[derive(Debug)]
pub struct EncodedColumn {
    /// Page headers and pages.
    pub bytes: Bytes,
    /// What the footer will say of them.
    pub close: ColumnCloseResult,
}

/// Turns values into column chunks; keeps the compressor and its buffers.
pub struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    page: Vec<u8>,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// When zstd cannot allocate its state.
    pub fn new() -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Encoder {
            compressor,
            page: Vec::new(),
        })
    }

    /// The chunk of `column` with these values.
    ///
    /// # Errors
    /// When a page is too large for the format (2 GiB).
    pub fn encode(&mut self, column: &ColumnDescPtr, values: &Values<'_>) -> Result<EncodedColumn> {
        let mut chunk = Chunk::default();
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut sink);
        if let Values::Numbered(texts, _) = values {
            self.write_dictionary(texts, &mut chunk, &mut pages)?;
        }
        self.write_data(column, values, &mut chunk, &mut pages)?;
        pages.close()?;
        let bytes = Bytes::from(sink.into_inner()?);
        let close = close_result(column, values, &chunk)?;
        Ok(EncodedColumn { bytes, close })
    }

    fn write_dictionary(
        &mut self,
        texts: &[&[u8]],
        chunk: &mut Chunk,
        pages: &mut impl PageWriter,
    ) -> Result<()> {
        let mut page = std::mem::take(&mut self.page);
        page.clear();
        for text in texts {
            push_plain(&mut page, text);
        }
        let dictionary = Page::DictionaryPage {
            buf: self.compress(&page)?,
            num_values: texts.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let spec = pages.write_page(CompressedPage::new(dictionary, page.len()))?;
        chunk.dictionary_bytes = Some(spec.compressed_size);
        chunk.add(spec.compressed_size, spec.uncompressed_size);
        self.page = page;
        Ok(())
    }

    fn write_data(
        &mut self,
        column: &ColumnDescPtr,
        values: &Values<'_>,
        chunk: &mut Chunk,
        pages: &mut impl PageWriter,
    ) -> Result<()> {
        let mut page = std::mem::take(&mut self.page);
        page.clear();
        if column.max_def_level() > 0 {
            push_levels(&mut page, values);
        }
        push_values(&mut page, values);
        let data = Page::DataPage {
            buf: self.compress(&page)?,
            num_values: values.rows() as u32,
            encoding: data_encoding(values),
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(data, page.len()))?;
        chunk.add(spec.compressed_size, spec.uncompressed_size);
        self.page = page;
        Ok(())
    }

    fn compress(&mut self, page: &[u8]) -> Result<Bytes> {
        self.compressor
            .compress(page)
            .map(Bytes::from)
            .map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Sizes of a chunk's pages, headers included.
#[derive(Default)]
struct Chunk {
    dictionary_bytes: Option<usize>,
    compressed_bytes: usize,
    uncompressed_bytes: usize,
}

impl Chunk {
    fn add(&mut self, compressed: usize, uncompressed: usize) {
        self.compressed_bytes += compressed;
        self.uncompressed_bytes += uncompressed;
    }
}

fn data_encoding(values: &Values<'_>) -> Encoding {
    match values {
        Values::Integers(_) | Values::SparseIntegers(..) => Encoding::DELTA_BINARY_PACKED,
        Values::Numbered(..) => Encoding::RLE_DICTIONARY,
        Values::Strings(..) => Encoding::PLAIN,
    }
}

/// Definition levels: 1 where there is a value, with the length in front that data pages of version 1 want.
fn push_levels(page: &mut Vec<u8>, values: &Values<'_>) {
    let start = page.len();
    page.extend_from_slice(&[0; 4]);
    match values {
        Values::SparseIntegers(_, present) => {
            let levels: Vec<u32> = present.iter().map(|&there| u32::from(there)).collect();
            hybrid::encode(&levels, 1, page);
        }
        _ => hybrid::encode(&vec![1; values.rows()], 1, page),
    }
    let length = (page.len() - start - 4) as u32;
    page[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn push_values(page: &mut Vec<u8>, values: &Values<'_>) {
    match values {
        Values::Integers(integers) | Values::SparseIntegers(integers, _) => {
            delta::encode(integers, page);
        }
        Values::Numbered(texts, numbers) => {
            let width = u32::BITS - (texts.len().max(1) as u32 - 1).leading_zeros();
            page.push(width as u8);
            hybrid::encode(numbers, width, page);
        }
        Values::Strings(bytes, ends) => {
            let mut start = 0;
            for &end in *ends {
                push_plain(page, &bytes[start..end as usize]);
                start = end as usize;
            }
        }
    }
}

fn push_plain(page: &mut Vec<u8>, text: &[u8]) {
    page.extend_from_slice(&(text.len() as u32).to_le_bytes());
    page.extend_from_slice(text);
}

fn close_result(
    column: &ColumnDescPtr,
    values: &Values<'_>,
    chunk: &Chunk,
) -> Result<ColumnCloseResult> {
    let mut encodings = vec![Encoding::RLE, data_encoding(values)];
    if chunk.dictionary_bytes.is_some() {
        encodings.push(Encoding::PLAIN);
    }
    let mut builder = ColumnChunkMetaData::builder(Arc::clone(column))
        .set_encodings(encodings)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_num_values(values.rows() as i64)
        .set_total_compressed_size(chunk.compressed_bytes as i64)
        .set_total_uncompressed_size(chunk.uncompressed_bytes as i64)
        .set_data_page_offset(chunk.dictionary_bytes.unwrap_or(0) as i64)
        .set_dictionary_page_offset(chunk.dictionary_bytes.map(|_| 0));
    if let Some(statistics) = statistics(column, values) {
        builder = builder.set_statistics(statistics);
    }
    Ok(ColumnCloseResult {
        bytes_written: chunk.compressed_bytes as u64,
        rows_written: values.rows() as u64,
        metadata: builder.build()?,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    })
}

/// Smallest and largest value and the number of nulls, so that readers can skip row groups.
fn statistics(column: &ColumnDescPtr, values: &Values<'_>) -> Option<Statistics> {
    match values {
        Values::Integers(integers) | Values::SparseIntegers(integers, _) => {
            let nulls = Some((values.rows() - integers.len()) as u64);
            let least = integers.iter().min().copied();
            let greatest = integers.iter().max().copied();
            Some(match column.physical_type() {
                parquet::basic::Type::INT32 => Statistics::int32(
                    least.map(|value| value as i32),
                    greatest.map(|value| value as i32),
                    None,
                    nulls,
                    false,
                ),
                _ => Statistics::int64(least, greatest, None, nulls, false),
            })
        }
        Values::Numbered(texts, _) => {
            let least = texts
                .iter()
                .min()
                .map(|text| ByteArray::from(text.to_vec()));
            let greatest = texts
                .iter()
                .max()
                .map(|text| ByteArray::from(text.to_vec()));
            Some(Statistics::byte_array(
                least,
                greatest,
                None,
                Some(0),
                false,
            ))
        }
        Values::Strings(..) => None,
    }
}
