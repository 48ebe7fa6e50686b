//! Alerts from replays, by the built program: what is told of planted hosts, and of whom nothing is told, whatever the workers and the
//! captures that the packets came in.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use teiten_aggregator::alert::WatchList;

use crate::dataset::{Workshop, text};
use crate::program::{Run, run};
use crate::watched::{expected, list, list_by_networks, packets, pcap, told};

/// 2026-11-05T08.
const START_US: i64 = 1_793_865_600_000_000;

fn replay(workshop: &Workshop, data: &str, captures: &[&Path], flags: &[&str]) -> Run {
    let captures: Vec<&str> = captures.iter().map(|path| text(path)).collect();
    let mut arguments = workshop.arguments(data, &captures);
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    run(arguments)
}

fn lines(workshop: &Workshop, data: &str) -> String {
    std::fs::read_to_string(workshop.path(data).join("alerts.jsonl")).expect("alerts were raised")
}

/// Of whom nothing was told, by owner.
fn withheld(workshop: &Workshop, data: &str) -> BTreeSet<(String, String)> {
    let path = workshop.path(data).join(".teiten/alerts/withheld.jsonl");
    let text = std::fs::read_to_string(path).expect("something was withheld");
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().expect("text").to_owned();
        (text("owner"), text("why"))
    };
    text.lines().map(line).collect()
}

#[test]
fn what_watched_addresses_do_is_told_once_and_forged_sources_are_not() {
    let workshop = Workshop::new();
    let packets = packets(START_US);
    let whole = workshop.file("whole.pcap", &pcap(&packets));
    let watch = list(&workshop.path(""), "");
    for workers in ["1", "3"] {
        let data = format!("by{workers}");
        let flags = ["--watch", text(&watch), "--workers", workers];
        let run = replay(&workshop, &data, &[&whole], &flags);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        let raised = run.json()["alerts"].clone();
        assert_eq!(
            (&raised["raised"], &raised["delivered"]),
            (&8.into(), &8.into()),
            "{run:?}"
        );
        assert_eq!(told(&lines(&workshop, &data)), expected());
        let withheld = withheld(&workshop, &data);
        let owners: BTreeSet<&str> = withheld.iter().map(|(owner, _)| &owner[..]).collect();
        assert_eq!(owners, BTreeSet::from(["forged", "reflected"]));
        for (owner, why) in withheld {
            let part = match &owner[..] {
                "forged" => "no more than chance gives an address when sources are forged",
                _ => "an attack by reflection",
            };
            assert!(why.contains(part), "{why}");
        }
        // The same captures again, and counted once more: nothing is told twice.
        for more in [&flags[..], &[&flags[..], &["--recount"]].concat()] {
            let run = replay(&workshop, &data, &[&whole], more);
            assert_eq!(run.json()["alerts"]["delivered"], 0, "{run:?}");
            assert_eq!(told(&lines(&workshop, &data)), expected());
        }
    }
    let alerts = lines(&workshop, "by1");
    let scan = alerts
        .lines()
        .find(|line| line.contains("\"ended\"") && line.contains("scanner"));
    let scan: Value = serde_json::from_str(scan.expect("told")).expect("JSON");
    assert_eq!(scan["severity"], "high");
    assert_eq!(scan["contact"], "scanner@example.org");
    assert_eq!(scan["first"], "2026-11-05T08:01:00.000000Z");
    assert_eq!(scan["last"], "2026-11-05T08:10:50.000000Z");
    let evidence = &scan["evidence"];
    assert_eq!(evidence["tools"]["mirai"], 60);
    assert_eq!(evidence["dark_addresses"], 60);
    assert_eq!(evidence["hours"][0], "2026-11-05T08");
    assert_eq!(evidence["ports"][0]["port"], 23);
    let sample = evidence["samples"][0].as_str().expect("text");
    assert!(
        sample.starts_with("2026-11-05T08:01:00.000000Z 11.0.1.7 tcp-syn to 23/tcp: 60 packets"),
        "{sample}"
    );
}

#[test]
fn networks_are_watched_by_their_numbers() {
    let workshop = Workshop::new();
    let whole = workshop.file("whole.pcap", &pcap(&packets(START_US)));
    let (watch, networks) = list_by_networks(&workshop.path(""));
    let flags = ["--watch", text(&watch), "--asn", text(&networks)];
    let run = replay(&workshop, "numbers", &[&whole], &flags);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    assert_eq!(told(&lines(&workshop, "numbers")), expected());
    let owners: BTreeSet<String> = withheld(&workshop, "numbers")
        .into_iter()
        .map(|(owner, _)| owner)
        .collect();
    assert_eq!(owners, ["forged", "reflected"].map(str::to_owned).into());
    // Without that file nobody is told, which the program says.
    let run = replay(&workshop, "unknown", &[&whole], &flags[..2]);
    assert_eq!(run.json()["alerts"]["raised"], 0, "{run:?}");
    assert!(run.messages.contains("--asn"), "{}", run.messages);
}

#[test]
fn captures_that_follow_each_other_tell_the_same_as_one() {
    let workshop = Workshop::new();
    let packets = packets(START_US);
    let watch = list(&workshop.path(""), "");
    let flags = ["--watch", text(&watch)];
    for (number, captured) in packets.chunks(packets.len() / 5).enumerate() {
        let capture = workshop.file(&format!("{number}.pcap"), &pcap(captured));
        let run = replay(&workshop, "cut", &[&capture], &flags);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    }
    assert_eq!(told(&lines(&workshop, "cut")), expected());
}

#[test]
fn a_test_prints_what_would_have_been_sent_and_leaves_nothing() {
    let workshop = Workshop::new();
    let packets = packets(START_US);
    let whole = workshop.file("whole.pcap", &pcap(&packets));
    // Nobody may be asked: there is no such host.
    let sinks =
        "[[sink]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"http://no-such-host.invalid/\"\n";
    let watch = list(&workshop.path(""), sinks);
    let flags = ["--watch", text(&watch), "--watch-test"];
    let run = replay(&workshop, "tested", &[&whole], &flags);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    assert_eq!(told(&run.output), expected());
    assert!(
        run.messages.contains("not told: {\"owner\":\"reflected\""),
        "{}",
        run.messages
    );
    assert!(!workshop.path("tested").exists());
    let refused = replay(&workshop, "tested", &[&whole], &["--watch-test"]);
    assert_eq!(refused.exit_code, Some(2));
    assert!(
        refused.messages.contains("--watch-test needs --watch FILE"),
        "{refused:?}"
    );
}

#[test]
fn alerts_that_nobody_takes_wait_and_the_exit_code_says_so() {
    let workshop = Workshop::new();
    let packets = packets(START_US);
    let whole = workshop.file("whole.pcap", &pcap(&packets));
    let sinks = "[[sink]]\nname = \"later\"\nkind = \"json-lines\"\npath = \"later.jsonl\"\n";
    let watch = list(&workshop.path(""), sinks);
    let flags = ["--watch", text(&watch), "--no-deliver"];
    let run = replay(&workshop, "queued", &[&whole], &flags);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    let alerts = &run.json()["alerts"];
    assert_eq!(
        (&alerts["raised"], &alerts["delivered"]),
        (&8.into(), &0.into())
    );
    assert!(!workshop.path("later.jsonl").exists());
    // The next run delivers what waits, though it has nothing new.
    let run = replay(&workshop, "queued", &[&whole], &flags[..2]);
    assert_eq!(run.json()["alerts"]["delivered"], 8, "{run:?}");
    let written = std::fs::read_to_string(workshop.path("later.jsonl")).expect("delivered");
    assert_eq!(told(&written), expected());
    let unknown = run_with_bad_list(&workshop, &whole);
    assert_eq!(unknown.exit_code, Some(2));
    assert!(
        unknown.messages.contains("nobody is watched"),
        "{unknown:?}"
    );
}

fn run_with_bad_list(workshop: &Workshop, capture: &Path) -> Run {
    let bad = workshop.file("bad.toml", b"");
    replay(workshop, "bad", &[capture], &["--watch", text(&bad)])
}

#[test]
fn the_example_of_the_documentation_is_a_good_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/watch.example.toml");
    let whole = std::fs::read_to_string(path).expect("it ships");
    let workshop = Workshop::new();
    // As it stands, and with everything in it that is no sentence.
    let uncommented = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_setting = bare.starts_with('[') || bare.contains(" = ");
        is_setting.then(|| format!("{bare}\n"))
    };
    let all: String = whole.lines().filter_map(uncommented).collect();
    for (text, sinks) in [(whole, 1), (all, 5)] {
        let file = workshop.file("example.toml", text.as_bytes());
        let list = WatchList::load(&file).expect("a good list");
        assert_eq!(list.sinks.len(), sinks);
    }
}
