//! Events: a card for each spike and each new port, and a table of all of them with the numbers of the rule.

use teiten_aggregator::schema::names;
use teiten_observation::{Family, Tool};

use super::ports::{port_detail, port_label};
use super::{Card, Context, Drawn, Figure, Section};
use crate::chart::axis::TimeAxis;
use crate::chart::columns;
use crate::chart::timeline::{Labels, Series, TimeBuckets};
use crate::period::HOUR_US;
use crate::query::Answer;
use crate::query::event::{CARDS_MAX, Event, EventKind};
use crate::series::{BucketWidth, CoverageState};
use crate::table::{Cell, DataTable};
use crate::text::{Both, Language, country, fill, number, time, tool_term};

pub(super) const FIGURE: Figure = Figure {
    name: "events",
    title: Both {
        ja: "急増したポートと新たに探索されたポート",
        en: "Spikes and new ports",
    },
    question: Both {
        ja: "過去28日からは説明できないほど多くのホストが探索したポートはどれか。",
        en: "Which ports did more hosts ask for than the 28 days before can explain?",
    },
    section: Section::Events,
    draw,
};

/// The events that have a card, in the order of their days, with their numbers.
pub(super) fn shown(answer: &Answer) -> Vec<(usize, &Event)> {
    let with_detail = |event: &&Event| !event.detail.hours.is_empty();
    let shown = answer.events.iter().filter(with_detail);
    shown
        .enumerate()
        .map(|(place, event)| (place + 1, event))
        .collect()
}

/// `9530/TCP 5,970ホスト`: an event in a few words.
pub(super) fn short(event: &Event, language: Language) -> String {
    let text = language.text();
    fill(
        match event.kind {
            EventKind::Spike => text.event_short_spike,
            EventKind::New => text.event_short_new,
        },
        &[
            ("port", &event_label(event)),
            ("hosts", &number::estimate(event.hosts)),
        ],
    )
}

/// `9530/TCP`, and the IP version where it is IPv6.
pub fn event_label(event: &Event) -> String {
    let port = port_label(event.port);
    match event.family {
        Family::Ipv4 => port,
        Family::Ipv6 => format!("{port} (IPv6)"),
    }
}

/// The day of an event, or its first and last day.
pub fn when(answer: &Answer, event: &Event, language: Language) -> String {
    let first = answer.period.hours().start;
    let date = |day: usize| {
        let hour = first + answer.day_buckets.ranges[day].start as i64;
        time::day_short(
            time::civil(hour * HOUR_US, &answer.period.timezone).date(),
            language,
        )
    };
    let (from, to) = (date(event.days.start), date(event.days.end - 1));
    match language {
        _ if from == to => from,
        Language::Ja => format!("{from}〜{to}"),
        Language::En => format!("{from} to {to}"),
    }
}

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if !answer.tested.any() {
        return Drawn {
            empty: Some(text.events_untested),
            ..Drawn::default()
        };
    }
    let versions = [
        ("IPv4", answer.tested.days_ipv4),
        ("IPv6", answer.tested.days_ipv6),
    ];
    let tested = versions.into_iter().filter(|(_, days)| *days > 0);
    let scope: Vec<String> = tested
        .map(|(version, days)| {
            let days = number::count(days as i64);
            fill(text.events_scope, &[("version", &version), ("days", &days)])
        })
        .collect();
    let tests = answer.tested.tests();
    let rule = fill(
        text.events_rule,
        &[
            ("scope", &join(&scope, context.language)),
            ("tests", &number::count(tests as i64)),
            ("findings", &number::count(answer.tested.findings as i64)),
        ],
    );
    if answer.events.is_empty() {
        return Drawn {
            finding: Some(text.finding_no_event.to_owned()),
            notes: vec![rule],
            table: table(answer, context),
            table_shown: true,
            ..Drawn::default()
        };
    }
    let cards = shown(answer)
        .into_iter()
        .map(|(number, event)| card(answer, context, number, event))
        .collect();
    let mut notes = vec![rule];
    if answer.events.len() > CARDS_MAX {
        notes.push(fill(text.events_more, &[("n", &CARDS_MAX)]));
    }
    let n = number::count(answer.events.len() as i64);
    Drawn {
        finding: Some(fill(text.finding_events, &[("n", &n)])),
        cards,
        table: table(answer, context),
        table_shown: true,
        notes,
        ..Drawn::default()
    }
}

fn card(answer: &Answer, context: &Context<'_>, number: usize, event: &Event) -> Card {
    let text = context.text();
    let language = context.language;
    let title = fill(
        match event.kind {
            EventKind::Spike => text.event_spike,
            EventKind::New => text.event_new,
        },
        &[
            ("n", &number),
            ("port", &event_label(event)),
            ("when", &when(answer, event, language)),
        ],
    );
    Card {
        chart: hours(answer, context, number, event, &title),
        lines: lines(answer, context, event),
        title,
    }
}

/// The event's packets by hour, or by day if it lasted too long for hours.
fn hours(
    answer: &Answer,
    context: &Context<'_>,
    number: usize,
    event: &Event,
    title: &str,
) -> crate::chart::Chart {
    let text = context.text();
    let first_hour = answer.period.hours().start;
    let start = answer.day_buckets.ranges[event.days.start].start;
    let hourly = event.days.len() <= 4;
    let buckets: Vec<std::ops::Range<usize>> = if hourly {
        (0..event.detail.hours.len())
            .map(|hour| hour..hour + 1)
            .collect()
    } else {
        event
            .days
            .clone()
            .map(|day| {
                let range = &answer.day_buckets.ranges[day];
                range.start - start..range.end - start
            })
            .collect()
    };
    let step = if hourly {
        BucketWidth::Hour
    } else {
        BucketWidth::Day
    };
    let starts: Vec<i64> = buckets
        .iter()
        .map(|range| (first_hour + (start + range.start) as i64) * HOUR_US)
        .collect();
    let states: Vec<CoverageState> = buckets
        .iter()
        .map(|range| {
            let hours = answer.hours[start + range.start..start + range.end].iter();
            crate::series::combined(hours.map(|hour| hour.state))
        })
        .collect();
    let labels = Labels {
        name: format!("{}-{number}", context.name),
        title: title.to_owned(),
        ..context.labels(
            if hourly {
                text.axis_packets_hour
            } else {
                text.axis_packets_day
            },
            title.to_owned(),
        )
    };
    let timezone = answer.period.timezone.clone();
    let names: Vec<String> = starts
        .iter()
        .map(|&us| time::bucket(us, step, &timezone, context.language))
        .collect();
    let values = buckets
        .iter()
        .zip(&states)
        .map(|(range, state)| {
            let packets: i64 = event.detail.hours[range.clone()].iter().sum();
            state.is_observed().then_some(packets as f64)
        })
        .collect();
    let time = TimeBuckets {
        axis: TimeAxis {
            starts_us: starts,
            step,
            timezone,
            language: context.language,
        },
        labels: names,
        hollow: vec![false; states.len()],
        states,
    };
    let series = Series::new(text.packets, "", values);
    columns::draw(&labels, &time, &series)
}

/// What a card says, in sentences.
fn lines(answer: &Answer, context: &Context<'_>, event: &Event) -> Vec<String> {
    let text = context.text();
    let language = context.language;
    let detail = &event.detail;
    let hosts = detail.hosts.estimate().max(1.0);
    let mut lines = vec![fill(
        text.event_size,
        &[
            ("hosts", &number::estimate(hosts)),
            ("packets", &number::count(detail.packets)),
            ("each", &number::rate(detail.packets as f64 / hosts)),
            ("service", &service(event, context)),
        ],
    )];
    let mut countries: Vec<(&[u8; 2], f64)> = detail
        .countries
        .iter()
        .map(|(code, (_, hosts))| (code, hosts.estimate()))
        .collect();
    countries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let named: Vec<String> = countries
        .iter()
        .take(3)
        .map(|(code, count)| {
            let name = country::name(std::str::from_utf8(*code).unwrap_or("ZZ"), language);
            format!("{name} {}%", number::percent(*count, hosts.max(*count)))
        })
        .collect();
    lines.push(fill(
        text.event_countries,
        &[("list", &join(&named, language))],
    ));
    if let Some((asn, count)) = detail
        .networks
        .iter()
        .max_by_key(|&(asn, count)| (*count, std::cmp::Reverse(*asn)))
    {
        let total: i64 = detail.networks.values().sum();
        let share = number::percent(*count as f64, total as f64);
        lines.push(fill(text.event_network, &[("asn", asn), ("share", &share)]));
    }
    let tools: Vec<String> = Tool::ALL
        .iter()
        .enumerate()
        .filter(|(index, tool)| **tool != Tool::None && detail.tools[*index] * 20 >= detail.packets)
        .map(|(index, tool)| {
            let share = number::percent(detail.tools[index] as f64, detail.packets as f64);
            format!("{} {share}%", tool_term(language, *tool).name)
        })
        .collect();
    lines.push(if tools.is_empty() {
        text.event_no_tool.to_owned()
    } else {
        fill(text.event_tools, &[("list", &join(&tools, language))])
    });
    if answer.sensors.len() > 1 {
        let of = |seen: bool| -> Vec<String> {
            let sensors = detail
                .sensors
                .iter()
                .filter(|(_, packets)| (**packets > 0) == seen);
            sensors.map(|(name, _)| name.clone()).collect()
        };
        let (seen, unseen) = (join(&of(true), language), join(&of(false), language));
        lines.push(if unseen.is_empty() {
            text.event_sensors_all.to_owned()
        } else {
            fill(text.event_sensors, &[("seen", &seen), ("unseen", &unseen)])
        });
    }
    lines.push(judgement(event, context));
    lines
}

fn judgement(event: &Event, context: &Context<'_>) -> String {
    let text = context.text();
    let exponent = number::decimal(event.tail_ln / std::f64::consts::LN_10, 0);
    let values: [(&str, &dyn std::fmt::Display); 4] = [
        ("hosts", &number::estimate(event.hosts)),
        ("median", &number::measure(event.median)),
        ("dispersion", &number::measure(event.dispersion)),
        ("exponent", &exponent),
    ];
    fill(text.event_judgement, &values)
}

fn service(event: &Event, context: &Context<'_>) -> String {
    let name = port_detail(event.port, context.text());
    match (name.is_empty(), context.language) {
        (true, _) => String::new(),
        (false, Language::Ja) => format!("（{name}）"),
        (false, Language::En) => format!(" ({name})"),
    }
}

fn join(parts: &[String], language: Language) -> String {
    parts.join(if language == Language::Ja {
        "、"
    } else {
        ", "
    })
}

fn table(answer: &Answer, context: &Context<'_>) -> DataTable {
    let text = context.text();
    let mut table = DataTable::new(&[
        ("first_day", text.time),
        ("days", text.days),
        ("kind", ""),
        ("kind_label", text.kind),
        (names::IP_VERSION, ""),
        ("port_label", text.port),
        ("service", text.service),
        ("hosts_of_peak_day_estimate", text.hosts_of_peak),
        ("median_hosts_28_days", text.median),
        ("dispersion", text.dispersion),
        ("log10_probability", "log10 p"),
    ]);
    for event in &answer.events {
        let kind = match event.kind {
            EventKind::Spike => text.kind_spike,
            EventKind::New => text.kind_new,
        };
        table.push(vec![
            Cell::text(when(answer, event, context.language)),
            Cell::Count(event.days.len() as i64),
            Cell::text(event.kind.name()),
            Cell::text(kind),
            Cell::Count(event.family as i64),
            Cell::text(event_label(event)),
            Cell::text(port_detail(event.port, text)),
            Cell::Estimate(event.hosts),
            Cell::Rate(event.median),
            Cell::Rate(event.dispersion),
            Cell::Measure(event.tail_ln / std::f64::consts::LN_10),
        ]);
    }
    table
}
