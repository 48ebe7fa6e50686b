//! A run's journal: appended entries are read unchanged, finished hours are gone, and damage is reported.

use crate::common;

use std::path::{Path, PathBuf};

use teiten_aggregator::close::{Closer, HourRuns};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::journal::{About, Journal, Target};
use teiten_aggregator::minute::{HourAccount, MinuteCounts};
use teiten_aggregator::schema::{SOURCES, TRAFFIC};
use teiten_aggregator::store::PRIVATE_FOLDER;
use teiten_aggregator::table::{HOUR_US, Seed};
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Address, Class, Kind, Observation, TelescopeSize, Tool, TrafficType};

/// An hour of this test: 2026-11-15T07.
const HOUR: i64 = 498_535;

fn closer(directory: &Path) -> Closer {
    Closer {
        addresses: about().addresses,
        ..common::closer(directory, ("test", "0123"), 65_536)
    }
}

fn about() -> About {
    About {
        configuration_sha256: "none".to_owned(),
        addresses: Some(TelescopeSize {
            ipv4: 65_536,
            ipv6: 1 << 80,
        }),
    }
}

/// The part `part` of the hour, whose coverage is in a further part.
fn target(part: u32) -> Target {
    Target {
        hour: HOUR,
        part,
        coverage_part: 7,
    }
}

/// Packets of 5,000 sources of one family to 400 destinations, some of which have more than are counted exactly.
fn observations<A: Address>(from: u32, to: u32) -> Vec<Observation<A>> {
    let one = |index: u32| Observation {
        time_us: HOUR * HOUR_US + i64::from(index) * 100,
        source: A::from_number(u128::from(index.wrapping_mul(index) % 5_000)),
        destination: A::from_number(u128::from(index % 400)),
        kind: Kind::new(
            TrafficType::Udp,
            Class::Scan,
            Tool::None,
            17,
            Some((index % 3) as u16),
        ),
        wire_length_bytes: 60,
        flags: 1 << (index % 20),
        stack: u64::from(index % 7),
        pair: index % 11,
    };
    (from..to).map(one).collect()
}

fn runs(closer: &Closer, from: u32, to: u32) -> HourRuns {
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch {
        ipv4: observations(from, to),
        ipv6: observations(from, to),
    };
    window.observe(HOUR, &mut batch);
    closer.sort(window.take_open())
}

fn account(received: u64) -> HourAccount {
    let mut account = HourAccount::default();
    let counts = MinuteCounts {
        received,
        observed: received - 1,
        late: 3,
        ..MinuteCounts::default()
    };
    account.add_to_minute(7, &counts);
    account.active.insert(421);
    account
}

/// The bytes of both tables.
fn published(closer: &Closer, runs: HourRuns) -> [Vec<u8>; 2] {
    closer.close(Hour(HOUR), 0, runs).expect("writable");
    [&SOURCES, &TRAFFIC]
        .map(|table| std::fs::read(closer.path(table, Hour(HOUR), 0)).expect("a part"))
}

/// Journals that a dead run left, none of which is damaged.
fn abandoned(directory: &Path, sensor: &str) -> Vec<Journal> {
    let (journals, damaged) = Journal::abandoned(directory, sensor).expect("readable");
    assert_eq!(damaged, []);
    journals
}

fn rows_files(directory: &Path) -> Vec<PathBuf> {
    let folder = directory.join(PRIVATE_FOLDER).join("journal/test-0123");
    let files = std::fs::read_dir(folder).expect("the run's folder");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "rows"));
    paths.sort();
    paths
}

#[test]
fn stretches_found_again_close_to_the_same_bytes_as_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    let whole = published(&closer, runs(&closer, 0, 60_000));
    let mut journal = Journal::begin(folder.path(), &closer.name, &about()).expect("writable");
    for (from, to) in [(0, 10_000), (10_000, 10_001), (10_001, 60_000)] {
        let stretch = runs(&closer, from, to);
        journal
            .append(target(0), &stretch, &account(u64::from(to)))
            .expect("writable");
    }
    assert!(abandoned(folder.path(), "test").is_empty(), "its run lives");
    drop(journal);
    assert!(abandoned(folder.path(), "other").is_empty());
    let mut found = abandoned(folder.path(), "test");
    assert_eq!(
        (found.len(), &found[0].name, &found[0].about),
        (1, &closer.name, &about())
    );
    let contents = found[0].load().expect("readable");
    assert_eq!(contents.damaged, []);
    let mut all = HourRuns::default();
    for (entry, to) in contents.entries.iter().zip([10_000, 10_001, 60_000]) {
        assert_eq!(entry.target, target(0));
        assert_eq!(entry.account, account(to));
        all.append(entry.runs());
    }
    assert_eq!(contents.entries.len(), 3);
    assert_eq!(published(&closer, all), whole);
    assert_eq!(
        rows_files(folder.path()).len(),
        3,
        "publishing leaves the journal alone"
    );
    found.remove(0).end().expect("removable");
    assert!(abandoned(folder.path(), "test").is_empty());
}

#[test]
fn rows_of_a_part_that_is_published_for_good_are_left_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    let mut journal = Journal::begin(folder.path(), &closer.name, &about()).expect("writable");
    for part in [0, 0, 1] {
        let stretch = runs(&closer, 0, 100);
        journal
            .append(target(part), &stretch, &account(100))
            .expect("writable");
    }
    // As if the power went between the account and the removal of the first part's rows.
    journal
        .publish_for_good(target(1), &account(200), &[])
        .expect("writable");
    assert_eq!(rows_files(folder.path()).len(), 3);
    drop(journal);
    let mut found = abandoned(folder.path(), "test").remove(0);
    let contents = found.load().expect("readable");
    assert_eq!(contents.accounts[&HOUR], (target(1), account(200)));
    let parts: Vec<u32> = contents
        .entries
        .iter()
        .map(|entry| entry.target.part)
        .collect();
    assert_eq!(parts, [1]);
    assert_eq!(rows_files(folder.path()).len(), 1);
    // The next entry gets a new name.
    found
        .append(target(1), &runs(&closer, 0, 10), &account(10))
        .expect("writable");
    assert_eq!(rows_files(folder.path()).len(), 2);
}

#[test]
fn a_file_cut_or_changed_anywhere_is_named_and_never_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    let mut journal = Journal::begin(folder.path(), &closer.name, &about()).expect("writable");
    journal
        .append(target(0), &runs(&closer, 0, 50), &account(50))
        .expect("writable");
    drop(journal);
    let path = rows_files(folder.path()).remove(0);
    let whole = std::fs::read(&path).expect("a file");
    let mut journal = abandoned(folder.path(), "test").remove(0);
    for length in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[length] ^= 0x10;
        for bytes in [whole[..length].to_vec(), changed] {
            std::fs::write(&path, &bytes).expect("writable");
            let contents = journal.load().expect("a folder that can be listed");
            assert_eq!(
                (contents.entries.len(), contents.damaged.len()),
                (0, 1),
                "byte {length}"
            );
            assert!(contents.suspect.contains(&HOUR));
            let kept = &contents.damaged[0].0;
            assert_eq!(std::fs::read(kept).expect("kept"), bytes);
            std::fs::remove_file(kept).expect("removable");
        }
    }
    std::fs::write(&path, &whole).expect("writable");
    assert_eq!(journal.load().expect("readable").entries.len(), 1);
}

#[test]
fn a_run_whose_name_is_damaged_is_known_by_its_copy_and_never_by_another_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    drop(Journal::begin(folder.path(), &closer.name, &about()).expect("writable"));
    let run = folder
        .path()
        .join(PRIVATE_FOLDER)
        .join("journal/test-0123/run.json");
    let whole = std::fs::read(&run).expect("a file");
    for byte in 0..whole.len() {
        let mut changed = whole.clone();
        changed[byte] ^= 1;
        std::fs::write(&run, &changed).expect("writable");
        let (journals, damaged) = Journal::abandoned(folder.path(), "test").expect("readable");
        assert_eq!((journals.len(), damaged.len()), (1, 1), "byte {byte}");
        assert_eq!(journals[0].name, closer.name);
        assert_eq!(journals[0].about, about());
        assert_eq!(std::fs::read(&run).expect("made again"), whole);
    }
    // Without both copies no file is read, and none removed.
    for file in ["run.json", "run.copy.json"] {
        std::fs::write(run.with_file_name(file), b"{}").expect("writable");
    }
    let (journals, damaged) = Journal::abandoned(folder.path(), "test").expect("readable");
    assert_eq!((journals.len(), damaged.len()), (0, 1));
    assert!(damaged[0].0.join("run.json").exists());
}

#[test]
fn a_file_that_is_missing_moved_or_copied_makes_its_hour_suspect() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    let mut journal = Journal::begin(folder.path(), &closer.name, &about()).expect("writable");
    for _ in 0..3 {
        journal
            .append(target(0), &runs(&closer, 0, 50), &account(50))
            .expect("writable");
    }
    drop(journal);
    let paths = rows_files(folder.path());
    let load = || {
        let contents = abandoned(folder.path(), "test").remove(0).load();
        let contents = contents.expect("readable");
        (
            contents.entries.len(),
            contents.damaged.len(),
            contents.suspect.contains(&HOUR),
        )
    };
    assert_eq!(load(), (3, 0, false));
    std::fs::copy(
        &paths[0],
        paths[0].with_file_name(format!("{HOUR}-0-9.rows")),
    )
    .expect("copied");
    assert_eq!(load(), (3, 1, true));
    std::fs::rename(&paths[1], paths[1].with_extension("gone")).expect("renamed");
    assert_eq!(load(), (2, 1, true));
}

#[test]
fn what_is_left_of_a_damaged_hour_stands_for_all_before_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path());
    let mut journal = Journal::begin(folder.path(), &closer.name, &about()).expect("writable");
    for _ in 0..2 {
        journal
            .append(target(0), &runs(&closer, 0, 50), &account(50))
            .expect("writable");
    }
    // As after a power cut before the removal of the files that it replaces.
    journal
        .append_rest(target(1), &runs(&closer, 0, 20), &account(20), &[])
        .expect("writable");
    drop(journal);
    let contents = abandoned(folder.path(), "test")
        .remove(0)
        .load()
        .expect("readable");
    let accounts: Vec<_> = contents
        .entries
        .iter()
        .map(|entry| entry.account.clone())
        .collect();
    assert_eq!(accounts, [account(20)]);
    assert!(contents.suspect.is_empty());
    assert_eq!(rows_files(folder.path()).len(), 1);
}
