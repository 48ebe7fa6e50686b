//! Packets by traffic type: what the headers alone say.

use teiten_aggregator::schema::names;
use teiten_observation::TrafficType;

use super::{Context, Drawn, Figure, Section};
use crate::query::Answer;
use crate::table::{Cell, DataTable};
use crate::text::Both;

pub(super) const FIGURE: Figure = Figure {
    name: "types",
    title: Both {
        ja: "パケット種別の内訳",
        en: "Packets by traffic type",
    },
    question: Both {
        ja: "ヘッダからみて何のパケットか。",
        en: "What do the headers say?",
    },
    section: Section::Overview,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let total = answer.packets();
    let mut table = DataTable::new(&[
        (names::TRAFFIC_TYPE, ""),
        ("traffic_type_label", text.traffic_type),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("bytes", text.bytes),
        ("hosts_estimate", text.sources_about),
    ]);
    let mut order: Vec<usize> = (0..TrafficType::ALL.len())
        .filter(|&index| answer.traffic_types[index].packets > 0)
        .collect();
    order.sort_by_key(|&index| {
        (
            std::cmp::Reverse(answer.traffic_types[index].packets),
            index,
        )
    });
    for index in order {
        let tally = &answer.traffic_types[index];
        table.push(vec![
            Cell::text(TrafficType::ALL[index].name()),
            Cell::text(text.traffic_types[index].name),
            Cell::Count(tally.packets),
            Cell::share(tally.packets as f64, total as f64),
            Cell::Count(tally.bytes),
            // Backscatter names no hosts: its packets come from those who are attacked.
            match tally.sources.estimate() {
                hosts if hosts > 0.0 => Cell::Estimate(hosts),
                _ => Cell::Gap,
            },
        ]);
    }
    Drawn {
        table,
        table_shown: true,
        notes: vec![context.error_note()],
        ..Drawn::default()
    }
}
