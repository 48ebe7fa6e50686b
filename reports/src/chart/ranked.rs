//! Ranked bars: names at the left, the value written at the end of each bar, so that no axis has to be read.

use super::{Anchor, Chart, FONT_SIZE, Pen, WIDTH, legend, text_width};

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Name.
    pub label: String,
    /// Second, fainter part of the name; may be empty.
    pub detail: String,
    /// Value that decides the length.
    pub value: f64,
    /// Value as written.
    pub text: String,
    /// Class that colours it.
    pub class: String,
    /// Whether it has a rank; the rest and the unknown have none.
    pub ranked: bool,
}

const ROW: f64 = 27.0;
const BAR: f64 = 17.0;

/// Draws the bars from the top down; `legends` explains classes, where more than one is used.
#[must_use]
pub fn draw(
    name: &str,
    title: &str,
    description: &str,
    unit: &str,
    language: &'static str,
    bars: &[Bar],
    legends: &[(String, String)],
) -> Chart {
    let mut pen = Pen::default();
    let legend_height = if legends.len() > 1 {
        legend(&mut pen, 0.0, 2.0, legends) + 6.0
    } else {
        0.0
    };
    pen.text("unit", WIDTH - 2.0, legend_height + 10.0, Anchor::End, unit);
    let name_width = |bar: &Bar| {
        text_width(&bar.label, FONT_SIZE)
            + if bar.detail.is_empty() {
                0.0
            } else {
                text_width(&bar.detail, 11.5) + 9.0
            }
    };
    let names = bars.iter().map(name_width).fold(0.0, f64::max).min(340.0);
    let texts = bars
        .iter()
        .map(|bar| text_width(&bar.text, FONT_SIZE))
        .fold(0.0, f64::max);
    let left = 26.0 + names + 16.0;
    let room = WIDTH - left - texts - 14.0;
    let highest = bars
        .iter()
        .map(|bar| bar.value)
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let top = legend_height + 18.0;
    pen.line("base", left, top, left, top + bars.len() as f64 * ROW);
    let mut rank = 0;
    for (index, bar) in bars.iter().enumerate() {
        let y = top + index as f64 * ROW;
        let base = y + ROW / 2.0 + 4.5;
        if bar.ranked {
            rank += 1;
            pen.text("rank", 16.0, base, Anchor::End, &rank.to_string());
        }
        if bar.detail.is_empty() {
            pen.text("label", 26.0, base, Anchor::Start, &bar.label);
        } else {
            pen.text_with_detail(26.0, base, &bar.label, &bar.detail);
        }
        let width = bar.value / highest * room;
        let told = format!("{} {}: {}", bar.label, bar.detail, bar.text);
        pen.rect_titled(
            &bar.class,
            left,
            y + (ROW - BAR) / 2.0,
            width.max(0.8),
            BAR,
            &told,
        );
        pen.text("value", left + width + 7.0, base, Anchor::Start, &bar.text);
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        height: top + bars.len() as f64 * ROW + 4.0,
        body: pen.finish(),
        hover: String::new(),
        language,
    }
}
