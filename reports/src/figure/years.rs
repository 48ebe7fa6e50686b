//! Years: packets per address in a year beside published series from a file.

use teiten_aggregator::schema::names;

use super::{Context, Drawn, Figure, Section};
use crate::chart::years as chart;
use crate::measure::RateUnit;
use crate::period::PeriodKind;
use crate::query::Answer;
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number, time};

pub(super) const FIGURE: Figure = Figure {
    name: "years",
    title: Both {
        ja: "1アドレスあたり年間パケット数の経年変化",
        en: "Packets per address and year",
    },
    question: Both {
        ja: "長期の水準はどう変わってきたか。",
        en: "How has the level changed over the years?",
    },
    section: Section::Years,
    draw,
};

/// One year of one series.
struct YearRow {
    series: String,
    year: i16,
    packets: f64,
    addresses: f64,
    per_address: f64,
    survey: Option<f64>,
    own: bool,
}

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let mut rows: Vec<YearRow> = Vec::new();
    for series in &answer.supplied.series {
        rows.extend(series.year.iter().map(|year| YearRow {
            series: series.name.clone(),
            year: year.year,
            packets: year.packets,
            addresses: year.addresses,
            per_address: year.packets_per_address,
            survey: year.survey_share_percent,
            own: false,
        }));
    }
    rows.extend(own(answer, context));
    if rows.is_empty() {
        return Drawn::nothing(text.no_years);
    }
    let mut table = DataTable::new(&[
        ("series", text.series),
        ("year", text.year),
        ("packets", text.packets),
        (names::ADDRESSES, text.addresses),
        ("packets_per_address_year", text.axis_per_address_year),
        ("survey_share_percent", text.survey_share),
    ]);
    for row in &rows {
        table.push(vec![
            Cell::text(row.series.as_str()),
            Cell::text(row.year.to_string()),
            Cell::Count(row.packets as i64),
            Cell::Count(row.addresses.round() as i64),
            Cell::Measure(row.per_address),
            row.survey.map_or(Cell::Gap, Cell::Percent),
        ]);
    }
    let columns: Vec<chart::YearColumn> = rows
        .iter()
        .map(|row| chart::YearColumn {
            year: row.year,
            series: row.series.clone(),
            value: row.per_address,
            own: row.own,
            text: number::axis((row.per_address * 1e-3).round() * 1e3, context.language),
        })
        .collect();
    let source = |series: &crate::supplied::YearSeries| {
        fill(
            text.note_series,
            &[("name", &series.name), ("source", &series.source)],
        )
    };
    let mut notes: Vec<String> = answer.supplied.series.iter().map(source).collect();
    if !rows.iter().any(|row| row.own) {
        notes.push(text.note_no_own_year.to_owned());
    }
    Drawn {
        chart: Some(chart::draw(
            context.sheet(),
            context.title,
            text.axis_per_address_year,
            context.language,
            &columns,
        )),
        table,
        notes,
        ..Drawn::default()
    }
}

/// The report's own year and the one before: a shorter period is not extrapolated to a year.
fn own(answer: &Answer, context: &Context<'_>) -> Vec<YearRow> {
    let whole_year = matches!(
        answer.period.kind,
        PeriodKind::Year | PeriodKind::FiscalYear
    );
    if !whole_year
        || answer.is_unfinished()
        || !answer.is_comparable()
        || answer.unit() != RateUnit::AddressDay
    {
        return Vec::new();
    }
    [answer.previous(), Some(answer)]
        .into_iter()
        .flatten()
        .filter_map(|answer| {
            let days = answer.hours.len() as f64 / 24.0;
            let rate = answer.rate(answer.packets_ipv4())?;
            let scans = answer.survey.sum(|day| day.packets);
            let survey = answer.survey.sum(|day| day.survey_packets);
            Some(YearRow {
                series: context.text().own_series.to_owned(),
                year: time::civil(answer.period.start_us, &answer.period.timezone).year(),
                packets: answer.packets_ipv4() as f64,
                addresses: answer.exposure_of_period() / days,
                per_address: rate * days,
                survey: (scans > 0).then(|| survey as f64 / scans as f64 * 100.0),
                own: true,
            })
        })
        .collect()
}
