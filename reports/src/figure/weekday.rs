//! The rhythm of a week: packets per address and day in each hour of each weekday.

use super::{Context, Drawn, Figure, Section};
use crate::chart::grid::{self, Grid, SHADES};
use crate::period::HOUR_US;
use crate::query::Answer;
use crate::table::{Cell, DataTable};
use crate::text::{Both, number, time};

pub(super) const FIGURE: Figure = Figure {
    name: "weekday",
    title: Both {
        ja: "曜日・時刻別の平均パケット数",
        en: "Mean packets by weekday and hour",
    },
    question: Both {
        ja: "一週間のどの時間帯に多いか。",
        en: "When in the week is it busy?",
    },
    section: Section::Overview,
    draw,
};

const HOURS_MIN: usize = 7 * 24;

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    if answer.hours.len() < HOURS_MIN {
        return Drawn {
            empty: Some(text.too_short_week),
            ..Drawn::default()
        };
    }
    let means = means(answer);
    let known = || means.iter().flatten().flatten().copied();
    let (low, high) = (
        known().fold(f64::MAX, f64::min),
        known().fold(0.0, f64::max),
    );
    let shade = |mean: f64| {
        let share = if high > low {
            (mean - low) / (high - low)
        } else {
            0.5
        };
        SHADES[((share * SHADES.len() as f64) as usize).min(SHADES.len() - 1)]
    };
    let mut table = DataTable::new(&[
        ("weekday_from_monday", ""),
        ("weekday", text.weekday),
        ("hour", text.hour),
        ("ipv4_packets_per_address_day", context.unit(answer)),
    ]);
    let mut rows = Vec::new();
    for (day, hours) in means.iter().enumerate() {
        let mut cells = Vec::new();
        for (hour, mean) in hours.iter().enumerate() {
            let head = format!("{} {hour:02}:00", text.weekdays[day]);
            table.push(vec![
                Cell::Count(day as i64 + 1),
                Cell::text(text.weekdays[day]),
                Cell::Count(hour as i64),
                Cell::rate(*mean),
            ]);
            cells.push(match mean {
                Some(mean) => grid::GridCell::Full(
                    shade(*mean),
                    1.0,
                    format!("{head}: {}", number::measure(*mean)),
                ),
                None => grid::GridCell::Gap(format!("{head}: {}", text.no_data)),
            });
        }
        rows.push((text.weekdays[day].to_owned(), cells));
    }
    let mut legend: Vec<(String, String)> = SHADES
        .iter()
        .map(|shade| ((*shade).to_owned(), String::new()))
        .collect();
    for (index, value) in [(0, low), (SHADES.len() - 1, high)] {
        legend[index].1 = number::measure(value);
    }
    if known().count() < 7 * 24 {
        legend.push(("gap".to_owned(), text.no_data.to_owned()));
    }
    let chart = grid::draw(&Grid {
        name: context.name.to_owned(),
        width: context.width,
        title: context.title.to_owned(),
        description: text.note_means.to_owned(),
        language: context.language.tag(),
        unit: context.unit(answer).to_owned(),
        columns: (0..24).map(|hour| hour.to_string()).collect(),
        rows,
        row_height: 25.0,
        legend,
    });
    Drawn {
        chart: Some(chart),
        table,
        notes: vec![text.note_means.to_owned()],
        ..Drawn::default()
    }
}

/// Mean packets per address and day in each hour of each weekday; `None` if it was never observed.
fn means(answer: &Answer) -> [[Option<f64>; 24]; 7] {
    let mut sums = [[(0_i64, 0.0); 24]; 7];
    let first = answer.period.hours().start;
    for (index, hour) in answer.hours.iter().enumerate() {
        let civil = time::civil((first + index as i64) * HOUR_US, &answer.period.timezone);
        let day = civil.date().weekday().to_monday_zero_offset() as usize;
        let cell = &mut sums[day][civil.hour() as usize];
        cell.0 += hour.packets_ipv4();
        cell.1 += answer.exposure(&(index..index + 1));
    }
    sums.map(|day| {
        day.map(|(packets, exposure)| (exposure > 0.0).then(|| packets as f64 / exposure))
    })
}
