//! Denial of service as events: how many, over time, against which services and countries, how long and how dense, and the densest of them.
//! No victim's address is printed.

use std::collections::{BTreeMap, BTreeSet};

use super::ports::port_detail;
use super::{Context, Drawn, Figure, Section, Timeline, by_step, in_table, rollup_notes};
use crate::chart::grid::{self, Grid, GridCell};
use crate::chart::ranked::{self, Bar};
use crate::chart::{stack, timeline::Series};
use crate::period::HOUR_US;
use crate::query::Answer;
use crate::query::answer::Port;
use crate::query::rolled_up::attacks::AttackedPorts;
use crate::query::rolled_up::{AttackEvent, AttackKind, AttackedService};
use crate::series::BucketWidth;
use crate::table::{Cell, DataTable};
use crate::text::{Both, Language, Text, country, fill, number, service, time};

pub(super) const NUMBERS: Figure = Figure {
    name: "attack-numbers",
    title: Both {
        ja: "DoS攻撃の概要",
        en: "Denial of service in numbers",
    },
    question: Both {
        ja: "送信元を詐称したDoS攻撃を何件観測し、この観測網はどの強さから捉えられるか。",
        en: "How many attacks with forged sources were seen, and from which strength on can this telescope see one?",
    },
    section: Section::Attacks,
    draw: numbers,
};

pub(super) const OVER_TIME: Figure = Figure {
    name: "attack-times",
    title: Both {
        ja: "DoS攻撃件数の推移",
        en: "Attacks over time",
    },
    question: Both {
        ja: "いつ、どの種類の攻撃が終わったか。攻撃は最後の応答の時刻に数える。",
        en: "When did attacks of which kind end? An attack counts at its last reply.",
    },
    section: Section::Attacks,
    draw: over_time,
};

pub(super) const SERVICES: Figure = Figure {
    name: "attack-services",
    title: Both {
        ja: "攻撃を受けたサービス（上位10）",
        en: "Attacked services, top 10",
    },
    question: Both {
        ja: "どのサービスへの攻撃が多いか。",
        en: "Which services are attacked most often?",
    },
    section: Section::Attacks,
    draw: services,
};

pub(super) const COUNTRIES: Figure = Figure {
    name: "attack-countries",
    title: Both {
        ja: "攻撃を受けた国・地域（上位10）",
        en: "Attacked countries, top 10",
    },
    question: Both {
        ja: "攻撃を受けたアドレスはどの国・地域のものか。",
        en: "In which countries are the attacked addresses registered?",
    },
    section: Section::Attacks,
    draw: countries,
};

pub(super) const SIZES: Figure = Figure {
    name: "attack-sizes",
    title: Both {
        ja: "攻撃の規模と長さ",
        en: "Attacks by size and length",
    },
    question: Both {
        ja: "最も密な1分間の応答数と、最初から最後の応答までの時間。",
        en: "Replies in the densest minute, and the time from the first reply to the last.",
    },
    section: Section::Attacks,
    draw: sizes,
};

pub(super) const EVENTS: Figure = Figure {
    name: "attack-events",
    title: Both {
        ja: "最も密な攻撃",
        en: "The densest attacks",
    },
    question: Both {
        ja: "最も密な1分間の応答数の順。",
        en: "By replies in the densest minute.",
    },
    section: Section::Attacks,
    draw: events,
};

const TOP: usize = 10;
/// Days of which the hours are drawn, at most.
const HOURLY_DAYS_MAX: usize = 4;
/// Events that the page shows; the CSV has all.
const EVENTS_SHOWN: usize = 12;
/// The first second of each class of length but the first, as `Text::attack_lengths` names them.
pub(crate) const LENGTHS: [i64; 4] = [300, 1_800, 7_200, 43_200];
/// The first number of replies a minute of each class of size but the first, as `Text::attack_sizes` names them.
pub(crate) const SIZES_FROM: [i64; 3] = [100, 1_000, 10_000];

/// Kinds that a chart draws in one colour, with the class of that colour.
const GROUPS: [(&str, &[AttackKind]); 5] = [
    ("k0", &[AttackKind::Syn]),
    ("k3", &[AttackKind::Ack, AttackKind::Tcp]),
    ("k4", &[AttackKind::Udp]),
    (
        "k2",
        &[AttackKind::Icmp, AttackKind::Sctp, AttackKind::Other],
    ),
    ("k6", &[AttackKind::Carpet]),
];

fn of_answer(answer: &Answer) -> &[AttackEvent] {
    &answer.rolled_up.attacks
}

fn nothing(answer: &Answer, context: &Context<'_>) -> Option<Drawn> {
    let text = context.text();
    in_table(
        answer,
        of_answer(answer).is_empty(),
        text.attacks_none,
        text,
    )
}

/// Distinct victims; those of carpets are not known one by one.
pub(crate) fn victims<'a>(events: impl Iterator<Item = &'a AttackEvent>) -> i64 {
    let victims: BTreeSet<u64> = events.filter_map(|event| event.victim).collect();
    victims.len() as i64
}

/// The value at a share of the sorted values: the least that so many values do not exceed.
pub(crate) fn quantile(sorted: &[i64], share: f64) -> i64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(place.max(1) - 1).copied().unwrap_or(0)
}

fn numbers(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let (text, language) = (context.text(), context.language);
    let events = of_answer(answer);
    let carpets = || events.iter().filter(|it| it.kind == AttackKind::Carpet);
    let mut lengths: Vec<i64> = events.iter().map(AttackEvent::seconds).collect();
    lengths.sort_unstable();
    let longest = lengths.last().copied().unwrap_or(0);
    let median = quantile(&lengths, 0.5);
    let densest = events[0].per_minute_max;
    let count = |n: usize| Cell::Count(n as i64);
    let mut table = DataTable::new(&[
        ("measure", ""),
        ("measure_label", text.measure),
        ("value", ""),
        ("value_label", text.value),
    ]);
    let mut row = |name: &str, label: &str, value: Cell, readable: String| {
        table.push(vec![
            Cell::text(name),
            Cell::text(label),
            value,
            Cell::text(readable),
        ]);
    };
    let mut counted = |name: &str, label: &str, value: Cell| {
        let readable = value.readable(language);
        row(name, label, value, readable);
    };
    let all_victims = victims(events.iter());
    counted("events", text.attack_events, count(events.len()));
    counted("victims", text.attack_victims, Cell::Count(all_victims));
    counted("carpets", text.attack_carpets, count(carpets().count()));
    let addresses = carpets().map(|it| it.victims).sum();
    counted(
        "carpet_addresses",
        text.attack_carpet_addresses,
        Cell::Count(addresses),
    );
    let ongoing = events.iter().filter(|it| it.ongoing).count();
    counted("ongoing", text.attack_ongoing, count(ongoing));
    let packets = events.iter().map(|it| it.packets).sum();
    counted("replies", text.attack_replies, Cell::Count(packets));
    counted(
        "replies_per_minute_max",
        text.attack_densest,
        Cell::Count(densest),
    );
    for (name, label, seconds) in [
        ("length_seconds_median", text.attack_length_median, median),
        ("length_seconds_max", text.attack_length_longest, longest),
    ] {
        row(
            name,
            label,
            Cell::Count(seconds),
            time::length(seconds, language),
        );
    }
    let strongest = events.iter().filter_map(|it| it.estimated_pps);
    if let Some(strongest) = strongest.max_by(f64::total_cmp) {
        let readable = fill(text.about, &[("n", &number::estimate(strongest))]);
        row(
            "estimated_pps_max",
            text.attack_estimated,
            Cell::Estimate(strongest),
            readable,
        );
    }
    let mut notes = vec![text.note_attacks.to_owned()];
    match floor(events) {
        Some((low, high)) => {
            let written = if low == high {
                number::estimate(low)
            } else {
                format!("{}–{}", number::estimate(low), number::estimate(high))
            };
            row(
                "floor_pps",
                text.attack_floor,
                Cell::Estimate(low),
                written.clone(),
            );
            notes.push(fill(text.note_attack_floor, &[("floor", &written)]));
        }
        None => notes.push(text.note_attack_no_floor.to_owned()),
    }
    if answer.sensors.len() > 1 {
        notes.push(text.note_attack_sensors.to_owned());
    }
    notes.extend(rollup_notes(answer, context));
    let finding = fill(
        text.finding_attacks,
        &[
            ("n", &number::count(events.len() as i64)),
            ("victims", &number::count(all_victims)),
            ("carpets", &number::count(carpets().count() as i64)),
        ],
    );
    Drawn {
        finding: Some(finding),
        table,
        table_shown: true,
        notes,
        ..Drawn::default()
    }
}

/// The least and greatest floor of the events' sensors, packets a second.
fn floor(events: &[AttackEvent]) -> Option<(f64, f64)> {
    let floors = || events.iter().filter_map(|it| it.floor_pps);
    let low = floors().min_by(f64::total_cmp)?;
    Some((low, floors().max_by(f64::total_cmp)?))
}

fn over_time(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    // Attacks are few: beyond some days their hours would be thin lines.
    let buckets = match answer.day_buckets.ranges.len() > HOURLY_DAYS_MAX
        && answer.buckets.step == BucketWidth::Hour
    {
        true => &answer.day_buckets,
        false => &answer.buckets,
    };
    let timeline = Timeline::of(answer, buckets, context.language);
    let bucket_of_hour = buckets.of_hours();
    let first = answer.period.hours().start;
    let mut counts = vec![[0_i64; AttackKind::ALL.len()]; buckets.ranges.len()];
    for event in of_answer(answer) {
        let hour = (event.end_us.div_euclid(HOUR_US) - first) as usize;
        if let Some(&bucket) = bucket_of_hour.get(hour) {
            counts[bucket][event.kind as usize] += 1;
        }
    }
    let observed = |bucket: usize| timeline.buckets.states[bucket].is_observed();
    let of = |bucket: usize, kinds: &[AttackKind]| -> i64 {
        kinds
            .iter()
            .map(|kind| counts[bucket][*kind as usize])
            .sum()
    };
    let series: Vec<Series> = GROUPS
        .iter()
        .zip(text.attack_groups)
        .map(|((class, kinds), label)| {
            let values =
                (0..counts.len()).map(|bucket| observed(bucket).then(|| of(bucket, kinds) as f64));
            Series::new(label, *class, values.collect())
        })
        .collect();
    let mut columns = vec![("start", ""), ("label", text.time), ("events", text.total)];
    let pairs = AttackKind::ALL.iter().zip(text.attack_kinds);
    columns.extend(pairs.map(|(kind, label)| (kind.name(), label)));
    let mut table = DataTable::new(&columns);
    for (bucket, kinds) in counts.iter().enumerate() {
        let cell = |count: i64| {
            if observed(bucket) {
                Cell::Count(count)
            } else {
                Cell::Gap
            }
        };
        let mut row = vec![
            Cell::text(timeline.iso(bucket)),
            Cell::text(timeline.buckets.labels[bucket].as_str()),
            cell(kinds.iter().sum()),
        ];
        row.extend(kinds.iter().map(|count| cell(*count)));
        table.push(row);
    }
    let unit = by_step(
        buckets.step,
        text.axis_attacks_hour,
        text.axis_attacks_day,
        text.axis_attacks_month,
    );
    let mut labels = context.labels(unit, text.note_attacks.to_owned());
    labels.total = Some(text.total.to_owned());
    Drawn {
        chart: Some(stack::draw(&labels, &timeline.buckets, &series)),
        table,
        notes: rollup_notes(answer, context),
        ..Drawn::default()
    }
}

/// `443/TCP` with its name, or the protocol.
fn service_label(service: AttackedService, text: &Text) -> (String, String) {
    let protocol = service::protocol_name(service.protocol);
    match service.ports {
        AttackedPorts::None => (protocol, String::new()),
        AttackedPorts::Several => (protocol, text.several_ports.to_owned()),
        AttackedPorts::One(port) => {
            let known = Port {
                protocol: service.protocol,
                port: Some(port),
            };
            (format!("{port}/{protocol}"), port_detail(known, text))
        }
    }
}

/// Bars of events, the rest joined into one.
fn event_bars(rows: &[(String, String, i64)], all: i64, rest_label: &str, class: &str) -> Vec<Bar> {
    let bar = |label: &str, detail: &str, events: i64, class: &str, rank: Option<usize>| Bar {
        label: label.to_owned(),
        detail: detail.to_owned(),
        value: events as f64,
        text: format!(
            "{} ({}%)",
            number::count(events),
            number::percent(events as f64, all as f64)
        ),
        class: class.to_owned(),
        rank,
    };
    let mut bars: Vec<Bar> = rows
        .iter()
        .take(TOP)
        .enumerate()
        .map(|(place, (label, detail, events))| bar(label, detail, *events, class, Some(place + 1)))
        .collect();
    let rest: i64 = rows.iter().skip(TOP).map(|row| row.2).sum();
    if rest > 0 {
        bars.push(bar(rest_label, "", rest, "bar-rest", None));
    }
    bars
}

fn services(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    let events = of_answer(answer);
    let mut by_service: BTreeMap<AttackedService, Vec<&AttackEvent>> = BTreeMap::new();
    for event in events {
        by_service.entry(event.service).or_default().push(event);
    }
    let mut rows: Vec<_> = by_service.into_iter().collect();
    rows.sort_by_key(|(service, events)| (std::cmp::Reverse(events.len()), *service));
    let all = events.len() as i64;
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("service_label", text.service),
        ("service", ""),
        ("protocol_number", ""),
        ("port", ""),
        ("events", text.attack_events),
        ("events_share_percent", text.share),
        ("victims", text.attack_victims),
        ("replies", text.attack_replies),
    ]);
    let mut bars = Vec::new();
    for (place, (service, events)) in rows.iter().enumerate() {
        let (label, detail) = service_label(*service, text);
        bars.push((label.clone(), detail.clone(), events.len() as i64));
        table.push(vec![
            Cell::Count(place as i64 + 1),
            Cell::text(match detail.is_empty() {
                true => label,
                false => format!("{label} {detail}"),
            }),
            Cell::text(detail),
            Cell::Count(i64::from(service.protocol)),
            match service.ports {
                AttackedPorts::One(port) => Cell::Count(i64::from(port)),
                _ => Cell::Gap,
            },
            Cell::Count(events.len() as i64),
            Cell::share(events.len() as f64, all as f64),
            Cell::Count(victims(events.iter().copied())),
            Cell::Count(events.iter().map(|it| it.packets).sum()),
        ]);
    }
    let denominator = fill(text.note_denominator_attacks, &[("n", &number::count(all))]);
    let bars = event_bars(&bars, all, text.others, "bar");
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            &denominator,
            text.axis_attacks,
            context.language.tag(),
            &bars,
            &[],
        )),
        table,
        notes: [vec![denominator], rollup_notes(answer, context)].concat(),
        ..Drawn::default()
    }
}

fn countries(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    let events = of_answer(answer);
    let mut by_country: BTreeMap<[u8; 2], Vec<&AttackEvent>> = BTreeMap::new();
    for event in events {
        by_country.entry(event.country).or_default().push(event);
    }
    let mut rows: Vec<_> = by_country.into_iter().collect();
    // The unknown is no country: it comes last.
    rows.sort_by_key(|(code, events)| (code == b"ZZ", std::cmp::Reverse(events.len()), *code));
    let all = events.len() as i64;
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("country", text.code),
        ("country_name", text.country),
        ("events", text.attack_events),
        ("events_share_percent", text.share),
        ("victims", text.attack_victims),
        ("replies", text.attack_replies),
    ]);
    let mut bars = Vec::new();
    for (place, (code, events)) in rows.iter().enumerate() {
        let code = std::str::from_utf8(code).unwrap_or("ZZ");
        let name = country::name(code, context.language);
        bars.push((name.clone(), code.to_owned(), events.len() as i64));
        let rank = if code == "ZZ" {
            Cell::Gap
        } else {
            Cell::Count(place as i64 + 1)
        };
        table.push(vec![
            rank,
            Cell::text(code),
            Cell::text(name),
            Cell::Count(events.len() as i64),
            Cell::share(events.len() as f64, all as f64),
            Cell::Count(victims(events.iter().copied())),
            Cell::Count(events.iter().map(|it| it.packets).sum()),
        ]);
    }
    let mut notes = vec![fill(
        text.note_denominator_attacks,
        &[("n", &number::count(all))],
    )];
    if rows.iter().all(|(code, _)| code == b"ZZ") {
        notes.push(text.note_no_geo.to_owned());
    }
    notes.extend(rollup_notes(answer, context));
    let mut drawn_bars = event_bars(&bars, all, text.other_countries, "bar");
    for bar in &mut drawn_bars {
        if bar.detail == "ZZ" {
            (bar.class, bar.rank) = ("bar-rest".to_owned(), None);
        } else if Some(bar.detail.as_str()) == context.home {
            bar.class = "bar-home".to_owned();
        }
    }
    // The unknown takes no rank from the countries behind it.
    let ranked = drawn_bars.iter_mut().filter(|bar| bar.rank.is_some());
    for (place, bar) in ranked.enumerate() {
        bar.rank = Some(place + 1);
    }
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            &notes[0],
            text.axis_attacks,
            context.language.tag(),
            &drawn_bars,
            &[],
        )),
        table,
        notes,
        ..Drawn::default()
    }
}

/// The class of a value by the first values of all classes but the first.
pub(crate) fn class_of(value: i64, from: &[i64]) -> usize {
    from.iter().take_while(|first| value >= **first).count()
}

fn sizes(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    let mut counts = [[0_i64; LENGTHS.len() + 1]; SIZES_FROM.len() + 1];
    for event in of_answer(answer) {
        let size = class_of(event.per_minute_max, &SIZES_FROM);
        counts[size][class_of(event.seconds(), &LENGTHS)] += 1;
    }
    let highest = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let cell = |size: usize, length: usize| {
        let count = counts[size][length];
        let told = format!(
            "{}, {}: {}",
            text.attack_sizes[size],
            text.attack_lengths[length],
            number::count(count)
        );
        // By the logarithm, because most attacks are small.
        let place = (count as f64 + 1.0).ln() / (highest as f64 + 1.0).ln();
        GridCell::Written(place, number::count(count), told)
    };
    let mut columns = vec![("replies_per_minute_max", text.attack_densest)];
    let names = [
        "under_5_minutes",
        "5_to_30_minutes",
        "30_minutes_to_2_hours",
        "2_to_12_hours",
        "12_hours_and_more",
    ];
    columns.extend(names.into_iter().zip(text.attack_lengths));
    columns.push(("total", text.total));
    let mut table = DataTable::new(&columns);
    let mut rows = Vec::new();
    // Most on top.
    for size in (0..counts.len()).rev() {
        let cells = (0..=LENGTHS.len()).map(|length| cell(size, length));
        rows.push((text.attack_sizes[size].to_owned(), cells.collect()));
        let mut row = vec![Cell::text(text.attack_sizes[size])];
        row.extend(counts[size].iter().map(|count| Cell::Count(*count)));
        row.push(Cell::Count(counts[size].iter().sum()));
        table.push(row);
    }
    let grid = Grid {
        name: context.name.to_owned(),
        width: context.width,
        title: context.title.to_owned(),
        description: text.attack_densest.to_owned(),
        language: context.language.tag(),
        unit: text.axis_attacks_grid.to_owned(),
        columns: text.attack_lengths.map(str::to_owned).to_vec(),
        rows,
        row_height: 40.0,
        legend: Vec::new(),
    };
    Drawn {
        chart: Some(grid::draw(&grid)),
        table,
        notes: rollup_notes(answer, context),
        ..Drawn::default()
    }
}

fn events(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let (text, language) = (context.text(), context.language);
    let timezone = &answer.period.timezone;
    let mut table = DataTable::new(&[
        ("id", ""),
        ("sensor", ""),
        ("kind", ""),
        ("start", ""),
        ("start_label", text.attack_start),
        ("length_seconds", ""),
        ("length", text.attack_length),
        ("kind_label", text.kind),
        ("service_label", text.service),
        ("ports_attacked", ""),
        ("country", ""),
        ("country_name", text.country),
        ("asn", "AS"),
        ("victims", text.attack_addresses),
        ("replies", text.attack_replies),
        ("replies_per_minute_max", text.attack_densest),
        ("estimated_pps", text.attack_estimated),
        ("ongoing", ""),
    ]);
    for event in of_answer(answer) {
        let code = std::str::from_utf8(&event.country).unwrap_or("ZZ");
        let (label, detail) = service_label(event.service, text);
        let civil = time::civil(event.start_us, timezone);
        let day = time::day_short(civil.date(), language);
        table.push(vec![
            Cell::text(event.id.as_str()),
            Cell::text(event.sensor.as_str()),
            Cell::text(event.kind.name()),
            Cell::text(time::iso(event.start_us, timezone)),
            Cell::text(format!("{day} {:02}:{:02}", civil.hour(), civil.minute())),
            Cell::Count(event.seconds()),
            Cell::text(length(event, text, language)),
            Cell::text(text.attack_kinds[event.kind as usize]),
            Cell::text(match detail.is_empty() {
                true => label,
                false => format!("{label} {detail}"),
            }),
            Cell::Count(event.port_count),
            Cell::text(code),
            Cell::text(country::name(code, language)),
            event
                .asn
                .map_or(Cell::Gap, |asn| Cell::text(asn.to_string())),
            Cell::Count(event.victims),
            Cell::Count(event.packets),
            Cell::Count(event.per_minute_max),
            event.estimated_pps.map_or(Cell::Gap, Cell::Estimate),
            Cell::text(if event.ongoing { "yes" } else { "no" }),
        ]);
    }
    Drawn {
        table,
        table_shown: true,
        rows_shown: Some(EVENTS_SHOWN),
        notes: [
            vec![text.note_attack_names.to_owned()],
            rollup_notes(answer, context),
        ]
        .concat(),
        ..Drawn::default()
    }
}

/// How long an event was, marked if it may go on.
fn length(event: &AttackEvent, text: &Text, language: Language) -> String {
    let length = time::length(event.seconds(), language);
    match event.ongoing {
        true => fill(text.attack_goes_on, &[("length", &length)]),
        false => length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_quantiles_have_their_bounds_inside() {
        assert_eq!(class_of(29, &SIZES_FROM), 0);
        assert_eq!(class_of(100, &SIZES_FROM), 1);
        assert_eq!(class_of(1_000_000, &SIZES_FROM), 3);
        assert_eq!((quantile(&[1, 2, 3], 0.5), quantile(&[1, 2], 0.5)), (2, 1));
        assert_eq!(quantile(&[], 0.5), 0);
    }
}
