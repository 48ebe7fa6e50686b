//! Whether the pages of a column chunk are compressed, and how: zstd where it saves more than it costs.
//!
//! What zstd finds in a page depends on the page's encoding, so each has its own way. It was chosen by compressing every page of the tables
//! of 10 million packets (2.8 million rows of `sources`, 1.7 million of `traffic`) both ways: MB of pages, with level 1, and as here; ns of
//! one core for a byte of a page, by zstd 1.5.4 on a busy machine: for comparing the ways, not as a speed.
//!
//! | encoding: columns | pages | level 1 | here | level 1 | here |
//! |---|---|---|---|---|---|
//! | deltas: bytes, packets, destinations, tool_packets, sources … | 14.2 MB | 9.56 MB | 9.55 MB | 2.9 ns | 2.3 ns |
//! | dictionaries of texts: src_ip, stack_signature … | 9.7 MB | 2.66 MB | 2.03 MB | 3.0 ns | 1.9 ns |
//! | numbers of such texts, flags, country … | 5.7 MB | 3.90 MB | 4.01 MB | 2.8 ns | 1.7 ns |
//! | byte strings: destinations_set, sources_sketch … | 35.2 MB | 17.0 MB | 17.0 MB | 2.4 ns | 2.4 ns |
//! | deltas of noise: first_seen, last_seen, port of `sources` | 28.5 MB | 28.4 MB | not compressed | 1.0 ns | 4 KiB of a page are looked at |
//!
//! Deltas are packed bits: entropy coding of whole bytes finds little in them, and negative levels leave it out. Numbers have no long
//! matches, and in a sorted dictionary the best match is the last one: a table of 64 places keeps just those. For byte strings no faster
//! way was found that keeps the size. A byte saved costs 2 to 7 ns.

use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use zstd::zstd_safe::{CParameter, compress_bound};

/// zstd's level for byte strings: the fastest standard one.
pub(super) const LEVEL: i32 = 1;
/// zstd's level for deltas.
const DELTA_LEVEL: i32 = -1;
/// Places in zstd's table of matches, as a power of two, for dictionaries and their numbers; 0 is the level's own.
const NEAR_TABLE_LG: u32 = 6;
/// Shortest match for dictionaries and their numbers, bytes; 0 is the level's own.
const NEAR_MATCH_MIN: u32 = 7;

/// A page is compressed only if that saves at least one byte in so many: times and ports are as random as they look.
const SAVED_SHARE_MIN: usize = 16;
/// Smaller pages have nothing to save.
const SQUEEZED_MIN: usize = 64;
/// Larger pages are tried in pieces at even distances first, unless they look as if they shrink.
const TRIED_WHOLE_MAX: usize = 32 << 10;
const PIECES: usize = 8;
/// Bytes of a piece that is tried, and of one that is looked at.
const TRIED_PIECE_BYTES: usize = TRIED_WHOLE_MAX / PIECES;
const SEEN_PIECE_BYTES: usize = 512;

/// How pages of an encoding are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    level: i32,
    table_lg: u32,
    match_min: u32,
}

impl Way {
    const fn of(encoding: Encoding) -> Self {
        let (level, table_lg, match_min) = match encoding {
            Encoding::DELTA_BINARY_PACKED => (DELTA_LEVEL, 0, 0),
            Encoding::RLE_DICTIONARY => (LEVEL, NEAR_TABLE_LG, NEAR_MATCH_MIN),
            _ => (LEVEL, 0, 0),
        };
        Way {
            level,
            table_lg,
            match_min,
        }
    }
}

/// The dictionary page of a chunk, if it has one, and its data page.
pub(super) type Pages<'p> = [Option<&'p [u8]>; 2];

/// Compresses pages: one after the other with the same state of zstd.
pub(super) struct Squeezer {
    compressor: zstd::bulk::Compressor<'static>,
    way: Way,
    /// The pages, compressed.
    squeezed: [Vec<u8>; 2],
    pieces: Vec<u8>,
}

impl Squeezer {
    /// # Errors
    /// When zstd cannot allocate its state.
    pub(super) fn new() -> Result<Self> {
        let way = Way::of(Encoding::PLAIN);
        Ok(Squeezer {
            compressor: zstd::bulk::Compressor::new(way.level).map_err(external)?,
            way,
            squeezed: [Vec::new(), Vec::new()],
            pieces: Vec::new(),
        })
    }

    /// The buffers.
    pub(super) fn buffers(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        let Squeezer {
            squeezed, pieces, ..
        } = self;
        squeezed.iter_mut().chain([pieces])
    }

    /// The pages of a chunk of that encoding, compressed; `None` where that does not save enough. The larger one decides, as the pages of a
    /// chunk share their compression. The answer depends on the pages alone.
    ///
    /// # Errors
    /// When zstd fails.
    pub(super) fn squeeze(
        &mut self,
        encoding: Encoding,
        pages: Pages<'_>,
    ) -> Result<Option<Pages<'_>>> {
        let length = |index: usize| pages[index].map_or(0, <[u8]>::len);
        let larger = usize::from(length(0) <= length(1));
        let page = pages[larger].unwrap_or_default();
        if page.len() < SQUEEZED_MIN {
            return Ok(None);
        }
        self.take_way(Way::of(encoding))?;
        if page.len() > TRIED_WHOLE_MAX && !looks_uneven(page) && !self.piecewise_pays(page)? {
            return Ok(None);
        }
        compress(&mut self.compressor, page, &mut self.squeezed[larger])?;
        if !pays(self.squeezed[larger].len(), page.len()) {
            return Ok(None);
        }
        if let Some(other) = pages[1 - larger] {
            compress(&mut self.compressor, other, &mut self.squeezed[1 - larger])?;
        }
        let squeezed = |index: usize| pages[index].map(|_| &self.squeezed[index][..]);
        Ok(Some([squeezed(0), squeezed(1)]))
    }

    fn take_way(&mut self, way: Way) -> Result<()> {
        if self.way == way {
            return Ok(());
        }
        for parameter in [
            CParameter::CompressionLevel(way.level),
            CParameter::HashLog(way.table_lg),
            CParameter::MinMatch(way.match_min),
        ] {
            self.compressor.set_parameter(parameter).map_err(external)?;
        }
        self.way = way;
        Ok(())
    }

    fn piecewise_pays(&mut self, page: &[u8]) -> Result<bool> {
        self.pieces.clear();
        let pieces = pieces_of::<TRIED_PIECE_BYTES>(page);
        pieces.for_each(|piece| self.pieces.extend_from_slice(piece));
        compress(&mut self.compressor, &self.pieces, &mut self.squeezed[0])?;
        Ok(pays(self.squeezed[0].len(), self.pieces.len()))
    }
}

fn pays(compressed_bytes: usize, bytes: usize) -> bool {
    compressed_bytes + bytes / SAVED_SHARE_MIN <= bytes
}

/// Pieces of a page at even distances.
fn pieces_of<const BYTES: usize>(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let distance = (page.len() - BYTES) / (PIECES - 1);
    (0..PIECES).map(move |piece| &page[distance * piece..][..BYTES])
}

/// Whether some bytes are so much more frequent than others that entropy coding alone saves enough: pieces look like no more than 128 bytes,
/// all as frequent. A page with other patterns does not look so and is tried.
fn looks_uneven(page: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for byte in pieces_of::<SEEN_PIECE_BYTES>(page).flatten() {
        counts[usize::from(*byte)] += 1;
    }
    let seen = (PIECES * SEEN_PIECE_BYTES) as u32;
    let squares: u32 = counts.iter().map(|count| count * count).sum();
    squares >= seen * (seen / 128)
}

/// Compresses a page into `buffer`, whose contents are replaced.
fn compress(
    compressor: &mut zstd::bulk::Compressor<'static>,
    page: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<()> {
    buffer.clear();
    buffer.reserve(compress_bound(page.len()));
    compressor
        .compress_to_buffer(page, buffer)
        .map(drop)
        .map_err(external)
}

fn external(error: std::io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern, `kinds` different ones.
    fn noise(length: usize, kinds: u64) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 33) % kinds) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn noise_stays_as_it_is_and_what_shrinks_comes_back() {
        let mut squeezer = Squeezer::new().expect("memory for zstd");
        for encoding in [
            Encoding::PLAIN,
            Encoding::DELTA_BINARY_PACKED,
            Encoding::RLE_DICTIONARY,
        ] {
            for length in [64, 5_000, 100_000] {
                let (even, uneven) = (noise(length, 256), noise(length, 2));
                let squeezed = squeezer.squeeze(encoding, [None, Some(&even)]);
                assert!(
                    squeezed.expect("zstd runs").is_none(),
                    "{encoding} {length}"
                );
                // Packed bits of two kinds have long matches too.
                let uneven: Vec<u8> = uneven.iter().map(|byte| byte * 255).collect();
                let text = uneven.repeat(3);
                let pages = [Some(&text[..]), Some(&even[..length / 2])];
                let squeezed = squeezer.squeeze(encoding, pages).expect("zstd runs");
                let squeezed = squeezed.unwrap_or_else(|| panic!("{encoding} {length}"));
                for (page, squeezed) in pages.into_iter().flatten().zip(squeezed.iter().flatten()) {
                    let back = zstd::bulk::decompress(squeezed, page.len()).expect("of zstd");
                    assert!(back == page, "{encoding} {length}");
                }
            }
        }
    }

    #[test]
    fn patterns_of_even_bytes_are_tried_and_found() {
        let mut squeezer = Squeezer::new().expect("memory for zstd");
        let page = noise(3_000, 256).repeat(40);
        assert!(!looks_uneven(&page));
        let squeezed = squeezer.squeeze(Encoding::PLAIN, [None, Some(&page)]);
        assert!(squeezed.expect("zstd runs").is_some());
        assert!(looks_uneven(&noise(100_000, 20)));
    }
}
