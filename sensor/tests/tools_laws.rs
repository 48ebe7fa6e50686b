//! One answer to which tool sent a packet: the accounting, both tables and `explain` say the same, and it is what the synthesiser knows
//! to have sent it. What confirms a mark is tested beside its rules.

#[path = "support/capture_file.rs"]
mod capture_file;
#[path = "support/dataset.rs"]
mod dataset;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;

use capture_file::shared;
use dataset::{TELESCOPE, Workshop, each_row, number, replayed, text};
use parquet::record::RowAccessor;
use serde_json::{Value, json};
use teiten_sensor::options::Settings;

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

fn explained(path: &str) -> Counts {
    let mut arguments = vec!["explain", path];
    for prefix in &TELESCOPE {
        arguments.extend(["--telescope", *prefix]);
    }
    let run = program::run(arguments);
    let mut counts = Counts::new();
    for line in run.output.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        if let Some(tool) = line["tool"].as_str() {
            *counts.entry(tool.to_owned()).or_default() += 1;
        }
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
    let accounting = teiten_sensor::summary::accounting(&outcome);
    assert_eq!(accounting["tools"], json!(traffic));
    assert_eq!(explained(text(&path)), traffic);
    for (tool, &sent) in &truth.tools {
        let found = traffic.get(tool).copied().unwrap_or(0);
        let off = truth.packets * OFF_PER_THOUSAND / 1000;
        assert!(found.abs_diff(sent) <= off, "{tool}: {found} of {sent}");
    }
}
