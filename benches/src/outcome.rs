//! The results of a case: the median run with its hash and sums, as a row of text and as a JSON object, and whether the results that must
//! agree do.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::case::Case;
use crate::dataset::Sums;
use crate::input::Capture;
use crate::usage::Usage;

/// The output of a replay.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// Hash of the dataset.
    pub hash: String,
    /// The accounting that the sensor printed.
    pub accounting: Value,
    /// Sums of `sources`.
    pub sources: Sums,
    /// Sums of `traffic`.
    pub traffic: Sums,
}

/// The runs of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub case: &'static Case,
    /// What it read.
    pub capture: Capture,
    /// The runs, in order of their wall time.
    pub runs: Vec<Usage>,
    /// The output of the last run; `None` for a decompressor.
    pub left: Option<Left>,
    /// Disagreements, as sentences.
    pub problems: Vec<String>,
}

/// The headings of the columns.
pub const HEADINGS: &str = "case        Mpackets  wall s   CPU s   M/s wall      aim  M/CPU-s  peak MiB   own MiB      aim     rows  tables";

const MEBIBYTE: f64 = (1 << 20) as f64;

impl Outcome {
    /// The run in the middle of the wall times.
    #[must_use]
    pub fn median(&self) -> &Usage {
        &self.runs[self.runs.len() / 2]
    }

    /// Millions of packets a second of wall time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.capture.records as f64 / self.median().wall.as_secs_f64() / 1e6
    }

    /// Millions of packets for each second of processor time.
    #[must_use]
    pub fn processor_rate(&self) -> f64 {
        self.capture.records as f64 / self.median().processor.as_secs_f64() / 1e6
    }

    /// Notes every number that differs from the truth.
    pub fn check_against_truth(&mut self) {
        let Some(left) = &self.left else { return };
        let capture = &self.capture;
        let reported = |name: &str| left.accounting.get(name).and_then(Value::as_u64);
        let pairs = [
            ("records", reported("records"), capture.records),
            ("bytes", reported("bytes"), capture.wire_bytes),
            ("observed", reported("observed"), capture.observed),
            (
                "packets in sources",
                amount(left.sources.packets),
                capture.observed,
            ),
            (
                "packets in traffic",
                amount(left.traffic.packets),
                capture.observed,
            ),
            (
                "bytes in sources",
                amount(left.sources.bytes),
                capture.observed_bytes,
            ),
            (
                "bytes in traffic",
                amount(left.traffic.bytes),
                capture.observed_bytes,
            ),
        ];
        for (what, found, expected) in pairs {
            if found != Some(expected) {
                self.problems
                    .push(format!("{what}: {found:?}, and the truth is {expected}"));
            }
        }
    }

    /// The row.
    #[must_use]
    pub fn row(&self) -> String {
        let median = self.median();
        let aim = &self.case.aim;
        let mut row = format!(
            "{:<12}{:>8.2}{:>8.3}{:>8.3}{:>11.2}{:>9}{:>9.2}{:>10.0}{:>10.0}{:>9}",
            self.case.name,
            self.capture.records as f64 / 1e6,
            median.wall.as_secs_f64(),
            median.processor.as_secs_f64(),
            self.rate(),
            aim.rate.map_or(String::new(), |rate| format!("{rate:.2}")),
            self.processor_rate(),
            median.peak_bytes as f64 / MEBIBYTE,
            median.own_peak_bytes as f64 / MEBIBYTE,
            aim.own_bytes.map_or(String::new(), |bytes| format!(
                "{:.0}",
                bytes as f64 / MEBIBYTE
            )),
        );
        if let Some(left) = &self.left {
            // Writing to a String cannot fail.
            let _ = write!(
                row,
                "{:>9}  {}",
                left.sources.rows,
                left.hash.get(..16).unwrap_or_default()
            );
        }
        row
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        let median = self.median();
        let walls: Vec<f64> = self.runs.iter().map(|run| run.wall.as_secs_f64()).collect();
        let mut object = json!({
            "case": self.case.name,
            "about": self.case.about,
            "packets": self.capture.records,
            "sources": self.capture.sources,
            "file_bytes": self.capture.file_bytes,
            "wall_seconds": median.wall.as_secs_f64(),
            "wall_seconds_of_all_runs": walls,
            "processor_seconds": median.processor.as_secs_f64(),
            "packets_per_second": self.rate() * 1e6,
            "packets_per_processor_second": self.processor_rate() * 1e6,
            "peak_bytes": median.peak_bytes,
            "own_peak_bytes": median.own_peak_bytes,
            "aim_packets_per_second": self.case.aim.rate.map(|rate| rate * 1e6),
            "aim_own_bytes": self.case.aim.own_bytes,
            "problems": self.problems,
        });
        if let Some(left) = &self.left {
            object["tables_sha256"] = left.hash.clone().into();
            object["rows"] = json!({"sources": left.sources.rows, "traffic": left.traffic.rows});
            object["parts"] = json!({"sources": left.sources.parts, "traffic": left.traffic.parts});
            object["dataset_bytes"] = (left.sources.file_bytes + left.traffic.file_bytes).into();
            object["collapsed"] = left.accounting["collapsed"].clone();
            object["timings"] = left.accounting["timings"].clone();
        }
        object
    }
}

fn amount(sum: i64) -> Option<u64> {
    u64::try_from(sum).ok()
}

/// Checks across several cases: relative rates, equal tables.
#[must_use]
pub fn comparisons(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = Vec::new();
    for one in outcomes {
        let Some((other, aim)) = one.case.aim.share else {
            continue;
        };
        if let Some(other) = outcomes.iter().find(|outcome| outcome.case.name == other) {
            let ratio = one.rate() / other.rate();
            lines.push(format!(
                "{} is {ratio:.2} times {} on the wall (aim {aim:.2})",
                one.case.name, other.case.name
            ));
        }
    }
    for (index, one) in outcomes.iter().enumerate() {
        let Some(left) = &one.left else { continue };
        for other in &outcomes[..index] {
            if let (Some(theirs), true) = (&other.left, one.case.input == other.case.input) {
                lines.push(format!(
                    "tables of {} and {} are {}",
                    other.case.name,
                    one.case.name,
                    if left.hash == theirs.hash {
                        "the same, byte for byte"
                    } else {
                        "NOT THE SAME"
                    }
                ));
            }
        }
    }
    lines
}

/// Tables of one capture that differ between cases, in words.
#[must_use]
pub fn disagreements(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| {
            let name = outcome.case.name;
            outcome
                .problems
                .iter()
                .map(move |problem| format!("{name}: {problem}"))
        })
        .collect();
    lines.extend(
        comparisons(outcomes)
            .into_iter()
            .filter(|line| line.ends_with("NOT THE SAME")),
    );
    lines
}
