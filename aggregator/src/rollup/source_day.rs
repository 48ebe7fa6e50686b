//! What a source did in a day, from its rows of the day's hours.

use std::cmp::Reverse;

use crate::by_source::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::destinations::{NoSet, View, first_members};
use crate::role::{FEW_MAX, Role, RoleRow};
use crate::schema::SourceDay;
use teiten_observation::{Class, Kind, Tool};

/// Stack signatures of a source that are named.
const STACKS_MAX: usize = 8;

/// The row of a source of the day.
///
/// # Errors
/// When a set of destinations is damaged.
pub(super) fn source_day(
    key: SourceKey,
    source: &SourceLines,
    names: &LineNames,
) -> Result<SourceDay, NoSet> {
    let lines = &source.lines[..];
    let sum = |of: &dyn Fn(&SourceLine) -> u64| lines.iter().map(of).fold(0, u64::saturating_add);
    let mut classes = [0; Class::ALL.len()];
    for line in lines {
        let packets: &mut u64 = &mut classes[line.class as usize];
        *packets = packets.saturating_add(line.packets);
    }
    // What is known of a source can change over a day: the last word counts.
    let latest = lines.iter().max_by_key(|line| line.hour);
    let (country, asn, actor) = latest.map_or((*b"ZZ", None, 0), |line| {
        (line.country, line.asn, line.actor)
    });
    Ok(SourceDay {
        source: key.text(),
        ip_version: key.ip_version,
        country,
        asn,
        actor: names.text(actor).clone(),
        packets: sum(&|line| line.packets),
        bytes: sum(&|line| line.bytes),
        classes,
        ports: distinct(lines.iter().filter(|line| line.asks()), |line| {
            line.port.map(|port| (line.protocol, port))
        }),
        destinations: source.destinations(lines)?,
        hours: distinct(lines.iter(), |line| Some(line.hour)),
        tools: tools(lines),
        mirai_packets: sum(&|line| match line.tool {
            Tool::Mirai => line.packets,
            _ => 0,
        }),
        role: match key.is_folded() {
            true => Role::None,
            false => role(source)?,
        },
        stacks: stacks(lines, names),
        first_us: lines.iter().map(|line| line.first_us).min().unwrap_or(0),
        last_us: lines.iter().map(|line| line.last_us).max().unwrap_or(0),
    })
}

fn distinct<'l, T: Ord>(
    lines: impl Iterator<Item = &'l SourceLine>,
    of: impl Fn(&SourceLine) -> Option<T>,
) -> u64 {
    let mut values: Vec<T> = lines.filter_map(of).collect();
    values.sort_unstable();
    values.dedup();
    values.len() as u64
}

/// `zmap:118/120,masscan:3/3`
fn tools(lines: &[SourceLine]) -> String {
    if lines.iter().all(|line| line.tool == Tool::None) {
        return String::new();
    }
    let mut found: Vec<(u64, Tool, u64)> = Vec::new();
    for &tool in Tool::ALL.iter().filter(|tool| **tool != Tool::None) {
        let of_tool = || lines.iter().filter(|line| line.tool == tool);
        let packets = of_tool().map(|line| line.packets).sum::<u64>();
        if packets > 0 {
            found.push((packets, tool, of_tool().map(|line| line.tool_packets).sum()));
        }
    }
    found.sort_by_key(|(packets, tool, _)| (Reverse(*packets), *tool));
    let text =
        |(packets, tool, shown): &(u64, Tool, u64)| format!("{}:{shown}/{packets}", tool.name());
    found.iter().map(text).collect::<Vec<_>>().join(",")
}

fn stacks(lines: &[SourceLine], names: &LineNames) -> String {
    let mut found: Vec<(u32, u64)> = Vec::new();
    for line in lines.iter().filter(|line| line.stack != 0) {
        let known = found.iter().position(|(stack, _)| *stack == line.stack);
        match known {
            Some(place) => found[place].1 = found[place].1.saturating_add(line.packets),
            // Of a source that has very many signatures, those that come late are no main ones.
            None if found.len() < STACKS_MAX * 8 => found.push((line.stack, line.packets)),
            None => {}
        }
    }
    found.sort_by(|left, right| {
        let text = |stack| names.text(stack);
        right
            .1
            .cmp(&left.1)
            .then_with(|| text(left.0).cmp(text(right.0)))
    });
    let texts = found.iter().take(STACKS_MAX);
    let texts: Vec<&str> = texts.map(|(stack, _)| &**names.text(*stack)).collect();
    texts.join(" ")
}

/// The role of a source over all rows of the day.
fn role(source: &SourceLines) -> Result<Role, NoSet> {
    let mut members = Vec::<u128>::new();
    let mut ends = Vec::with_capacity(source.lines.len());
    for line in &source.lines {
        let start = members.len();
        let is_estimate = first_members(source.set(line), FEW_MAX + 1, &mut members)?;
        ends.push((start..members.len(), is_estimate));
    }
    let many: Vec<u128> = (0..=FEW_MAX as u128).collect();
    let rows = source
        .lines
        .iter()
        .zip(&ends)
        .map(|(line, (range, is_estimate))| {
            // The protocol of an address as wide as this is told apart all the same.
            let kind = Kind::new(
                line.traffic_type,
                line.class,
                line.tool,
                line.protocol,
                line.port,
            );
            let few = if *is_estimate {
                &many[..]
            } else {
                &members[range.clone()]
            };
            RoleRow {
                kind,
                packets: line.packets,
                destinations: View::Few(few),
            }
        });
    Ok(Role::of::<u128>(rows))
}
