//! Column chunks of a part on their way to the arrow reader, unpacked by decompressors that are kept. The Parquet library makes a compressor and
//! a decompressor for every chunk that it opens, which for the small chunks of hours takes longer than to unpack them.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;

/// Decompressors that wait for their next page, at most.
const IDLE_MAX: usize = 8;
static IDLE: Mutex<Vec<Decompressor<'static>>> = Mutex::new(Vec::new());
/// Bytes of an unpacked page, at most: the format has 32 bits for them.
const PAGE_BYTES_MAX: usize = i32::MAX as usize;

/// All row groups of a part.
pub(crate) struct PartChunks<R: ChunkReader> {
    pub input: Arc<R>,
    pub metadata: Arc<ParquetMetaData>,
}

impl<R: ChunkReader + 'static> RowGroups for PartChunks<R> {
    fn num_rows(&self) -> usize {
        let rows = self.row_groups().map(RowGroupMetaData::num_rows);
        rows.map(|rows| usize::try_from(rows).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(ColumnChunks {
            input: Arc::clone(&self.input),
            metadata: Arc::clone(&self.metadata),
            column,
            group: 0,
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of a column, group by group.
struct ColumnChunks<R: ChunkReader> {
    input: Arc<R>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    group: usize,
}

impl<R: ChunkReader + 'static> Iterator for ColumnChunks<R> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_groups().get(self.group)?;
        self.group += 1;
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        Some(pages(&self.input, group.column(self.column), rows))
    }
}

impl<R: ChunkReader + 'static> PageIterator for ColumnChunks<R> {}

fn pages<R: ChunkReader + 'static>(
    input: &Arc<R>,
    chunk: &ColumnChunkMetaData,
    rows: usize,
) -> Result<Box<dyn PageReader>> {
    let input = Arc::clone(input);
    if !matches!(chunk.compression(), Compression::ZSTD(_)) {
        return Ok(Box::new(SerializedPageReader::new(
            input, chunk, rows, None,
        )?));
    }
    // Of a chunk that is said not to be packed, the library gives the pages as they are.
    let chunk = chunk.clone().into_builder();
    let chunk = chunk.set_compression(Compression::UNCOMPRESSED).build()?;
    let packed = SerializedPageReader::new(input, &chunk, rows, None)?;
    Ok(Box::new(UnpackedPages { packed }))
}

/// The pages of a chunk that is packed with zstd.
struct UnpackedPages<R: ChunkReader> {
    packed: SerializedPageReader<R>,
}

impl<R: ChunkReader + 'static> Iterator for UnpackedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader + 'static> PageReader for UnpackedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.packed.get_next_page()? else {
            return Ok(None);
        };
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = unpacked(buf, 0)?;
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed: true,
                ..
            } => {
                let levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len);
                *buf = unpacked(buf, levels as usize)?;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.packed.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.packed.at_record_boundary()
    }
}

/// A page whose first `plain` bytes are not packed. An empty rest stands for no values.
fn unpacked(page: &Bytes, plain: usize) -> Result<Bytes> {
    let damaged = |what: &str| ParquetError::General(format!("a page {what}"));
    let parts = page.split_at_checked(plain);
    let (levels, packed) = parts.ok_or_else(|| damaged("is shorter than its levels"))?;
    let mut bytes = levels.to_vec();
    if packed.is_empty() {
        return Ok(bytes.into());
    }
    let length = zstd::zstd_safe::get_frame_content_size(packed)
        .ok()
        .flatten();
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
        // Other programs need not say it.
        let unpacked = zstd::Decoder::new(packed)?;
        unpacked
            .take(PAGE_BYTES_MAX as u64)
            .read_to_end(&mut bytes)?;
        return Ok(bytes.into());
    };
    if length > PAGE_BYTES_MAX {
        return Err(damaged("is too large for its format"));
    }
    bytes.reserve_exact(length);
    let mut cursor = Cursor::new(bytes);
    cursor.set_position(plain as u64);
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let waiting = idle().pop();
    let mut decompressor = waiting.map_or_else(Decompressor::new, Ok)?;
    let written = decompressor.decompress_to_buffer(packed, &mut cursor);
    let mut idle = idle();
    if idle.len() < IDLE_MAX {
        idle.push(decompressor);
    }
    drop(idle);
    written?;
    Ok(cursor.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back_whether_or_not_they_say_their_length() {
        let page: Vec<u8> = (0..100_000_u32).map(|it| (it / 300) as u8).collect();
        let said = zstd::bulk::compress(&page, 1).expect("packed");
        let mut unsaid = Vec::new();
        zstd::stream::copy_encode(&page[..], &mut unsaid, 1).expect("packed");
        assert!(unsaid.len() < page.len() && said.len() < page.len());
        for packed in [said, unsaid] {
            let levels = [7, 8, 9];
            let both = Bytes::from([&levels[..], &packed].concat());
            let found = unpacked(&both, levels.len()).expect("sound");
            assert!(found[..3] == levels && found[3..] == page);
            for length in levels.len() + 1..both.len().min(400) {
                assert!(
                    unpacked(&both.slice(..length), levels.len()).is_err(),
                    "{length}"
                );
            }
            assert!(unpacked(&both.slice(..2), levels.len()).is_err());
        }
        let none = unpacked(&Bytes::from_static(&[1, 2]), 2).expect("no values");
        assert_eq!(&none[..], [1, 2]);
    }
}
