//! What a source did in a day, from its rows of the day's hours.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::by_source::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::destinations::{NoSet, first_members};
use crate::event::groups::{ClassGroup, SourceGroups};
use crate::role::{FEW_MAX, Role, RoleSums, is_answer};
use crate::schema::SourceDay;
use teiten_observation::{Class, Tool};

/// Stack signatures of a source that are named.
const STACKS_MAX: usize = 8;

/// The row of a source of the day, from its rows hour by hour and their groups.
///
/// # Errors
/// When a set of destinations is damaged.
pub(super) fn source_day(
    key: SourceKey,
    (source, groups): (&SourceLines, &SourceGroups),
    names: &LineNames,
) -> Result<SourceDay, NoSet> {
    let lines = &source.lines[..];
    let sum = |of: &dyn Fn(&ClassGroup) -> u64| {
        groups.classes.iter().map(of).fold(0, u64::saturating_add)
    };
    let mut classes = [0; Class::ALL.len()];
    for group in &groups.classes {
        let packets: &mut u64 = &mut classes[group.class as usize];
        *packets = packets.saturating_add(group.packets);
    }
    // What is known of a source can change over a day: the last word counts.
    let (country, asn, actor) = lines.last().map_or((*b"ZZ", None, 0), |line| {
        (line.country, line.asn, line.actor)
    });
    let ports = groups.services.iter();
    Ok(SourceDay {
        source: key.text(),
        ip_version: key.ip_version,
        country,
        asn,
        actor: names.text(actor).clone(),
        packets: sum(&|group| group.packets),
        bytes: sum(&|group| group.bytes),
        classes,
        ports: ports.filter(|it| it.service.port().is_some()).count() as u64,
        destinations: source.destinations(lines)?,
        hours: lines
            .chunk_by(|left, right| left.hour == right.hour)
            .count() as u64,
        tools: tools(lines),
        mirai_packets: sum(&|group| group.mirai_packets),
        role: match key.is_folded() {
            true => Role::None,
            false => role(source, groups)?,
        },
        stacks: stacks(lines, names),
        first_us: lines.iter().map(|line| line.first_us).min().unwrap_or(0),
        last_us: lines.iter().map(|line| line.last_us).max().unwrap_or(0),
    })
}

/// `zmap:118/120,masscan:3/3`
fn tools(lines: &[SourceLine]) -> String {
    if lines.iter().all(|line| line.tool == Tool::None) {
        return String::new();
    }
    // Packets, and those of them that show the tool.
    let mut sums = [[0_u64; 2]; Tool::ALL.len()];
    for line in lines {
        let [packets, shown] = &mut sums[line.tool as usize];
        *packets = packets.saturating_add(line.packets);
        *shown = shown.saturating_add(line.tool_packets);
    }
    let found = Tool::ALL.iter().zip(sums);
    let is_found = |(tool, [packets, _]): &(&Tool, [u64; 2])| **tool != Tool::None && *packets > 0;
    let mut found: Vec<(&Tool, [u64; 2])> = found.filter(is_found).collect();
    found.sort_by_key(|(tool, [packets, _])| (Reverse(*packets), **tool));
    let mut text = String::new();
    for (tool, [packets, shown]) in found {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        let _ = write!(text, "{comma}{}:{shown}/{packets}", tool.name());
    }
    text
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
fn role(source: &SourceLines, groups: &SourceGroups) -> Result<Role, NoSet> {
    let mut sums = RoleSums::default();
    for group in &groups.classes {
        sums.add(group.class, group.packets);
    }
    if let [only] = &source.lines[..] {
        // Nothing else may read it, and damage must not go unseen.
        first_members(source.set(only), FEW_MAX + 1, &mut Vec::<u128>::new())?;
    }
    sums.role_with(|| {
        // Groups of one service stand together.
        let mut last = None;
        let mut services = 0;
        for group in groups.classes.iter().filter(|it| !is_answer(it.class)) {
            services += usize::from(last.replace(group.service) != Some(group.service));
        }
        Ok([services.min(FEW_MAX + 1), addresses(source)?])
    })
}

/// Distinct addresses that questions of a source go to, counted up to one more than are few: no more rows are read than have as many.
fn addresses(source: &SourceLines) -> Result<usize, NoSet> {
    let mut distinct = [0; FEW_MAX + 1];
    let mut count = 0;
    let mut members = Vec::<u128>::with_capacity(FEW_MAX + 1);
    for line in source.lines.iter().filter(|line| !is_answer(line.class)) {
        members.clear();
        if first_members(source.set(line), FEW_MAX + 1, &mut members)? {
            return Ok(FEW_MAX + 1);
        }
        for member in &members {
            if !distinct[..count].contains(member) {
                distinct[count] = *member;
                count += 1;
            }
            if count > FEW_MAX {
                return Ok(count);
            }
        }
    }
    Ok(count)
}
