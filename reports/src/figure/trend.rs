//! The line of the report: packets per address and day over the band of the 28 days before, with the events numbered on it.

use super::{Context, Drawn, Figure, Section, Timeline, events};
use crate::chart::timeline::Series;
use crate::chart::trend::{self as chart, Band, ChartMark, Strip};
use crate::measure::Completeness;
use crate::query::{Answer, HourTally};
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number, time};
use crate::trend::{BASELINE_DAYS, BASELINE_DAYS_MIN, quartiles};

pub(super) const FIGURE: Figure = Figure {
    name: "trend",
    title: Both {
        ja: "1アドレス1日あたりパケット数の推移（IPv4）",
        en: "Packets per address and day (IPv4)",
    },
    question: Both {
        ja: "帯は過去28日の四分位範囲、細線はその中央値。下段は観測率。",
        en: "The band is the quartile range of the 28 days before, the thin line their median; the strip below is the share observed.",
    },
    section: Section::Overview,
    draw,
};

/// Marks that fit above a line; the others are in the section on events.
const MARKS_MAX: usize = 8;

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let days = &answer.day_buckets;
    if days.ranges.len() < 2 {
        return Drawn {
            empty: Some(text.too_short_days),
            ..Drawn::default()
        };
    }
    let timeline = Timeline::of(answer, days, context.language);
    let values: Vec<Option<f64>> = days
        .ranges
        .iter()
        .map(|range| answer.bucket_rate(range, HourTally::packets_ipv4))
        .collect();
    let bands = bands(answer);
    let marks: Vec<ChartMark> = events::shown(answer)
        .into_iter()
        .take(MARKS_MAX)
        .map(|(number, event)| ChartMark {
            buckets: event.days.clone(),
            number,
            label: events::short(event, context.language),
        })
        .collect();
    let mut labels = context.labels(context.unit(answer), String::new());
    labels.description = finding(answer, context);
    labels.digits = 2;
    labels.left_text = text.observed_share.to_owned();
    let series = Series::new(context.unit(answer), "0", values.clone());
    let strip = Strip {
        label: text.observed_share.to_owned(),
        shares: timeline.shares.clone(),
        named: outages(answer, context),
    };
    let mut table = DataTable::new(&[
        ("day_start", ""),
        ("day", text.time),
        ("state", ""),
        ("observed_share_percent", text.observed_share),
        ("compared", ""),
        ("ipv4_packets", text.packets),
        ("ipv4_packets_per_address_day", context.unit(answer)),
        ("median_28_days", text.median),
        ("quartile_low_28_days", ""),
        ("quartile_high_28_days", ""),
    ]);
    for (day, range) in days.ranges.iter().enumerate() {
        let observed = timeline.buckets.states[day].is_observed();
        let packets: i64 = answer.hours[range.clone()]
            .iter()
            .map(HourTally::packets_ipv4)
            .sum();
        table.push(vec![
            Cell::text(timeline.iso(day)),
            Cell::text(timeline.buckets.labels[day].as_str()),
            Cell::text(timeline.buckets.states[day].name()),
            Cell::Percent(timeline.shares[day] * 100.0),
            Cell::text(if observed && !timeline.buckets.hollow[day] {
                "yes"
            } else {
                "no"
            }),
            if observed {
                Cell::Count(packets)
            } else {
                Cell::Gap
            },
            Cell::rate(values[day]),
            Cell::rate(bands[day].map(|band| band.1)),
            Cell::rate(bands[day].map(|band| band.0)),
            Cell::rate(bands[day].map(|band| band.2)),
        ]);
    }
    Drawn {
        chart: Some(chart::draw(
            &labels,
            &timeline.buckets,
            &series,
            &bands,
            &marks,
            &strip,
        )),
        finding: Some(finding(answer, context)),
        table,
        notes: vec![fill(
            text.note_measure,
            &[("n", &number::decimal(answer.exposure_of_period() * 24.0, 0))],
        )],
        ..Drawn::default()
    }
}

fn finding(answer: &Answer, context: &Context<'_>) -> String {
    let text = context.text();
    let events = answer.events.len() as i64;
    if !answer.tested.any() {
        text.finding_untested.to_owned()
    } else if events == 0 {
        text.finding_no_event.to_owned()
    } else {
        fill(text.finding_events, &[("n", &number::count(events))])
    }
}

/// Quartiles of the whole days among the 28 before each day, those before the period included.
fn bands(answer: &Answer) -> Vec<Band> {
    let before = answer.compared.baseline.as_deref();
    let before = before.filter(|before| before.unit() == answer.unit());
    let mut rates: Vec<Option<f64>> = Vec::new();
    for answer in before.into_iter().chain([answer]) {
        rates.extend(
            answer
                .day_buckets
                .ranges
                .iter()
                .enumerate()
                .map(|(day, range)| {
                    let whole =
                        answer.completeness(&answer.day_buckets, day) == Completeness::Whole;
                    answer
                        .bucket_rate(range, HourTally::packets_ipv4)
                        .filter(|_| whole)
                }),
        );
    }
    let first = rates.len() - answer.day_buckets.ranges.len();
    (first..rates.len())
        .map(|day| {
            let known: Vec<f64> = rates[day.saturating_sub(BASELINE_DAYS)..day]
                .iter()
                .flatten()
                .copied()
                .collect();
            if known.len() < BASELINE_DAYS_MIN {
                return None;
            }
            quartiles(&known).map(|found| (found.low, found.median, found.high))
        })
        .collect()
}

/// Outages that the user named, as days of the period.
fn outages(answer: &Answer, context: &Context<'_>) -> Vec<(std::ops::Range<usize>, String)> {
    let first_hour = answer.period.hours().start;
    let mut found = Vec::new();
    for outage in &answer.supplied.outages {
        let touched = |range: &std::ops::Range<usize>| {
            let start = (first_hour + range.start as i64) * crate::period::HOUR_US;
            let end = (first_hour + range.end as i64) * crate::period::HOUR_US;
            start < outage.end_us && outage.start_us < end
        };
        let days = &answer.day_buckets.ranges;
        let from = days.iter().position(touched);
        let to = days.iter().rposition(touched);
        if let (Some(from), Some(to)) = (from, to) {
            let start = time::civil(outage.start_us, &answer.period.timezone).date();
            let name = outage.name(context.language);
            found.push((from..to + 1, format!("{} {name}", time::day_plain(start))));
        }
    }
    found
}
