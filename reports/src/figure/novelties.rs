//! Things that were not seen before, or never by so many sources: ports, payloads, stack signatures and campaigns.

use teiten_aggregator::schema::{NoveltyRule, NoveltyWhat};

use super::campaigns::countries;
use super::ports::{port_detail, port_label};
use super::{Context, Drawn, Figure, Section, in_table, rollup_notes};
use crate::query::Answer;
use crate::query::answer::Port;
use crate::query::rolled_up::Novelty;
use crate::table::{Cell, DataTable};
use crate::text::{Both, Text, fill, number, time};

pub(super) const FIGURE: Figure = Figure {
    name: "novelties",
    title: Both {
        ja: "新たに観測したもの",
        en: "Things not seen before",
    },
    question: Both {
        ja: "過去28日に観測されなかった、またはこれほど多くの送信元からは観測されなかったポート・ペイロード・スタック・キャンペーンはどれか。",
        en: "Which ports, payloads, stacks and campaigns has no day of the 28 before seen, or none from so many sources?",
    },
    section: Section::Events,
    draw,
};

/// Rows that the page shows; the CSV has all.
const SHOWN: usize = 12;

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let (text, language) = (context.text(), context.language);
    let novelties = &answer.rolled_up.novelties;
    if let Some(nothing) = in_table(answer, novelties.is_empty(), text.novelties_none, text) {
        return nothing;
    }
    let of = |what: NoveltyWhat| novelties.iter().filter(|it| it.what == what).count() as i64;
    let counts = NoveltyWhat::ALL.map(|what| number::count(of(what)));
    let finding = fill(
        text.finding_novelties,
        &[
            ("ports", &counts[0]),
            ("payloads", &counts[1]),
            ("stacks", &counts[2]),
            ("campaigns", &counts[3]),
        ],
    );
    let mut table = DataTable::new(&[
        ("hour", ""),
        ("sensor", ""),
        ("first_label", text.time),
        ("what", ""),
        ("what_label", text.kind),
        ("value", ""),
        ("value_label", text.novelty_which),
        ("sources", text.novelty_sources),
        ("usual", text.novelty_usual),
        ("packets", text.packets),
        ("countries", ""),
        ("countries_label", text.country),
        ("rule", ""),
        ("rule_label", text.rule),
        ("score", text.novelty_score),
    ]);
    let timezone = &answer.period.timezone;
    for it in novelties {
        let civil = time::civil(it.hour_us, timezone);
        let day = time::day_short(civil.date(), language);
        table.push(vec![
            Cell::text(time::iso(it.hour_us, timezone)),
            Cell::text(it.sensor.as_str()),
            Cell::text(format!("{day} {:02}:{:02}", civil.hour(), civil.minute())),
            Cell::text(it.what.name()),
            Cell::text(text.novelty_whats[it.what as usize]),
            Cell::text(it.value.as_str()),
            Cell::text(value(it, text)),
            Cell::Count(it.sources),
            Cell::measure(it.usual),
            Cell::Count(it.packets),
            Cell::text(it.countries.as_str()),
            Cell::text(countries(&it.countries, language)),
            Cell::text(it.rule.name()),
            Cell::text(match it.rule {
                NoveltyRule::NeverSeen => text.novelty_never_seen,
                NoveltyRule::Unusual => text.novelty_unusual,
                NoveltyRule::GreyNoise => "GreyNoise",
            }),
            Cell::measure(it.score),
        ]);
    }
    Drawn {
        finding: Some(finding),
        table,
        table_shown: true,
        rows_shown: Some(SHOWN),
        notes: [
            vec![text.note_novelties.to_owned()],
            rollup_notes(answer, context),
        ]
        .concat(),
        ..Drawn::default()
    }
}

/// `23/TCP telnet` for a port, else the value of the table.
fn value(novelty: &Novelty, text: &Text) -> String {
    port(novelty).map_or_else(
        || novelty.value.clone(),
        |port| {
            let detail = port_detail(port, text);
            format!("{} {detail}", port_label(port))
                .trim_end()
                .to_owned()
        },
    )
}

/// The port that `tcp/23` names.
fn port(novelty: &Novelty) -> Option<Port> {
    let (protocol, number) = novelty.value.split_once('/')?;
    let protocol = match (novelty.what, protocol) {
        (NoveltyWhat::Port, "tcp") => 6,
        (NoveltyWhat::Port, "udp") => 17,
        _ => return None,
    };
    Some(Port {
        protocol,
        port: Some(number.parse().ok()?),
    })
}
