//! The largest senders: organisations that scan under their name, and how concentrated the packets are on few hosts.

use super::{Context, Drawn, Figure, Section, Timeline};
use crate::chart::ranked::{self, Bar};
use crate::chart::{line, timeline::Series};
use crate::query::{Answer, SourceGroup};
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number};

pub(super) const ORGANISATIONS: Figure = Figure {
    name: "organisations",
    title: Both {
        ja: "組織名の判明したスキャン",
        en: "Organisations that scan",
    },
    question: Both {
        ja: "どの組織がどれだけスキャンしているか。",
        en: "Which organisations scan, and how much?",
    },
    section: Section::Sources,
    draw: organisations,
};

pub(super) const FIGURE: Figure = Figure {
    name: "concentration",
    title: Both {
        ja: "送信元の集中度",
        en: "Concentration of the sources",
    },
    question: Both {
        ja: "最も多く送信した1%のホストは、パケットの何%を占めるか。",
        en: "What share of the packets do the busiest hundredth of hosts send?",
    },
    section: Section::Sources,
    draw: concentration,
};

const TOP: usize = 10;

fn organisations(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if answer.actors.is_empty() {
        return Drawn::nothing(text.no_actors);
    }
    let all = answer.group(SourceGroup::Host);
    let mut rows: Vec<_> = answer.actors.iter().collect();
    rows.sort_by_key(|(name, tally)| (std::cmp::Reverse(tally.packets), *name));
    let share = |packets: i64| number::percent(packets as f64, all.packets as f64);
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("actor", text.organisation),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("packets_per_address_day", context.unit(answer)),
        ("hosts_estimate", text.sources_about),
    ]);
    for (place, (name, tally)) in rows.iter().enumerate() {
        table.push(vec![
            Cell::Count(place as i64 + 1),
            Cell::text(name.as_str()),
            Cell::Count(tally.packets),
            Cell::share(tally.packets as f64, all.packets as f64),
            Cell::rate(answer.rate(tally.packets_ipv4())),
            Cell::Estimate(tally.sources.estimate()),
        ]);
    }
    let bars: Vec<Bar> = rows
        .iter()
        .take(TOP)
        .enumerate()
        .map(|(place, (name, tally))| Bar {
            label: (*name).clone(),
            detail: String::new(),
            value: tally.packets as f64,
            text: format!(
                "{} ({}%)",
                number::count(tally.packets),
                share(tally.packets)
            ),
            class: "bar".to_owned(),
            rank: Some(place + 1),
        })
        .collect();
    let packets: i64 = rows.iter().map(|(_, tally)| tally.packets).sum();
    let n = number::count(rows.len() as i64);
    let finding = fill(
        text.finding_organisations,
        &[("n", &n), ("share", &share(packets))],
    );
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            &finding,
            text.axis_packets,
            context.language.tag(),
            &bars,
            &[],
        )),
        finding: Some(finding),
        table,
        notes: vec![context.error_note()],
        ..Drawn::default()
    }
}

fn concentration(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let survey = &answer.survey;
    let total = survey.sum(|day| day.packets);
    if total == 0 {
        return Drawn::nothing(text.no_sources_table);
    }
    let timeline = Timeline::of(answer, &answer.day_buckets, context.language);
    let values: Vec<Option<f64>> = survey
        .days
        .iter()
        .map(|day| (day.packets > 0).then(|| day.top_packets as f64 / day.packets as f64 * 100.0))
        .collect();
    let mut table = DataTable::new(&[
        ("day_start", ""),
        ("day", text.time),
        ("hosts", text.hosts),
        ("packets", text.packets),
        ("top_1_percent_packets", text.top_packets),
        ("top_1_percent_share_percent", text.share),
    ]);
    for (day, found) in survey.days.iter().enumerate() {
        let count = |value: i64| {
            if found.known {
                Cell::Count(value)
            } else {
                Cell::Gap
            }
        };
        table.push(vec![
            Cell::text(timeline.iso(day)),
            Cell::text(timeline.buckets.labels[day].as_str()),
            count(found.hosts),
            count(found.packets),
            count(found.top_packets),
            values[day].map_or(Cell::Gap, Cell::Percent),
        ]);
    }
    let share = number::percent(survey.sum(|day| day.top_packets) as f64, total as f64);
    let finding = fill(text.finding_concentration, &[("share", &share)]);
    let series = Series::new(text.top_share, "0", values);
    let mut labels = context.labels(text.axis_share, finding.clone());
    labels.digits = 1;
    // A single day is no line.
    let is_line = answer.days.len() > 1;
    Drawn {
        chart: is_line.then(|| line::draw(&labels, &timeline.buckets, &[series])),
        finding: Some(finding),
        table,
        table_shown: !is_line,
        ..Drawn::default()
    }
}
