//! Packets per address and day over time, stacked by class; and separately IPv6, which has no such denominator.

use std::ops::Range;

use teiten_aggregator::schema::names;
use teiten_observation::Class;

use super::{Context, Drawn, Figure, Section, Timeline, state_name};
use crate::chart::{line, stack, timeline::Series};
use crate::query::{Answer, HourTally};
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number};

pub(super) const FIGURE: Figure = Figure {
    name: "packets",
    title: Both {
        ja: "観測パケット数の推移（分類別、IPv4）",
        en: "Packets over time, by class (IPv4)",
    },
    question: Both {
        ja: "いつ、どのようなパケットが、どれだけ届いたか。",
        en: "What came when, and how much of it?",
    },
    section: Section::Overview,
    draw,
};

pub(super) const IPV6: Figure = Figure {
    name: "ipv6",
    title: Both {
        ja: "IPv6の観測パケット数の推移",
        en: "IPv6 packets over time",
    },
    question: Both {
        ja: "IPv6ではどれだけ届いたか。",
        en: "What came over IPv6?",
    },
    section: Section::Overview,
    draw: draw_ipv6,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let timeline = Timeline::of(answer, &answer.buckets, context.language);
    let total = answer.packets_ipv4();
    let series: Vec<Series> = (0..Class::ALL.len())
        .map(|class| Series {
            label: text.classes[class].name.to_owned(),
            detail: format!(
                "{}%",
                number::percent(answer.classes[class].packets_ipv4() as f64, total as f64)
            ),
            class: format!("k{class}"),
            values: answer
                .buckets
                .ranges
                .iter()
                .map(|range| {
                    answer.bucket_rate(range, |hour| hour.classes[class] - hour.classes_ipv6[class])
                })
                .collect(),
        })
        .collect();
    let description = format!("{}: {} {}", text.total, number::count(total), text.packets);
    let mut labels = context.labels(context.unit(answer), description);
    labels.total = Some(text.total.to_owned());
    labels.digits = 2;
    Drawn {
        chart: Some(stack::draw(&labels, &timeline.buckets, &series)),
        table: table(answer, context, &timeline),
        notes: vec![fill(
            text.note_measure,
            &[("n", &number::decimal(answer.exposure_of_period() * 24.0, 0))],
        )],
        ..Drawn::default()
    }
}

/// IPv6 per sensor and day: IPv4 addresses are no denominator for it, and an IPv6 prefix has too many addresses.
fn draw_ipv6(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if answer.packets_ipv6() == 0 {
        return Drawn {
            empty: Some(text.nothing_here),
            ..Drawn::default()
        };
    }
    let timeline = Timeline::of(answer, &answer.buckets, context.language);
    let sensor_days = |range: &Range<usize>| -> f64 {
        let hours = answer.hours[range.clone()].iter();
        hours.map(HourTally::seconds_of_sensors).sum::<i64>() as f64 / 86_400.0
    };
    let packets = |range: &Range<usize>| -> i64 {
        answer.hours[range.clone()]
            .iter()
            .map(HourTally::packets_ipv6)
            .sum()
    };
    let values: Vec<Option<f64>> = answer
        .buckets
        .ranges
        .iter()
        .map(|range| {
            let days = sensor_days(range);
            (days > 0.0).then(|| packets(range) as f64 / days)
        })
        .collect();
    let mut table = DataTable::new(&[
        ("start", ""),
        ("label", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("ipv6_packets", text.packets),
        ("ipv6_packets_per_sensor_day", text.axis_rate_sensor),
    ]);
    for (bucket, range) in answer.buckets.ranges.iter().enumerate() {
        let state = timeline.buckets.states[bucket];
        table.push(vec![
            Cell::text(timeline.iso(bucket)),
            Cell::text(timeline.buckets.labels[bucket].as_str()),
            Cell::text(state.name()),
            Cell::text(state_name(state, text)),
            if state.is_observed() {
                Cell::Count(packets(range))
            } else {
                Cell::Gap
            },
            Cell::rate(values[bucket]),
        ]);
    }
    let series = Series::new("IPv6", "0", values);
    let mut labels = context.labels(text.axis_rate_sensor, text.note_ipv6.to_owned());
    labels.digits = 2;
    Drawn {
        chart: Some(line::draw(&labels, &timeline.buckets, &[series])),
        table,
        notes: vec![text.note_ipv6.to_owned()],
        ..Drawn::default()
    }
}

fn table(answer: &Answer, context: &Context<'_>, timeline: &Timeline) -> DataTable {
    let text = context.text();
    let rate_name = context.unit(answer);
    let mut columns = vec![
        ("start", ""),
        ("label", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("observed_address_hours", text.address_hours),
        ("observed_share_percent", text.observed_share),
        ("compared", ""),
        ("ipv4_packets_per_address_day", rate_name),
        ("total_packets", text.total),
        ("ipv4_packets", "IPv4"),
        ("ipv6_packets", "IPv6"),
    ];
    columns.extend(
        names::CLASS_PACKETS
            .iter()
            .zip(text.classes)
            .map(|(csv, term)| (*csv, term.name)),
    );
    columns.extend([
        ("tcp_packets", ""),
        ("udp_packets", ""),
        ("icmp_packets", ""),
        ("other_protocol_packets", ""),
        ("bytes", ""),
    ]);
    let mut table = DataTable::new(&columns);
    for (bucket, range) in answer.buckets.ranges.iter().enumerate() {
        let hours = &answer.hours[range.clone()];
        let state = timeline.buckets.states[bucket];
        let count = |of: &dyn Fn(&HourTally) -> i64| match state.is_observed() {
            false => Cell::Gap,
            true => Cell::Count(hours.iter().map(of).sum()),
        };
        let mut row = vec![
            Cell::text(timeline.iso(bucket)),
            Cell::text(timeline.buckets.labels[bucket].as_str()),
            Cell::text(state.name()),
            Cell::text(state_name(state, text)),
            Cell::Measure(answer.exposure(range) * 24.0),
            Cell::Percent(timeline.shares[bucket] * 100.0),
            Cell::text(if state.is_observed() && !timeline.buckets.hollow[bucket] {
                "yes"
            } else {
                "no"
            }),
            Cell::rate(answer.bucket_rate(range, HourTally::packets_ipv4)),
            count(&|hour| hour.packets()),
            count(&|hour| hour.packets_ipv4()),
            count(&|hour| hour.packets_ipv6()),
        ];
        row.extend((0..names::CLASS_PACKETS.len()).map(|class| count(&|hour| hour.classes[class])));
        row.extend((0..4).map(|protocol| count(&|hour| hour.protocols[protocol])));
        row.push(count(&|hour| hour.bytes));
        table.push(row);
    }
    table
}
