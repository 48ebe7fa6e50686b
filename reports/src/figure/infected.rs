//! Hosts that look infected, by the day: with the fingerprint of Mirai, and without it but towards Telnet and other ports of devices; the
//! world and the home country. Beside them what can look like a surge: a single network, and hosts seen only once or twice.

use super::{Context, Drawn, Figure, Section, Timeline};
use crate::chart::{line, timeline::Series};
use crate::query::Answer;
use crate::query::survey::Infected;
use crate::table::{Cell, DataTable};
use crate::text::{Both, country, fill, number};

pub(super) const FIGURE: Figure = Figure {
    name: "infected",
    title: Both {
        ja: "感染が疑われるホスト数の推移（IPv4）",
        en: "Hosts that look infected, by day (IPv4)",
    },
    question: Both {
        ja: "Miraiの特徴をもつホストと、特徴をもたずTelnet等の機器用ポートを探索するホストは何台か。",
        en: "How many hosts show Mirai's fingerprint, and how many look for devices without it?",
    },
    section: Section::Infected,
    draw,
};

pub(super) const TABLE: Figure = Figure {
    name: "infected-days",
    title: Both {
        ja: "感染が疑われるホストの内訳",
        en: "What stands behind the counts of infected hosts",
    },
    question: Both {
        ja: "最大のネットワークの割合と、3パケット以上を送信したホストの割合。アドレスの入れ替わりは見かけの急増を生む。",
        en: "The share of the largest network, and of hosts with three packets and more: addresses that change hands fake surges.",
    },
    section: Section::Infected,
    draw: table,
};

const COLUMNS: [&str; 4] = [
    "mirai_hosts",
    "device_hosts",
    "mirai_hosts_home",
    "device_hosts_home",
];

/// The two kinds of a day: all countries, or one.
fn of(answer: &Answer, day: usize, kind: usize, home: Option<&str>) -> Option<Infected> {
    let day = answer.survey.days.get(day).filter(|day| day.known)?;
    Some(match home {
        None => day.world[kind],
        Some(home) => {
            let code: [u8; 2] = home.as_bytes().try_into().ok()?;
            let by_country = if kind == 0 { &day.mirai } else { &day.devices };
            by_country.get(&code).copied().unwrap_or_default()
        }
    })
}

/// The lines: kind and country, with their names.
fn lines(context: &Context<'_>) -> Vec<(usize, Option<String>, String)> {
    let text = context.text();
    let mut lines = vec![
        (0, None, text.mirai_world.to_owned()),
        (1, None, text.devices_world.to_owned()),
    ];
    if let Some(home) = context.home {
        let name = country::name(home, context.language);
        for (kind, template) in [(0, text.mirai_home), (1, text.devices_home)] {
            let label = fill(template, &[("country", &name)]);
            lines.push((kind, Some(home.to_owned()), label));
        }
    }
    lines
}

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if !answer.survey.is_known() {
        return Drawn::nothing(text.no_sources_table);
    }
    let timeline = Timeline::of(answer, &answer.day_buckets, context.language);
    let series: Vec<Series> = lines(context)
        .into_iter()
        .enumerate()
        .map(|(place, (kind, home, label))| {
            let values = (0..answer.days.len())
                .map(|day| of(answer, day, kind, home.as_deref()).map(|found| found.hosts as f64));
            Series::new(label, place.to_string(), values.collect())
        })
        .collect();
    let mut columns = vec![("day_start", ""), ("day", text.time)];
    let pairs = COLUMNS.iter().zip(&series);
    columns.extend(pairs.map(|(name, series)| (*name, series.label.as_str())));
    let mut table = DataTable::new(&columns);
    for day in 0..answer.days.len() {
        let mut row = vec![
            Cell::text(timeline.iso(day)),
            Cell::text(timeline.buckets.labels[day].as_str()),
        ];
        let count = |series: &Series| {
            series.values[day].map_or(Cell::Gap, |value| Cell::Count(value as i64))
        };
        row.extend(series.iter().map(count));
        table.push(row);
    }
    let labels = context.labels(text.axis_sources_day_exact, text.note_infected.to_owned());
    // A single day is no line.
    let is_line = answer.days.len() > 1;
    Drawn {
        chart: is_line.then(|| line::draw(&labels, &timeline.buckets, &series)),
        table,
        table_shown: !is_line,
        notes: vec![text.note_infected.to_owned()],
        ..Drawn::default()
    }
}

fn table(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if !answer.survey.is_known() {
        return Drawn::nothing(text.no_sources_table);
    }
    let days = answer.survey.days.iter().filter(|day| day.known).count();
    let mut table = DataTable::new(&[
        ("group", text.kind),
        ("hosts_per_day", text.hosts_a_day),
        ("largest_network_share_percent", text.largest_network),
        ("several_packets_share_percent", text.several_packets),
    ]);
    for (kind, home, label) in lines(context) {
        let mut total = Infected::default();
        for day in 0..answer.days.len() {
            if let Some(found) = of(answer, day, kind, home.as_deref()) {
                total.hosts += found.hosts;
                total.several += found.several;
                total.largest_network += found.largest_network;
            }
        }
        let network = if total.largest_network > 0 {
            Cell::share(total.largest_network as f64, total.hosts as f64)
        } else {
            Cell::Gap
        };
        table.push(vec![
            Cell::text(label),
            Cell::Measure(total.hosts as f64 / days.max(1) as f64),
            network,
            Cell::share(total.several as f64, total.hosts as f64),
        ]);
    }
    Drawn {
        table,
        table_shown: true,
        notes: vec![fill(text.note_days, &[("n", &number::count(days as i64))])],
        ..Drawn::default()
    }
}
