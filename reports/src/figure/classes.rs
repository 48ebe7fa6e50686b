//! Packets, bytes and sources of each class; the classes partition the packets.

use teiten_observation::Class;

use super::{Context, Drawn, Figure, Section, share_bar};
use crate::chart::ranked;
use crate::query::{Answer, SourceGroup};
use crate::table::{Cell, DataTable};
use crate::text::Both;

pub(super) const FIGURE: Figure = Figure {
    name: "classes",
    title: Both {
        ja: "分類別の内訳",
        en: "What the packets are, by class",
    },
    question: Both {
        ja: "届いたパケットは何が目的か。",
        en: "Why did the packets come?",
    },
    section: Section::Overview,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let total = answer.packets();
    let mut table = DataTable::new(&[
        ("class", ""),
        ("class_label", text.class),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("ipv4_packets_per_address_day", context.unit(answer)),
        ("bytes", text.bytes),
        ("hosts_estimate", text.sources_about),
        ("victims_estimate", text.victims),
    ]);
    let mut bars = Vec::new();
    for (index, class) in Class::ALL.iter().enumerate() {
        let tally = &answer.classes[index];
        // Addresses that cannot exist are neither hosts nor victims.
        let of = |group: SourceGroup| match SourceGroup::of(*class) {
            known if known == group => Cell::Estimate(tally.sources.estimate()),
            _ => Cell::Gap,
        };
        table.push(vec![
            Cell::text(class.name()),
            Cell::text(text.classes[index].name),
            Cell::Count(tally.packets),
            Cell::share(tally.packets as f64, total as f64),
            Cell::rate(answer.rate(tally.packets_ipv4())),
            Cell::Count(tally.bytes),
            of(SourceGroup::Host),
            of(SourceGroup::Victim),
        ]);
        bars.push(share_bar(
            text.classes[index].name,
            tally.packets,
            total,
            &format!("k{index}"),
        ));
    }
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            text.note_exploded,
            text.axis_packets,
            context.language.tag(),
            &bars,
            &[],
        )),
        table,
        notes: vec![context.error_note()],
        ..Drawn::default()
    }
}
