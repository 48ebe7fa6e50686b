//! Ranked bars: names at the left, the value at the end of each bar, so that no axis is needed.

use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, Sheet, legend, text_width};

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
    /// Its rank, which several may share; the rest and the unknown have none.
    pub rank: Option<usize>,
}

const ROW: f64 = 27.0;
const BAR: f64 = 17.0;
/// Height of a row with its words above its bar.
const ROW_NARROW: f64 = 40.0;
const BAR_NARROW: f64 = 13.0;
/// Maximum width of names in a wide drawing.
const NAMES_MAX: f64 = 360.0;
/// The bar of the rest is cut above this multiple of the first rank.
const REST_MAX: f64 = 1.6;

/// Draws the bars from the top down; `legends` explains classes, where more than one is used.
#[must_use]
pub fn draw(
    Sheet { name, width }: Sheet<'_>,
    title: &str,
    description: &str,
    unit: &str,
    language: &'static str,
    bars: &[Bar],
    legends: &[(String, String)],
) -> Chart {
    let mut pen = Pen::default();
    let legend_height = if legends.len() > 1 {
        legend(&mut pen, name, 2.0, width, legends) + 6.0
    } else {
        0.0
    };
    pen.text("unit", width - 2.0, legend_height + 10.0, Anchor::End, unit);
    let name_width = |bar: &Bar| {
        text_width(&bar.label, FONT_SIZE)
            + if bar.detail.is_empty() {
                0.0
            } else {
                text_width(&bar.detail, 11.5) + 9.0
            }
    };
    let names = bars
        .iter()
        .map(name_width)
        .fold(0.0, f64::max)
        .min(NAMES_MAX);
    let texts = bars
        .iter()
        .map(|bar| text_width(&bar.text, FONT_SIZE))
        .fold(0.0, f64::max);
    let narrow = width <= NARROW;
    let left = if narrow { 26.0 } else { 26.0 + names + 16.0 };
    let room = if narrow {
        width - left - 2.0
    } else {
        width - left - texts - 14.0
    };
    let (row, thick) = if narrow {
        (ROW_NARROW, BAR_NARROW)
    } else {
        (ROW, BAR)
    };
    let highest = scale_end(bars);
    let top = legend_height + 18.0;
    pen.line("base", left, top, left, top + bars.len() as f64 * row);
    for (index, bar) in bars.iter().enumerate() {
        let y = top + index as f64 * row;
        let base = y + if narrow { 16.0 } else { ROW / 2.0 + 4.5 };
        if let Some(rank) = bar.rank {
            pen.text("rank", 16.0, base, Anchor::End, &rank.to_string());
        }
        let length = (bar.value / highest).min(1.0) * room;
        let bar_top = if narrow {
            y + 23.0
        } else {
            y + (row - thick) / 2.0
        };
        if narrow {
            let left_over = width - 30.0 - text_width(&bar.text, FONT_SIZE) - 12.0;
            pen.name(30.0, base, left_over, &bar.label, &bar.detail);
            pen.text("value", width - 2.0, base, Anchor::End, &bar.text);
        } else {
            pen.name(26.0, base, names, &bar.label, &bar.detail);
            pen.text("value", left + length + 7.0, base, Anchor::Start, &bar.text);
        }
        let told = format!("{} {}: {}", bar.label, bar.detail, bar.text);
        pen.rect_titled(&bar.class, left, bar_top, length.max(0.8), thick, &told);
        if bar.value > highest {
            broken(&mut pen, left + length * 0.93, bar_top + thick / 2.0);
        }
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        width,
        height: top + bars.len() as f64 * row + 4.0,
        body: pen.finish(),
        hover: String::new(),
        language,
    }
}

/// The value at the full length: the highest, except for a rest that is so large that it must be cut.
fn scale_end(bars: &[Bar]) -> f64 {
    let highest = |ranked: bool| {
        let values = bars.iter().filter(|bar| bar.rank.is_some() == ranked);
        values.map(|bar| bar.value).fold(0.0, f64::max)
    };
    let (ranked, rest) = (highest(true), highest(false));
    let cut = ranked > 0.0 && rest > REST_MAX * ranked;
    let end = if cut {
        REST_MAX * ranked
    } else {
        rest.max(ranked)
    };
    end.max(f64::MIN_POSITIVE)
}

/// Two slanted strokes across a bar that is longer than it can be drawn.
fn broken(pen: &mut Pen, x: f64, middle: f64) {
    let half = BAR / 2.0 + 2.0;
    for shift in [0.0, 6.0] {
        let x = x + shift;
        pen.line("cut", x - 3.0, middle + half, x + 3.0, middle - half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: f64, rank: Option<usize>) -> Bar {
        Bar {
            label: "23/TCP".to_owned(),
            detail: "telnet".to_owned(),
            value,
            text: value.to_string(),
            class: "bar".to_owned(),
            rank,
        }
    }

    #[test]
    fn a_rest_that_dwarfs_the_ranking_is_cut_and_shows_it() {
        let body = |rest: f64| {
            let bars = [bar(10.0, Some(1)), bar(rest, None)];
            let sheet = Sheet {
                name: "n",
                width: 960.0,
            };
            draw(sheet, "t", "d", "u", "en", &bars, &[]).body
        };
        assert!(!body(14.0).contains("cut"));
        assert!(body(90.0).contains("cut"));
    }

    #[test]
    fn bars_without_any_rank_share_one_scale() {
        assert_eq!(scale_end(&[bar(10.0, None), bar(2.0, None)]), 10.0);
    }
}
