//! The output of a run: the account as one JSON object, or the same as a table.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Result, Write};
use std::path::Path;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use teiten_aggregator::counter::{COUNTERS, IMPLAUSIBLE, NAMES, OUTCOMES};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::leading::Leading;
use teiten_aggregator::minute::MinuteCounts;

use crate::command::replay::Outcome;

/// The accounting object of the contract, with timings beside it. A capture that continues an interrupted run counts its own packets;
/// `taken_over` has those of the hours that it took over. `tools`, `collapsed` and `rows` describe the tables, so `tools` add up to
/// `observed` of both.
#[must_use]
pub fn accounting(outcome: &Outcome) -> Value {
    let tally = &outcome.counted.tally;
    let closed = outcome.closed();
    let mut object = json!({
        "records": tally.records(),
        "bytes": tally.bytes,
        (NAMES.malformed): {"link": tally.malformed[0], "ipv4": tally.malformed[1], "ipv6": tally.malformed[2], "time": tally.implausible},
        "families": {"ipv4": tally.families[0], "ipv6": tally.families[1]},
        "protocols": object(&tally.protocols()),
        "traffic_types": object(&tally.traffic_types()),
        "classes": object(&tally.classes()),
        "tools": object(&outcome.tools()),
        "hours": object(&outcome.hours().into_iter().map(|(hour, count)| (Hour(hour), count)).collect()),
        (NAMES.late): tally.counts.late,
        (NAMES.collapsed): outcome.collapsed(),
        "dropped": outcome.dropped(),
        "files": outcome.files,
        "rows": {"sources": closed.source_rows, "traffic": closed.traffic_rows},
        "dataset_bytes": closed.file_bytes,
        "elapsed_seconds": outcome.elapsed.as_secs_f64(),
        "timings": timings(outcome),
    });
    object[IMPLAUSIBLE.name] = tally.implausible.into();
    for (name, count) in &tally.counts.rows()[OUTCOMES] {
        // The object has malformed records by layer already.
        if object.get(name).is_none() {
            object[*name] = (*count).into();
        }
    }
    if let Some(taken) = &outcome.written.taken_over {
        let hours = taken.hours.iter();
        let observed = hours.map(|(&hour, counts)| (Hour(hour), counts.observed));
        let mut sum = MinuteCounts::default();
        taken.hours.values().for_each(|counts| sum.add(counts));
        object["taken_over"] = json!({
            "run": taken.run,
            "records": sum.received,
            (NAMES.observed): sum.observed,
            "dropped": sum.dropped_kernel + sum.dropped_interface,
            "hours": self::object(&observed.collect()),
        });
    }
    if outcome.status.is_some() {
        object["journal"] = json!({
            "damaged_files": outcome.written.damaged_files,
            "damaged_hours": outcome.written.damaged_hours,
            "lost_packets": outcome.written.lost_packets,
        });
    }
    if let Some(alerts) = &outcome.alerts {
        object["alerts"] = json!({
            "raised": alerts.raised.alerts,
            "withheld": alerts.raised.withheld,
            "delivered": alerts.delivery.delivered,
            "refused": alerts.delivery.refused,
            "waiting": alerts.delivery.waiting,
        });
    }
    if let Some(kept) = outcome.kept() {
        object["kept"] = kept.json();
    }
    object
}

/// Writes the accounting as a table.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_table(outcome: &Outcome, out: &mut dyn Write) -> Result<()> {
    let tally = &outcome.counted.tally;
    let closed = outcome.closed();
    line(out, "records", tally.records())?;
    let counts = COUNTERS.iter().zip(tally.counts.numbers());
    for (counter, &count) in counts.take(OUTCOMES.end).skip(OUTCOMES.start) {
        let label = format!("  {}", counter.label);
        if counter.name == NAMES.malformed {
            for (layer, count) in ["link", "IPv4", "IPv6"].iter().zip(tally.malformed) {
                line_unless_zero(out, &format!("{label} {layer} header"), count)?;
            }
        } else if counter.name == NAMES.observed {
            line(out, &label, count)?;
        } else {
            line_unless_zero(out, &label, count)?;
        }
    }
    let implausible = format!("  {}", IMPLAUSIBLE.label);
    line_unless_zero(out, &implausible, tally.implausible)?;
    line(out, "bytes on the wire", tally.bytes)?;
    if let Some(taken) = &outcome.written.taken_over {
        let observed = taken.hours.values().map(|counts| counts.observed);
        line(out, "taken over, beside these", observed.sum())?;
    }
    line_unless_zero(out, NAMES.late, tally.counts.late)?;
    line_unless_zero(out, NAMES.collapsed, outcome.collapsed())?;
    line_unless_zero(out, "dropped", outcome.dropped())?;
    shares(out, "class", &tally.classes(), tally.counts.observed)?;
    shares(
        out,
        "traffic type",
        &tally.traffic_types(),
        tally.counts.observed,
    )?;
    shares(out, "tool", &outcome.tools(), tally.counts.observed)?;
    writeln!(out)?;
    line(out, "hours with packets", outcome.hours().len() as u64)?;
    line(out, "rows of sources", closed.source_rows)?;
    line(out, "rows of traffic", closed.traffic_rows)?;
    line(out, "bytes of the dataset", closed.file_bytes)?;
    if let Some(kept) = outcome.kept() {
        line(out, "packets kept as files", kept.packets())?;
        for (reason, count) in kept.lost().iter().filter(|(_, count)| *count > 0) {
            line(out, &format!("  not kept, disk {}", reason.name()), *count)?;
        }
    }
    let seconds = outcome.elapsed.as_secs_f64();
    let rate = tally.records() as f64 / seconds.max(1e-9);
    writeln!(out, "{:<28}{:>18.2}", "seconds", seconds)?;
    line(out, "packets per second", rate as u64)
}

/// Number of ports and countries at the end of the output.
pub const LEADING_COUNT: usize = 5;

/// Writes the end of a replay that observed something: the leading ports and countries, the dataset, and the next command.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_ending(
    leading: &Leading,
    observed: u64,
    data: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let ports = leading.ports.iter().map(|&((protocol, port), packets)| {
        let name = match protocol {
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            number => format!("protocol {number}"),
        };
        (format!("{port}/{name}"), packets as u64)
    });
    let countries = leading.countries.iter();
    let countries = countries.map(|(country, packets)| (country.clone(), *packets as u64));
    for (title, rows) in [
        ("first ports", ports.collect::<Vec<_>>()),
        ("first countries", countries.collect()),
    ] {
        if !rows.is_empty() {
            share_rows(out, title, &rows, observed)?;
        }
    }
    write_next(data, out)
}

/// Writes the dataset and the next command.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_next(data: &Path, out: &mut dyn Write) -> Result<()> {
    let data = shell_word(&data.display().to_string());
    writeln!(out, "\ndataset: {data}")?;
    writeln!(out, "next: teiten-report build --data {data} --out report")
}

/// A text quoted as one word for a shell.
fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn line(out: &mut dyn Write, name: &str, count: u64) -> Result<()> {
    writeln!(out, "{name:<28}{:>18}", grouped(count))
}

fn line_unless_zero(out: &mut dyn Write, name: &str, count: u64) -> Result<()> {
    if count > 0 {
        line(out, name, count)?;
    }
    Ok(())
}

fn shares<K: Display>(
    out: &mut dyn Write,
    title: &str,
    counts: &BTreeMap<K, u64>,
    all: u64,
) -> Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<_> = counts
        .iter()
        .map(|(name, &count)| (name.to_string(), count))
        .collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    share_rows(out, title, &sorted, all)
}

fn share_rows(out: &mut dyn Write, title: &str, rows: &[(String, u64)], all: u64) -> Result<()> {
    writeln!(out, "\n{title:<28}{:>18}{:>9}", "packets", "share")?;
    for (name, count) in rows {
        let share = 100.0 * *count as f64 / all.max(1) as f64;
        writeln!(out, "  {name:<26}{:>18}{share:>7.2} %", grouped(*count))?;
    }
    Ok(())
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn object<K: Display>(counts: &BTreeMap<K, u64>) -> Value {
    let entries: Map<String, Value> = counts
        .iter()
        .map(|(name, &count)| (name.to_string(), count.into()))
        .collect();
    Value::Object(entries)
}

/// Latencies: of a block in a worker, from an hour's last share to its durable files, and how many blocks waited.
fn timings(outcome: &Outcome) -> Value {
    let mut closes: Vec<f64> = outcome
        .written
        .durations
        .iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    closes.sort_by(f64::total_cmp);
    json!({
        "block_us": outcome.counted.block_us.as_ref().map(quantiles),
        "queue_blocks": outcome.counted.queue_blocks.as_ref().map(quantiles),
        "close_ms": {"count": closes.len(), "median": closes.get(closes.len() / 2), "max": closes.last()},
    })
}

fn quantiles(histogram: &Histogram<u64>) -> Value {
    json!({
        "count": histogram.len(),
        "median": histogram.value_at_quantile(0.5),
        "p99": histogram.value_at_quantile(0.99),
        "max": histogram.max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_names_ports_countries_folder_and_next_command() {
        let leading = Leading {
            ports: vec![((6, 23), 50), ((17, 53), 25), ((132, 9), 1)],
            countries: vec![("CN".to_owned(), 75), ("ZZ".to_owned(), 25)],
        };
        let mut out = Vec::new();
        write_ending(&leading, 100, Path::new("my data"), &mut out).expect("a Vec takes all");
        let text = String::from_utf8(out).expect("text");
        for part in [
            "23/tcp                                    50  50.00 %",
            "53/udp ",
            "9/protocol 132",
            "CN ",
            "dataset: 'my data'",
            "next: teiten-report build --data 'my data' --out report",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
