//! A journal that is damaged while no capture runs: with any of its files damaged or missing, the next run keeps what readers saw, counts
//! nothing twice, invents nothing, and says what is damaged. `TEITEN_MUTANTS=1000` makes this a long test; it prints its figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use teiten_aggregator::hour::Hour;
use teiten_aggregator::store::seal;
use teiten_aggregator::table::HOUR_US;
use teiten_aggregator::writer::WriteError;
use teiten_sensor::engine::run;
use teiten_sensor::hours::journaled::Journaled;
use teiten_sensor::hours::{HourShare, HourSink, Spiller, Written};
use teiten_sensor::source::Arrival;

use crate::dataset::{Workshop, broken_sums};
use crate::journaled::{self, HOUR, with_journaled};
use crate::network::packets_by_port;

/// Mutants in the gate.
const MUTANTS: u64 = 30;
/// Packets of an arrival, which is a round; and rounds before the kill.
const ROUND_PACKETS: u16 = 20;
const ROUNDS: u16 = 24;

/// A sink that is killed after its last round: it is not told of an end.
pub(crate) struct Killed(pub Journaled);

impl HourSink for Killed {
    fn hold(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError> {
        self.0.hold(hour, share)
    }

    fn round(&mut self, before: i64) -> Result<(), WriteError> {
        // The last round comes with the end alone.
        if before == i64::MAX {
            Ok(())
        } else {
            self.0.round(before)
        }
    }

    fn end(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    fn spiller(&self) -> Arc<dyn Spiller> {
        self.0.spiller()
    }
}

/// Packets numbered from `first` on by their ports.
fn arrival(time_us: i64, first: u16) -> Arrival {
    let numbers = first..first + ROUND_PACKETS;
    journaled::arrival(time_us, numbers.map(|number| (u32::from(number), number)))
}

/// A capture of numbered packets in rounds: of two hours, of which the first closes on the way. It is killed, or comes to its end.
fn captured(
    workshop: &Workshop,
    name: &str,
    rounds: std::ops::Range<u16>,
    killed: bool,
) -> Written {
    let mut left = rounds;
    let mut next = |_| {
        let round = left.next()?;
        // Nobody sees what a round publishes before it is over; some are published and some only journaled.
        if round % 3 == 0 {
            std::thread::sleep(Duration::from_millis(15));
        }
        let minute = i64::from(round) * 5;
        Some(arrival(
            HOUR * HOUR_US + minute * 60_000_000,
            1 + round * ROUND_PACKETS,
        ))
    };
    with_journaled(workshop, (name, "mutants"), 1, |passage, mut hours| {
        if killed {
            let mut sink = Killed(hours);
            run(&mut next, passage, &mut sink).expect("writable");
            return sink.0.into_written();
        }
        run(&mut next, passage, &mut hours).expect("writable");
        hours.into_written()
    })
}

/// How often each numbered packet is in the tables.
fn visible(data: &Path) -> BTreeMap<i32, i64> {
    let ports = packets_by_port(data).into_iter();
    ports.map(|((_, port), packets)| (port, packets)).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Numbers that are the same in every run of a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// Damages one file of a journal; returns how.
fn mutate(journal: &Path, chance: &mut Chance) -> String {
    let files = files_below(journal);
    let path = &files[chance.below(files.len())];
    let other = &files[chance.below(files.len())];
    let mut bytes = std::fs::read(path).expect("readable");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let write = |bytes: &[u8]| std::fs::write(path, bytes).expect("writable");
    match chance.below(7) {
        0 | 1 => {
            let byte = chance.below(bytes.len());
            bytes[byte] ^= 1 << chance.below(8);
            write(&bytes);
            format!("{name}: byte {byte} changed")
        }
        2 => {
            bytes.truncate(chance.below(bytes.len()));
            write(&bytes);
            format!("{name}: cut")
        }
        3 => {
            // Without the file that was written last a journal is what it was a round before.
            let number = |path: &Path| {
                path.to_string_lossy()
                    .rsplit('-')
                    .next()?
                    .strip_suffix(".rows")?
                    .parse::<u64>()
                    .ok()
            };
            if number(path) == files.iter().filter_map(|path| number(path)).max() {
                return "nothing".to_owned();
            }
            std::fs::remove_file(path).expect("removable");
            format!("{name}: removed")
        }
        4 => {
            std::fs::copy(path, path.with_file_name(format!("{HOUR}-0-999.rows"))).expect("copied");
            format!("{name}: copied as a later one")
        }
        5 => {
            std::fs::copy(other, path).expect("copied");
            format!("{name}: overwritten by {}", other.display())
        }
        _ => {
            bytes.extend([0; 512]);
            write(&bytes);
            format!("{name}: zeros behind it")
        }
    }
}

/// Turns a dataset into one whose capture was killed between the renames of the last publication: some parts are renamed, the others are
/// still the earlier ones. Returns how many.
fn half_publish(data: &Path, early: &Path, chance: &mut Chance) -> (usize, usize) {
    let work = data.join(".teiten").join("work/0123456789abcdef");
    std::fs::create_dir_all(&work).expect("writable");
    std::fs::write(work.join("lock"), b"").expect("writable");
    let (mut put, mut named) = (Vec::new(), 0);
    for table in ["sources", "traffic", "payloads", "coverage"] {
        let folder = Path::new(table).join(Hour(HOUR + 1).folder());
        for path in files_below(&data.join(&folder)) {
            let name = path.file_name().expect("a part has a name");
            let within = folder.join(name);
            let length = std::fs::metadata(&path).expect("readable").len();
            let staged = format!("{}.part", put.len());
            if chance.below(2) == 0 {
                named += 1;
            } else {
                std::fs::rename(&path, work.join(&staged)).expect("renamed");
                // Nothing of it may have been there before.
                let _ = std::fs::copy(early.join(&within), &path);
            }
            put.push(serde_json::json!([staged, within, length]));
        }
    }
    let left = put.len() - named;
    let list = serde_json::json!({"put": put, "remove": []}).to_string();
    std::fs::write(work.join("7.commit"), seal(&list)).expect("writable");
    (named, left)
}

#[test]
fn a_journal_damaged_anywhere_loses_doubles_and_invents_nothing_and_is_named() {
    let mutants =
        std::env::var("TEITEN_MUTANTS").map_or(MUTANTS, |text| text.parse().expect("a number"));
    let workshop = Workshop::new();
    captured(&workshop, "base", 0..ROUNDS, true);
    let base = workshop.path("base");
    let seen = visible(&base);
    assert!(!seen.is_empty());
    let all = 1..=i32::from(2 * ROUNDS * ROUND_PACKETS);
    let (mut lost, mut doubled, mut invented, mut unnamed, mut missing_all) = (0, 0, 0, 0, 0);
    captured(&workshop, "early", 0..ROUNDS - 3, true);
    for seed in 0..mutants {
        let data = workshop.path("data");
        let _ = std::fs::remove_dir_all(&data);
        let copied = Command::new("cp").arg("-a").arg(&base).arg(&data).status();
        assert!(copied.is_ok_and(|status| status.success()));
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let mut how = mutate(&data.join(".teiten/journal"), &mut chance);
        if seed % 2 == 1 {
            let (named, left) = half_publish(&data, &workshop.path("early"), &mut chance);
            how = format!("{how}; of a publication {named} had their names and {left} not");
        }
        let written = captured(&workshop, "data", ROUNDS..2 * ROUNDS, false);
        let counted = visible(&data);
        let missing: Vec<i32> = all
            .clone()
            .filter(|port| !counted.contains_key(port))
            .collect();
        let vanished = missing
            .iter()
            .filter(|port| seen.contains_key(port))
            .count();
        let named = written.damaged_files + written.damaged_hours > 0;
        // One file holds one round.
        let beyond = vanished + missing.len().saturating_sub(usize::from(ROUND_PACKETS));
        let twice = counted.values().filter(|packets| **packets > 1).count();
        let strange = counted.keys().filter(|port| !all.contains(port)).count();
        let broken = broken_sums(&data);
        lost += beyond;
        doubled += twice;
        invented += strange;
        unnamed += usize::from(!missing.is_empty() && !named);
        missing_all += missing.len();
        if beyond + twice + strange > 0 || !missing.is_empty() && !named || !broken.is_empty() {
            eprintln!(
                "mutant {seed} ({how}): missing {missing:?}, vanished {vanished}, twice {twice}, named {named}, {broken:?}"
            );
        }
        assert_eq!(broken, [""; 0], "mutant {seed} ({how})");
    }
    println!(
        "{mutants} mutants: lost beyond the promise {lost}, doubled {doubled}, invented {invented}, unnamed damage {unnamed}; \
         {missing_all} packets were only in a file that was destroyed"
    );
    assert_eq!((lost, doubled, invented, unnamed), (0, 0, 0, 0));
}

#[test]
fn a_journal_folder_that_disappears_is_made_again_and_what_readers_see_stays() {
    let workshop = Workshop::new();
    captured(&workshop, "data", 0..ROUNDS, true);
    let data = workshop.path("data");
    let seen = visible(&data);
    std::fs::remove_dir_all(data.join(".teiten/journal")).expect("removable");
    captured(&workshop, "data", ROUNDS..2 * ROUNDS, false);
    let counted = visible(&data);
    assert!(seen.keys().all(|port| counted.contains_key(port)));
    assert!(counted.values().all(|packets| *packets == 1));
    assert_eq!(broken_sums(&data), [""; 0]);
}

/// Seeds for fuzzing the readers of journals and parts, made by the writers: `cargo test --test live -- --ignored seeds`.
#[test]
#[ignore = "writes into sensor/fuzz"]
fn seeds_for_fuzzing_are_what_writers_write() {
    let workshop = Workshop::new();
    // The first hour has closed, the second is open.
    captured(&workshop, "base", 0..15, true);
    let data = workshop.path("base");
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let seed = |target: &str, name: &str, which: u8, path: &Path| {
        let folder = fuzz.join("corpus").join(target);
        std::fs::create_dir_all(&folder).expect("writable");
        let mut bytes = vec![which];
        bytes.extend(std::fs::read(path).expect("readable"));
        std::fs::write(folder.join(name), bytes).expect("writable");
    };
    for path in files_below(&data.join(".teiten/journal")) {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match &*ending {
            "rows" => seed("fuzz_journal", "rows", 1, &path),
            "account" => seed("fuzz_journal", "account", 2, &path),
            _ => seed("fuzz_journal", "run", 0, &path),
        }
    }
    let tables = ["traffic", "sources", "coverage", "payloads"];
    teiten_aggregator::rollup::rollup(&data, &Default::default()).expect("rolled up");
    for (table, name) in tables
        .into_iter()
        .chain(["traffic_daily", "traffic_monthly"])
        .zip([
            "traffic", "sources", "coverage", "payloads", "daily", "monthly",
        ])
    {
        let all = teiten_aggregator::schema::TABLES.iter();
        let all = all.chain(teiten_aggregator::schema::ROLLUPS);
        let place = all.into_iter().position(|known| known.name == table);
        let place = u8::try_from(place.expect("a table")).expect("few tables");
        let path = &files_below(&data.join(table))[0];
        seed("fuzz_parquet", name, place, path);
        if let Some(place) = ["coverage", "traffic", "sources"]
            .iter()
            .position(|known| *known == table)
        {
            seed("fuzz_report", name, place as u8, path);
            let sound = fuzz.join("src/sound");
            std::fs::create_dir_all(&sound).expect("writable");
            std::fs::copy(path, sound.join(format!("{table}.parquet"))).expect("writable");
        }
    }
}
