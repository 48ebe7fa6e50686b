//! Days that are compacted, taken apart and pruned on a disk that fails at each call in turn, or on which the program is killed there, with
//! and without a loss of power behind it: a reader finds every row once, before it, after it, and once another program has recovered.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use super::super::simulated::Simulated;
use super::*;
use crate::hour::Hour;

const TABLE: &str = "sources";
/// Hours of the day, one of which has two parts.
const PARTS: [(i64, &str); 5] = [
    (0, "a-1-0000"),
    (1, "a-1-0000"),
    (1, "a-2-0000"),
    (7, "a-1-0000"),
    (23, "b-1-0000"),
];
const DAY: Period = Period::Day(Hour(0));

fn hour_path((hour, name): (i64, &str)) -> PathBuf {
    let folder = Path::new(TABLE).join(Period::Hour(Hour(hour)).folder());
    folder.join(format!("{name}.parquet"))
}

fn day_path() -> PathBuf {
    let folder = Path::new(TABLE).join(Period::WholeDay(Hour(0)).folder());
    folder.join("a-d19700101-0000.parquet")
}

/// The row of a part.
fn row((hour, name): (i64, &str)) -> String {
    format!("{hour} {name}\n")
}

fn staged(store: &Store, within: &Path, rows: &str) -> io::Result<Staged> {
    let mut file = store.stage(within)?;
    file.write_all(rows.as_bytes())?;
    Ok(file)
}

/// What is done to the day.
#[derive(Clone, Copy, Debug)]
enum DayWork {
    /// The parts of the sensor `a` become one.
    Compact,
    /// And again what they were.
    TakeApart,
    /// Its parts are removed, and that is noted.
    Prune,
}

fn of_sensor_a() -> impl Iterator<Item = (i64, &'static str)> {
    PARTS.into_iter().filter(|(_, name)| name.starts_with('a'))
}

fn note_path() -> PathBuf {
    Path::new(".teiten/pruned").join("sources-a")
}

fn carry_out(work: DayWork, store: &Store) -> io::Result<()> {
    let at = |within: &Path| store.directory().join(within);
    let exchange = |files, gone: &[PathBuf]| {
        let gone: Vec<PathBuf> = gone.iter().map(|within| at(within)).collect();
        let gone: Vec<&Path> = gone.iter().map(PathBuf::as_path).collect();
        let done = store.exchange_parts(TABLE, DAY, files, &gone, || true)?;
        assert!(done, "nobody else writes");
        Ok(())
    };
    let hours: Vec<PathBuf> = of_sensor_a().map(hour_path).collect();
    match work {
        DayWork::Compact => {
            let rows: String = of_sensor_a().map(row).collect();
            exchange(vec![staged(store, &day_path(), &rows)?], &hours)
        }
        DayWork::TakeApart => {
            let files = of_sensor_a().map(|part| staged(store, &hour_path(part), &row(part)));
            exchange(files.collect::<io::Result<_>>()?, &[day_path()])
        }
        DayWork::Prune => {
            let mut publication = store.publication();
            hours.iter().for_each(|within| publication.remove(within));
            publication.put(staged(store, &note_path(), "pruned")?)?;
            publication.commit().map(drop)
        }
    }
}

/// All rows that a reader finds, and whether the note of the pruned day is there.
fn found(disk: &Arc<Simulated>) -> (Vec<String>, bool) {
    let store = Store::on(disk.clone(), Path::new("/data"));
    let range = i64::MIN..i64::MAX;
    let mut parts = store.parts_within(TABLE, &range).expect("listed");
    parts.extend(store.whole_days(TABLE, &range).expect("listed"));
    let mut rows = Vec::new();
    for part in parts {
        let text = store.disk().read(part.place()).expect("readable");
        let text = String::from_utf8(text).expect("text");
        assert!(text.ends_with('\n'), "half of {}", part.path.display());
        rows.extend(text.lines().map(str::to_owned));
    }
    rows.sort_unstable();
    // A commit that is being applied counts.
    let lists = store.committed_lists().expect("listed");
    let is_put = |(_, within, _): &(String, PathBuf, u64)| *within == note_path();
    let is_noted = store
        .disk()
        .stat(&store.directory().join(note_path()))
        .is_ok()
        || lists.iter().any(|(_, list)| list.puts.iter().any(is_put));
    (rows, is_noted)
}

fn rows_of(parts: impl Iterator<Item = (i64, &'static str)>) -> Vec<String> {
    let rows: BTreeSet<String> = parts.map(|part| row(part).trim_end().to_owned()).collect();
    rows.into_iter().collect()
}

/// A disk with the day as it is before `work`.
fn before(work: DayWork, seed: u64) -> Arc<Simulated> {
    let disk = Arc::new(Simulated::new(seed));
    let store = Store::on(disk.clone(), Path::new("/data"));
    let mut publication = store.publication();
    for part in PARTS {
        let file = staged(&store, &hour_path(part), &row(part)).expect("writable");
        publication.put(file).expect("writable");
    }
    publication.commit().expect("writable");
    if let DayWork::TakeApart = work {
        carry_out(DayWork::Compact, &store).expect("writable");
    }
    disk
}

/// How the work is disturbed at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Failure,
    Kill,
    PowerLoss,
}

/// Whether the work was over before the call came.
fn disturbed(work: DayWork, disturbance: Disturbance, call: u64, seed: u64) -> bool {
    let disk = before(work, seed);
    let store = Store::on(disk.clone(), Path::new("/data"));
    let (first, last) = match work {
        DayWork::Prune => {
            let rest = PARTS.into_iter().filter(|(_, name)| name.starts_with('b'));
            ((rows_of(PARTS.into_iter()), false), (rows_of(rest), true))
        }
        _ => {
            let all = (rows_of(PARTS.into_iter()), false);
            (all.clone(), all)
        }
    };
    assert_eq!(found(&disk), first);
    match disturbance {
        Disturbance::Failure => disk.fail_after(call),
        _ => disk.begin(call + 1, 0),
    }
    let outcome = carry_out(work, &store);
    let is_over = match disturbance {
        Disturbance::Failure => disk.will_fail(),
        _ => !disk.is_killed(),
    };
    disk.calm();
    let check = |when: &str| {
        let found = found(&disk);
        assert!(
            found == first || found == last,
            "{when}: {found:?} for {first:?} or {last:?}"
        );
        if outcome.is_ok() {
            assert_eq!(found, last, "{when}");
        }
    };
    check("at once");
    if disturbance != Disturbance::Failure {
        disk.kill();
    }
    drop(store);
    if disturbance == Disturbance::PowerLoss {
        disk.lose_power();
        check("without power");
    }
    disk.restart();
    let next = Store::on(disk.clone(), Path::new("/data"));
    next.recover().expect("a disk in order");
    check("recovered");
    assert_eq!(next.work_folders().expect("listed"), [] as [PathBuf; 0]);
    is_over
}

#[test]
fn whatever_a_disk_does_a_day_has_each_row_once() {
    /// More calls than any of the works has.
    const CALLS_MAX: u64 = 400;
    for work in [DayWork::Compact, DayWork::TakeApart, DayWork::Prune] {
        for (disturbance, seeds) in [
            (Disturbance::Failure, 1),
            (Disturbance::Kill, 4),
            (Disturbance::PowerLoss, 40),
        ] {
            for seed in 0..seeds {
                let is_over = |call: &u64| disturbed(work, disturbance, *call, seed);
                let calls = (0..CALLS_MAX).find(is_over);
                let calls = calls.expect("the work ends");
                assert!(calls > 10, "{work:?} takes {calls} calls of the disk");
            }
        }
    }
}
