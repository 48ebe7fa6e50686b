//! Where packets and hosts come from, side by side: countries by both measures, the map, home and abroad.

use super::{Context, Drawn, Figure, Section, group_packets, without_geolocation};
use crate::chart::map::{self, CountryShares};
use crate::chart::slope::{self, Line};
use crate::measure::Change;
use crate::query::distinct::ERROR_PERCENT;
use crate::query::{Answer, SourceGroup};
use crate::table::{Cell, DataTable};
use crate::text::{Both, country, fill, number};
use crate::trend::ranks;

pub(super) const SLOPE: Figure = Figure {
    name: "countries",
    title: Both {
        ja: "送信元の国・地域：パケット数とホスト数の順位",
        en: "Countries by packets and by hosts",
    },
    question: Both {
        ja: "パケット数の順位とホスト数の順位はどう違うか。差が標準誤差の2倍に満たない順位はタイとする。",
        en: "How do the two rankings differ? Ranks less than two standard errors apart are shared.",
    },
    section: Section::Sources,
    draw: slope,
};

pub(super) const MAP: Figure = Figure {
    name: "map",
    title: Both {
        ja: "送信元の国・地域の地図",
        en: "Map of the sources",
    },
    question: Both {
        ja: "円の面積は割合。塗りはパケット数、輪はユニークホスト数。",
        en: "Areas are shares: discs of packets, rings of distinct hosts.",
    },
    section: Section::Sources,
    draw: draw_map,
};

pub(super) const HOME: Figure = Figure {
    name: "home",
    title: Both {
        ja: "国内と国外",
        en: "Home and abroad",
    },
    question: Both {
        ja: "国内のアドレスからどれだけ届いたか。",
        en: "How much came from home?",
    },
    section: Section::Sources,
    draw: home,
};

const TOP: usize = 10;
const LABELS: usize = 16;

/// A country with both measures.
struct OriginRow {
    code: String,
    packets: i64,
    hosts: f64,
}

/// A row's place in an order: the row, its rank, whether the rank is shared.
type Ranked = (usize, usize, bool);

fn rows(answer: &Answer) -> Vec<OriginRow> {
    let hosts = answer
        .countries
        .iter()
        .filter(|((group, _), _)| *group == SourceGroup::Host);
    let mut rows: Vec<OriginRow> = hosts
        .map(|((_, code), tally)| OriginRow {
            code: String::from_utf8_lossy(code).into_owned(),
            packets: tally.packets,
            hosts: tally.sources.estimate(),
        })
        .collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows
}

fn nothing(answer: &Answer, context: &Context<'_>) -> Option<Drawn> {
    let text = context.text();
    if answer.countries.is_empty() {
        Some(Drawn::nothing(text.nothing_here))
    } else if without_geolocation(answer) {
        Some(Drawn::nothing(text.note_no_geo))
    } else {
        None
    }
}

/// Rows in an order, each with its rank; the unknown has no rank.
fn order(rows: &[OriginRow], of: fn(&OriginRow) -> f64, error_percent: f64) -> Vec<Ranked> {
    let mut known: Vec<usize> = (0..rows.len())
        .filter(|&row| rows[row].code != "ZZ")
        .collect();
    known.sort_by(|&a, &b| {
        let values = of(&rows[b]).total_cmp(&of(&rows[a]));
        values.then(rows[a].code.cmp(&rows[b].code))
    });
    let values: Vec<f64> = known.iter().map(|&row| of(&rows[row])).collect();
    let ranks = ranks(&values, error_percent);
    known
        .into_iter()
        .zip(ranks)
        .map(|(row, (rank, shared))| (row, rank, shared))
        .collect()
}

fn slope(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let rows = rows(answer);
    let by_packets = order(&rows, |row| row.packets as f64, 0.0);
    let by_hosts = order(&rows, |row| row.hosts, ERROR_PERCENT);
    let (packets, hosts) = (
        group_packets(answer, SourceGroup::Host) as f64,
        answer.group(SourceGroup::Host).sources.estimate(),
    );
    let is_home = |row: usize| context.home == Some(rows[row].code.as_str());
    let side = |order: &[Ranked], row: usize, share: String| {
        let place = order.iter().position(|found| found.0 == row)?;
        let shown = match place {
            leading if leading < TOP => leading,
            // Home is always drawn, below the first ten if need be.
            _ if is_home(row) => TOP,
            _ => return None,
        };
        let (_, rank, shared) = order[place];
        let template = if shared {
            text.rank_shared
        } else {
            text.rank_alone
        };
        let name = country::name(&rows[row].code, context.language);
        let rank = fill(template, &[("n", &rank)]);
        Some((shown, format!("{rank} {name} {share}%")))
    };
    let lines: Vec<Line> = (0..rows.len())
        .filter_map(|row| {
            let share = number::percent(rows[row].packets as f64, packets);
            let left = side(&by_packets, row, share);
            let right = side(&by_hosts, row, number::percent(rows[row].hosts, hosts));
            (left.is_some() || right.is_some()).then(|| Line {
                label: country::name(&rows[row].code, context.language),
                left,
                right,
                home: is_home(row),
            })
        })
        .collect();
    let mut table = DataTable::new(&[
        ("country", text.code),
        ("country_name", text.country),
        ("rank_packets", text.rank_by_packets),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("rank_hosts", text.rank_by_hosts),
        ("rank_hosts_shared", ""),
        ("hosts_estimate", text.sources_about),
        ("hosts_share_percent", text.share),
    ]);
    for &(row, rank, _) in &by_packets {
        let other = by_hosts.iter().find(|found| found.0 == row);
        let shared = other.is_some_and(|found| found.2);
        table.push(vec![
            Cell::text(rows[row].code.as_str()),
            Cell::text(country::name(&rows[row].code, context.language)),
            Cell::Count(rank as i64),
            Cell::Count(rows[row].packets),
            Cell::share(rows[row].packets as f64, packets),
            other.map_or(Cell::Gap, |found| Cell::Count(found.1 as i64)),
            Cell::text(if shared { "yes" } else { "no" }),
            Cell::Estimate(rows[row].hosts),
            Cell::share(rows[row].hosts, hosts),
        ]);
    }
    let below = |side: &Option<(usize, String)>| side.as_ref().is_some_and(|side| side.0 == TOP);
    let extended = lines
        .iter()
        .any(|line| below(&line.left) || below(&line.right));
    let finding = finding(&rows, &by_packets, &by_hosts, context);
    Drawn {
        chart: Some(slope::draw(
            context.sheet(),
            context.title,
            &finding,
            context.language.tag(),
            &lines,
            [text.axis_packets, text.axis_hosts],
            TOP.min(by_packets.len()) + usize::from(extended),
        )),
        finding: Some(finding),
        table,
        notes: vec![unknown_note(answer, context), context.error_note()],
        ..Drawn::default()
    }
}

/// The first country by packets, and by hosts.
fn finding(
    rows: &[OriginRow],
    by_packets: &[Ranked],
    by_hosts: &[Ranked],
    context: &Context<'_>,
) -> String {
    let text = context.text();
    let leaders = |order: &[Ranked]| {
        let leading = order.iter().take(2);
        let names = leading.map(|found| country::name(&rows[found.0].code, context.language));
        names.collect::<Vec<_>>().join(text.and_word)
    };
    let (packets, hosts) = (leaders(by_packets), leaders(by_hosts));
    if packets == hosts {
        fill(text.finding_countries_same, &[("countries", &packets)])
    } else {
        fill(
            text.finding_countries,
            &[("packets", &packets), ("hosts", &hosts)],
        )
    }
}

/// The share of unknown origin, of packets and of hosts.
fn unknown_note(answer: &Answer, context: &Context<'_>) -> String {
    let tally = answer.countries.get(&(SourceGroup::Host, *b"ZZ"));
    let packets = tally.map_or(0, |tally| tally.packets);
    let hosts = tally.map_or(0.0, |tally| tally.sources.estimate());
    let all = answer.group(SourceGroup::Host);
    let packets = number::percent(packets as f64, all.packets as f64);
    let hosts = number::percent(hosts, all.sources.estimate());
    fill(
        context.text().note_unknown,
        &[("packets", &packets), ("hosts", &hosts)],
    )
}

fn draw_map(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let packets = group_packets(answer, SourceGroup::Host) as f64;
    let hosts = answer.group(SourceGroup::Host).sources.estimate();
    let mut table = DataTable::new(&[
        ("country", text.code),
        ("country_name", text.country),
        ("packets_share_percent", text.axis_packets),
        ("hosts_share_percent", text.axis_hosts),
    ]);
    let mut places = Vec::new();
    for row in rows(answer) {
        let label = country::name(&row.code, context.language);
        let disc = row.packets as f64 / packets.max(1.0);
        let ring = row.hosts / hosts.max(1.0);
        table.push(vec![
            Cell::text(row.code.as_str()),
            Cell::text(label.as_str()),
            Cell::Percent(disc * 100.0),
            Cell::Percent(ring * 100.0),
        ]);
        places.push(CountryShares {
            told: format!(
                "{label}: {} {}%, {} {}%",
                text.packets,
                number::percent(disc, 1.0),
                text.hosts,
                number::percent(ring, 1.0)
            ),
            home: context.home == Some(row.code.as_str()),
            code: row.code,
            label,
            disc,
            ring,
        });
    }
    Drawn {
        chart: Some(map::draw(
            context.sheet(),
            [context.title, text.note_map],
            context.language.tag(),
            &places,
            LABELS,
            [text.map_packets, text.map_hosts],
            text.map_credit,
        )),
        table,
        notes: vec![unknown_note(answer, context), text.note_map.to_owned()],
        ..Drawn::default()
    }
}

/// Packets, IPv4 packets and hosts at home, abroad, and of unknown country.
fn by_origin(answer: &Answer, home: &str) -> [(i64, i64, f64); 3] {
    let mut parts = [(0, 0, 0.0); 3];
    for ((group, code), tally) in &answer.countries {
        if *group == SourceGroup::Host {
            let place = match code {
                b"ZZ" => 2,
                code if code == home.as_bytes() => 0,
                _ => 1,
            };
            parts[place].0 += tally.packets;
            parts[place].1 += tally.packets_ipv4();
            parts[place].2 += tally.sources.estimate();
        }
    }
    parts
}

fn home(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let Some(home) = context.home else {
        return Drawn::nothing(text.no_home);
    };
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let now = by_origin(answer, home);
    let before = answer
        .previous()
        .map(|previous| (previous, by_origin(previous, home)));
    let packets: i64 = now.iter().map(|part| part.0).sum();
    let hosts: f64 = now.iter().map(|part| part.2).sum();
    let mut table = DataTable::new(&[
        ("origin", ""),
        ("origin_label", text.country),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("packets_per_address_day", context.unit(answer)),
        ("change_percent", text.change_previous),
        ("hosts_estimate", text.sources_about),
        ("hosts_share_percent", text.share),
    ]);
    let names = [
        ("home", country::name(home, context.language)),
        ("abroad", text.abroad.to_owned()),
        ("unknown", text.unknown_value.to_owned()),
    ];
    for (place, (name, label)) in names.iter().enumerate() {
        let rate = answer.rate(now[place].1);
        let change = before.as_ref().and_then(|(previous, parts)| {
            Change::between(previous.rate(parts[place].1)?, rate?, 0.0).percent
        });
        table.push(vec![
            Cell::text(*name),
            Cell::text(label.as_str()),
            Cell::Count(now[place].0),
            Cell::share(now[place].0 as f64, packets as f64),
            Cell::rate(rate),
            Cell::change(change),
            Cell::Estimate(now[place].2),
            Cell::share(now[place].2, hosts),
        ]);
    }
    let share = number::percent(now[1].0 as f64, packets as f64);
    Drawn {
        finding: Some(fill(text.finding_abroad, &[("share", &share)])),
        table,
        table_shown: true,
        notes: vec![unknown_note(answer, context)],
        ..Drawn::default()
    }
}
