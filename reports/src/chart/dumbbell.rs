//! Dumbbells: two values of each name on one scale, which shows their difference.

use super::axis::ValueAxis;
use super::{Anchor, Chart, FONT_SIZE, Pen, WIDTH, legend_marks, text_width};
use crate::text::Language;

/// A name with two values.
#[derive(Clone, Debug)]
pub struct DumbbellPair {
    /// Name.
    pub label: String,
    /// Fainter part of the name; may be empty.
    pub detail: String,
    /// The larger whole.
    pub all: f64,
    /// The part of it that remains.
    pub part: f64,
    /// What it says, at the right.
    pub text: String,
}

const ROW: f64 = 27.0;

/// Draws the pairs from the top down; `legends` names the two values.
#[must_use]
pub fn draw(
    name: &str,
    title: &str,
    description: &str,
    unit: &str,
    language: Language,
    pairs: &[DumbbellPair],
    legends: [&str; 2],
) -> Chart {
    let mut pen = Pen::default();
    legend_marks(
        &mut pen,
        0.0,
        &[("disc", legends[0]), ("circle", legends[1])],
    );
    let names = pairs
        .iter()
        .map(|pair| text_width(&pair.label, FONT_SIZE) + text_width(&pair.detail, 11.5) + 10.0)
        .fold(0.0, f64::max);
    let texts = pairs
        .iter()
        .map(|pair| text_width(&pair.text, FONT_SIZE))
        .fold(0.0, f64::max);
    let (left, right) = (names + 16.0, WIDTH - texts - 22.0);
    let highest = pairs.iter().map(|pair| pair.all).fold(0.0, f64::max);
    let values = ValueAxis::of_rates(0.0, highest, 5);
    let top = 46.0;
    let bottom = top + pairs.len() as f64 * ROW;
    pen.text("unit", right, 30.0, Anchor::End, unit);
    for (tick, label) in values.ticks.iter().zip(values.labels(language)) {
        let x = values.place(*tick, left, right);
        pen.line(
            if *tick == 0.0 { "base" } else { "grid" },
            x,
            top - 4.0,
            x,
            bottom,
        );
        pen.text("tick", x, bottom + 15.0, Anchor::Middle, &label);
    }
    for (row, pair) in pairs.iter().enumerate() {
        let y = top + (row as f64 + 0.5) * ROW;
        if pair.detail.is_empty() {
            pen.text("label", 0.0, y + 4.5, Anchor::Start, &pair.label);
        } else {
            pen.text_with_detail(0.0, y + 4.5, &pair.label, &pair.detail);
        }
        let (all, part) = (
            values.place(pair.all, left, right),
            values.place(pair.part, left, right),
        );
        let told = format!("{} {}", pair.label, pair.text);
        pen.line("between", part, y, all, y);
        pen.circle("disc", all, y, 5.5, &told);
        pen.circle("circle", part, y, 5.5, &told);
        pen.text("value", right + 14.0, y + 4.5, Anchor::Start, &pair.text);
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        height: bottom + 24.0,
        body: pen.finish(),
        hover: String::new(),
        language: language.tag(),
    }
}
