//! What the sensor goes by, for a person or a program: every rule, tool mark and payload signature with its test in words, its source
//! and its dates. All of it is read from the tables that decide; nothing is decided here.

use std::io::{Result, Write};

use serde_json::{Value, json};
use teiten_aggregator::observation::TrafficType;

use crate::classify::{RULES, Rule, Types};
use crate::fingerprint::{Probes, SOURCE_MARKS, SourceMark, TOOLS, ToolMark};
use crate::payload::{Ports, Signature, TCP, UDP};

/// Everything as one object: `rules`, `tools`, `signatures`, each in the order in which they decide.
#[must_use]
pub fn json() -> Value {
    let tools = TOOLS.iter().map(tool_json);
    let of_sources = SOURCE_MARKS.iter().map(source_mark_json);
    let signatures = |protocol: &'static str, rows: &'static [Signature]| {
        rows.iter().map(move |row| signature_json(protocol, row))
    };
    json!({
        "rules": RULES.iter().enumerate().map(rule_json).collect::<Vec<_>>(),
        "tools": tools.chain(of_sources).collect::<Vec<_>>(),
        "signatures": signatures("udp", &UDP).chain(signatures("tcp", &TCP)).collect::<Vec<_>>(),
    })
}

/// The same as tables.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_table(out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "RULES: the first that holds decides a packet's class\n"
    )?;
    for (index, rule) in RULES.iter().enumerate() {
        writeln!(out, "{:3}  {:<30} {}", index + 1, rule.name, rule.class)?;
        write_details(out, rule.words, rule.reference, rule.dates)?;
    }
    writeln!(
        out,
        "\nTOOLS: marks of a probe, the first that it bears decides\n"
    )?;
    for mark in &TOOLS {
        let (tool, probes) = (mark.tool.name(), probes_text(mark.probes));
        writeln!(out, "     {tool:<30} one {probes}{}", exactness(mark))?;
        write_details(out, mark.name, mark.source, mark.dates)?;
    }
    for mark in &SOURCE_MARKS {
        writeln!(out, "     {:<30} two SYNs of a source", mark.tool.name())?;
        write_details(out, mark.name, mark.source, mark.dates)?;
    }
    for (protocol, rows) in [("udp", &UDP[..]), ("tcp", &TCP[..])] {
        writeln!(
            out,
            "\nSIGNATURES of {protocol} payloads: the first that matches decides\n"
        )?;
        for row in rows {
            writeln!(out, "     {:<30} {}", row.name, row.class)?;
            write_details(out, &signature_words(row), row.source, "")?;
        }
    }
    Ok(())
}

fn write_details(out: &mut dyn Write, words: &str, source: &str, dates: &str) -> Result<()> {
    writeln!(out, "       {words}")?;
    for (name, text) in [("source", source), ("dates", dates)] {
        if !text.is_empty() {
            writeln!(out, "       {name}: {text}")?;
        }
    }
    Ok(())
}

fn rule_json((index, rule): (usize, &Rule)) -> Value {
    json!({
        "order": index + 1,
        "name": rule.name,
        "class": rule.class.name(),
        "traffic_types": types_json(rule.types),
        "test": rule.words,
        "source": rule.reference,
        "dates": rule.dates,
    })
}

/// The names, or `all`.
fn types_json(types: Types) -> Value {
    if types == Types::ALL {
        return "all".into();
    }
    let all = TrafficType::ALL.iter();
    let names = all.filter(|one| types.contain(**one)).map(|one| one.name());
    names.collect::<Vec<_>>().into()
}

fn tool_json(mark: &ToolMark) -> Value {
    json!({
        "tool": mark.tool.name(),
        "test": mark.name,
        "packets": 1,
        "probes": probes_text(mark.probes),
        "exact": mark.is_exact,
        "source": mark.source,
        "dates": mark.dates,
    })
}

fn source_mark_json(mark: &SourceMark) -> Value {
    json!({
        "tool": mark.tool.name(),
        "test": mark.name,
        "packets": 2,
        "probes": probes_text(Probes::Syn),
        "exact": false,
        "source": mark.source,
        "dates": mark.dates,
    })
}

const fn probes_text(probes: Probes) -> &'static str {
    match probes {
        Probes::Syn => "TCP SYN",
        Probes::SynAndInit => "TCP SYN or SCTP INIT",
        Probes::SynUdpIcmp => "TCP SYN, UDP datagram or ICMP request",
    }
}

const fn exactness(mark: &ToolMark) -> &'static str {
    if mark.is_exact {
        ", exact"
    } else {
        ", by shape"
    }
}

fn signature_json(protocol: &str, row: &Signature) -> Value {
    let (side, ports) = match row.ports {
        Ports::Any => ("any", &[][..]),
        Ports::To(ports) => ("destination", ports),
        Ports::From(ports) => ("source", ports),
    };
    json!({
        "name": row.name,
        "class": row.class.name(),
        "protocol": protocol,
        "port_side": side,
        "ports": ports,
        "first_bytes": row.first,
        "test": signature_words(row),
        "source": row.source,
    })
}

/// Where it is looked for and how it starts; what must follow is what its source describes.
fn signature_words(row: &Signature) -> String {
    let ports = match row.ports {
        Ports::Any => "on any port".to_owned(),
        Ports::To(ports) => format!("to port {}", list(ports, u16::to_string)),
        Ports::From(ports) => format!("from port {}", list(ports, u16::to_string)),
    };
    if row.first.is_empty() {
        return format!("{ports}, in the form that its source describes");
    }
    let first = list(row.first, |byte| format!("{byte:02x}"));
    format!("{ports}, first byte {first}, in the form that its source describes")
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_listed_with_words_and_source() {
        let all = json();
        let rows = |name: &str| all[name].as_array().cloned().unwrap_or_default();
        assert_eq!(rows("rules").len(), RULES.len());
        assert_eq!(rows("tools").len(), TOOLS.len() + SOURCE_MARKS.len());
        assert_eq!(rows("signatures").len(), UDP.len() + TCP.len());
        for name in ["rules", "tools", "signatures"] {
            for row in rows(name) {
                assert!(
                    row["test"].as_str().is_some_and(|text| !text.is_empty()),
                    "{row}"
                );
                let is_last = row["name"] == "other";
                let source = row["source"].as_str();
                assert!(
                    is_last || source.is_some_and(|text| !text.is_empty()),
                    "{row}"
                );
            }
        }
    }

    #[test]
    fn the_table_names_what_the_json_names() {
        let mut table = Vec::new();
        write_table(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        for rule in &RULES {
            assert!(table.contains(rule.name) && table.contains(rule.words));
        }
        for row in UDP.iter().chain(&TCP) {
            assert!(table.contains(row.name) && table.contains(row.source));
        }
        assert!(table.contains("to port 44818 or 2222, first byte 63 or 04"));
        assert!(table.contains("2013-08 to v4.1.0 of 2024-03-21"));
    }
}
