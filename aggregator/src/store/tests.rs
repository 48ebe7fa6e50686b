//! The store on a failing disk: after failures, short writes, reordering and kills every hour is whole and no published data is lost.
//!
//! A history publishes versions of a few hours on a simulated disk. At a random call the program is killed, or the machine loses its power;
//! then a reader reads, and the next program recovers and continues. `TEITEN_STORE_SEEDS` sets how many histories are tried.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::simulated::{Random, Simulated};
use super::*;
use crate::hour::Hour;

const TABLES: [&str; 4] = ["coverage", "payloads", "sources", "traffic"];
const HOURS: u64 = 3;
const SEEDS: u64 = 3_000;

#[test]
fn an_address_is_no_folder() {
    for text in ["s3://bucket/data", "gs://x", "file:///tmp/x", ""] {
        assert!(data_folder(text).is_err(), "{text}");
    }
    for text in ["data", "/tmp/a:b", "./s3:/x", "C:/x"] {
        assert_eq!(data_folder(text), Ok(PathBuf::from(text)));
    }
}

/// The tables of a version of an hour; some versions have no payloads.
fn tables_of(version: u64) -> impl Iterator<Item = &'static str> {
    let without = version.is_multiple_of(3);
    TABLES
        .into_iter()
        .filter(move |table| !without || *table != "payloads")
}

fn within(table: &str, hour: u64) -> PathBuf {
    let period = Period::Hour(Hour(hour as i64 * 23));
    Path::new(table)
        .join(period.folder())
        .join("a-1-0000.parquet")
}

fn publish(store: &Store, hour: u64, version: u64) -> io::Result<()> {
    let mut publication = store.publication();
    TABLES
        .iter()
        .for_each(|table| publication.remove(&within(table, hour)));
    for table in tables_of(version) {
        let mut staged = store.stage(&within(table, hour))?;
        staged.write_all(format!("{table} {hour} {version}").as_bytes())?;
        publication.put(staged)?;
    }
    publication.commit().map(|_| ())
}

/// The version of an hour that a reader sees, 0 for none.
fn seen(store: &Store, hour: u64) -> u64 {
    let mut versions = BTreeMap::new();
    for table in TABLES {
        let period = Period::Hour(Hour(hour as i64 * 23));
        for part in store.parts(table, period).expect("listed") {
            let text = store.disk().read(part.place()).expect("readable");
            let text = String::from_utf8(text).expect("text");
            let (said, version) = text.rsplit_once(' ').expect("whole");
            assert_eq!(said, format!("{table} {hour}"), "a part that is not whole");
            versions.insert(table, version.parse::<u64>().expect("whole"));
        }
    }
    let Some(&version) = versions.values().next() else {
        return 0;
    };
    let whole: BTreeMap<_, _> = tables_of(version).map(|table| (table, version)).collect();
    assert_eq!(versions, whole, "half of an hour");
    version
}

/// The state of an hour: the last acknowledged version, and the last attempted one.
#[derive(Clone, Copy, Default)]
struct Known {
    acknowledged: u64,
    tried: u64,
}

fn check(store: &Store, known: &[Known]) {
    for (hour, known) in known.iter().enumerate() {
        let version = seen(store, hour as u64);
        assert!(
            (known.acknowledged..=known.tried).contains(&version),
            "hour {hour} is {version}, acknowledged {}, tried {}",
            known.acknowledged,
            known.tried
        );
    }
}

fn history(seed: u64) {
    let mut random = Random::new(seed);
    let disk = Arc::new(Simulated::new(seed));
    let mut known = [Known::default(); HOURS as usize];
    let mut version = 0;
    for _ in 0..6 {
        disk.begin(random.below(150) + 1, random.below(4) * 5);
        let store = Store::on(disk.clone(), Path::new("/data"));
        let mut recovered = store.recover().is_ok();
        for _ in 0..8 {
            if disk.is_killed() {
                break;
            }
            if !recovered {
                // A writer that could not recover publishes nothing.
                recovered = store.recover().is_ok();
                continue;
            }
            version += 1;
            let hour = random.below(HOURS) as usize;
            known[hour].tried = version;
            if publish(&store, hour as u64, version).is_ok() {
                known[hour].acknowledged = version;
            }
        }
        // A reader while the program is dead, or between its errors.
        let orderly = !disk.is_killed() && random.below(2) == 0;
        disk.calm();
        check(&Store::on(disk.clone(), Path::new("/data")), &known);
        if !orderly {
            disk.kill();
        }
        drop(store);
        if random.below(2) == 0 {
            disk.lose_power();
            check(&Store::on(disk.clone(), Path::new("/data")), &known);
        }
        disk.restart();
    }
    let store = Store::on(disk, Path::new("/data"));
    assert_eq!(store.recover().expect("a disk in order").damaged, 0);
    check(&store, &known);
    assert_eq!(store.work_folders().expect("listed"), [] as [PathBuf; 0]);
    assert!(store.committed_lists().expect("listed").is_empty());
}

#[test]
fn whatever_a_disk_does_hours_are_whole_and_stay() {
    let seeds = std::env::var("TEITEN_STORE_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |text| text.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let outcome = std::panic::catch_unwind(|| history(seed));
        assert!(outcome.is_ok(), "history {seed} of the simulated disk");
    }
}

#[test]
fn a_damaged_list_is_kept_and_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let work = folder.path().join(".teiten").join("work/0123");
    std::fs::create_dir_all(&work).expect("writable");
    std::fs::write(work.join("lock"), b"").expect("writable");
    std::fs::write(work.join("0.part"), b"rows").expect("writable");
    let list =
        br#"{"put":[["0.part","traffic/date=2026-11-05/hour=08/a-1-0000.parquet",4]],"remove":[]}"#;
    std::fs::write(work.join("1.commit"), [&list[..], b"\n00000000\n"].concat()).expect("writable");
    let recovered = Store::at(folder.path()).recover().expect("recovered");
    assert_eq!((recovered.finished, recovered.damaged), (0, 1));
    let kept = folder.path().join(".teiten/damaged/0123");
    assert_eq!(std::fs::read(kept.join("0.part")).expect("kept"), b"rows");
    assert!(kept.join("1.commit").exists() && !work.exists());
    assert!(!folder.path().join("traffic").exists());
}

#[test]
fn what_lives_is_not_cleaned_and_what_is_dead_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (alive, other) = (Store::at(folder.path()), Store::at(folder.path()));
    let path = alive.scratch_path("run").expect("writable");
    std::fs::write(&path, b"rows").expect("writable");
    let dead = folder.path().join(".teiten").join("work/dead");
    std::fs::create_dir_all(&dead).expect("writable");
    std::fs::write(dead.join("0.run"), b"rows").expect("writable");
    let recovered = other.recover().expect("recovered");
    assert_eq!(recovered.removed, 1);
    assert!(path.exists() && !dead.exists());
    drop(alive);
    assert!(!path.exists());
}

#[test]
fn a_work_folder_that_disappears_is_made_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(folder.path());
    publish(&store, 0, 1).expect("writable");
    std::fs::remove_dir_all(store.private_folder()).expect("removed");
    publish(&store, 0, 2).expect("writable");
    std::fs::remove_dir_all(folder.path().join("traffic")).expect("removed");
    publish(&store, 0, 3).expect("writable");
    assert!(folder.path().join(within("traffic", 0)).exists());
}

#[test]
fn a_reader_sees_whole_hours_while_one_is_published() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(folder.path());
    publish(&store, 1, 1).expect("writable");
    let period = Period::Hour(Hour(23));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for version in 2..150 {
                publish(&store, 1, version).expect("writable");
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let reader = Store::at(folder.path());
        let mut last = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            // No sensor publishes without a pause.
            let Ok(open) = reader.open_period(&TABLES, period) else {
                continue;
            };
            let texts: Vec<String> = open
                .into_iter()
                .map(|open| std::io::read_to_string(open.file).expect("readable"))
                .collect();
            let version = texts[0].rsplit_once(' ').expect("whole").1.to_owned();
            assert!(
                texts
                    .iter()
                    .all(|text| text.ends_with(&format!(" {version}"))),
                "{texts:?}"
            );
            let version: u64 = version.parse().expect("a number");
            assert_eq!(texts.len(), tables_of(version).count());
            assert!(version >= last, "{version} after {last}");
            last = version;
        }
    });
}

#[test]
fn a_lock_is_held_by_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (one, other) = (Store::at(folder.path()), Store::at(folder.path()));
    let lock = one.try_lock("capture-a").expect("writable");
    assert!(lock.is_some());
    assert!(other.try_lock("capture-a").expect("writable").is_none());
    assert!(other.try_lock("capture-b").expect("writable").is_some());
    drop(lock);
    assert!(other.try_lock("capture-a").expect("writable").is_some());
}
