//! Scan tools by their fingerprints, each with the strength of its evidence and its dates.

use teiten_observation::Tool;

use super::{Context, Drawn, Figure, Section, share_bar};
use crate::chart::ranked;
use crate::query::Answer;
use crate::table::{Cell, DataTable};
use crate::text::{Both, tool_term};

pub(super) const FIGURE: Figure = Figure {
    name: "tools",
    title: Both {
        ja: "スキャンツール別パケット数",
        en: "Packets by scan tool",
    },
    question: Both {
        ja: "どのツールが使われているか（パケットの特徴による）。",
        en: "Which tools sent the packets, as far as fingerprints tell?",
    },
    section: Section::Overview,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let total = answer.packets();
    let mut table = DataTable::new(&[
        ("tool", ""),
        ("tool_label", text.tool),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("hosts_estimate", text.sources_about),
        ("evidence", text.evidence),
    ]);
    let mut order: Vec<usize> = (0..Tool::ALL.len()).collect();
    order.sort_by_key(|&index| {
        (
            index == Tool::None as usize,
            std::cmp::Reverse(answer.tools[index].packets),
            index,
        )
    });
    let mut bars = Vec::new();
    for index in order {
        let tally = &answer.tools[index];
        let term = tool_term(context.language, Tool::ALL[index]);
        let none = index == Tool::None as usize;
        table.push(vec![
            Cell::text(Tool::ALL[index].name()),
            Cell::text(term.name),
            Cell::Count(tally.packets),
            Cell::share(tally.packets as f64, total as f64),
            Cell::Estimate(tally.sources.estimate()),
            Cell::text(term.meaning),
        ]);
        bars.push(share_bar(
            term.name,
            tally.packets,
            total,
            if none { "bar-rest" } else { "bar" },
        ));
    }
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            text.note_tools,
            text.axis_packets,
            context.language.tag(),
            &bars,
            &[],
        )),
        table,
        notes: vec![text.note_tools.to_owned(), context.error_note()],
        ..Drawn::default()
    }
}
