//! Ports: which services are scanned, which amplifiers are searched, and which services are attacked.

use super::{Context, Drawn, Figure, Section};
use crate::chart::ranked::{self, Bar};
use crate::query::answer::Port;
use crate::query::answer::PortTotals;
use crate::query::distinct::ERROR_PERCENT_SMALL;
use crate::query::{Answer, PortRole};
use crate::table::{Cell, DataTable};
use crate::text::{Both, Text, fill, number, service};
use teiten_aggregator::survey;

pub(super) const PORTS: Figure = Figure {
    name: "ports",
    title: Both {
        ja: "宛先ポート番号別パケット数（上位10）",
        en: "Top 10 destination ports by packets",
    },
    question: Both {
        ja: "どのサービスが探索・攻撃されているか。",
        en: "Which services are looked for?",
    },
    section: Section::Ports,
    draw: |answer, context| {
        draw(
            answer,
            context,
            PortRole::Asked,
            context.text().note_scan_only,
            true,
        )
    },
};

pub(super) const REFLECTORS: Figure = Figure {
    name: "reflectors",
    title: Both {
        ja: "リフレクター探索の対象サービス（上位10）",
        en: "Amplifiers looked for, top 10 services",
    },
    question: Both {
        ja: "DDoS攻撃の踏み台として何が探されているか。",
        en: "What is sought for reflection attacks?",
    },
    section: Section::Ports,
    draw: |answer, context| {
        draw(
            answer,
            context,
            PortRole::Reflector,
            context.text().note_reflector_only,
            false,
        )
    },
};

pub(super) const BACKSCATTER: Figure = Figure {
    name: "backscatter",
    title: Both {
        ja: "バックスキャッターからみた攻撃対象サービス（上位10）",
        en: "Services under attack, from backscatter, top 10",
    },
    question: Both {
        ja: "送信元を詐称したDoS攻撃は、どのサービスに向けられているか。",
        en: "Which services do spoofed denial-of-service attacks hit?",
    },
    section: Section::Attacks,
    draw: |answer, context| {
        let mut drawn = draw(
            answer,
            context,
            PortRole::Attacked,
            context.text().note_attacked_only,
            false,
        );
        drawn.notes.push(context.text().note_icmp_victim.to_owned());
        drawn
    },
};

const TOP: usize = 10;

fn draw(
    answer: &Answer,
    context: &Context<'_>,
    role: PortRole,
    scope: &str,
    devices: bool,
) -> Drawn {
    let text = context.text();
    let ranking = ranking(answer, role);
    let total: i64 = ranking.iter().map(|(_, tally)| tally.packets).sum();
    if total == 0 {
        return Drawn {
            empty: Some(text.nothing_here),
            ..Drawn::default()
        };
    }
    let share = |packets: i64| number::percent(packets as f64, total as f64);
    let mut bars: Vec<Bar> = ranking
        .iter()
        .take(TOP)
        .enumerate()
        .map(|(place, (port, tally))| {
            let device = devices && is_device(*port);
            Bar {
                label: port_label(*port),
                detail: port_detail(*port, text),
                value: tally.packets as f64,
                text: format!(
                    "{} ({}%)",
                    number::count(tally.packets),
                    share(tally.packets)
                ),
                class: if device { "bar-device" } else { "bar" }.to_owned(),
                rank: Some(place + 1),
            }
        })
        .collect();
    let rest: i64 = ranking
        .iter()
        .skip(TOP)
        .map(|(_, tally)| tally.packets)
        .sum();
    if rest > 0 {
        bars.push(Bar {
            label: text.other_ports.to_owned(),
            detail: String::new(),
            value: rest as f64,
            text: format!("{} ({}%)", number::count(rest), share(rest)),
            class: "bar-rest".to_owned(),
            rank: None,
        });
    }
    let legends = if devices && bars.iter().any(|bar| bar.class == "bar-device") {
        legends(context)
    } else {
        Vec::new()
    };
    let scope = fill(scope, &[("n", &number::count(total))]);
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            &scope,
            text.axis_packets,
            context.language.tag(),
            &bars,
            &legends,
        )),
        table: table(
            &ranking[..ranking.len().min(context.rows_max())],
            total,
            text,
        ),
        notes: vec![
            scope,
            fill(text.note_error, &[("error", &ERROR_PERCENT_SMALL)]),
        ],
        ..Drawn::default()
    }
}

fn legends(context: &Context<'_>) -> Vec<(String, String)> {
    let device = Both {
        ja: "IoT機器（ルータ、カメラ等）に関連の深いポート",
        en: "mostly devices (routers, cameras, recorders)",
    };
    let other = Both {
        ja: "その他のサービス",
        en: "other services",
    };
    [("bar-device", device), ("bar", other)]
        .map(|(class, label)| (class.to_owned(), label.of(context.language).to_owned()))
        .into()
}

/// Ports by packets; ties in the order of the ports.
fn ranking(answer: &Answer, role: PortRole) -> Vec<(Port, PortTotals)> {
    let of_role = answer.ports_of(role).iter();
    let mut ranking: Vec<(Port, PortTotals)> =
        of_role.map(|(port, totals)| (port, *totals)).collect();
    ranking.sort_unstable_by_key(|(port, tally)| (std::cmp::Reverse(tally.packets), *port));
    ranking
}

fn table(ranking: &[(Port, PortTotals)], total: i64, text: &Text) -> DataTable {
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("port_label", text.port),
        ("protocol_number", ""),
        ("port", ""),
        ("service", text.service),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("bytes", text.bytes),
        ("hosts_estimate", text.sources_about),
    ]);
    for (rank, (port, tally)) in ranking.iter().enumerate() {
        table.push(vec![
            Cell::Count(rank as i64 + 1),
            Cell::text(port_label(*port)),
            Cell::Count(i64::from(port.protocol)),
            port.port
                .map_or(Cell::Gap, |port| Cell::Count(i64::from(port))),
            Cell::text(port_detail(*port, text)),
            Cell::Count(tally.packets),
            Cell::share(tally.packets as f64, total as f64),
            Cell::Count(tally.bytes),
            Cell::Estimate(tally.hosts()),
        ]);
    }
    table
}

/// Whether scans of a port mostly look for devices.
pub(super) fn is_device(port: Port) -> bool {
    port.port
        .is_some_and(|number| survey::is_device(port.protocol, number))
}

fn known(port: Port) -> Option<&'static service::ServiceName> {
    service::find(port.protocol, port.port?)
}

/// `23/TCP`, or the protocol alone.
pub fn port_label(port: Port) -> String {
    let protocol = service::protocol_name(port.protocol);
    match port.port {
        Some(number) => format!("{number}/{protocol}"),
        None => protocol,
    }
}

pub(super) fn port_detail(port: Port, text: &Text) -> String {
    match (port.protocol, port.port) {
        (1 | 58, Some(_)) => text.via_icmp.to_owned(),
        (1 | 58, None) => text.icmp_name.to_owned(),
        (_, None) => text.no_port.to_owned(),
        _ => known(port).map_or_else(String::new, |service| service.name.to_owned()),
    }
}
