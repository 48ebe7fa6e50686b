//! Distinct hosts and victims over time.

use super::{Context, Drawn, Figure, Section, Timeline, by_step, state_name};
use crate::chart::{line, timeline::Series};
use crate::query::Answer;
use crate::table::{Cell, DataTable};
use crate::text::Both;

pub(super) const FIGURE: Figure = Figure {
    name: "sources",
    title: Both {
        ja: "ユニークホスト数の推移",
        en: "Distinct hosts over time",
    },
    question: Both {
        ja: "何台のホストが送信したか（推定）。",
        en: "How many hosts sent packets (estimate)?",
    },
    section: Section::Overview,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let timeline = Timeline::of(answer, &answer.buckets, context.language);
    let values = |slot: usize| -> Vec<Option<f64>> {
        let buckets = answer.bucket_sources.iter().zip(&timeline.buckets.states);
        buckets
            .map(|(sources, state)| state.is_observed().then(|| sources[slot].estimate()))
            .collect()
    };
    let series = [
        Series::new(text.hosts, "0", values(0)),
        Series::new(text.victims, "1", values(1)),
    ];
    let unit = by_step(
        answer.buckets.step,
        text.axis_sources_hour,
        text.axis_sources_day,
        text.axis_sources_month,
    );
    let labels = context.labels(unit, text.axis_hosts.to_owned());
    let mut table = DataTable::new(&[
        ("start", ""),
        ("label", text.time),
        ("state", ""),
        ("state_label", text.state),
        ("hosts_estimate", text.hosts),
        ("victims_estimate", text.victims),
    ]);
    for bucket in 0..timeline.buckets.states.len() {
        let state = timeline.buckets.states[bucket];
        let estimate = |series: &Series| series.values[bucket].map_or(Cell::Gap, Cell::Estimate);
        table.push(vec![
            Cell::text(timeline.iso(bucket)),
            Cell::text(timeline.buckets.labels[bucket].as_str()),
            Cell::text(state.name()),
            Cell::text(state_name(state, text)),
            estimate(&series[0]),
            estimate(&series[1]),
        ]);
    }
    Drawn {
        chart: Some(line::draw(&labels, &timeline.buckets, &series)),
        table,
        notes: vec![context.error_note()],
        ..Drawn::default()
    }
}
