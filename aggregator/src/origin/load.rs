//! Loads files into [`Origins`]: reads, hashes and parses them in parallel, then builds the tables. `text` and `mmdb` parse lines and
//! records.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::asn::Asn;
use super::cache::{self, Cached, Content, FileFacts};
use super::country::Country;
use super::date::date_of;
use super::edition::{self, Editions};
use super::error::OriginError;
use super::mmdb::{self, MmdbRecord};
use super::origins::Origins;
use super::provenance::{BadRow, OriginFormat, Provenance, Subject};
use super::text::{self, Field, FileRanges, TextError};
use crate::actor::Actors;
use crate::parallel::joined;
use crate::ranges::flatten::{count_overlapping, flatten};
use crate::ranges::table::{TableV4, TableV6};
use crate::text::hexadecimal;

/// First bytes of a gz file (RFC 1952 section 2.3.1).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Largest size after decompression: far above any data set in use, and small enough for a small machine.
const DECOMPRESSED_BYTES_MAX: u64 = 2 << 30;

/// What can be loaded.
trait Loaded: Field + MmdbRecord + Cached + Send + Sync {
    const SUBJECT: Subject;
}

impl Loaded for Country {
    const SUBJECT: Subject = Subject::Country;
}

impl Loaded for Asn {
    const SUBJECT: Subject = Subject::Asn;
}

impl Origins {
    /// Reads country data from `geo` and systems from `asn`; formats are recognised by content, plain or gz. A later file of a list wins
    /// over an earlier one; of files of several dates, each hour uses the one of its day. A row that is not understood is left out
    /// ([`Provenance::left_out`] says so).
    ///
    /// # Errors
    /// The first file that cannot be read or is not what it should be, with the line and what was expected there.
    pub fn load(geo: &[PathBuf], asn: &[PathBuf]) -> Result<Origins, OriginError> {
        let (country, asn) = std::thread::scope(|scope| {
            let asn = scope.spawn(|| load_list::<Asn>(asn));
            let country = load_list::<Country>(geo);
            (country, joined(asn))
        });
        let (country, mut provenance) = country?;
        let (asn, asn_provenance) = asn?;
        let countries = provenance.len();
        provenance.extend(asn_provenance);
        Ok(Origins {
            country,
            asn,
            actors: Actors::default(),
            provenance,
            countries,
        })
    }
}

fn load_list<V: Loaded>(paths: &[PathBuf]) -> Result<(Editions<V>, Vec<Provenance>), OriginError> {
    let place = cache::place(paths, V::SUBJECT.file_word());
    if let Some((editions, facts)) = place.as_deref().and_then(|place| cache::read(place, paths)) {
        let described = paths.iter().zip(&facts);
        let provenance = described.map(|(path, facts)| provenance::<V>(path, facts, Vec::new()));
        return Ok((editions, provenance.collect()));
    }
    let files = std::thread::scope(|scope| {
        let threads: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(|| load_file::<V>(path)))
            .collect();
        let results = threads.into_iter().map(joined);
        results.collect::<Result<Vec<_>, OriginError>>()
    })?;
    let (mut ranges, facts): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let all = paths.iter().zip(&facts).zip(&mut ranges);
    let provenance: Vec<_> = all
        .map(|((path, facts), ranges)| {
            provenance::<V>(path, facts, std::mem::take(&mut ranges.bad_rows))
        })
        .collect();
    let editions = edition::build(&ranges, &provenance);
    if let Some(place) = place
        && provenance.iter().all(|file| file.bad_rows.is_empty())
    {
        // Without an entry the next run parses the files again; nothing else is lost. Rows that are not understood are told from the
        // files themselves, so files with such rows have no entry.
        let _ = cache::write(&place, &editions, facts);
    }
    Ok((editions, provenance))
}

fn provenance<V: Loaded>(path: &Path, facts: &FileFacts, bad_rows: Vec<BadRow>) -> Provenance {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let stated = facts.date.as_deref().and_then(|date| date.parse().ok());
    let (date, date_source) = date_of(stated, path, modified.ok());
    Provenance {
        subject: V::SUBJECT,
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        format: facts.format,
        date,
        date_source,
        sha256: facts.sha256.clone(),
        ranges: facts.ranges,
        oddities: facts.oddities,
        bad_rows,
    }
}

fn load_file<V: Loaded>(path: &Path) -> Result<(FileRanges<V>, FileFacts), OriginError> {
    let bytes = std::fs::read(path).map_err(|source| OriginError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    // The hash takes about as long as parsing, so both run in parallel.
    let (sha256, parsed) = std::thread::scope(|scope| {
        let hash = scope.spawn(|| hexadecimal(&Sha256::digest(&bytes)));
        let parsed = parse_file::<V>(path, &bytes);
        (joined(hash), parsed)
    });
    let (mut ranges, format) = parsed?;
    if ranges.v4.is_empty() && ranges.v6.is_empty() {
        return Err(OriginError::Empty {
            path: path.to_path_buf(),
        });
    }
    ranges.oddities.overlapping = count_overlapping(&ranges.v4) + count_overlapping(&ranges.v6);
    let facts = FileFacts {
        content: Content::of(&bytes),
        format,
        date: ranges.date.map(|date| date.to_string()),
        sha256,
        ranges: (ranges.v4.len() + ranges.v6.len()) as u64,
        oddities: ranges.oddities,
    };
    Ok((ranges, facts))
}

fn parse_file<V: Loaded>(
    path: &Path,
    bytes: &[u8],
) -> Result<(FileRanges<V>, OriginFormat), OriginError> {
    let plain = decompressed(bytes).map_err(|source| OriginError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    parse::<V>(&plain).map_err(|failure| failure.at(path, V::SUBJECT))
}

fn decompressed(bytes: &[u8]) -> std::io::Result<Cow<'_, [u8]>> {
    if !bytes.starts_with(GZIP_MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut plain = Vec::with_capacity(bytes.len() * 4);
    flate2::read::MultiGzDecoder::new(bytes)
        .take(DECOMPRESSED_BYTES_MAX)
        .read_to_end(&mut plain)?;
    Ok(Cow::Owned(plain))
}

/// An error of the bytes, without the file's path.
enum Failure {
    Text(TextError),
    Mmdb(maxminddb::MaxMindDbError),
    /// The other subject's data.
    Subject(OriginFormat),
}

impl Failure {
    fn at(self, path: &Path, subject: Subject) -> OriginError {
        let path = path.to_path_buf();
        match self {
            Failure::Text(TextError::Unknown(row) | TextError::NoColumn(_, row)) => {
                OriginError::Unknown { path, row }
            }
            Failure::Text(TextError::MostlyBad { bad, rows, first }) => OriginError::MostlyBad {
                path,
                bad,
                rows,
                first,
            },
            Failure::Mmdb(source) => OriginError::Mmdb { path, source },
            Failure::Subject(format) => OriginError::Subject {
                path,
                format,
                subject,
            },
        }
    }
}

fn parse<V: Loaded>(bytes: &[u8]) -> Result<(FileRanges<V>, OriginFormat), Failure> {
    if mmdb::is_mmdb(bytes) {
        return mmdb::read(bytes)
            .map(|ranges| (ranges, OriginFormat::Mmdb))
            .map_err(Failure::Mmdb);
    }
    text::read(bytes).map_err(|error| match error {
        TextError::NoColumn(format, _) if is_of_other::<V>(bytes) => Failure::Subject(format),
        error => Failure::Text(error),
    })
}

/// Whether the file can be read as the other subject.
fn is_of_other<V: Loaded>(bytes: &[u8]) -> bool {
    match V::SUBJECT {
        Subject::Country => text::read::<Asn>(bytes).is_ok(),
        Subject::Asn => text::read::<Country>(bytes).is_ok(),
    }
}

/// For fuzzing: reads any bytes with every loader and builds the tables. Nothing may panic.
#[doc(hidden)]
pub fn fuzz_load(bytes: &[u8]) {
    fn tables<V: Loaded>(bytes: &[u8]) {
        if let Ok((ranges, _)) = parse::<V>(bytes) {
            count_overlapping(&ranges.v4);
            let edges: Vec<u32> = ranges
                .v4
                .iter()
                .flat_map(|range| [range.first, range.last])
                .collect();
            let table = TableV4::new(&flatten(&[ranges.v4]));
            for address in edges {
                let answer = table.answer(address);
                assert!(answer.first <= address && address <= answer.last);
            }
            TableV6::new(&flatten(&[ranges.v6])).find(1);
        }
    }
    tables::<Country>(bytes);
    tables::<Asn>(bytes);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Instant;

    use super::super::date::DateSource;
    use super::super::mmdb::tests::{japan, write as write_mmdb};
    use super::*;

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(content).expect("room for it");
        file
    }

    fn countries(files: &[&[u8]]) -> Result<Origins, OriginError> {
        let files: Vec<_> = files.iter().map(|content| file(content)).collect();
        let paths: Vec<_> = files.iter().map(|file| file.path().to_path_buf()).collect();
        Origins::load(&paths, &[])
    }

    #[test]
    fn without_data_every_source_is_unknown() {
        let origins = Origins::empty();
        assert_eq!(origins.country(0x0808_0808_u32), Country::UNKNOWN);
        assert_eq!(origins.asn(1_u128), None);
    }

    #[test]
    fn formats_are_mixed_freely_and_the_later_file_wins() {
        let mmdb = write_mmdb(&[(0x0102_0300, 120, japan())]);
        let text = b"1.2.3.0,1.2.3.127,DE\n2001:500::,2001:500::ff,NA\n";
        let origins = countries(&[&mmdb, text]).expect("good files");
        assert_eq!(origins.country(0x0102_0301_u32).as_str(), "DE");
        assert_eq!(origins.country(0x0102_0381_u32).as_str(), "JP");
        assert_eq!(
            origins.country((0x2001_0500_u128 << 96) + 255).as_str(),
            "NA"
        );
        assert_eq!(
            origins.country((0x2001_0500_u128 << 96) + 256).as_str(),
            "ZZ"
        );
        assert_eq!(origins.provenance()[0].format, OriginFormat::Mmdb);
        assert_eq!(origins.provenance()[0].date_source, DateSource::Header);
        assert_eq!(origins.provenance()[1].date_source, DateSource::Modified);
        let text = origins.provenance()[0].to_string();
        assert!(text.contains(" 2026-06-25 (header) sha256:"), "{text}");
    }

    #[test]
    fn gz_is_told_by_content_and_hashed_as_it_lies() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder
            .write_all(b"1.0.0.0\t24\t13335\n")
            .expect("memory is writable");
        let packed = encoder.finish().expect("memory is writable");
        let file = file(&packed);
        let origins = Origins::load(&[], &[file.path().to_path_buf()]).expect("a good file");
        assert_eq!(origins.asn(0x0100_0001_u32), Some(13335));
        assert_eq!(
            origins.provenance()[0].sha256,
            hexadecimal(&Sha256::digest(&packed))
        );
    }

    #[test]
    fn errors_name_file_line_and_what_was_expected() {
        let message = countries(&[b"1,2,JP\nnonsense\nmore\n"])
            .expect_err("lines 2 and 3")
            .to_string();
        for part in ["2 of 3 rows", "line 2: expected first address", "\"more\""] {
            assert!(message.contains(part), "{message}");
        }
        let message = countries(&[b"1.0.0.0\t24\t13335\n"])
            .expect_err("no country in it")
            .to_string();
        assert!(
            message.contains("pfx2as files hold no countries"),
            "{message}"
        );
        assert!(matches!(
            countries(&[b"2|apnic|20260101|0|1|20260101|+1000\n"]),
            Err(OriginError::Empty { .. })
        ));
        assert!(matches!(
            Origins::load(&[PathBuf::from("no such file")], &[]),
            Err(OriginError::Read { .. })
        ));
    }

    #[test]
    fn a_cursor_answers_as_a_lookup_does() {
        let origins =
            countries(&[b"100,70000,JP\n70001,70002,DE\n200000,300000,FR\n"]).expect("good lines");
        let mut cursor = origins.newest().cursor::<u32>();
        for source in (0..400_000).step_by(7).chain([70_001, 5, u32::MAX]) {
            assert_eq!(cursor.country(source), origins.country(source));
            assert_eq!(cursor.asn(source), None);
        }
    }

    /// Steps of a 64-bit linear congruential generator (D. Knuth's MMIX constants): addresses all over the space.
    fn scattered(count: usize) -> impl Iterator<Item = u64> {
        let mut state = 1_u64;
        std::iter::repeat_with(move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state
        })
        .take(count)
    }

    /// The country by a linear search of tor's format.
    fn by_every_line(text: &str, address: u32) -> Country {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(',').collect();
            let bounds = [0, 1].map(|field: usize| fields[field].parse::<u32>().expect("decimal"));
            if (bounds[0]..=bounds[1]).contains(&address) {
                let letters = fields[2].as_bytes().try_into().expect("two letters");
                return Country::from_letters(letters).unwrap_or_default();
            }
        }
        Country::UNKNOWN
    }

    #[test]
    fn debians_files_are_read_whole_and_answered_rightly() {
        let paths = Origins::find_default();
        if paths.len() < 2 {
            eprintln!("SKIPPED: no country data here (teiten-sensor geo update)");
            return;
        }
        let begin = Instant::now();
        let origins = Origins::load(&paths, &[]).expect("Debian's files are good");
        let load_ms = begin.elapsed().as_secs_f64() * 1e3;
        for provenance in origins.provenance() {
            assert_eq!(provenance.date_source, DateSource::Header);
            assert_eq!(provenance.oddities.reversed, 0);
            assert!(provenance.ranges > 100_000, "{provenance:?}");
        }
        let text = std::fs::read_to_string(&paths[0]).expect("text");
        for address in scattered(50).map(|state| (state >> 32) as u32) {
            assert_eq!(origins.country(address), by_every_line(&text, address));
        }
        let mut addresses: Vec<u32> = scattered(1_000_000)
            .map(|state| (state >> 32) as u32)
            .collect();
        let random_ns = nanoseconds_each(&addresses, |address| origins.country(*address));
        addresses.sort_unstable();
        let mut cursor = origins.newest().cursor();
        let cursor_ns = nanoseconds_each(&addresses, |address| cursor.country(*address));
        // 2000::/4 and 2400::/6 contain the allocations.
        let mut wide: Vec<u128> = scattered(1_000_000)
            .map(|state| u128::from(0x2400 << 48 | state >> 6) << 64)
            .collect();
        let wide_ns = nanoseconds_each(&wide, |address| origins.country(*address));
        wide.sort_unstable();
        let mut cursor = origins.newest().cursor();
        let wide_cursor_ns = nanoseconds_each(&wide, |address| cursor.country(*address));
        eprintln!(
            "load {load_ms:.1} ms; ns a lookup: IPv4 {random_ns:.1}, ascending {cursor_ns:.1}; IPv6 {wide_ns:.1}, ascending {wide_cursor_ns:.1}"
        );
    }

    fn nanoseconds_each<A>(addresses: &[A], mut country: impl FnMut(&A) -> Country) -> f64 {
        let begin = Instant::now();
        let sum: u64 = addresses
            .iter()
            .map(|address| u64::from(country(address).code()))
            .sum();
        assert!(sum > 0);
        begin.elapsed().as_secs_f64() * 1e9 / addresses.len() as f64
    }
}
