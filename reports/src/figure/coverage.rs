//! Coverage: which hours (or days) were observed whole, in part, with loss, or not at all.

use teiten_aggregator::schema::names;

use super::{Context, Drawn, Figure, Section, state_name};
use crate::chart::grid::{self, Grid};
use crate::measure::RateUnit;
use crate::period::HOUR_US;
use crate::query::Answer;
use crate::series::{Buckets, CoverageState, HOURLY_MAX, combined};
use crate::table::{Cell, DataTable};
use crate::text::{Both, Text, number, time};

pub(super) const FIGURE: Figure = Figure {
    name: "coverage",
    title: Both {
        ja: "観測状況",
        en: "What was observed, and what was not",
    },
    question: Both {
        ja: "どの時間を観測でき、どこが欠けているか。",
        en: "Which hours stand behind the numbers?",
    },
    section: Section::Conditions,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let hourly = answer.hours.len() as i64 <= HOURLY_MAX;
    let (columns, rows) = if hourly {
        by_hour(answer, context)
    } else {
        by_day(answer, context)
    };
    let mut legend: Vec<(String, String)> = CoverageState::ALL
        .iter()
        .filter(|state| **state != CoverageState::NotYet || answer.is_unfinished())
        .map(|state| {
            (
                class(*state).to_owned(),
                format!(
                    "{} {}",
                    state_name(*state, text),
                    number::count(answer.hours_in(*state) as i64)
                ),
            )
        })
        .collect();
    for entry in &mut legend {
        entry
            .1
            .push_str(if context.language == crate::text::Language::Ja {
                "時間"
            } else {
                " h"
            });
    }
    let chart = grid::draw(&Grid {
        name: context.name.to_owned(),
        width: context.width,
        title: context.title.to_owned(),
        description: legend
            .iter()
            .map(|(_, label)| label.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        language: context.language.tag(),
        unit: String::new(),
        columns,
        row_height: if rows.len() > 14 { 15.0 } else { 22.0 },
        rows,
        legend,
    });
    Drawn {
        chart: Some(chart),
        table: table(answer, context),
        ..Drawn::default()
    }
}

const fn class(state: CoverageState) -> &'static str {
    match state {
        CoverageState::Complete => "s-complete",
        CoverageState::Partial => "s-partial",
        CoverageState::Lossy => "s-lossy",
        CoverageState::Missing => "gap",
        CoverageState::NotYet => "s-slot",
    }
}

type CoverageLines = Vec<(String, Vec<grid::GridCell>)>;

/// A row per day, a column per hour of the day.
fn by_hour(answer: &Answer, context: &Context<'_>) -> (Vec<String>, CoverageLines) {
    let mut rows = CoverageLines::new();
    let first = answer.period.hours().start;
    let mut last = None;
    for (index, hour) in answer.hours.iter().enumerate() {
        let civil = time::civil((first + index as i64) * HOUR_US, &answer.period.timezone);
        if last != Some(civil.date()) {
            rows.push((
                time::day_short(civil.date(), context.language),
                vec![grid::GridCell::Outside; 24],
            ));
            last = Some(civil.date());
        }
        let head = format!(
            "{} {:02}:{:02}",
            time::day(civil.date(), context.language),
            civil.hour(),
            civil.minute()
        );
        if let Some((_, cells)) = rows.last_mut() {
            cells[civil.hour() as usize] =
                cell(hour.state, hour_share(answer, index), &head, context.text());
        }
    }
    ((0..24).map(|hour| hour.to_string()).collect(), rows)
}

/// A row per month, a column per day of the month.
fn by_day(answer: &Answer, context: &Context<'_>) -> (Vec<String>, CoverageLines) {
    let mut rows = CoverageLines::new();
    let first = answer.period.hours().start;
    let mut last = None;
    for range in Buckets::days(&answer.period).ranges {
        let date = time::civil(
            (first + range.start as i64) * HOUR_US,
            &answer.period.timezone,
        )
        .date();
        let month = Some(date.first_of_month());
        if last != month {
            rows.push((
                time::month(date, context.language),
                vec![grid::GridCell::Outside; 31],
            ));
            last = month;
        }
        let state = combined(answer.hours[range.clone()].iter().map(|hour| hour.state));
        let share = range
            .clone()
            .map(|hour| hour_share(answer, hour))
            .sum::<f64>()
            / range.len().max(1) as f64;
        if let Some((_, cells)) = rows.last_mut() {
            cells[date.day() as usize - 1] = cell(
                state,
                share,
                &time::day(date, context.language),
                context.text(),
            );
        }
    }
    ((1..=31).map(|day| day.to_string()).collect(), rows)
}

/// Observed share of the address-hours of an hour, or of the sensors' time if their sizes are unknown.
fn hour_share(answer: &Answer, index: usize) -> f64 {
    let hour = &answer.hours[index];
    let (observed, expected) = match answer.unit() {
        RateUnit::AddressDay => (
            hour.address_seconds as f64,
            hour.expected_address_seconds as f64,
        ),
        RateUnit::SensorDay => (
            hour.seconds_of_sensors() as f64,
            hour.expected_seconds as f64,
        ),
    };
    if expected > 0.0 {
        (observed / expected).min(1.0)
    } else {
        0.0
    }
}

fn cell(state: CoverageState, share: f64, head: &str, text: &Text) -> grid::GridCell {
    let told = format!(
        "{head}: {} ({}%)",
        state_name(state, text),
        number::percent(share, 1.0)
    );
    match state {
        CoverageState::Missing => grid::GridCell::Gap(told),
        CoverageState::NotYet => grid::GridCell::Full(
            "s-slot",
            1.0,
            format!("{head}: {}", state_name(state, text)),
        ),
        _ => grid::GridCell::Full(class(state), share, told),
    }
}

fn table(answer: &Answer, context: &Context<'_>) -> DataTable {
    let text = context.text();
    let mut table = DataTable::new(&[
        (names::HOUR_START, text.time),
        ("state", ""),
        ("state_label", text.state),
        ("observed_seconds_of_all_sensors", text.seconds),
        ("expected_seconds_of_all_sensors", ""),
        ("observed_packets", text.packets),
        ("dropped_packets", text.dropped),
    ]);
    let first = answer.period.hours().start;
    for (index, hour) in answer.hours.iter().enumerate() {
        let known = |count: i64| {
            if hour.is_covered() {
                Cell::Count(count)
            } else {
                Cell::Gap
            }
        };
        table.push(vec![
            Cell::text(time::iso(
                (first + index as i64) * HOUR_US,
                &answer.period.timezone,
            )),
            Cell::text(hour.state.name()),
            Cell::text(state_name(hour.state, text)),
            Cell::Count(hour.seconds.values().sum()),
            Cell::Count(hour.expected_seconds),
            known(hour.observed),
            known(hour.dropped),
        ]);
    }
    table
}
