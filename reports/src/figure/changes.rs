//! Change from day to day, by the mean of the hours observed, so that a short day is not a fall.

use super::{Context, Drawn, Figure, Section, Timeline, seconds, state_name};
use crate::chart::{columns, timeline::Series};
use crate::query::Answer;
use crate::series::Buckets;
use crate::table::{Cell, Table};
use crate::text::Both;

pub const FIGURE: Figure = Figure {
    name: "changes",
    title: Both {
        ja: "パケット数の前日比",
        en: "Change in packets from day to day",
    },
    question: Both {
        ja: "前日と比べて増えたか、減ったか。",
        en: "More or less than the day before?",
    },
    section: Section::Rhythm,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let days = Buckets::days(&answer.period);
    let timeline = Timeline::of(answer, &days, context.language);
    let means: Vec<Option<f64>> = days
        .ranges
        .iter()
        .map(|range| {
            let packets: i64 = answer.hours[range.clone()]
                .iter()
                .map(crate::query::Hour::packets)
                .sum();
            let seconds = seconds(answer, range);
            (seconds > 0).then(|| packets as f64 * 3600.0 / seconds as f64)
        })
        .collect();
    let changes: Vec<Option<f64>> = (0..means.len())
        .map(|day| {
            let before = means[day.checked_sub(1)?]?;
            (before > 0.0).then_some((means[day]? / before - 1.0) * 100.0)
        })
        .collect();
    if changes.iter().flatten().count() == 0 {
        return Drawn {
            empty: Some(text.too_short_days),
            ..Drawn::default()
        };
    }
    let mut table = Table::new(&[
        ("day_start", ""),
        ("day", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("mean_packets_per_observed_hour", text.axis_mean_packets),
        ("change_percent", text.axis_change),
    ]);
    for day in 0..means.len() {
        table.push(vec![
            Cell::text(timeline.iso(day)),
            Cell::text(timeline.labels[day].as_str()),
            Cell::text(timeline.states[day].name()),
            Cell::text(state_name(timeline.states[day], text)),
            Cell::measure(means[day]),
            Cell::measure(changes[day]),
        ]);
    }
    let series = Series {
        label: text.change.to_owned() + "(%)",
        class: String::new(),
        values: changes,
    };
    let labels = context.labels(text.axis_change, text.note_change.to_owned());
    Drawn {
        chart: Some(columns::draw(
            &labels,
            &timeline.axis,
            &timeline.labels,
            &timeline.states,
            &series,
        )),
        table,
        notes: vec![
            text.note_change.to_owned(),
            text.note_days_partial.to_owned(),
        ],
        ..Drawn::default()
    }
}
