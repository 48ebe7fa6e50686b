//! Change from day to day, in packets per address and day; a day with too little observation is not compared.

use super::{Context, Drawn, Figure, Section, Timeline, state_name};
use crate::chart::{columns, timeline::Series};
use crate::measure::{Change, Completeness};
use crate::query::{Answer, HourTally};
use crate::table::{Cell, DataTable};
use crate::text::Both;

pub(super) const FIGURE: Figure = Figure {
    name: "changes",
    title: Both {
        ja: "パケット数の前日比",
        en: "Change in packets from day to day",
    },
    question: Both {
        ja: "前日と比べて増えたか、減ったか。",
        en: "More or less than the day before?",
    },
    section: Section::Overview,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let days = &answer.day_buckets;
    let timeline = Timeline::of(answer, days, context.language);
    let rates: Vec<Option<f64>> = days
        .ranges
        .iter()
        .map(|range| answer.bucket_rate(range, HourTally::packets_ipv4))
        .collect();
    let compared =
        |day: usize| rates[day].filter(|_| answer.completeness(days, day) == Completeness::Whole);
    let changes: Vec<Option<f64>> = (0..rates.len())
        .map(|day| {
            let before = compared(day.checked_sub(1)?)?;
            Change::between(before, compared(day)?, 0.0).percent
        })
        .collect();
    if changes.iter().flatten().count() == 0 {
        return Drawn {
            empty: Some(text.too_short_days),
            ..Drawn::default()
        };
    }
    let mut table = DataTable::new(&[
        ("day_start", ""),
        ("day", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("observed_share_percent", text.observed_share),
        ("ipv4_packets_per_address_day", context.unit(answer)),
        ("change_percent", text.axis_change),
    ]);
    for day in 0..rates.len() {
        table.push(vec![
            Cell::text(timeline.iso(day)),
            Cell::text(timeline.buckets.labels[day].as_str()),
            Cell::text(timeline.buckets.states[day].name()),
            Cell::text(state_name(timeline.buckets.states[day], text)),
            Cell::Percent(timeline.shares[day] * 100.0),
            Cell::rate(rates[day]),
            Cell::change(changes[day]),
        ]);
    }
    let series = Series::new(text.change.to_owned() + "(%)", "", changes);
    let mut labels = context.labels(text.axis_change, text.note_change.to_owned());
    labels.digits = 1;
    Drawn {
        chart: Some(columns::draw(&labels, &timeline.buckets, &series)),
        table,
        notes: vec![
            text.note_change.to_owned(),
            text.note_days_partial.to_owned(),
        ],
        ..Drawn::default()
    }
}
