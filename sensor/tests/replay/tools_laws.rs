//! One answer to which tool sent a packet: the accounting, both tables and `explain` say the same, and it is what the synthesiser knows to
//! have sent it. The confirmation of marks is tested beside its rules.

use crate::capture_file;
use crate::dataset;
use crate::program;

use std::collections::BTreeMap;

use capture_file::{scenario, shared};
use dataset::{TELESCOPE, Workshop, each_row, number, replayed, text};
use parquet::record::RowAccessor;
use serde_json::{Value, json};
use teiten_sensor::options::Settings;
use teiten_testdata::{Scenario, write_labelled};

/// Packets that may be named otherwise than the synthesiser says, of a thousand: sources with a single packet of a tool that shows in
/// two, and chance.
const OFF_PER_THOUSAND: u64 = 2;

type Counts = BTreeMap<String, u64>;

fn by_tool(data: &std::path::Path, table: &str) -> Counts {
    let mut counts = Counts::new();
    each_row(data, table, |row| {
        let place = row
            .get_column_iter()
            .position(|(name, _)| name == "tool")
            .expect("a column of tools");
        let tool = row.get_string(place).expect("text").clone();
        *counts.entry(tool).or_default() += number(row, "packets") as u64;
        if table == "sources" {
            assert!(number(row, "tool_packets") <= number(row, "packets"));
        }
    });
    counts
}

/// The tool of each record, in order; `None` if it is not observed.
fn explained_each(path: &str) -> Vec<Option<String>> {
    let mut arguments = vec!["explain", path];
    for prefix in &TELESCOPE {
        arguments.extend(["--telescope", *prefix]);
    }
    let run = program::run(arguments);
    let tool = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        line["tool"].as_str().map(str::to_owned)
    };
    run.output.lines().map(tool).collect()
}

fn explained(path: &str) -> Counts {
    let mut counts = Counts::new();
    for tool in explained_each(path).into_iter().flatten() {
        *counts.entry(tool).or_default() += 1;
    }
    counts
}

#[test]
fn accounting_tables_and_explain_name_the_same_tools() {
    let (capture, truth) = shared();
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", capture);
    let settings = Settings {
        telescope: TELESCOPE.map(|text| text.parse().expect("a prefix")).into(),
        ..workshop.settings("data", 3)
    };
    let outcome = replayed(std::slice::from_ref(&path), &settings).expect("a sound input");
    let traffic = by_tool(&settings.data, "traffic");
    assert_eq!(by_tool(&settings.data, "sources"), traffic);
    let accounting = teiten_sensor::command::summary::accounting(&outcome);
    assert_eq!(accounting["tools"], json!(traffic));
    assert_eq!(explained(text(&path)), traffic);
    for (tool, &sent) in &truth.tools {
        let found = traffic.get(tool).copied().unwrap_or(0);
        let off = truth.packets * OFF_PER_THOUSAND / 1000;
        assert!(found.abs_diff(sent) <= off, "{tool}: {found} of {sent}");
    }
}

#[test]
fn where_every_source_makes_noise_the_exact_tests_are_right_for_99_of_100() {
    let noise = Scenario {
        noise_share: 1.0,
        out_of_order_share: 0.0,
        ..scenario(60_000, 12)
    };
    let (mut capture, mut labels) = (Vec::new(), Vec::new());
    let kept = |bytes: Vec<u8>| {
        capture = bytes;
        Ok(())
    };
    write_labelled(&noise, 1, |_| Ok(Vec::new()), kept, Some(&mut labels)).expect("sound");
    let workshop = Workshop::new();
    let found = explained_each(text(&workshop.file("in.pcap", &capture)));
    let labels = String::from_utf8(labels).expect("text");
    // class,traffic_type,tool,port,not_observed
    let sent: Vec<&str> = labels
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).expect("a column of tools"))
        .collect();
    assert_eq!(found.len(), sent.len());
    for tool in ["masscan", "mirai", "zmap"] {
        let is_found = |found: &Option<String>| found.as_deref() == Some(tool);
        let both = found.iter().zip(&sent);
        let right = both
            .filter(|(found, sent)| is_found(found) && **sent == tool)
            .count();
        let named = found.iter().filter(|found| is_found(found)).count();
        let meant = sent.iter().filter(|sent| **sent == tool).count();
        assert!(meant > 500, "{tool}: {meant}");
        for all in [named, meant] {
            assert!(right * 100 >= all * 99, "{tool}: {right} of {all}");
        }
    }
}
