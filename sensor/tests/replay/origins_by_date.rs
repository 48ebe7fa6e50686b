//! Country data of several dates, by the built program: each hour uses the edition of its day and names it, for any number of workers.

use crate::capture_file;
use crate::dataset;
use crate::program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use capture_file::{made, scenario};
use dataset::{Workshop, files, text};
use parquet::file::reader::{FileReader, SerializedFileReader};
use teiten_testdata::Scenario;
use teiten_testdata::clock::HOUR_US;

/// 2026-06-14T22: two hours before midnight.
const START_HOUR: i64 = 494_854;

/// The names and texts of the files.
const EDITIONS: [(&str, &str); 3] = [
    (
        "old-20260101.csv",
        "0.0.0.0,255.255.255.255,JP\n::,ffff::,JP\n",
    ),
    (
        "new-2026-06-15.csv",
        "0.0.0.0,255.255.255.255,DE\n::,ffff::,DE\n",
    ),
    (
        "later-20260616.csv",
        "0.0.0.0,255.255.255.255,FR\n::,ffff::,FR\n",
    ),
];

/// By partition (date and hour), the values of `column` of a table, and the metadata of its parts under `key`.
fn by_hour(
    data: &Path,
    table: &str,
    key: &str,
) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut found: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for path in files(data).keys().filter(|path| path.starts_with(table)) {
        let hour = Path::new(path)
            .parent()
            .expect("a partition")
            .strip_prefix(table);
        let hour = text(hour.expect("of the table")).to_owned();
        let reader = SerializedFileReader::new(File::open(data.join(path)).expect("a part"))
            .expect("Parquet");
        let (countries, values) = found.entry(hour).or_default();
        let metadata = reader.metadata().file_metadata().key_value_metadata();
        let pairs = metadata
            .into_iter()
            .flatten()
            .filter(|pair| pair.key == key);
        values.extend(pairs.filter_map(|pair| pair.value.clone()));
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let mut columns = row.get_column_iter();
            let country = columns.find(|(name, _)| *name == "country");
            countries.extend(country.map(|(_, field)| field.to_string().replace('"', "")));
        }
    }
    found
}

fn replay(workshop: &Workshop, capture: &Path, data: &str, workers: &str, geo: &[PathBuf]) {
    let data = workshop.path(data);
    let mut arguments = vec![
        "replay",
        text(capture),
        "--data",
        text(&data),
        "--workers",
        workers,
    ];
    for file in geo {
        arguments.extend(["--geo", text(file)]);
    }
    let run = program::run(arguments);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
}

#[test]
fn hours_before_and_after_an_edition_differ_and_name_it_with_any_workers() {
    let workshop = Workshop::new();
    let (capture, _) = made(&Scenario {
        start_us: START_HOUR * HOUR_US,
        span_us: 4 * HOUR_US,
        ..scenario(8_000, 11)
    });
    let capture = workshop.file("in.pcap", &capture);
    let geo = EDITIONS.map(|(name, text)| workshop.file(name, text.as_bytes()));
    replay(&workshop, &capture, "one", "1", &geo);
    let data = workshop.path("one");
    for table in ["sources", "traffic"] {
        let hours = by_hour(&data, table, "geo_name");
        assert_eq!(hours.len(), 4);
        for (hour, (mut countries, names)) in hours {
            let (country, name) = if hour.starts_with("date=2026-06-14/") {
                ("JP", EDITIONS[0].0)
            } else {
                ("DE", EDITIONS[1].0)
            };
            // Sources that cannot exist have no country.
            countries.remove("ZZ");
            assert_eq!(Vec::from_iter(countries), [country], "{table} {hour}");
            assert_eq!(Vec::from_iter(names), [name], "{table} {hour}");
        }
    }
    for key in ["geo_date", "geo_sha256"] {
        let hours = by_hour(&data, "coverage", key);
        let values: BTreeSet<_> = hours.into_values().flat_map(|(_, values)| values).collect();
        assert_eq!(values.len(), 2, "{key}");
    }
    assert!(
        by_hour(&data, "sources", "geo_2_name")
            .values()
            .all(|(_, names)| names.is_empty())
    );
    // The order in which they are named changes nothing, as little as the workers do.
    let reversed: Vec<_> = geo.iter().rev().cloned().collect();
    for (workers, geo) in [("2", geo.to_vec()), ("3", reversed)] {
        replay(&workshop, &capture, workers, workers, &geo);
        assert_eq!(
            files(&workshop.path(workers)),
            files(&data),
            "{workers} workers"
        );
    }
}

#[test]
fn check_says_which_files_answer_from_which_day_on() {
    let workshop = Workshop::new();
    let data = workshop.path("data");
    let mut arguments = vec![
        "check",
        "--interface",
        "lo",
        "--data",
        text(&data),
        "--json",
    ];
    let geo = EDITIONS.map(|(name, text)| workshop.file(name, text.as_bytes()));
    for file in &geo {
        arguments.extend(["--geo", text(file)]);
    }
    let run = program::run(arguments);
    for expected in [
        "countries before 2026-06-15: old-20260101.csv of 2026-01-01 (name)",
        "countries from 2026-06-15, before 2026-06-16: new-2026-06-15.csv of 2026-06-15 (name)",
        "countries from 2026-06-16: later-20260616.csv of 2026-06-16 (name)",
    ] {
        assert!(run.output.contains(expected), "{expected}: {}", run.output);
    }
}
