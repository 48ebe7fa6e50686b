//! Packets over time, stacked by class.

use teiten_observation::Class;

use super::{Context, Drawn, Figure, Section, Timeline, by_step, seconds, state_name};
use crate::chart::{stack, timeline::Series};
use crate::query::Answer;
use crate::series::State;
use crate::table::{Cell, Table};
use crate::text::{Both, number};

pub const FIGURE: Figure = Figure {
    name: "packets",
    title: Both {
        ja: "観測パケット数の推移（分類別）",
        en: "Packets over time, by class",
    },
    question: Both {
        ja: "いつ、どのようなパケットが、どれだけ届いたか。",
        en: "What came when, and how much of it?",
    },
    section: Section::Traffic,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let timeline = Timeline::of(answer, &answer.buckets, context.language);
    let total = answer.packets();
    let series: Vec<Series> = (0..Class::ALL.len())
        .map(|class| {
            let tally = answer.classes[class].packets;
            Series {
                label: format!(
                    "{} {}%",
                    text.classes[class].name,
                    number::percent(tally as f64, total as f64)
                ),
                class: format!("k{class}"),
                values: answer
                    .buckets
                    .ranges
                    .iter()
                    .zip(&timeline.states)
                    .map(|(range, state)| {
                        let packets: i64 = answer.hours[range.clone()]
                            .iter()
                            .map(|hour| hour.classes[class])
                            .sum();
                        (*state != State::Missing).then_some(packets as f64)
                    })
                    .collect(),
            }
        })
        .collect();
    let unit = by_step(
        answer.buckets.step,
        text.axis_packets_hour,
        text.axis_packets_day,
        text.axis_packets_month,
    );
    let description = format!("{}: {} {}", text.total, number::count(total), text.packets);
    let mut labels = context.labels(unit, description);
    labels.total = Some(text.total.to_owned());
    Drawn {
        chart: Some(stack::draw(
            &labels,
            &timeline.axis,
            &timeline.labels,
            &timeline.states,
            &series,
        )),
        table: table(answer, context, &timeline),
        ..Drawn::default()
    }
}

const CLASS_COLUMNS: [&str; Class::ALL.len()] = [
    "scan_packets",
    "reflector_scan_packets",
    "exploit_packets",
    "backscatter_packets",
    "misconfiguration_packets",
    "spoofed_packets",
    "malformed_packets",
    "other_packets",
];

fn table(answer: &Answer, context: &Context<'_>, timeline: &Timeline) -> Table {
    let text = context.text();
    let mut columns = vec![
        ("start", ""),
        ("label", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("observed_seconds", ""),
        ("total_packets", text.total),
        ("packets_per_observed_second", text.rate),
    ];
    columns.extend(
        CLASS_COLUMNS
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
    let mut table = Table::new(&columns);
    for (bucket, range) in answer.buckets.ranges.iter().enumerate() {
        let hours = &answer.hours[range.clone()];
        let state = timeline.states[bucket];
        let seconds = seconds(answer, range);
        let count = |of: &dyn Fn(&crate::query::Hour) -> i64| match state {
            State::Missing => Cell::Gap,
            _ => Cell::Count(hours.iter().map(of).sum()),
        };
        let packets: i64 = hours.iter().map(crate::query::Hour::packets).sum();
        let mut row = vec![
            Cell::text(timeline.iso(bucket)),
            Cell::text(timeline.labels[bucket].as_str()),
            Cell::text(state.name()),
            Cell::text(state_name(state, text)),
            Cell::Count(seconds),
            count(&|hour| hour.packets()),
            Cell::measure((seconds > 0).then(|| packets as f64 / seconds as f64)),
        ];
        row.extend((0..CLASS_COLUMNS.len()).map(|class| count(&|hour| hour.classes[class])));
        row.extend((0..4).map(|protocol| count(&|hour| hour.protocols[protocol])));
        row.push(count(&|hour| hour.bytes));
        table.push(row);
    }
    table
}
