//! Small multiples: one small line for each name over the same days, each to its own highest value, which is written on it.

use std::fmt::Write as _;

use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, Sheet, cut, num, text_width};

/// One small chart.
#[derive(Clone, Debug)]
pub struct Small {
    /// Name.
    pub label: String,
    /// Fainter part of the name; left out if there is no room.
    pub detail: String,
    /// Values by day; none is a gap.
    pub values: Vec<Option<f64>>,
    /// The highest value as written.
    pub highest: String,
}

/// Charts side by side, on a screen and on a phone.
const COLUMNS: [usize; 2] = [4, 2];
const CELL_HEIGHT: f64 = 96.0;
const GAP: f64 = 22.0;

/// Draws the charts row by row; `first` and `last` label the ends of the time axis.
#[must_use]
pub fn draw(
    Sheet { name, width: whole }: Sheet<'_>,
    title: &str,
    description: &str,
    unit: &str,
    language: &'static str,
    charts: &[Small],
    ends: [&str; 2],
) -> Chart {
    let mut pen = Pen::default();
    pen.text("unit", 0.0, 11.0, Anchor::Start, unit);
    let columns = COLUMNS[usize::from(whole <= NARROW)];
    let width = (whole - GAP * (columns as f64 - 1.0)) / columns as f64;
    for (place, small) in charts.iter().enumerate() {
        let left = (place % columns) as f64 * (width + GAP);
        let top = 24.0 + (place / columns) as f64 * (CELL_HEIGHT + 28.0);
        let room = width - text_width(&small.highest, 11.5) - 12.0;
        if text_width(&small.label, FONT_SIZE) + text_width(&small.detail, 11.5) + 9.0 <= room {
            pen.text_with_detail(left, top + 11.0, &small.label, &small.detail);
        } else {
            let label = cut(&small.label, FONT_SIZE, room);
            pen.text("label", left, top + 11.0, Anchor::Start, &label);
        }
        pen.text(
            "tick",
            left + width,
            top + 11.0,
            Anchor::End,
            &small.highest,
        );
        let (floor, ceiling) = (top + CELL_HEIGHT - 14.0, top + 20.0);
        let highest = small
            .values
            .iter()
            .flatten()
            .copied()
            .fold(0.0, f64::max)
            .max(f64::MIN_POSITIVE);
        let step = width / small.values.len().max(1) as f64;
        let mut path = String::new();
        let mut before = false;
        for (day, value) in small.values.iter().enumerate() {
            if let Some(value) = value {
                let letter = if before { "L" } else { "M" };
                let (x, y) = (
                    left + (day as f64 + 0.5) * step,
                    floor - value / highest * (floor - ceiling),
                );
                let _ = write!(path, "{letter}{} {y:.1}", num(x));
                if !before && small.values.get(day + 1).copied().flatten().is_none() {
                    path.push_str("h1.5");
                }
            }
            before = value.is_some();
        }
        pen.line("base", left, floor, left + width, floor);
        pen.path("line0", &path);
        pen.text("tick", left, floor + 14.0, Anchor::Start, ends[0]);
        pen.text("tick", left + width, floor + 14.0, Anchor::End, ends[1]);
    }
    let rows = charts.len().div_ceil(columns);
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        width: whole,
        height: 24.0 + rows as f64 * (CELL_HEIGHT + 28.0),
        body: pen.finish(),
        hover: String::new(),
        language,
    }
}
