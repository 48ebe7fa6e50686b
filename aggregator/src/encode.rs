//! One Parquet column chunk from values that are known to be few, sorted or small: dictionary indices for text, delta for integers, shared
//! beginnings for byte strings.
//!
//! The `parquet` crate writes the footer and the file; this module writes the pages. The crate's own column writers look every value up in
//! a hash table, which costs more than all the rest of an hour's close; here each text has its number before it is written, and values go
//! from the rows directly into the page. Format: Apache Parquet, `Encodings.md`.

mod bits;
mod delta;
mod hybrid;
mod page;
mod squeeze;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use delta::Delta;
use hybrid::Hybrid;
use page::{PageKind, write_page};
use squeeze::{LEVEL, Squeezer};

/// Encoders that wait for their next row group, at most. A new one allocates half a megabyte for zstd alone.
const IDLE_MAX: usize = 8;
/// Memory of an encoder's buffers above which they are given back.
const IDLE_BYTES_MAX: usize = 4 << 20;
static IDLE: Mutex<Vec<Encoder>> = Mutex::new(Vec::new());

/// A column chunk ready to be appended to a row group.
#[derive(Debug)]
pub struct EncodedColumn {
    /// Page headers and pages.
    pub bytes: Bytes,
    /// Their metadata for the footer.
    pub close: ColumnCloseResult,
}

/// Turns values into column chunks; keeps the compressor and the buffers.
pub struct Encoder {
    squeezer: Squeezer,
    page: Vec<u8>,
    blocks: Vec<u8>,
    levels: Vec<u8>,
    dictionary: Vec<u8>,
    numbers: Vec<u32>,
    values: Vec<i64>,
}

/// The other contents of a chunk.
#[derive(Default)]
struct Summary {
    rows: usize,
    dictionary: Option<Dictionary>,
    statistics: Option<Statistics>,
}

/// The bytes of a dictionary page.
struct Dictionary {
    page: Vec<u8>,
    values: usize,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// When zstd cannot allocate its state.
    pub fn new() -> Result<Self> {
        Ok(Encoder {
            squeezer: Squeezer::new()?,
            page: Vec::new(),
            blocks: Vec::new(),
            levels: Vec::new(),
            dictionary: Vec::new(),
            numbers: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Encodes with an encoder that others used before or will use later.
    ///
    /// # Errors
    /// Those of `encode`, and when zstd cannot allocate its state.
    pub fn with<T>(encode: impl FnOnce(&mut Encoder) -> Result<T>) -> Result<T> {
        let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut encoder = waiting.map_or_else(Encoder::new, Ok)?;
        let encoded = encode(&mut encoder);
        encoder.give_back_memory();
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(encoder);
        }
        encoded
    }

    /// Gives memory back that only large row groups need.
    fn give_back_memory(&mut self) {
        let Encoder {
            squeezer,
            page,
            blocks,
            levels,
            dictionary,
            numbers,
            values,
        } = self;
        let mut left = IDLE_BYTES_MAX;
        for buffer in [page, blocks, levels, dictionary]
            .into_iter()
            .chain(squeezer.buffers())
        {
            give_back(buffer, &mut left);
        }
        give_back(numbers, &mut left);
        give_back(values, &mut left);
    }

    /// Integers, stored as deltas.
    ///
    /// # Errors
    /// As of every method here, when a page is too large for the format (2 GiB).
    pub fn integers(
        &mut self,
        column: &ColumnDescPtr,
        values: impl Iterator<Item = i64>,
    ) -> Result<EncodedColumn> {
        let mut delta = Delta::new(std::mem::take(&mut self.blocks));
        values.for_each(|value| delta.push(value));
        let rows = delta.count() as usize;
        self.page.clear();
        self.deltas(column, delta, rows)
    }

    /// The same from values that lie together, by what they mean.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn integers_of<'v, V: Copy + 'v>(
        &mut self,
        column: &ColumnDescPtr,
        pieces: impl Iterator<Item = &'v [V]>,
        meaning: impl Fn(V) -> i64 + Copy,
    ) -> Result<EncodedColumn> {
        let mut delta = Delta::new(std::mem::take(&mut self.blocks));
        pieces.for_each(|values| delta.extend(values, meaning));
        let rows = delta.count() as usize;
        self.page.clear();
        self.deltas(column, delta, rows)
    }

    /// Integers of which some are missing.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn some_integers(
        &mut self,
        column: &ColumnDescPtr,
        values: impl Iterator<Item = Option<i64>>,
    ) -> Result<EncodedColumn> {
        let mut present = std::mem::take(&mut self.numbers);
        let mut held = std::mem::take(&mut self.values);
        present.clear();
        held.clear();
        values.for_each(|value| {
            present.push(u32::from(value.is_some()));
            held.extend(value);
        });
        let mut levels = Hybrid::new(1);
        self.levels.clear();
        levels.extend(&present, &mut self.levels);
        self.begin_present(levels);
        let mut delta = Delta::new(std::mem::take(&mut self.blocks));
        delta.extend(&held, |value| value);
        let rows = present.len();
        (self.numbers, self.values) = (present, held);
        self.deltas(column, delta, rows)
    }

    /// Integers of which some are missing, each with how often it follows itself.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn sparse(
        &mut self,
        column: &ColumnDescPtr,
        runs: impl Iterator<Item = (Option<i64>, usize)>,
    ) -> Result<EncodedColumn> {
        let mut delta = Delta::new(std::mem::take(&mut self.blocks));
        let rows = self.present(runs, |value, rows| delta.repeat(value, rows));
        self.deltas(column, delta, rows)
    }

    /// Numbers of which some are missing.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn doubles(
        &mut self,
        column: &ColumnDescPtr,
        values: impl Iterator<Item = Option<f64>>,
    ) -> Result<EncodedColumn> {
        let mut plain = Vec::new();
        let mut bounds: Option<(f64, f64)> = None;
        let values = values.map(|value| (value, 1));
        let rows = self.present(values, |value, _| {
            plain.extend_from_slice(&value.to_le_bytes());
            let (least, greatest) = bounds.unwrap_or((value, value));
            bounds = Some((least.min(value), greatest.max(value)));
        });
        self.page.extend_from_slice(&plain);
        let nulls = rows - plain.len() / size_of::<f64>();
        let statistics = Statistics::double(
            bounds.map(|bounds| bounds.0),
            bounds.map(|bounds| bounds.1),
            None,
            Some(nulls as u64),
            false,
        );
        let summary = Summary {
            rows,
            dictionary: None,
            statistics: Some(statistics),
        };
        self.chunk(column, Encoding::PLAIN, summary)
    }

    /// Truth values, a bit each.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn booleans(
        &mut self,
        column: &ColumnDescPtr,
        values: impl Iterator<Item = bool>,
    ) -> Result<EncodedColumn> {
        self.page.clear();
        let (mut rows, mut seen) = (0_usize, [false; 2]);
        for value in values {
            if rows.is_multiple_of(8) {
                self.page.push(0);
            }
            if let Some(last) = self.page.last_mut() {
                *last |= u8::from(value) << (rows % 8);
            }
            seen[usize::from(value)] = true;
            rows += 1;
        }
        let [no, yes] = seen;
        let (least, greatest) = ((no || yes).then_some(!no), (no || yes).then_some(yes));
        let statistics = Statistics::boolean(least, greatest, None, Some(0), false);
        let summary = Summary {
            rows,
            dictionary: None,
            statistics: Some(statistics),
        };
        self.chunk(column, Encoding::PLAIN, summary)
    }

    /// Begins a page with the definition levels of the values, with the length in front that data pages of version 1 want; gives each value
    /// that is there to `push`, with how often it follows itself, and returns the number of all.
    fn present<T>(
        &mut self,
        runs: impl Iterator<Item = (Option<T>, usize)>,
        mut push: impl FnMut(T, usize),
    ) -> usize {
        let mut levels = Hybrid::new(1);
        self.levels.clear();
        let mut rows = 0;
        let bits = &mut self.levels;
        runs.for_each(|(value, count)| {
            rows += count;
            levels.push_many(u32::from(value.is_some()), count, bits);
            if let Some(value) = value {
                push(value, count);
            }
        });
        self.begin_present(levels);
        rows
    }

    /// Begins a page with definition levels, of which `self.levels` has the beginning.
    fn begin_present(&mut self, levels: Hybrid) {
        levels.finish(&mut self.levels);
        self.page.clear();
        self.page
            .extend_from_slice(&(self.levels.len() as u32).to_le_bytes());
        self.page.extend_from_slice(&self.levels);
    }

    fn deltas(
        &mut self,
        column: &ColumnDescPtr,
        delta: Delta,
        rows: usize,
    ) -> Result<EncodedColumn> {
        let nulls = (rows as u64) - delta.count();
        let statistics = integer_statistics(column, delta.bounds(), nulls);
        self.blocks = delta.finish(&mut self.page);
        let summary = Summary {
            rows,
            dictionary: None,
            statistics: Some(statistics),
        };
        self.chunk(column, Encoding::DELTA_BINARY_PACKED, summary)
    }

    /// Integers by number: the values that occur, and for each row the number of its value, with how often it follows itself.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn numbered_integers(
        &mut self,
        column: &ColumnDescPtr,
        values: &[i64],
        runs: impl Iterator<Item = (u32, usize)>,
    ) -> Result<EncodedColumn> {
        let (dictionary, statistics) = dictionary_of_integers(column, values);
        self.numbered(column, dictionary, statistics, runs)
    }

    /// The same, the number of its value for each row.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn integers_by_number(
        &mut self,
        column: &ColumnDescPtr,
        values: &[i64],
        numbers: &[u32],
    ) -> Result<EncodedColumn> {
        let (dictionary, statistics) = dictionary_of_integers(column, values);
        self.by_number(column, dictionary, statistics, numbers)
    }

    /// Text by number: the texts, and for each row the number of its text, with how often it follows itself.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn numbered_texts<'t>(
        &mut self,
        column: &ColumnDescPtr,
        texts: impl Iterator<Item = &'t [u8]>,
        runs: impl Iterator<Item = (u32, usize)>,
    ) -> Result<EncodedColumn> {
        let (dictionary, statistics) = dictionary_of_texts(texts);
        self.numbered(column, dictionary, statistics, runs)
    }

    /// The same, the number of its text for each row.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn texts_by_number<'t>(
        &mut self,
        column: &ColumnDescPtr,
        texts: impl Iterator<Item = &'t [u8]>,
        numbers: &[u32],
    ) -> Result<EncodedColumn> {
        let (dictionary, statistics) = dictionary_of_texts(texts);
        self.by_number(column, dictionary, statistics, numbers)
    }

    /// Memory for the number of each row, empty; to be given back with [`Encoder::give_back_numbers`].
    pub(crate) fn take_numbers(&mut self) -> Vec<u32> {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        numbers
    }

    /// Takes memory back.
    pub(crate) fn give_back_numbers(&mut self, numbers: Vec<u32>) {
        self.numbers = numbers;
    }

    fn numbered(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Dictionary,
        statistics: Statistics,
        runs: impl Iterator<Item = (u32, usize)>,
    ) -> Result<EncodedColumn> {
        let mut hybrid = self.begin_numbers(&dictionary);
        let (mut rows, page) = (0, &mut self.page);
        runs.for_each(|(number, count)| {
            rows += count;
            hybrid.push_many(number, count, page);
        });
        self.end_numbers(column, hybrid, rows, dictionary, statistics)
    }

    fn by_number(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Dictionary,
        statistics: Statistics,
        numbers: &[u32],
    ) -> Result<EncodedColumn> {
        let mut hybrid = self.begin_numbers(&dictionary);
        hybrid.extend(numbers, &mut self.page);
        self.end_numbers(column, hybrid, numbers.len(), dictionary, statistics)
    }

    fn begin_numbers(&mut self, dictionary: &Dictionary) -> Hybrid {
        let width = u32::BITS - (dictionary.values.max(1) as u32 - 1).leading_zeros();
        self.page.clear();
        self.page.push(width as u8);
        Hybrid::new(width)
    }

    fn end_numbers(
        &mut self,
        column: &ColumnDescPtr,
        hybrid: Hybrid,
        rows: usize,
        dictionary: Dictionary,
        statistics: Statistics,
    ) -> Result<EncodedColumn> {
        hybrid.finish(&mut self.page);
        let summary = Summary {
            rows,
            dictionary: Some(dictionary),
            statistics: Some(statistics),
        };
        self.chunk(column, Encoding::RLE_DICTIONARY, summary)
    }

    /// The same text in every row.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn constant_text(
        &mut self,
        column: &ColumnDescPtr,
        text: &str,
        rows: usize,
    ) -> Result<EncodedColumn> {
        let bytes = ByteArray::from(text.as_bytes().to_vec());
        let statistics =
            Statistics::byte_array(Some(bytes.clone()), Some(bytes), None, Some(0), false);
        let mut page = Vec::new();
        push_plain(&mut page, text.as_bytes());
        self.constant(column, Dictionary { page, values: 1 }, statistics, rows)
    }

    /// The same integer in every row.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn constant_integer(
        &mut self,
        column: &ColumnDescPtr,
        value: i64,
        rows: usize,
    ) -> Result<EncodedColumn> {
        let is_narrow = column.physical_type() == parquet::basic::Type::INT32;
        let page = value.to_le_bytes()[..if is_narrow { 4 } else { 8 }].to_vec();
        let statistics = integer_statistics(column, Some((value, value)), 0);
        self.constant(column, Dictionary { page, values: 1 }, statistics, rows)
    }

    fn constant(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Dictionary,
        statistics: Statistics,
        rows: usize,
    ) -> Result<EncodedColumn> {
        let mut hybrid = Hybrid::new(0);
        self.page.clear();
        self.page.push(0);
        hybrid.push_many(0, rows, &mut self.page);
        hybrid.finish(&mut self.page);
        let summary = Summary {
            rows,
            dictionary: Some(dictionary),
            statistics: Some(statistics),
        };
        self.chunk(column, Encoding::RLE_DICTIONARY, summary)
    }

    /// Byte strings, one after the other.
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn strings<'s>(
        &mut self,
        column: &ColumnDescPtr,
        strings: impl Iterator<Item = &'s [u8]>,
    ) -> Result<EncodedColumn> {
        self.page.clear();
        let (mut summary, page) = (Summary::default(), &mut self.page);
        strings.for_each(|string| {
            summary.rows += 1;
            push_plain(page, string);
        });
        self.chunk(column, Encoding::PLAIN, summary)
    }

    /// Byte strings in an order in which neighbours begin alike: each as what it has behind the beginning that it shares with the one
    /// before (DELTA_BYTE_ARRAY).
    ///
    /// # Errors
    /// See [`Encoder::integers`].
    pub fn prefixed<'s>(
        &mut self,
        column: &ColumnDescPtr,
        strings: impl Iterator<Item = &'s [u8]>,
    ) -> Result<EncodedColumn> {
        let mut shared = Delta::new(std::mem::take(&mut self.blocks));
        let mut own = Delta::new(std::mem::take(&mut self.levels));
        let (mut rows, mut before, suffixes) = (0, &[][..], &mut self.dictionary);
        suffixes.clear();
        strings.for_each(|string| {
            let length = shared_length(before, string);
            shared.push(length as i64);
            own.push((string.len() - length) as i64);
            suffixes.extend_from_slice(&string[length..]);
            before = string;
            rows += 1;
        });
        self.page.clear();
        self.blocks = shared.finish(&mut self.page);
        self.levels = own.finish(&mut self.page);
        self.page.extend_from_slice(&self.dictionary);
        let summary = Summary {
            rows,
            ..Summary::default()
        };
        self.chunk(column, Encoding::DELTA_BYTE_ARRAY, summary)
    }

    /// The chunk whose data page is `self.page`.
    fn chunk(
        &mut self,
        column: &ColumnDescPtr,
        encoding: Encoding,
        summary: Summary,
    ) -> Result<EncodedColumn> {
        let dictionary = summary.dictionary.as_ref();
        let pages = [dictionary.map(|it| &it.page[..]), Some(&self.page[..])];
        let squeezed = self.squeezer.squeeze(encoding, pages)?;
        let stored = squeezed.unwrap_or(pages);
        let (mut chunk, mut sizes) = (Vec::new(), Sizes::default());
        let stored_bytes: usize = stored.iter().flatten().map(|page| page.len()).sum();
        chunk.reserve_exact(stored_bytes + 2 * page::HEADER_BYTES_MAX);
        let mut append = |kind, values, page: Option<&[u8]>, stored: Option<&[u8]>| {
            let (Some(page), Some(stored)) = (page, stored) else {
                return Ok(());
            };
            let header = write_page(&mut chunk, kind, values, page.len(), stored)?;
            sizes.uncompressed_bytes += header + page.len();
            if kind == PageKind::Dictionary {
                sizes.dictionary_bytes = Some(chunk.len());
            }
            Ok::<(), parquet::errors::ParquetError>(())
        };
        let values = dictionary.map_or(0, |it| it.values);
        append(PageKind::Dictionary, values, pages[0], stored[0])?;
        let data = PageKind::Data(encoding);
        append(data, summary.rows, pages[1], stored[1])?;
        sizes.compressed_bytes = chunk.len();
        let compression = match squeezed {
            Some(_) => Compression::ZSTD(ZstdLevel::try_new(LEVEL)?),
            None => Compression::UNCOMPRESSED,
        };
        Ok(EncodedColumn {
            bytes: Bytes::from(chunk),
            close: close_result(column, encoding, compression, &sizes, summary)?,
        })
    }
}

/// Leaves a buffer its memory if that is not more than is `left`.
fn give_back<T>(buffer: &mut Vec<T>, left: &mut usize) {
    match left.checked_sub(buffer.capacity() * size_of::<T>()) {
        Some(rest) => *left = rest,
        None => *buffer = Vec::new(),
    }
}

/// The dictionary of these values, and their bounds.
fn dictionary_of_integers(column: &ColumnDescPtr, values: &[i64]) -> (Dictionary, Statistics) {
    let is_narrow = column.physical_type() == parquet::basic::Type::INT32;
    let mut page = Vec::with_capacity(values.len() * 8);
    for value in values {
        page.extend_from_slice(&value.to_le_bytes()[..if is_narrow { 4 } else { 8 }]);
    }
    let bounds = values
        .iter()
        .min()
        .copied()
        .zip(values.iter().max().copied());
    let statistics = integer_statistics(column, bounds, 0);
    let values = values.len();
    (Dictionary { page, values }, statistics)
}

/// The dictionary of these texts, and their bounds.
fn dictionary_of_texts<'t>(texts: impl Iterator<Item = &'t [u8]>) -> (Dictionary, Statistics) {
    let (mut page, mut values) = (Vec::new(), 0);
    let mut bounds: Option<(&[u8], &[u8])> = None;
    for text in texts {
        push_plain(&mut page, text);
        values += 1;
        bounds = Some(match bounds {
            Some((least, greatest)) => (least.min(text), greatest.max(text)),
            None => (text, text),
        });
    }
    let owned = |text: &[u8]| ByteArray::from(text.to_vec());
    let statistics = Statistics::byte_array(
        bounds.map(|bounds| owned(bounds.0)),
        bounds.map(|bounds| owned(bounds.1)),
        None,
        Some(0),
        false,
    );
    (Dictionary { page, values }, statistics)
}

/// How many bytes two strings share at their beginning.
#[inline]
fn shared_length(left: &[u8], right: &[u8]) -> usize {
    let both = left.as_chunks().0.iter().zip(right.as_chunks().0);
    let mut shared = 0;
    for (left, right) in both {
        let different = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if different != 0 {
            return shared + different.trailing_zeros() as usize / 8;
        }
        shared += size_of::<u64>();
    }
    let pairs = left[shared..].iter().zip(&right[shared..]);
    shared + pairs.take_while(|(left, right)| left == right).count()
}

/// Sizes of a chunk's pages, headers included.
#[derive(Default)]
struct Sizes {
    dictionary_bytes: Option<usize>,
    compressed_bytes: usize,
    uncompressed_bytes: usize,
}

#[inline]
fn push_plain(page: &mut Vec<u8>, text: &[u8]) {
    page.extend_from_slice(&(text.len() as u32).to_le_bytes());
    page.extend_from_slice(text);
}

fn close_result(
    column: &ColumnDescPtr,
    encoding: Encoding,
    compression: Compression,
    sizes: &Sizes,
    summary: Summary,
) -> Result<ColumnCloseResult> {
    let mut encodings = vec![Encoding::RLE, encoding];
    if summary.dictionary.is_some() {
        encodings.push(Encoding::PLAIN);
    }
    let mut builder = ColumnChunkMetaData::builder(Arc::clone(column))
        .set_encodings(encodings)
        .set_compression(compression)
        .set_num_values(summary.rows as i64)
        .set_total_compressed_size(sizes.compressed_bytes as i64)
        .set_total_uncompressed_size(sizes.uncompressed_bytes as i64)
        .set_data_page_offset(sizes.dictionary_bytes.unwrap_or(0) as i64)
        .set_dictionary_page_offset(sizes.dictionary_bytes.map(|_| 0));
    if let Some(statistics) = summary.statistics {
        builder = builder.set_statistics(statistics);
    }
    Ok(ColumnCloseResult {
        bytes_written: sizes.compressed_bytes as u64,
        rows_written: summary.rows as u64,
        metadata: builder.build()?,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    })
}

/// Smallest and largest value and the number of nulls, so that readers can skip row groups.
fn integer_statistics(
    column: &ColumnDescPtr,
    bounds: Option<(i64, i64)>,
    nulls: u64,
) -> Statistics {
    let (least, greatest) = (bounds.map(|pair| pair.0), bounds.map(|pair| pair.1));
    match column.physical_type() {
        parquet::basic::Type::INT32 => Statistics::int32(
            least.map(|value| value as i32),
            greatest.map(|value| value as i32),
            None,
            Some(nulls),
            false,
        ),
        _ => Statistics::int64(least, greatest, None, Some(nulls), false),
    }
}
