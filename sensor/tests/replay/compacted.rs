//! Replays into days that were compacted: a capture counts once there too, and what replaces an hour takes its day apart.

use std::collections::BTreeMap;
use std::path::Path;

use teiten_aggregator::compact::{CompactSettings, compact};

use crate::dataset::files;
use crate::replay_once::{BEGIN, HOUR, Place, capture, first};

/// Compacts all days but the last; how many days of a table there were.
fn compacted(place: &Place) -> u64 {
    let data = place.workshop.path("data");
    let report = compact(&data, &CompactSettings::default()).expect("compacted");
    assert_eq!(report.left, []);
    report.days
}

fn whole_days(place: &Place) -> usize {
    let names = files(&place.workshop.path("data"));
    let is_whole = |name: &&String| name.contains("hour=-1");
    names.keys().filter(is_whole).count()
}

#[test]
fn recounting_a_compacted_hour_counts_it_once() {
    let place = Place::new();
    let one = place.workshop.file("one.pcap", &capture(BEGIN, 5000));
    let two = place
        .workshop
        .file("two.pcap", &capture(BEGIN + 24 * HOUR, 50));
    let paths: [&Path; 2] = [&one, &two];
    place.replay(&paths, 0);
    let before = files(&place.workshop.path("data"));
    let packets = BTreeMap::from([(0, 3600), (1, 1400), (24, 50)]);
    assert_eq!(place.packets(), packets);
    assert_eq!((compacted(&place), whole_days(&place)), (2, 2));
    assert_eq!(place.packets(), packets);
    // What is counted already changes nothing.
    let accounting = place.replay(&paths, 0);
    assert_eq!((&accounting["records"], whole_days(&place)), (&0.into(), 2));
    let run = place.replay_with(&paths, &["--recount"], b"");
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    assert_eq!(place.packets(), packets);
    assert!(
        files(&place.workshop.path("data")) == before,
        "byte for byte"
    );
}

#[test]
fn a_capture_that_grew_replaces_what_was_compacted_of_it() {
    let place = Place::new();
    let bytes = capture(BEGIN, 5000);
    let path = place.workshop.file("in.pcap", first(&bytes, 300));
    let later = place
        .workshop
        .file("later.pcap", &capture(BEGIN + 24 * HOUR, 50));
    place.replay(&[&path], 0);
    place.replay(&[&later], 0);
    assert_eq!(compacted(&place), 2);
    place.workshop.file("in.pcap", &bytes);
    place.replay(&[&path], 0);
    let packets = BTreeMap::from([(0, 3600), (1, 1400), (24, 50)]);
    assert_eq!((place.packets(), whole_days(&place)), (packets.clone(), 0));
    assert_eq!(compacted(&place), 2);
    // A capture of its own stands beside the day.
    let other = place
        .workshop
        .file("other.pcap", &capture(BEGIN + 2 * HOUR, 7));
    place.replay(&[&other], 0);
    let mut packets = packets;
    packets.insert(2, 7);
    assert_eq!((place.packets(), whole_days(&place)), (packets.clone(), 2));
    assert_eq!(compacted(&place), 2);
    assert_eq!((place.packets(), whole_days(&place)), (packets, 2));
}
