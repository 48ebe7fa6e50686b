//! Scan events by port: how many there are, and how many reached a large share of the dark addresses.

use super::ports::{port_detail, port_label};
use super::{Context, Drawn, Figure, Section, in_table, rollup_notes};
use crate::query::Answer;
use crate::query::answer::Port;
use crate::query::rolled_up::ScanPort;
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number};

pub(super) const FIGURE: Figure = Figure {
    name: "scans",
    title: Both {
        ja: "スキャンイベント（宛先ポート別）",
        en: "Scan events by port",
    },
    question: Both {
        ja: "送信元1つによる一続きのスキャンは何件あり、そのうち広い範囲に届いたものはどれだけか。",
        en: "How many continuous scans by one source were there, and how many of them reached far?",
    },
    section: Section::Ports,
    draw,
};

/// Rows that the page shows; the CSV has all.
const SHOWN: usize = 10;

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let tally = &answer.rolled_up.scans;
    if let Some(nothing) = in_table(answer, tally.all.events == 0, text.scans_none, text) {
        return nothing;
    }
    let mut rows: Vec<(Port, ScanPort)> = tally
        .ports
        .iter()
        .map(|(port, sums)| (port, *sums))
        .collect();
    rows.sort_unstable_by_key(|(port, sums)| {
        (std::cmp::Reverse((sums.events, sums.packets)), *port)
    });
    let all = tally.all;
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("port_label", text.port),
        ("service", text.service),
        ("events", text.scan_events),
        ("events_share_percent", text.share),
        ("large_events", text.scans_large),
        ("packets", text.packets),
        ("large_packets_share_percent", text.scans_large_packets),
    ]);
    for (place, (port, sums)) in rows.iter().enumerate() {
        table.push(vec![
            Cell::Count(place as i64 + 1),
            Cell::text(port_label(*port)),
            Cell::text(port_detail(*port, text)),
            Cell::Count(sums.events),
            Cell::share(sums.events as f64, all.events as f64),
            Cell::Count(sums.large),
            Cell::Count(sums.packets),
            Cell::share(sums.large_packets as f64, sums.packets as f64),
        ]);
    }
    let finding = fill(
        text.finding_scans,
        &[
            ("n", &number::count(all.events)),
            ("large", &number::count(all.large)),
            (
                "share",
                &number::percent(all.large_packets as f64, all.packets as f64),
            ),
        ],
    );
    Drawn {
        finding: Some(finding),
        table,
        table_shown: true,
        rows_shown: Some(SHOWN),
        notes: [
            vec![text.note_scans.to_owned()],
            rollup_notes(answer, context),
        ]
        .concat(),
        ..Drawn::default()
    }
}
