//! Ports by rank: the table with the ranks of the periods before, the ranking without survey scans, and the days of each port.

use super::ports::{is_device, port_detail, port_label};
use super::{Context, Drawn, Figure, Section};
use crate::chart::dumbbell::{self, DumbbellPair};
use crate::chart::multiples::{self, Small};
use crate::measure::{Change, Completeness};
use crate::query::answer::Port;
use crate::query::port_days::PacketSums;
use crate::query::port_map::PortMap;
use crate::query::survey::RULES;
use crate::query::{Answer, PortRole};
use crate::series::{BucketWidth, Buckets};
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number, time};

pub(super) const RANKS: Figure = Figure {
    name: "port-ranks",
    title: Both {
        ja: "宛先ポートの順位",
        en: "Destination ports by rank",
    },
    question: Both {
        ja: "スキャン・リフレクター探索・エクスプロイトのパケット（IPv4）。順位と差は1アドレス1日あたりの値による。",
        en: "Packets of scans, reflector scans and exploits (IPv4). Ranks and differences are of packets per address and day.",
    },
    section: Section::Ports,
    draw: ranks,
};

pub(super) const WITHOUT_SURVEY: Figure = Figure {
    name: "port-survey",
    title: Both {
        ja: "調査目的スキャンを除いた場合の比較",
        en: "With and without survey scans",
    },
    question: Both {
        ja: "調査目的のスキャンを除くと、上位のポートはどう変わるか。",
        en: "What remains of each port without survey scans?",
    },
    section: Section::Ports,
    draw: without_survey,
};

pub(super) const SURVEY: Figure = Figure {
    name: "survey",
    title: Both {
        ja: "調査目的スキャンの割合としきい値",
        en: "Survey scans, by threshold",
    },
    question: Both {
        ja: "判定の基準によって割合はどれだけ変わるか。",
        en: "How far does the share hang on the rule?",
    },
    section: Section::Ports,
    draw: survey,
};

pub(super) const TRENDS: Figure = Figure {
    name: "port-trends",
    title: Both {
        ja: "上位ポートの日別推移",
        en: "The leading ports by day",
    },
    question: Both {
        ja: "縦軸は各図の最大値に合わせている。右上はその値。",
        en: "Each to its own highest value, which is written at the upper right.",
    },
    section: Section::Ports,
    draw: trends,
};

const TOP: usize = 10;
const SMALL_MAX: usize = 12;
/// In longer periods the trend of every port is by month: a line of more days cannot be told apart, and its numbers would take gigabytes.
const TREND_DAYS_MAX: usize = 100;

/// Packets per address and day of each port, highest first.
pub(super) fn ranking(answer: &Answer) -> Vec<(Port, i64, f64)> {
    let asked = answer.ports_of(PortRole::Asked).iter();
    let packets = asked.map(|(port, totals)| (port, totals.packets_ipv4()));
    ranked(packets, answer.exposure_of_period())
}

/// The same without survey scans.
fn ranking_without_survey(answer: &Answer) -> Option<Vec<(Port, i64, f64)>> {
    if !answer.survey.is_known() {
        return None;
    }
    let all = ranking(answer);
    let less = |port: &Port| answer.survey.ports.get(*port).copied().unwrap_or(0);
    let packets = all
        .iter()
        .map(|(port, packets, _)| (*port, (packets - less(port)).max(0)));
    Some(ranked(packets, answer.exposure_of_period()))
}

fn ranked(packets: impl Iterator<Item = (Port, i64)>, exposure: f64) -> Vec<(Port, i64, f64)> {
    let rate = |packets: i64| {
        if exposure > 0.0 {
            packets as f64 / exposure
        } else {
            0.0
        }
    };
    let mut found: Vec<(Port, i64, f64)> = packets
        .filter(|(_, packets)| *packets > 0)
        .map(|(port, packets)| (port, packets, rate(packets)))
        .collect();
    found.sort_unstable_by_key(|(port, packets, _)| (std::cmp::Reverse(*packets), *port));
    found
}

/// The rank of a port, from 1; `None` below the first ten.
fn rank_of(ranking: &[(Port, i64, f64)], port: Port) -> Option<usize> {
    let place = ranking.iter().take(TOP).position(|row| row.0 == port)?;
    Some(place + 1)
}

fn ranks(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let now = ranking(answer);
    if now.is_empty() {
        return Drawn {
            empty: Some(text.nothing_here),
            ..Drawn::default()
        };
    }
    let (previous, year_before) = (
        answer.previous().map(ranking),
        answer.year_before().map(ranking),
    );
    let without = ranking_without_survey(answer);
    let by_month = answer.days.len() > TREND_DAYS_MAX;
    let trend_column = match by_month {
        true => ("monthly_packets_per_address_day", text.monthly),
        false => ("daily_packets_per_address", text.daily),
    };
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("port_label", text.port),
        ("service", text.service),
        ("device", ""),
        ("rank_previous", text.rank_previous),
        ("rank_year_before", text.rank_year_before),
        ("rank_without_survey", text.rank_without_survey),
        ("packets", text.packets),
        ("packets_per_address_day", text.rate_short),
        ("difference", text.difference),
        ("change_percent", text.change_previous),
        trend_column,
    ]);
    let written = |ranking: &Option<Vec<(Port, i64, f64)>>, port: Port| match ranking {
        None => Cell::Gap,
        Some(ranking) => match rank_of(ranking, port) {
            Some(rank) => Cell::Count(rank as i64),
            None => Cell::text(text.outside),
        },
    };
    let before = previous.as_ref().map(|ranking| rates(ranking));
    let days = day_exposures(answer);
    let months = by_month.then(|| MonthPorts::all(answer, &days));
    for (place, (port, packets, rate)) in now.iter().enumerate() {
        let before = before.as_ref().map(|rates| rates.get(*port).copied());
        let before = before.map(Option::unwrap_or_default);
        let change = before.map(|before| Change::between(before, *rate, 0.0));
        let shown = |change: &Change| match change.percent {
            _ if change.unchanged => Cell::text(text.unchanged),
            None => Cell::text(text.new),
            Some(percent) => Cell::Change(percent),
        };
        table.push(vec![
            Cell::Count(place as i64 + 1),
            Cell::text(port_label(*port)),
            Cell::text(device_detail(*port, context)),
            Cell::text(if is_device(*port) { "yes" } else { "no" }),
            written(&previous, *port),
            written(&year_before, *port),
            written(&without, *port),
            Cell::Count(*packets),
            Cell::Rate(*rate),
            change
                .as_ref()
                .map_or(Cell::Gap, |change| Cell::Difference(change.difference)),
            change.as_ref().map_or(Cell::Gap, shown),
            Cell::Spark(match &months {
                Some(months) => months.iter().map(|month| month.rate(*port)).collect(),
                None => daily(answer, &days, *port),
            }),
        ]);
    }
    let mut notes = vec![text.note_outside.to_owned(), text.note_iana.to_owned()];
    if previous.is_none() {
        notes.push(text.note_nothing_before.to_owned());
    }
    Drawn {
        finding: Some(finding(&now, previous.as_deref(), context)),
        table,
        table_shown: true,
        rows_shown: Some(TOP),
        notes,
        ..Drawn::default()
    }
}

/// What changed among the first ten: a newcomer, else the leader.
fn finding(
    now: &[(Port, i64, f64)],
    previous: Option<&[(Port, i64, f64)]>,
    context: &Context<'_>,
) -> String {
    let text = context.text();
    let entered = previous.and_then(|previous| {
        let mut leading = now.iter().take(TOP).enumerate();
        leading.find(|(_, row)| rank_of(previous, row.0).is_none())
    });
    match entered {
        Some((place, row)) => fill(
            text.finding_entered,
            &[("port", &port_label(row.0)), ("rank", &(place + 1))],
        ),
        None => {
            let total: i64 = now.iter().map(|row| row.1).sum();
            let share = number::percent(now[0].1 as f64, total as f64);
            fill(
                text.finding_leads,
                &[("port", &port_label(now[0].0)), ("share", &share)],
            )
        }
    }
}

fn device_detail(port: Port, context: &Context<'_>) -> String {
    let name = port_detail(port, context.text());
    if is_device(port) {
        format!("{name} {}", context.text().device_mark)
            .trim()
            .to_owned()
    } else {
        name
    }
}

/// The rate of each port of a ranking.
fn rates(ranking: &[(Port, i64, f64)]) -> PortMap<f64> {
    let mut rates = PortMap::default();
    for (port, _, rate) in ranking {
        rates.at(*port, || *rate);
    }
    rates
}

/// The exposure of each day; none of a day with too little observation.
fn day_exposures(answer: &Answer) -> Vec<Option<f64>> {
    let ranges = answer.day_buckets.ranges.iter().enumerate();
    ranges
        .map(|(day, range)| {
            let exposure = answer.exposure(range);
            let whole = answer.completeness(&answer.day_buckets, day) == Completeness::Whole;
            (whole && exposure > 0.0).then_some(exposure)
        })
        .collect()
}

/// The ports of a month, over its days with enough observation.
struct MonthPorts {
    packets: PacketSums,
    exposure: f64,
}

impl MonthPorts {
    /// The months of the period.
    fn all(answer: &Answer, exposures: &[Option<f64>]) -> Vec<Self> {
        let months = Buckets::by(&answer.period, BucketWidth::Month);
        let ranges = months.ranges.iter().map(|hours| {
            let days = answer.day_buckets.ranges.iter().zip(exposures).enumerate();
            let days = days.filter(|(_, (day, _))| hours.contains(&day.start));
            let days = days.filter_map(|(day, (_, exposure))| Some((day, (*exposure)?)));
            let days: Vec<(usize, f64)> = days.collect();
            MonthPorts {
                packets: PacketSums::of(days.iter().map(|(day, _)| &answer.port_days[*day])),
                exposure: days.iter().map(|(_, exposure)| exposure).sum(),
            }
        });
        ranges.collect()
    }

    /// A port's packets per address and day; a gap if the month had too little observation.
    fn rate(&self, port: Port) -> Option<f64> {
        let packets = self.packets.get(port) as f64;
        (self.exposure > 0.0).then(|| packets / self.exposure)
    }
}

/// A port's packets per address on each day; a gap if the day had too little observation.
fn daily(answer: &Answer, exposures: &[Option<f64>], port: Port) -> Vec<Option<f64>> {
    let packets = |day: usize| answer.port_days[day].get(port).packets;
    let exposures = exposures.iter().enumerate();
    exposures
        .map(|(day, exposure)| exposure.map(|exposure| packets(day) as f64 / exposure))
        .collect()
}

fn without_survey(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let all = ranking(answer);
    let Some(without) = ranking_without_survey(answer).filter(|_| !all.is_empty()) else {
        return Drawn {
            empty: Some(text.no_sources_table),
            ..Drawn::default()
        };
    };
    let rates = rates(&without);
    let rate = |port: Port| rates.get(port).copied().unwrap_or(0.0);
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("port_label", text.port),
        ("service", text.service),
        ("rank_without_survey", text.rank_without_survey),
        ("packets_per_address_day", context.unit(answer)),
        (
            "packets_per_address_day_without_survey",
            text.without_survey,
        ),
        ("survey_share_percent", text.survey_share),
    ]);
    for (place, (port, _, all)) in all.iter().enumerate().take(context.rows_max()) {
        let part = rate(*port);
        table.push(vec![
            Cell::Count(place as i64 + 1),
            Cell::text(port_label(*port)),
            Cell::text(port_detail(*port, text)),
            rank_of(&without, *port)
                .map_or(Cell::text(text.outside), |rank| Cell::Count(rank as i64)),
            Cell::Rate(*all),
            Cell::Rate(part),
            Cell::share(all - part, *all),
        ]);
    }
    let pairs: Vec<DumbbellPair> = all
        .iter()
        .take(TOP)
        .map(|(port, _, all)| {
            let part = rate(*port);
            DumbbellPair {
                label: port_label(*port),
                detail: port_detail(*port, text),
                all: *all,
                part,
                text: format!("{} → {}", number::measure(*all), number::measure(part)),
            }
        })
        .collect();
    Drawn {
        chart: Some(dumbbell::draw(
            context.sheet(),
            context.title,
            text.note_survey_rule,
            context.unit(answer),
            context.language,
            &pairs,
            [text.all_packets, text.without_survey],
        )),
        table,
        notes: vec![text.note_survey_rule.to_owned()],
        ..Drawn::default()
    }
}

fn survey(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let survey = &answer.survey;
    let total = survey.sum(|day| day.packets);
    if total == 0 {
        return Drawn {
            empty: Some(text.no_sources_table),
            ..Drawn::default()
        };
    }
    let days = survey.days.iter().filter(|day| day.known).count().max(1) as f64;
    let mut table = DataTable::new(&[
        ("rule", ""),
        ("rule_label", text.rule),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("sources_per_day", text.sources_per_day),
    ]);
    for (place, rule) in RULES.iter().enumerate() {
        let packets = survey.sum(|day| day.rule_packets[place]);
        let hosts = survey.sum(|day| day.rule_hosts[place]);
        table.push(vec![
            Cell::text(rule.name),
            Cell::text(text.survey_rules[place]),
            Cell::Count(packets),
            Cell::share(packets as f64, total as f64),
            Cell::Measure(hosts as f64 / days),
        ]);
    }
    let named = survey.sum(|day| day.named_packets);
    table.push(vec![
        Cell::text("named"),
        Cell::text(text.survey_named),
        Cell::Count(named),
        Cell::share(named as f64, total as f64),
        Cell::Gap,
    ]);
    let either = survey.sum(|day| day.survey_packets);
    table.push(vec![
        Cell::text("named-or-ports-30"),
        Cell::text(text.survey_either),
        Cell::Count(either),
        Cell::share(either as f64, total as f64),
        Cell::Gap,
    ]);
    let share = |place: usize| {
        number::percent(
            survey.sum(|day| day.rule_packets[place]) as f64,
            total as f64,
        )
    };
    let (low, high) = (share(2), share(0));
    Drawn {
        finding: (low != high)
            .then(|| fill(text.finding_survey, &[("low", &low), ("high", &high)])),
        table,
        table_shown: true,
        notes: vec![fill(text.note_survey, &[("n", &number::count(total))])],
        ..Drawn::default()
    }
}

fn trends(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let ranking = ranking(answer);
    if answer.day_buckets.ranges.len() < 3 || ranking.is_empty() {
        return Drawn {
            empty: Some(text.too_short_days),
            ..Drawn::default()
        };
    }
    let exposures = day_exposures(answer);
    let charts: Vec<Small> = ranking
        .iter()
        .take(SMALL_MAX)
        .map(|(port, ..)| {
            let values = daily(answer, &exposures, *port);
            Small {
                label: port_label(*port),
                detail: port_detail(*port, text),
                highest: number::measure(values.iter().flatten().copied().fold(0.0, f64::max)),
                values,
            }
        })
        .collect();
    let first = answer.period.hours().start;
    let date = |day: usize| {
        let hour = first + answer.day_buckets.ranges[day].start as i64;
        time::civil(hour * crate::period::HOUR_US, &answer.period.timezone).date()
    };
    let days = answer.day_buckets.ranges.len();
    let mut table = DataTable::new(&[
        ("day", text.time),
        ("port_label", text.port),
        ("packets_per_address_day", context.unit(answer)),
        ("ipv4_hosts_estimate", text.sources_about_ipv4),
    ]);
    for (port, ..) in ranking.iter().take(SMALL_MAX) {
        for (day, value) in daily(answer, &exposures, *port).into_iter().enumerate() {
            let hosts = f64::from(answer.port_days[day].get(*port).hosts_ipv4);
            table.push(vec![
                Cell::text(date(day).to_string()),
                Cell::text(port_label(*port)),
                Cell::rate(value),
                if value.is_some() {
                    Cell::Estimate(hosts)
                } else {
                    Cell::Gap
                },
            ]);
        }
    }
    let ends = [time::day_plain(date(0)), time::day_plain(date(days - 1))];
    Drawn {
        chart: Some(multiples::draw(
            context.sheet(),
            context.title,
            context.unit(answer),
            context.unit(answer),
            context.language.tag(),
            &charts,
            [&ends[0], &ends[1]],
        )),
        table,
        ..Drawn::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_port_is_outside() {
        let rows: Vec<(Port, i64)> = (0..12)
            .map(|number| {
                (
                    Port {
                        protocol: 6,
                        port: Some(number),
                    },
                    100 - i64::from(number),
                )
            })
            .collect();
        let ranking = ranked(rows.into_iter(), 10.0);
        let rank = |number: u16| {
            rank_of(
                &ranking,
                Port {
                    protocol: 6,
                    port: Some(number),
                },
            )
        };
        assert_eq!((rank(0), rank(9), rank(10)), (Some(1), Some(10), None));
        assert_eq!(ranking[0].2, 10.0);
    }
}
