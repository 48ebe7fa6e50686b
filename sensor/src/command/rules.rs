//! Prints every rule, tool mark, compatibility flag and payload signature with a description of its test, its source and its dates, all
//! from the tables that the sensor itself uses.

use std::io::{Result, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};
use teiten_aggregator::schema::FLAGS_VERSION;
use teiten_aggregator::text::hexadecimal;
use teiten_observation::{MarkRow, SPECIAL_IPV4, SPECIAL_IPV6, SPECIAL_SOURCE, TrafficType};

use teiten_packet::classify::{RULES, Rule, Types};
use teiten_packet::fingerprint::marks;
use teiten_packet::flags::{self, FLAGS, FlagRow};
use teiten_packet::payload::{Ports, Signature, TCP, UDP};

/// Everything as one object: `rules`, `tools`, `signatures`, each in the order in which they decide, `flags`, and `special_purpose`, the
/// space that has no country and no network.
#[must_use]
pub fn json() -> Value {
    let tools = marks().map(tool_json);
    let signatures = |protocol: &'static str, rows: &'static [Signature]| {
        rows.iter().map(move |row| signature_json(protocol, row))
    };
    json!({
        "rules": RULES.iter().enumerate().map(rule_json).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "signatures": signatures("udp", &UDP).chain(signatures("tcp", &TCP)).collect::<Vec<_>>(),
        "flags": FLAGS.iter().map(flag_json).collect::<Vec<_>>(),
        "flags_version": FLAGS_VERSION,
        "stack_signature": STACK_SIGNATURE,
        "special_purpose": special_purpose_json(),
    })
}

/// The text of a column for this name.
const STACK_SIGNATURE: &str = "window:options:DF:initial TTL of a SYN, as 65535:M1460,N,W8,N,N,S:df0:64. Options in their order, the first 8: M maximum \
    segment size, N no operation, W window scale, S selective acknowledgments permitted, T timestamps, E end of the list, ? another or more. Initial \
    TTL: the next of 32, 64, 128 and 255";

/// The same as tables.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_table(out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "RULES: the first that matches decides a packet's class\n"
    )?;
    for (index, rule) in RULES.iter().enumerate() {
        writeln!(out, "{:3}  {:<30} {}", index + 1, rule.name, rule.class)?;
        write_details(out, rule.words, rule.reference, rule.dates)?;
    }
    writeln!(
        out,
        "\nTOOLS: marks of a probe; the first that matches decides, and a source's packets in the hour confirm it\n"
    )?;
    for mark in marks() {
        let (name, tool) = (mark.mark.name(), mark.tool.name());
        let probes = mark.probes.words();
        writeln!(out, "     {name:<30} {tool}, {probes}")?;
        write_details(out, mark.words, mark.source, mark.dates)?;
        writeln!(out, "       confirmed by: {}", mark.confirmation.words())?;
    }
    writeln!(out, "\nSTACK SIGNATURE\n\n       {STACK_SIGNATURE}")?;
    write_flags(out)?;
    write_special_purpose(out)?;
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

fn tool_json(mark: &MarkRow) -> Value {
    json!({
        "tool": mark.tool.name(),
        "mark": mark.mark.name(),
        "test": mark.words,
        "probes": mark.probes.words(),
        "confirmed_by": mark.confirmation.words(),
        "source": mark.source,
        "dates": mark.dates,
    })
}

fn write_flags(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nFLAGS, version {FLAGS_VERSION}: {}\n", flags::SOURCE)?;
    for row in &FLAGS {
        let bit = row.bit.trailing_zeros();
        writeln!(out, "{bit:4} {:<30} {}", row.name, row.words)?;
        if !row.known_false_positives.is_empty() {
            writeln!(out, "       wrong for: {}", row.known_false_positives)?;
        }
    }
    Ok(())
}

fn flag_json(row: &FlagRow) -> Value {
    json!({
        "name": row.name,
        "bit": row.bit.trailing_zeros(),
        "test": row.words,
        "wrong_for": row.known_false_positives,
        "source": flags::SOURCE,
    })
}

/// Name, whether it is globally reachable, and what assigned it, by prefix.
fn special_purpose() -> impl Iterator<Item = (String, &'static str, bool, &'static str)> {
    let ipv4 = SPECIAL_IPV4.iter().map(|block| {
        let prefix = format!("{}/{}", Ipv4Addr::from(block.first), block.length);
        (
            prefix,
            block.name,
            block.is_globally_reachable(),
            block.reference,
        )
    });
    let ipv6 = SPECIAL_IPV6.iter().map(|block| {
        let prefix = format!("{}/{}", Ipv6Addr::from(block.first), block.length);
        (
            prefix,
            block.name,
            block.is_globally_reachable(),
            block.reference,
        )
    });
    ipv4.chain(ipv6)
}

fn special_purpose_json() -> Value {
    let row = |(prefix, name, reachable, reference)| json!({"prefix": prefix, "name": name, "globally_reachable": reachable, "source": reference});
    special_purpose().map(row).collect()
}

fn write_special_purpose(out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "\nSPECIAL-PURPOSE SPACE: sources in it have country ZZ and no AS, whatever the data says\n\n       source: {SPECIAL_SOURCE}"
    )?;
    for (prefix, name, reachable, reference) in special_purpose() {
        let exception = if reachable { ", left to the data" } else { "" };
        writeln!(out, "     {prefix:<30} {name}{exception} ({reference})")?;
    }
    Ok(())
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

/// The ports and first bytes of a signature; its source describes the rest.
fn signature_words(row: &Signature) -> String {
    let ports = match row.ports {
        Ports::Any => "on any port".to_owned(),
        Ports::To(ports) => format!("to port {}", list(ports, u16::to_string)),
        Ports::From(ports) => format!("from port {}", list(ports, u16::to_string)),
    };
    if row.first.is_empty() {
        return format!("{ports}, in the form that its source describes");
    }
    let first = list(row.first, |byte| hexadecimal(&[*byte]));
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
        assert_eq!(rows("tools").len(), marks().count());
        assert_eq!(rows("signatures").len(), UDP.len() + TCP.len());
        assert_eq!(rows("flags").len(), FLAGS.len());
        for name in ["rules", "tools", "signatures", "flags"] {
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
        for row in &FLAGS {
            assert!(table.contains(row.name) && table.contains(row.words));
        }
        for row in marks() {
            assert!(table.contains(row.mark.name()) && table.contains(row.confirmation.words()));
        }
        for row in UDP.iter().chain(&TCP) {
            assert!(table.contains(row.name) && table.contains(row.source));
        }
        assert!(table.contains("to port 44818 or 2222, first byte 63 or 04"));
        assert!(table.contains("100.64.0.0/10                  Shared Address Space (RFC 6598)"));
        assert!(table.contains("2001:3::/32                    AMT, left to the data"));
        assert!(table.contains("2013-08 to v4.1.0 of 2024-03-21"));
    }
}
