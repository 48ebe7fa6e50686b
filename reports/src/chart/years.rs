//! Columns by year of one or more series, the value written on each.

use super::axis::ValueAxis;
use super::{Anchor, Chart, Pen, Sheet, legend, text_width};
use crate::text::Language;

/// One column.
#[derive(Clone, Debug)]
pub struct YearColumn {
    /// The year.
    pub year: i16,
    /// Whose value it is.
    pub series: String,
    /// The value.
    pub value: f64,
    /// Whether it is the report's own.
    pub own: bool,
    /// The value as written.
    pub text: String,
}

/// Draws the columns, years ascending; series of one year are side by side.
#[must_use]
pub fn draw(
    Sheet { name, width }: Sheet<'_>,
    title: &str,
    unit: &str,
    language: Language,
    columns: &[YearColumn],
) -> Chart {
    let mut pen = Pen::default();
    let mut series: Vec<(&str, bool)> = Vec::new();
    for column in columns {
        if !series.iter().any(|known| known.0 == column.series) {
            series.push((&column.series, column.own));
        }
    }
    let class = |own: bool| if own { "up" } else { "bar" };
    let entries: Vec<(String, String)> = series
        .iter()
        .map(|(name, own)| (class(*own).to_owned(), (*name).to_owned()))
        .collect();
    let right = width - 4.0;
    let top = legend(&mut pen, name, 2.0, width, &entries) + 32.0;
    pen.text("unit", 0.0, top - 16.0, Anchor::Start, unit);
    let bottom = top + 240.0;
    let years = columns.iter().map(|column| column.year);
    let (first, last) = (years.clone().min().unwrap_or(0), years.max().unwrap_or(0));
    let highest = columns
        .iter()
        .map(|column| column.value)
        .fold(0.0, f64::max);
    let values = ValueAxis::new(0.0, highest, 5);
    let labels = values.labels(language);
    let widest = labels.iter().map(|label| text_width(label, 11.5));
    let left = widest.fold(0.0, f64::max) + 16.0;
    for (tick, label) in values.ticks.iter().zip(&labels) {
        let y = values.place(*tick, bottom, top);
        let class = if *tick == 0.0 { "base" } else { "grid" };
        pen.line(class, left, y, right, y);
        pen.text("tick", left - 8.0, y + 4.0, Anchor::End, label);
    }
    let slot = (right - left) / f64::from(last - first + 1);
    let bar = slot * 0.74 / series.len().max(1) as f64;
    let centre = |year: i16| left + (f64::from(year - first) + 0.5) * slot;
    let label_width = text_width(&last.to_string(), 11.5) + 6.0;
    let every = (label_width / slot).ceil().max(1.0) as i16;
    for year in (first..=last).filter(|year| (last - year) % every == 0) {
        pen.text(
            "tick",
            centre(year),
            bottom + 17.0,
            Anchor::Middle,
            &year.to_string(),
        );
    }
    for column in columns {
        let place = series.iter().position(|known| known.0 == column.series);
        let shift = place.unwrap_or(0) as f64 - series.len() as f64 / 2.0;
        let x = centre(column.year) + shift * bar;
        let y = values.place(column.value, bottom, top);
        let told = format!("{} {}: {}", column.series, column.year, column.text);
        pen.rect_titled(
            class(column.own),
            x,
            y,
            (bar - 1.0).max(1.0),
            bottom - y,
            &told,
        );
        let middle = x + bar / 2.0;
        let half = text_width(&column.text, 11.5) / 2.0;
        // Each over its own column, where it touches neither a neighbour's nor the edge.
        if half * 2.0 + 3.0 < slot / series.len().max(1) as f64 && middle + half <= width {
            pen.text("tick", middle, y - 5.0, Anchor::Middle, &column.text);
        }
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: unit.to_owned(),
        width,
        height: bottom + 26.0,
        body: pen.finish(),
        hover: String::new(),
        language: language.tag(),
    }
}
