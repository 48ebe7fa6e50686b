//! A capture counts once in a dataset, regardless of its name, its compression and the other inputs. The tests make all inputs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use teiten_aggregator::inputs::{counted_hours, counted_twice};
use teiten_aggregator::store::Store;
use teiten_aggregator::verify::verify;

use crate::dataset::{Workshop, all_parts, broken_sums, files, hour_sums, text};
use crate::program::{self, Run};

/// 2025-11-05T00:00:00Z.
pub(crate) const BEGIN: u32 = 1_762_300_800;
pub(crate) const HOUR: u32 = 3600;

/// A frame with a datagram to the telescope, from the source of this number.
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 45]);
    frame.extend(&number.to_be_bytes()[1..]);
    frame.extend([198, 18, 0, 1, 0, 1, 0, 53, 0, 8, 0, 0]);
    frame
}

pub(crate) fn header(magic: u32) -> Vec<u8> {
    let words = [magic, 0x0004_0002, 0, 0, 262_144, 1];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

pub(crate) fn record(seconds: u32, fraction: u32, number: u32) -> Vec<u8> {
    let frame = frame(number);
    let length = frame.len() as u32;
    let words = [seconds, fraction, length, length];
    let mut record: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    record.extend(frame);
    record
}

/// A pcap of this number of packets, one a second.
pub(crate) fn capture(from: u32, packets: u32) -> Vec<u8> {
    let records = (0..packets).flat_map(|number| record(from + number, 0, from + number));
    header(0xa1b2_c3d4).into_iter().chain(records).collect()
}

/// Bytes of the first packets of a capture.
pub(crate) fn first(capture: &[u8], packets: usize) -> &[u8] {
    &capture[..24 + packets * record(0, 0, 0).len()]
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub(crate) struct Place {
    pub workshop: Workshop,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place {
            workshop: Workshop::new(),
        }
    }

    pub(crate) fn replay_with(&self, paths: &[&Path], flags: &[&str], input: &[u8]) -> Run {
        let paths: Vec<&str> = paths.iter().map(|path| text(path)).collect();
        let mut arguments = self.workshop.arguments("data", &paths);
        arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
        program::run_with_input(arguments, input)
    }

    /// Replays; the exit code must be this.
    pub(crate) fn replay(&self, paths: &[&Path], exit_code: i32) -> Value {
        let run = self.replay_with(paths, &[], b"");
        assert_eq!(run.exit_code, Some(exit_code), "{}", run.messages);
        run.json()
    }

    fn data(&self) -> PathBuf {
        self.workshop.path("data")
    }

    /// Packets of the dataset by hour from [`BEGIN`] on; everything about it must be sound.
    pub(crate) fn packets(&self) -> BTreeMap<i64, i64> {
        let data = self.data();
        assert_eq!(broken_sums(&data), [""; 0]);
        let hours = counted_hours(&Store::at(&data)).expect("a dataset");
        assert_eq!(counted_twice(&hours), [""; 0]);
        for hour in &hours {
            assert!(
                hour.captures.iter().all(|capture| capture.is_whole()),
                "{hour:?}"
            );
        }
        let verdict = verify(&data).expect("a dataset");
        assert_eq!(verdict.findings, []);
        let first = i64::from(BEGIN / HOUR);
        hour_sums(&data, "traffic")
            .into_iter()
            .map(|(hour, sums)| (hour - first, sums.0))
            .collect()
    }
}

/// The report of the file whose path ends so.
pub(crate) fn report<'a>(accounting: &'a Value, name: &str) -> &'a Value {
    let files = accounting["files"].as_array().expect("a list");
    let found = files.iter().find(|file| {
        file["path"]
            .as_str()
            .is_some_and(|path| path.ends_with(name))
    });
    found.unwrap_or_else(|| panic!("no {name} in {accounting}"))
}

#[test]
fn a_folder_that_grows_is_counted_once() {
    let place = Place::new();
    let folder = place.workshop.path("in");
    std::fs::create_dir(&folder).expect("writable");
    for hour in 0..2 {
        place.workshop.file(
            &format!("in/{hour}.pcap"),
            &capture(BEGIN + hour * HOUR, 500),
        );
    }
    place.replay(&[&folder], 0);
    let before = files(&place.data());
    place
        .workshop
        .file("in/2.pcap", &capture(BEGIN + 2 * HOUR, 500));
    let accounting = place.replay(&[&folder], 0);
    assert_eq!(accounting["records"], 500);
    assert_eq!(report(&accounting, "0.pcap")["already_counted"], true);
    assert_eq!(report(&accounting, "2.pcap")["already_counted"], false);
    let expected = BTreeMap::from([(0, 500), (1, 500), (2, 500)]);
    assert_eq!(place.packets(), expected);
    let after = files(&place.data());
    assert!(
        before
            .iter()
            .all(|(name, hash)| after.get(name) == Some(hash)),
        "parts that were there stay"
    );
    // Without the cache captures are recognised by their contents.
    std::fs::remove_file(place.data().join(".teiten/captures.json")).expect("a cache");
    let accounting = place.replay(&[&folder], 0);
    assert_eq!(
        (&accounting["records"], files(&place.data())),
        (&0.into(), after)
    );
}

#[test]
fn a_replay_of_what_is_known_names_the_dataset_and_the_next_command() {
    let place = Place::new();
    let file = place.workshop.file("in.pcap", &capture(BEGIN, 500));
    place.replay(&[&file], 0);
    let mut arguments = place.workshop.arguments("data", &[text(&file)]);
    arguments.retain(|argument| argument != "--json");
    let run = program::run(arguments);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    assert!(run.messages.contains("--recount"), "{}", run.messages);
    let data = text(&place.data()).to_owned();
    let ending =
        format!("\ndataset: {data}\nnext: teiten-report build --data {data} --out report\n");
    assert!(run.output.ends_with(&ending), "{}", run.output);
}

#[test]
fn name_packing_and_place_do_not_matter() {
    let place = Place::new();
    let bytes = capture(BEGIN, 500);
    let plain = place.workshop.file("plain.pcap", &bytes);
    place.replay(&[&plain], 0);
    let before = files(&place.data());
    let packed = place.workshop.file("packed.gz", &gzipped(&bytes));
    let copy = place.workshop.file("copy.pcap", &bytes);
    assert_eq!(
        report(&place.replay(&[&packed, &copy], 0), "copy.pcap")["already_counted"],
        true
    );
    for input in [bytes.clone(), gzipped(&bytes)] {
        let run = place.replay_with(&[Path::new("-")], &[], &input);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert_eq!(report(&run.json(), "-")["already_counted"], true);
    }
    assert_eq!(files(&place.data()), before);
}

#[test]
fn copies_among_the_inputs_are_counted_once() {
    let place = Place::new();
    let bytes = capture(BEGIN, 500);
    let paths = [
        place.workshop.file("a.pcap", &bytes),
        place.workshop.file("b.gz", &gzipped(&bytes)),
        place.workshop.file("short.pcap", first(&bytes, 300)),
        place.workshop.file("other.pcap", &capture(BEGIN + HOUR, 7)),
    ];
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let accounting = place.replay(&paths, 0);
    assert_eq!(report(&accounting, "b.gz")["already_counted"], true);
    assert_eq!(report(&accounting, "short.pcap")["already_counted"], true);
    assert_eq!(place.packets(), BTreeMap::from([(0, 500), (1, 7)]));
}

#[test]
fn what_begins_alike_and_goes_on_otherwise_is_another_capture() {
    let place = Place::new();
    let bytes = capture(BEGIN, 3000);
    let mut fork = first(&bytes, 2500).to_vec();
    fork.extend((0..1000).flat_map(|number| record(BEGIN + 3000 + number / 100, 5, number)));
    let paths = [
        place.workshop.file("a.pcap", &bytes),
        place.workshop.file("fork.pcap", &fork),
    ];
    place.replay(&[&paths[0]], 0);
    place.replay(&[&paths[1]], 0);
    assert_eq!(place.packets(), BTreeMap::from([(0, 6500)]));
}

#[test]
fn a_capture_that_grew_replaces_its_shorter_self() {
    let place = Place::new();
    let bytes = capture(BEGIN, 5000);
    let path = place
        .workshop
        .file("in.pcap", &bytes[..first(&bytes, 300).len() + 20]);
    place.replay(&[&path], 1);
    place.workshop.file("in.pcap", &bytes);
    place.replay(&[&path], 0);
    let grown = files(&place.data());
    assert_eq!(place.packets(), BTreeMap::from([(0, 3600), (1, 1400)]));
    let alone = Place::new();
    alone.replay(&[&path], 0);
    assert_eq!(
        files(&alone.data()),
        grown,
        "byte for byte as if it had always been whole"
    );
    // A shorter capture replaces nothing.
    let cut = place.workshop.file("cut.pcap", first(&bytes, 4000));
    for flags in [&[][..], &["--recount"]] {
        let run = place.replay_with(&[&cut], flags, b"");
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert!(
            run.messages.contains("is a shorter copy"),
            "{}",
            run.messages
        );
        assert_eq!(files(&place.data()), grown);
    }
}

#[test]
fn where_others_share_its_hours_only_what_grew_is_counted() {
    let place = Place::new();
    let bytes = capture(BEGIN, 500);
    let path = place.workshop.file("in.pcap", first(&bytes, 300));
    let other = place
        .workshop
        .file("other.pcap", &capture(BEGIN + 1000, 50));
    place.replay(&[&path, &other], 0);
    place.workshop.file("in.pcap", &bytes);
    let accounting = place.replay(&[&path], 0);
    assert_eq!(accounting["records"], 200);
    assert_eq!(place.packets(), BTreeMap::from([(0, 550)]));
    let again = place.replay(&[&path, &other], 0);
    assert_eq!(again["records"], 0);
    let longer = [
        bytes,
        (0..9)
            .flat_map(|number| record(BEGIN + 600 + number, 0, number))
            .collect(),
    ]
    .concat();
    place.workshop.file("in.pcap", &longer);
    assert_eq!(place.replay(&[&path], 0)["records"], 9);
    assert_eq!(place.packets(), BTreeMap::from([(0, 559)]));
}

#[test]
fn recounting_replaces_and_asks_for_what_shares_the_hours() {
    let place = Place::new();
    let one = place.workshop.file("one.pcap", &capture(BEGIN, 500));
    let two = place.workshop.file("two.pcap", &capture(BEGIN + 100, 50));
    place.replay(&[&one, &two], 0);
    let before = files(&place.data());
    let run = place.replay_with(&[&one], &["--recount"], b"");
    assert_eq!(run.exit_code, Some(2), "{}", run.messages);
    assert!(
        run.messages
            .contains("shares hours with 1 capture that is not among the inputs"),
        "{}",
        run.messages
    );
    assert_eq!(files(&place.data()), before);
    let run = place.replay_with(&[&one, &two], &["--recount"], b"");
    assert_eq!(
        (run.exit_code, &run.json()["records"]),
        (Some(0), &550.into()),
        "{}",
        run.messages
    );
    assert_eq!(files(&place.data()), before);
}

#[test]
fn another_configuration_replaces() {
    let place = Place::new();
    let one = place.workshop.file("one.pcap", &capture(BEGIN, 500));
    let two = place.workshop.file("two.pcap", &capture(BEGIN + HOUR, 50));
    place.replay(&[&one, &two], 0);
    let run = place.replay_with(&[&one], &["--exclude", "45.0.0.0/8"], b"");
    // Nothing is observed.
    assert_eq!(run.exit_code, Some(1), "{}", run.messages);
    assert_eq!(run.json()["excluded"], 500);
    assert_eq!(
        place.packets(),
        BTreeMap::from([(1, 50)]),
        "hours that share no capture stay"
    );
}

#[test]
fn a_replay_that_was_broken_off_is_made_good_by_the_next() {
    let place = Place::new();
    let path = place.workshop.file("in.pcap", &capture(BEGIN, 9000));
    place.replay(&[&path], 0);
    let whole = files(&place.data());
    // As if the program had been killed in the last hour: earlier parts call the capture unfinished, the last is missing.
    let name = counted_hours(&Store::at(&place.data()))
        .expect("a dataset")
        .remove(0)
        .name;
    let unread =
        teiten_aggregator::inputs::Contributors::new(vec![teiten_aggregator::inputs::Capture {
            marks: counted_hours(&Store::at(&place.data()))
                .expect("a dataset")
                .remove(0)
                .captures
                .remove(0)
                .marks[..640]
                .to_owned(),
            ..Default::default()
        }]);
    for hour in 0..2 {
        unread.contributes(0, i64::from(BEGIN / HOUR) + hour);
    }
    for part in all_parts(&place.data())
        .iter()
        .filter(|part| text(part).contains("hour=02"))
    {
        std::fs::remove_file(part).expect("a part");
    }
    teiten_aggregator::inputs::restate_inputs(&Store::at(&place.data()), &name, &unread)
        .expect("restated");
    assert_eq!(place.replay(&[&path], 0)["records"], 9000);
    assert_eq!(
        files(&place.data()),
        whole,
        "restated parts are those that were written at once"
    );
}

#[test]
fn many_workers_and_inputs_name_the_same_captures() {
    let mut expected = None;
    for workers in ["1", "3"] {
        let place = Place::new();
        let paths: Vec<PathBuf> = (0..5)
            .map(|number| {
                place.workshop.file(
                    &format!("{number}.pcap"),
                    &capture(BEGIN + number * 1500, 4000),
                )
            })
            .collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let run = place.replay_with(&paths, &["--workers", workers], b"");
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert_eq!(place.packets().values().sum::<i64>(), 20_000);
        let files = files(&place.data());
        assert_eq!(
            &files,
            expected.get_or_insert_with(|| files.clone()),
            "{workers} workers"
        );
    }
}
