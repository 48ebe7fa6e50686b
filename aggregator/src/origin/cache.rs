//! A cache of the tables of a list of data files: parsing 640,000 ranges of text takes longer than many replays.
//!
//! An entry belongs to the paths of a list and is valid for one content of its files, so a changed file is parsed again and its entry
//! replaced. An entry is used only if its checksum is valid and its parts are those of tables; without a writable folder, or with a damaged
//! entry, the files are parsed. `load.rs` decides when to read the cache.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::asn::Asn;
use super::country::Country;
use super::default::user_cache_folder;
use super::edition::{Editions, OriginEdition};
use super::provenance::{Oddities, OriginFormat};
use super::tables::Tables;
use crate::prefetch::advise_large_pages;
use crate::ranges::table::{HalfStep, TableV4, TableV6, Value};

/// Files that are smaller together are parsed as fast as an entry is read.
const FILES_BYTES_MIN: u64 = 1 << 20;
/// The form of an entry; another one is not read.
const MAGIC: &[u8; 8] = b"teiten\x00\x01";
/// Bytes read at once; a multiple of every width.
const CHUNK_BYTES: usize = 256 << 10;
/// Longest description of an entry: that of some thousand files.
const HEAD_BYTES_MAX: u32 = 4 << 20;
/// Another version of the program may read the same files differently.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What tells one content of a file from another: its length and XXH3, 128 bits, as two halves. (SHA-256, which names the file in
/// metadata, takes ten times as long; it is part of the entry.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    bytes: u64,
    xxh3: [u64; 2],
}

impl Content {
    /// The content of a file; `None` if it cannot be read.
    fn of_file(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let mut hash = XxHash3_128::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut chunk).ok()?;
            if read == 0 {
                return Some(Content::new(bytes, &hash));
            }
            hash.write(&chunk[..read]);
            bytes += read as u64;
        }
    }

    /// The content of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hash = XxHash3_128::new();
        hash.write(bytes);
        Content::new(bytes.len() as u64, &hash)
    }

    fn new(bytes: u64, hash: &XxHash3_128) -> Self {
        let hash = hash.finish_128();
        let xxh3 = [(hash >> 64) as u64, hash as u64];
        Content { bytes, xxh3 }
    }
}

/// What was learned of a file besides its ranges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileFacts {
    pub(super) content: Content,
    pub(super) format: OriginFormat,
    /// The date that the file itself states, as in `2026-06-25`.
    pub(super) date: Option<String>,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub(super) sha256: String,
    pub(super) ranges: u64,
    pub(super) oddities: Oddities,
}

/// A value as the bytes of an entry.
pub(super) trait Cached: Value {
    /// Bytes of a value.
    const WIDTH: usize;

    /// As a number that fits these bytes.
    fn number(self) -> u32;

    /// From such a number.
    fn from_number(number: u32) -> Self;
}

impl Cached for Country {
    const WIDTH: usize = 2;

    fn number(self) -> u32 {
        self.code().into()
    }

    fn from_number(number: u32) -> Self {
        Country::from_code(number as u16)
    }
}

impl Cached for Asn {
    const WIDTH: usize = 4;

    fn number(self) -> u32 {
        self.0
    }

    fn from_number(number: u32) -> Self {
        Asn(number)
    }
}

/// The head of an entry, before its tables, as JSON.
#[derive(Serialize, Deserialize)]
struct CacheHead {
    program: String,
    files: Vec<FileFacts>,
    editions: Vec<EditionHead>,
}

/// An edition, and how long its tables are.
#[derive(Serialize, Deserialize)]
struct EditionHead {
    from: Option<String>,
    files: Vec<usize>,
    v4_index: usize,
    v4_steps: usize,
    v6_steps: usize,
}

/// Where the entry of a list of files is; `None` without a cache folder, or for files that are not worth an entry.
pub(super) fn place(paths: &[PathBuf], subject: &str) -> Option<PathBuf> {
    let mut hash = XxHash3_128::new();
    let mut bytes = 0;
    for path in paths {
        bytes += std::fs::metadata(path).ok()?.len();
        let absolute = std::path::absolute(path).ok()?;
        hash.write(absolute.as_os_str().as_encoded_bytes());
        // No path holds this byte, so no two lists are one.
        hash.write(&[0]);
    }
    let name = format!("{subject}-{:032x}", hash.finish_128());
    (bytes >= FILES_BYTES_MIN).then_some(user_cache_folder()?.join(name))
}

/// The entry at `place`, if it is whole and the files have the content that it was made of.
pub(super) fn read<V: Cached>(
    place: &Path,
    paths: &[PathBuf],
) -> Option<(Editions<V>, Vec<FileFacts>)> {
    let file = File::open(place).ok()?;
    std::thread::scope(|scope| {
        let contents = paths.iter().map(|path| {
            let content = || Content::of_file(path);
            scope.spawn(content)
        });
        let contents: Vec<_> = contents.collect();
        let (editions, facts) = decode(file)?;
        let is_same = |(facts, content): (&FileFacts, std::thread::ScopedJoinHandle<'_, _>)| {
            content.join().ok().flatten() == Some(facts.content)
        };
        let are_all_same = facts.len() == contents.len() && facts.iter().zip(contents).all(is_same);
        are_all_same.then_some((editions, facts))
    })
}

/// Keeps an entry.
///
/// # Errors
/// When the folder cannot be made or the entry not be written.
pub(super) fn write<V: Cached>(
    place: &Path,
    editions: &Editions<V>,
    files: Vec<FileFacts>,
) -> std::io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    // Runs at the same time write different files; the last rename wins, and all are right.
    let partial = folder.join(format!(".{name}.{}", std::process::id()));
    let bytes = encode(editions, files)?;
    let written = File::create(&partial).and_then(|mut file| file.write_all(&bytes));
    let kept = written.and_then(|()| std::fs::rename(&partial, place));
    if kept.is_err() {
        // What cannot be removed is overwritten by a later process of this number.
        let _ = std::fs::remove_file(&partial);
    }
    kept
}

fn encode<V: Cached>(editions: &Editions<V>, files: Vec<FileFacts>) -> std::io::Result<Vec<u8>> {
    let all = editions.all();
    let heads = all.iter().map(|edition| {
        let (index, steps) = edition.tables.v4.parts();
        EditionHead {
            from: edition.from.map(|date| date.to_string()),
            files: edition.files.clone(),
            v4_index: index.len(),
            v4_steps: steps.len(),
            v6_steps: edition.tables.v6.parts().0.len(),
        }
    });
    let head = serde_json::to_vec(&CacheHead {
        program: PROGRAM.to_owned(),
        files,
        editions: heads.collect(),
    })?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&head);
    for edition in all {
        let (index, steps) = edition.tables.v4.parts();
        for place in index {
            bytes.extend_from_slice(&place.to_le_bytes());
        }
        for step in steps {
            bytes.extend_from_slice(&step.low.to_le_bytes());
            bytes.extend_from_slice(&step.value.number().to_le_bytes()[..V::WIDTH]);
        }
        let (starts, values) = edition.tables.v6.parts();
        for start in starts {
            bytes.extend_from_slice(&start.to_le_bytes());
        }
        for value in values {
            bytes.extend_from_slice(&value.number().to_le_bytes()[..V::WIDTH]);
        }
    }
    let checksum = XxHash3_128::oneshot(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

fn decode<V: Cached>(file: File) -> Option<(Editions<V>, Vec<FileFacts>)> {
    let length = file.metadata().ok()?.len();
    let mut input = CacheInput {
        file,
        hash: XxHash3_128::new(),
        chunk: vec![0; CHUNK_BYTES],
    };
    let mut magic = [0; MAGIC.len()];
    input.take(&mut magic)?;
    let mut head_bytes = [0; 4];
    input.take(&mut head_bytes)?;
    let head_bytes = u32::from_le_bytes(head_bytes);
    if magic != *MAGIC || head_bytes > HEAD_BYTES_MAX {
        return None;
    }
    let mut head = vec![0; head_bytes as usize];
    input.take(&mut head)?;
    let head: CacheHead = serde_json::from_slice(&head).ok()?;
    // What is allocated below is as long as the file.
    let mut tables_bytes = 0_usize;
    for edition in &head.editions {
        for (count, width) in edition.arrays::<V>() {
            tables_bytes = tables_bytes.checked_add(count.checked_mul(width)?)?;
        }
    }
    let before = MAGIC.len() + 4 + head_bytes as usize;
    let expected = before.checked_add(tables_bytes)?.checked_add(16)?;
    if head.program != PROGRAM || length != expected as u64 {
        return None;
    }
    let mut editions = Vec::with_capacity(head.editions.len());
    for edition in head.editions {
        let from = match &edition.from {
            Some(text) => Some(text.parse::<Date>().ok()?),
            None => None,
        };
        let is_known = edition.files.iter().all(|file| *file < head.files.len());
        let index = input.array(edition.v4_index, 4, |bytes| number(bytes) as u32)?;
        let steps = input.array(edition.v4_steps, 2 + V::WIDTH, |bytes| HalfStep {
            low: number(&bytes[..2]) as u16,
            value: V::from_number(number(&bytes[2..]) as u32),
        })?;
        let starts = input.array(edition.v6_steps, 16, number)?;
        let values = input.array(edition.v6_steps, V::WIDTH, |bytes| {
            V::from_number(number(bytes) as u32)
        })?;
        editions.push(OriginEdition {
            from,
            tables: Tables {
                v4: TableV4::from_parts(index, steps)?,
                v6: TableV6::from_parts(starts, values)?,
            },
            files: is_known.then_some(edition.files)?,
        });
    }
    let sum = input.hash.finish_128();
    let mut checksum = [0; 16];
    input.take(&mut checksum)?;
    let is_whole = sum == u128::from_le_bytes(checksum);
    is_whole.then_some((Editions::of(editions)?, head.files))
}

impl EditionHead {
    /// Number and width of the elements of each array.
    fn arrays<V: Cached>(&self) -> [(usize, usize); 4] {
        [
            (self.v4_index, 4),
            (self.v4_steps, 2 + V::WIDTH),
            (self.v6_steps, 16),
            (self.v6_steps, V::WIDTH),
        ]
    }
}

/// Bytes as a number, the lowest first.
#[inline(always)]
fn number(bytes: &[u8]) -> u128 {
    let mut all = [0; 16];
    all[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(all)
}

/// The reader of an entry, with the hash of the bytes read.
struct CacheInput {
    file: File,
    hash: XxHash3_128,
    chunk: Vec<u8>,
}

impl CacheInput {
    fn take(&mut self, bytes: &mut [u8]) -> Option<()> {
        self.file.read_exact(bytes).ok()?;
        self.hash.write(bytes);
        Some(())
    }

    /// Elements of `width` bytes each.
    fn array<T>(
        &mut self,
        count: usize,
        width: usize,
        element: impl Fn(&[u8]) -> T,
    ) -> Option<Vec<T>> {
        let mut all = Vec::with_capacity(count);
        advise_large_pages(&all);
        while all.len() < count {
            let more = (count - all.len()).min(CHUNK_BYTES / width);
            let chunk = &mut self.chunk[..more * width];
            self.file.read_exact(chunk).ok()?;
            self.hash.write(chunk);
            all.extend(chunk.chunks_exact(width).map(&element));
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::table::RangeStep;
    use proptest::prelude::*;

    fn editions(count: u32) -> Editions<Country> {
        let japan = Country::from_letters(*b"JP").unwrap_or_default();
        let value = |index: u32| match index % 2 {
            0 => japan,
            _ => Country::UNKNOWN,
        };
        let v4: Vec<_> = (0..count)
            .map(|index| RangeStep {
                start: index * 4_000 + 7,
                value: value(index),
            })
            .collect();
        let v6: Vec<_> = (0..count)
            .map(|index| RangeStep {
                start: u128::from(index) << 100,
                value: value(index),
            })
            .collect();
        let edition = |from| OriginEdition {
            from,
            tables: Tables {
                v4: TableV4::new(&v4),
                v6: TableV6::new(&v6),
            },
            files: vec![0],
        };
        let day = jiff::civil::date(2026, 6, 25);
        Editions::of(vec![edition(None), edition(Some(day))]).expect("two")
    }

    fn facts(content: Content) -> FileFacts {
        FileFacts {
            content,
            format: OriginFormat::Ranges,
            date: Some("2026-06-25".to_owned()),
            sha256: "00ff".to_owned(),
            ranges: 7,
            oddities: Oddities {
                no_country: 3,
                ..Oddities::default()
            },
        }
    }

    fn stored(editions: &Editions<Country>) -> Vec<u8> {
        encode(editions, vec![facts(Content::of(b"a file"))]).expect("numbers and texts")
    }

    #[test]
    fn an_entry_comes_back_for_the_content_it_was_made_of_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("deep/country-1");
        let paths = [folder.path().join("geoip")];
        std::fs::write(&paths[0], b"a file").expect("writable");
        assert!(read::<Country>(&place, &paths).is_none());
        let written = facts(Content::of(b"a file"));
        write(&place, &editions(900), vec![written.clone()]).expect("writable");
        let (back, files) = read::<Country>(&place, &paths).expect("kept");
        assert_eq!(files, [written]);
        assert!(stored(&back) == stored(&editions(900)));
        assert!(read::<Asn>(&place, &paths).is_none());
        std::fs::write(&paths[0], b"b file").expect("writable");
        assert!(read::<Country>(&place, &paths).is_none());
        assert!(read::<Country>(&place, &[]).is_none());
        let others = std::fs::read_dir(folder.path().join("deep")).expect("readable");
        assert_eq!(others.count(), 1);
    }

    #[test]
    fn small_lists_have_no_place_and_others_one_each() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], vec![b'x'; FILES_BYTES_MIN as usize]).expect("writable");
        std::fs::write(&paths[1], b"x").expect("writable");
        assert_eq!(place(&paths[1..], "country"), None);
        assert_ne!(place(&paths, "country"), place(&paths[..1], "country"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_damaged_entry_is_believed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("entry");
            let whole = stored(&editions(20));
            let believed = |bytes: &[u8]| {
                std::fs::write(&path, bytes).expect("writable");
                decode::<Country>(File::open(&path).expect("readable")).is_some()
            };
            let at = at.index(whole.len());
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            prop_assert!(!believed(&flipped));
            prop_assert!(!believed(&whole[..at]));
            prop_assert!(believed(&whole));
        }
    }
}
