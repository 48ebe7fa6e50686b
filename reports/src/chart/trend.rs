//! The line of the report: a daily value over the band of the days before it, with numbered events on it and a strip of coverage under it.

use std::fmt::Write as _;

use super::axis::ValueAxis;
use super::timeline::{self, Labels, Margins, Series, TimeBuckets};
use super::{Anchor, Chart, FONT_SIZE, Pen, cut, num, text_width};

/// Median and quartiles of the days before a bucket; `None` if there are too few.
pub type Band = Option<(f64, f64, f64)>;

/// A numbered mark.
#[derive(Clone, Debug)]
pub struct ChartMark {
    /// Its buckets.
    pub buckets: std::ops::Range<usize>,
    /// Its number.
    pub number: usize,
    /// A few words.
    pub label: String,
}

/// The texts under the line.
#[derive(Clone, Debug)]
pub struct Strip {
    /// What it is called.
    pub label: String,
    /// Share of each bucket that was observed, 0 to 1.
    pub shares: Vec<f64>,
    /// Named stretches: buckets and name.
    pub named: Vec<(std::ops::Range<usize>, String)>,
}

/// Draws the chart.
#[must_use]
pub fn draw(
    labels: &Labels,
    time: &TimeBuckets,
    series: &Series,
    band: &[Band],
    marks: &[ChartMark],
    strip: &Strip,
) -> Chart {
    let highest = series.values.iter().flatten().copied();
    let highest = highest.chain(band.iter().flatten().map(|band| band.2));
    let highest = highest.fold(0.0, f64::max);
    // Room above the line for the marks.
    let values = ValueAxis::of_rates(0.0, highest * 1.12, 4);
    let mark_rows = rows(marks, time.states.len(), labels.width);
    let mark_height = mark_rows.iter().map(|row| row + 1).max().unwrap_or(0) as f64 * 18.0;
    timeline::draw(
        Pen::default(),
        labels,
        time,
        &values,
        &[series],
        Margins {
            above: mark_height,
            below: 34.0,
        },
        |pen, frame| {
            let slot = time.slot(frame);
            let x = |bucket: usize| frame.left + (bucket as f64 + 0.5) * slot;
            let y = |value: f64| values.place(value, frame.bottom, frame.top);
            pen.path("band", &band_path(band, &x, &y));
            pen.path("median", &median_path(band, &x, &y));
            let (mut line, mut dots, mut rings) = (String::new(), String::new(), String::new());
            let whole = |bucket: usize| {
                series
                    .values
                    .get(bucket)
                    .copied()
                    .flatten()
                    .filter(|_| !time.hollow[bucket])
            };
            for (bucket, &is_hollow) in time.hollow.iter().enumerate() {
                let Some(value) = series.values[bucket] else {
                    continue;
                };
                let dot = format!(
                    "M{} {:.1}m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0",
                    num(x(bucket)),
                    y(value)
                );
                if is_hollow {
                    rings.push_str(&dot);
                    continue;
                }
                let follows = bucket > 0 && whole(bucket - 1).is_some();
                let _ = write!(
                    line,
                    "{}{} {:.1}",
                    if follows { "L" } else { "M" },
                    num(x(bucket)),
                    y(value)
                );
                if !follows && whole(bucket + 1).is_none() {
                    dots.push_str(&dot);
                }
            }
            pen.path("line0", &line);
            pen.path("dot0", &dots);
            pen.path("line0 ring", &rings);
            for (mark, row) in marks.iter().zip(&mark_rows) {
                // Above the unit, which is over the frame.
                let top = 9.0 + *row as f64 * 18.0;
                let (from, to) = (x(mark.buckets.start), x(mark.buckets.end - 1));
                pen.line("event", from, top + 7.0, from, frame.bottom);
                pen.line("event-span", from, top + 7.0, to.max(from + 1.0), top + 7.0);
                let room = frame.right - frame.left;
                let text = format!("{} {}", circled(mark.number), mark.label);
                let text = cut(&text, FONT_SIZE * BOLD, room);
                let width = text_width(&text, FONT_SIZE * BOLD);
                let anchor = (from + 5.0).min(frame.right - width).max(frame.left);
                pen.text("event-label halo", anchor, top + 3.0, Anchor::Start, &text);
            }
            draw_strip(
                pen,
                strip,
                frame.left,
                slot,
                frame.bottom + 8.0,
                frame.right,
            );
        },
    )
}

fn draw_strip(pen: &mut Pen, strip: &Strip, left: f64, slot: f64, top: f64, right: f64) {
    pen.text("tick", left - 8.0, top + 9.0, Anchor::End, &strip.label);
    for (bucket, share) in strip.shares.iter().enumerate() {
        let x = left + bucket as f64 * slot;
        let inset = if slot > 4.0 { 1.0 } else { 0.0 };
        pen.rect("s-slot", x, top, slot - inset, 10.0);
        let filled = 10.0 * share.clamp(0.0, 1.0);
        let class = if *share < crate::measure::SHARE_MIN {
            "s-partial"
        } else {
            "s-complete"
        };
        if *share > 0.0 {
            pen.rect(class, x, top + 10.0 - filled, slot - inset, filled);
        }
    }
    let mut free_from = left;
    for (buckets, name) in &strip.named {
        let width = text_width(name, 11.5);
        let middle = left + (buckets.start + buckets.end) as f64 / 2.0 * slot;
        let start = (middle - width / 2.0).max(left).min(right - width);
        if start >= free_from {
            pen.text("tick", start, top + 23.0, Anchor::Start, name);
            free_from = start + width + 10.0;
        }
    }
}

/// ① to ⑳, then plain.
#[must_use]
pub fn circled(number: usize) -> String {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=20).contains(number))
        .and_then(|number| char::from_u32(0x2460 + number - 1))
        .map_or_else(|| format!("({number})"), String::from)
}

/// Factor by which bold text is wider than [`text_width`].
const BOLD: f64 = 1.1;

/// Room for a mark's number and label.
fn mark_width(label: &str) -> f64 {
    text_width(label, FONT_SIZE * BOLD) + 26.0
}

/// A row for each mark, so that no labels overlap.
fn rows(marks: &[ChartMark], buckets: usize, width: f64) -> Vec<usize> {
    // The width of the frame beside the labels of its values.
    let room = width - 60.0;
    let slot = room / buckets.max(1) as f64;
    let mut ends: Vec<f64> = Vec::new();
    marks
        .iter()
        .map(|mark| {
            let width = mark_width(&mark.label).min(room);
            let start = (mark.buckets.start as f64 * slot)
                .min(room - width)
                .max(0.0);
            let row = ends
                .iter()
                .position(|&end| end <= start)
                .unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(0.0);
            }
            ends[row] = start + width + 8.0;
            row
        })
        .collect()
}

fn band_path(band: &[Band], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut run: Vec<(usize, f64, f64)> = Vec::new();
    let flush = |run: &mut Vec<(usize, f64, f64)>, path: &mut String| {
        if run.len() > 1 {
            for (place, (bucket, _, high)) in run.iter().enumerate() {
                let letter = if place == 0 { "M" } else { "L" };
                let _ = write!(path, "{letter}{} {:.1}", num(x(*bucket)), y(*high));
            }
            for (bucket, low, _) in run.iter().rev() {
                let _ = write!(path, "L{} {:.1}", num(x(*bucket)), y(*low));
            }
            path.push('z');
        }
        run.clear();
    };
    for (bucket, band) in band.iter().enumerate() {
        match band {
            Some((low, _, high)) => run.push((bucket, *low, *high)),
            None => flush(&mut run, &mut path),
        }
    }
    flush(&mut run, &mut path);
    path
}

fn median_path(band: &[Band], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut before = false;
    for (bucket, band) in band.iter().enumerate() {
        if let Some((_, median, _)) = band {
            let letter = if before { "L" } else { "M" };
            let _ = write!(path, "{letter}{} {:.1}", num(x(bucket)), y(*median));
        }
        before = band.is_some();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_would_touch_take_rows_of_their_own() {
        let mark = |bucket: usize| ChartMark {
            buckets: bucket..bucket + 1,
            number: bucket + 1,
            label: "9530/TCP, 5,974 hosts".to_owned(),
        };
        assert_eq!(rows(&[mark(1), mark(2), mark(80)], 92, 960.0), [0, 1, 0]);
        assert_eq!(
            (circled(1), circled(21)),
            ("①".to_owned(), "(21)".to_owned())
        );
    }
}
