//! Dumbbells: two values of each name on one scale, which shows their difference.

use super::axis::ValueAxis;
use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, Sheet, legend_marks, text_width};
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
    /// Text at the right.
    pub text: String,
}

const ROW: f64 = 27.0;
/// Height of a row with its words above its marks.
const ROW_NARROW: f64 = 42.0;

/// Draws the pairs from the top down; `legends` names the two values.
#[must_use]
pub fn draw(
    Sheet { name, width }: Sheet<'_>,
    title: &str,
    description: &str,
    unit: &str,
    language: Language,
    pairs: &[DumbbellPair],
    legends: [&str; 2],
) -> Chart {
    let mut pen = Pen::default();
    let marks = [("disc", legends[0]), ("circle", legends[1])];
    let legend_height = legend_marks(&mut pen, 0.0, width, &marks);
    let narrow = width <= NARROW;
    let names = pairs
        .iter()
        .map(|pair| text_width(&pair.label, FONT_SIZE) + text_width(&pair.detail, 11.5) + 10.0)
        .fold(0.0, f64::max);
    let texts = pairs
        .iter()
        .map(|pair| text_width(&pair.text, FONT_SIZE))
        .fold(0.0, f64::max);
    let (left, right, height) = if narrow {
        (8.0, width - 8.0, ROW_NARROW)
    } else {
        (names + 16.0, width - texts - 22.0, ROW)
    };
    let highest = pairs.iter().map(|pair| pair.all).fold(0.0, f64::max);
    let values = ValueAxis::of_rates(0.0, highest, 5);
    let top = legend_height + 26.0;
    let bottom = top + pairs.len() as f64 * height;
    pen.text("unit", right, legend_height + 10.0, Anchor::End, unit);
    let mut free_from = f64::MIN;
    for (tick, label) in values.ticks.iter().zip(values.labels(language)) {
        let x = values.place(*tick, left, right);
        pen.line(
            if *tick == 0.0 { "base" } else { "grid" },
            x,
            top - 4.0,
            x,
            bottom,
        );
        let half = text_width(&label, 11.5) / 2.0;
        let middle = x.max(half).min(width - half);
        if middle - half > free_from {
            pen.text("tick", middle, bottom + 15.0, Anchor::Middle, &label);
            free_from = middle + half + 4.0;
        }
    }
    for (row, pair) in pairs.iter().enumerate() {
        let y = top + (row as f64 + if narrow { 0.7 } else { 0.5 }) * height;
        let base = if narrow { y - 13.0 } else { y + 4.5 };
        let room = names_room(narrow, width, &pair.text, names);
        // Right of the line of zero, which a narrow drawing has under its words.
        let indent = if narrow { 14.0 } else { 0.0 };
        pen.name(indent, base, room - indent, &pair.label, &pair.detail);
        let (all, part) = (
            values.place(pair.all, left, right),
            values.place(pair.part, left, right),
        );
        let told = format!("{} {}", pair.label, pair.text);
        pen.line("between", part, y, all, y);
        pen.circle("disc", all, y, 5.5, &told);
        pen.circle("circle", part, y, 5.5, &told);
        if narrow {
            pen.text("value", width - 2.0, base, Anchor::End, &pair.text);
        } else {
            pen.text("value", right + 14.0, base, Anchor::Start, &pair.text);
        }
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        width,
        height: bottom + 24.0,
        body: pen.finish(),
        hover: String::new(),
        language: language.tag(),
    }
}

/// Maximum width of a name: beside a value in a narrow drawing, otherwise that of the widest name.
fn names_room(narrow: bool, width: f64, value: &str, names: f64) -> f64 {
    if narrow {
        width - text_width(value, FONT_SIZE) - 12.0
    } else {
        names
    }
}
