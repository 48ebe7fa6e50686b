//! A replay into a temporary dataset, and reading that dataset back with the parquet crate's own record reader: none of our own code is
//! between the files and the comparison.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use sha2::{Digest, Sha256};
use teiten_aggregator::text::hexadecimal;
use teiten_sensor::command::replay::{Outcome, RunError, replay};
use teiten_sensor::options::{Settings, SharedArguments};
use teiten_sensor::source::ReadingMode;

/// Country data small enough to load a thousand times.
const COUNTRIES: &str = "0.0.0.0,63.255.255.255,JP\n64.0.0.0,127.255.255.255,US\n128.0.0.0,191.255.255.255,BR\n\
                         2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,DE\n";

/// The telescope of the synthetic captures.
pub(crate) const TELESCOPE: [&str; 2] = ["198.18.0.0/20", "2001:db8::/32"];

/// A temporary folder for captures and datasets, with a small file of countries.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        // Parts are synced to disk, which is free in a memory file system.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a temporary folder");
        std::fs::write(folder.path().join("countries.csv"), COUNTRIES).expect("writable");
        Workshop { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn countries(&self) -> PathBuf {
        self.path("countries.csv")
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        path
    }

    /// `replay` of `paths` into the dataset `name`, with the telescope of the synthetic captures and JSON output, as arguments.
    pub(crate) fn arguments(&self, name: &str, paths: &[&str]) -> Vec<String> {
        let (data, countries) = (self.path(name), self.countries());
        let mut arguments = vec!["replay"];
        arguments.extend(paths);
        arguments.extend(["--data", text(&data), "--geo", text(&countries)]);
        for prefix in TELESCOPE {
            arguments.extend(["--telescope", prefix]);
        }
        arguments.push("--json");
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Settings for the dataset `name`.
    pub(crate) fn settings(&self, name: &str, workers: usize) -> Settings {
        let shared = SharedArguments {
            data: Some(self.path(name)),
            geo: vec![self.countries()],
            workers: Some(workers),
            memory: Some("256M".into()),
            ..SharedArguments::default()
        };
        shared.resolve().expect("sound settings")
    }
}

/// The path of a temporary file, which is plain text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

pub(crate) fn replayed(paths: &[PathBuf], settings: &Settings) -> Result<Outcome, RunError> {
    replay(paths, ReadingMode::Mapped, settings, &mut |_| {})
}

/// Every visible file of a dataset by its path within, with the SHA-256 of its bytes.
pub(crate) fn files(data: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in parts(data) {
        let name = path.strip_prefix(data).expect("found below it");
        let bytes = std::fs::read(&path).expect("a readable part");
        found.insert(
            name.display().to_string(),
            hexadecimal(&Sha256::digest(&bytes)),
        );
    }
    found
}

/// Every visible part of a dataset.
pub(crate) fn all_parts(data: &Path) -> Vec<PathBuf> {
    parts(data)
}

/// Every file below a folder, except those that readers ignore: names that begin with a dot.
fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("an entry has a name");
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            found.extend(parts(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Passes each row of a table to `take`; unfinished files of a killed program are ignored, as by any reader.
pub(crate) fn each_row(data: &Path, table: &str, mut take: impl FnMut(&Row)) {
    let is_visible = |path: &PathBuf| path.extension().is_some_and(|it| it == "parquet");
    for path in parts(&data.join(table)).into_iter().filter(is_visible) {
        let file = File::open(&path).expect("a readable part");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        for row in reader.get_row_iter(None).expect("rows") {
            take(&row.expect("a row"));
        }
    }
}

/// All rows of a table as text in order, without the columns named.
pub(crate) fn rows(data: &Path, table: &str, without: &[&str]) -> Vec<String> {
    let mut rows = Vec::new();
    each_row(data, table, |row| {
        let fields = row.get_column_iter();
        let kept = fields.filter(|(name, _)| !without.contains(&name.as_str()));
        rows.push(format!("{:?}", kept.collect::<Vec<_>>()));
    });
    rows.sort();
    rows
}

/// A counter or a time of a row.
pub(crate) fn number(row: &Row, column: &str) -> i64 {
    let field = row.get_column_iter().find(|(name, _)| *name == column);
    match field {
        Some((_, Field::Long(number) | Field::TimestampMicros(number))) => *number,
        other => panic!("{column} is {other:?}"),
    }
}

/// (packets, bytes) by hour since 1970.
pub(crate) type HourSums = BTreeMap<i64, (i64, i64)>;

pub(crate) fn hour_sums(data: &Path, table: &str) -> HourSums {
    let mut sums = HourSums::new();
    each_row(data, table, |row| {
        let hour = number(row, "hour_start") / 3_600_000_000;
        let sum = sums.entry(hour).or_default();
        sum.0 += number(row, "packets");
        sum.1 += number(row, "bytes");
    });
    sums
}

/// A column of `coverage` by hour since 1970, without zeros.
pub(crate) fn coverage_sums(data: &Path, column: &str) -> BTreeMap<i64, i64> {
    let mut sums = BTreeMap::new();
    each_row(data, "coverage", |row| {
        let hour = number(row, "minute_start").div_euclid(3_600_000_000);
        *sums.entry(hour).or_default() += number(row, column);
    });
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What is wrong with the law that in every hour `traffic` and `sources` hold the same and both equal what `coverage` observed;
/// and that in every minute received = observed + outside + excluded + not_ip + malformed.
pub(crate) fn broken_sums(data: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    let (traffic, sources) = (hour_sums(data, "traffic"), hour_sums(data, "sources"));
    if traffic != sources {
        broken.push(format!("traffic {traffic:?}, sources {sources:?}"));
    }
    let packets: BTreeMap<i64, i64> = traffic.iter().map(|(hour, sum)| (*hour, sum.0)).collect();
    let observed = coverage_sums(data, "observed");
    if packets != observed {
        broken.push(format!("traffic {packets:?}, coverage {observed:?}"));
    }
    each_row(data, "coverage", |row| {
        let parts = ["observed", "outside", "excluded", "not_ip", "malformed"];
        let sum: i64 = parts.iter().map(|part| number(row, part)).sum();
        if number(row, "received") != sum {
            broken.push(format!("a minute does not add up: {row}"));
        }
    });
    broken
}
