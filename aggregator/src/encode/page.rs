//! Pages of a column chunk with their headers, each with the CRC-32 of its bytes. The `parquet` crate writes no CRC, so the header is
//! written here: Thrift's compact protocol, `PageHeader` of Apache Parquet's `parquet.thrift`.

use flate2::Crc;
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};

use crate::varint;

/// Bytes of a header, at most: four numbers, and three or four of the inner structure, of up to five bytes and a byte before each, and some single
/// bytes.
pub(super) const HEADER_BYTES_MAX: usize = 64;

/// The values of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Values, in this encoding.
    Data(Encoding),
    /// The values of a dictionary, plain.
    Dictionary,
}

/// Appends a page to `chunk`; gives the length of its header.
///
/// # Errors
/// When a length is beyond the format's limit (2 GiB).
pub(super) fn write_page(
    chunk: &mut Vec<u8>,
    kind: PageKind,
    values: usize,
    page_length: usize,
    compressed: &[u8],
) -> Result<usize> {
    let mut crc = Crc::new();
    crc.update(compressed);
    let start = chunk.len();
    let mut header = Fields {
        bytes: chunk,
        last: 0,
    };
    header.integer(1, page_type(kind));
    header.integer(2, narrow(page_length)?);
    header.integer(3, narrow(compressed.len())?);
    header.integer(4, crc.sum() as i32);
    header.begin(if kind == PageKind::Dictionary { 7 } else { 5 });
    let mut inner = Fields {
        bytes: header.bytes,
        last: 0,
    };
    inner.integer(1, narrow(values)?);
    match kind {
        PageKind::Data(encoding) => {
            inner.integer(2, encoding as i32);
            // Definition and repetition levels.
            inner.integer(3, Encoding::RLE as i32);
            inner.integer(4, Encoding::RLE as i32);
        }
        PageKind::Dictionary => inner.integer(2, Encoding::PLAIN as i32),
    }
    inner.end();
    header.end();
    let header_length = chunk.len() - start;
    chunk.extend_from_slice(compressed);
    Ok(header_length)
}

const fn page_type(kind: PageKind) -> i32 {
    match kind {
        PageKind::Data(_) => 0,
        PageKind::Dictionary => 2,
    }
}

fn narrow(length: usize) -> Result<i32> {
    i32::try_from(length)
        .map_err(|_| ParquetError::General("a page has more than 2 GiB".to_owned()))
}

const INTEGER: u8 = 5;
const STRUCTURE: u8 = 12;

/// The fields of a structure that is being written.
struct Fields<'b> {
    bytes: &'b mut Vec<u8>,
    last: u8,
}

impl Fields<'_> {
    fn field(&mut self, number: u8, kind: u8) {
        self.bytes.push((number - self.last) << 4 | kind);
        self.last = number;
    }

    fn integer(&mut self, number: u8, value: i32) {
        self.field(number, INTEGER);
        let zigzag = (value << 1 ^ value >> 31) as u32;
        varint::write(u64::from(zigzag), self.bytes);
    }

    fn begin(&mut self, number: u8) {
        self.field(number, STRUCTURE);
    }

    fn end(&mut self) {
        self.bytes.push(0);
    }
}
