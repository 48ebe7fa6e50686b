//! Shared parts of charts over time: the frame, the gaps, the marks of hours with loss or observed in part, and the values on hover.

use super::axis::{PlotArea, TimeAxis, ValueAxis};
use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, num, text_width};
use crate::series::CoverageState;

/// Labels of a chart over time.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Name of the chart.
    pub name: String,
    /// Width of the chart.
    pub width: f64,
    /// Title for screen readers.
    pub title: String,
    /// The chart in a sentence.
    pub description: String,
    /// Unit of the value axis.
    pub unit: String,
    /// Label of a gap.
    pub no_data: String,
    /// Label of a bucket observed in part.
    pub partial: String,
    /// Label of a bucket with loss.
    pub lossy: String,
    /// Label of a bucket with too little observation to be compared.
    pub hollow: String,
    /// Label of a bucket in the future.
    pub not_yet: String,
    /// Label of the sum of the series on hover; `None` if they do not add up.
    pub total: Option<String>,
    /// Another text left of the frame that needs room; may be empty.
    pub left_text: String,
    /// Decimals of the values on hover.
    pub digits: u8,
}

/// One series: its label, the class that colours it, and its value in each bucket; none is a gap.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub label: String,
    /// Text after the name in the legend, such as its share of the period; may be empty.
    pub detail: String,
    /// Class of its swatch.
    pub class: String,
    /// Values.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// A series without text after its name.
    #[must_use]
    pub fn new(
        label: impl Into<String>,
        class: impl Into<String>,
        values: Vec<Option<f64>>,
    ) -> Self {
        Series {
            label: label.into(),
            detail: String::new(),
            class: class.into(),
            values,
        }
    }

    /// The entry in the legend.
    #[must_use]
    pub fn legend(&self) -> String {
        if self.detail.is_empty() {
            self.label.clone()
        } else {
            format!("{} {}", self.label, self.detail)
        }
    }
}

/// The buckets of a chart over time.
#[derive(Clone, Debug)]
pub struct TimeBuckets {
    /// Where each begins.
    pub axis: TimeAxis,
    /// Their labels on hover.
    pub labels: Vec<String>,
    /// How completely each was observed.
    pub states: Vec<CoverageState>,
    /// Which were observed too little to be compared.
    pub hollow: Vec<bool>,
}

impl TimeBuckets {
    /// Width of a bucket within a frame.
    #[must_use]
    pub fn slot(&self, frame: &PlotArea) -> f64 {
        (frame.right - frame.left) / self.states.len().max(1) as f64
    }
}

/// Heights that a chart reserves above its frame, for legends or marks, and between its data and the labels of the time axis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Margins {
    /// Above the frame.
    pub above: f64,
    /// Below the data.
    pub below: f64,
}

/// The series with a value above zero.
#[must_use]
pub fn present(series: &[Series]) -> Vec<&Series> {
    let has_value = |series: &&Series| series.values.iter().flatten().any(|&value| value > 0.0);
    series.iter().filter(has_value).collect()
}

/// The value axis from zero to `highest`: for rates if the labels have decimals, for counts otherwise.
#[must_use]
pub fn value_axis(labels: &Labels, highest: f64) -> ValueAxis {
    if labels.digits > 0 {
        ValueAxis::of_rates(0.0, highest, 5)
    } else {
        ValueAxis::new(0.0, highest, 5)
    }
}

/// Draws axes, gaps and marks, and the values by `data`; the chart shows those of `series` on hover. `pen` has what is drawn already.
pub fn draw(
    mut pen: Pen,
    labels: &Labels,
    time: &TimeBuckets,
    values: &ValueAxis,
    series: &[&Series],
    margins: Margins,
    data: impl FnOnce(&mut Pen, &PlotArea),
) -> Chart {
    let language = time.axis.language;
    let widest = values
        .labels(language)
        .iter()
        .map(|label| text_width(label, 11.5))
        .fold(text_width(&labels.left_text, 11.5), f64::max);
    let top = margins.above + 26.0;
    let frame = PlotArea {
        left: widest + 16.0,
        right: labels.width - 12.0,
        top,
        bottom: top + if labels.width > NARROW { 250.0 } else { 200.0 },
    };
    let unit_top = margins.above + 10.0;
    pen.text("unit", 0.0, unit_top, Anchor::Start, &labels.unit);
    gaps(&mut pen, labels, time, &frame);
    values.draw(&mut pen, language, &frame);
    data(&mut pen, &frame);
    pen.line("base", frame.left, frame.bottom, frame.right, frame.bottom);
    let lower = PlotArea {
        bottom: frame.bottom + margins.below,
        ..frame
    };
    if margins.below == 0.0 {
        marks(&mut pen, time, &frame);
    }
    time.axis.draw(&mut pen, &lower, 26.0);
    let key_height = key(&mut pen, labels, time, &lower);
    Chart {
        name: labels.name.clone(),
        title: labels.title.clone(),
        description: labels.description.clone(),
        width: labels.width,
        height: lower.bottom + 50.0 + key_height,
        hover: hover(labels, &frame, time, series),
        body: pen.finish(),
        language: language.tag(),
    }
}

fn gaps(pen: &mut Pen, labels: &Labels, time: &TimeBuckets, frame: &PlotArea) {
    let slot = time.slot(frame);
    for run in runs(&time.states, |state| state == CoverageState::Missing) {
        let (x, width) = (
            frame.left + run.start as f64 * slot,
            run.len() as f64 * slot,
        );
        pen.gap(
            &labels.name,
            x,
            frame.top,
            width,
            frame.bottom - frame.top,
            &labels.no_data,
        );
        if width > text_width(&labels.no_data, FONT_SIZE) + 8.0 {
            let (middle, height) = (x + width / 2.0, (frame.top + frame.bottom) / 2.0);
            let half = text_width(&labels.no_data, FONT_SIZE) / 2.0 + 5.0;
            pen.rect(
                "hatch-ground",
                middle - half,
                height - 14.0,
                half * 2.0,
                20.0,
            );
            pen.text("faint", middle, height, Anchor::Middle, &labels.no_data);
        }
    }
}

/// A bar for loss, a triangle for partial observation, at the foot of the bucket.
fn marks(pen: &mut Pen, time: &TimeBuckets, frame: &PlotArea) {
    let slot = time.slot(frame);
    let (mut lossy, mut partial) = (String::new(), String::new());
    for (index, state) in time.states.iter().enumerate() {
        let (x, width) = (frame.left + index as f64 * slot, slot.max(2.0));
        match state {
            CoverageState::Lossy => lossy.push_str(&format!(
                "M{} {}h{}v3.5h-{}z",
                num(x),
                num(frame.bottom + 6.5),
                num(width),
                num(width)
            )),
            CoverageState::Partial => {
                partial.push_str(&format!(
                    "M{} {}l3.5 6h-7z",
                    num(x + slot / 2.0),
                    num(frame.bottom + 5.5)
                ));
            }
            CoverageState::Missing | CoverageState::NotYet | CoverageState::Complete => {}
        }
    }
    pen.path("mark-lossy", &lossy);
    pen.path("mark-partial", &partial);
}

/// Explains the marks that were drawn.
fn key(pen: &mut Pen, labels: &Labels, time: &TimeBuckets, frame: &PlotArea) -> f64 {
    let has = |wanted: CoverageState| time.states.contains(&wanted);
    let hollow = time.hollow.contains(&true);
    if !has(CoverageState::Lossy)
        && !has(CoverageState::Partial)
        && !has(CoverageState::Missing)
        && !hollow
    {
        return 0.0;
    }
    let left = if labels.width > NARROW {
        frame.left
    } else {
        0.0
    };
    let first = frame.bottom + 66.0;
    let (mut x, mut y) = (left, first);
    let mut entry = |pen: &mut Pen, mark: &dyn Fn(&mut Pen, f64, f64), label: &str| {
        let width = 18.0 + text_width(label, 11.5);
        if x > left && x + width > labels.width {
            x = left;
            y += 18.0;
        }
        mark(pen, x, y);
        pen.text("tick", x + 18.0, y, Anchor::Start, label);
        x += 16.0 + width;
    };
    if has(CoverageState::Missing) {
        entry(
            pen,
            &|pen, x, y| pen.gap(&labels.name, x, y - 9.0, 13.0, 10.0, ""),
            &labels.no_data,
        );
    }
    if has(CoverageState::Partial) {
        entry(
            pen,
            &|pen, x, y| {
                let triangle = format!("M{} {}l3.5 6h-7z", num(x + 7.0), num(y - 7.0));
                pen.path("mark-partial", &triangle);
            },
            &labels.partial,
        );
    }
    if hollow {
        entry(
            pen,
            &|pen, x, y| pen.rect("hollow-key", x + 1.0, y - 8.5, 11.0, 9.0),
            &labels.hollow,
        );
    }
    if has(CoverageState::Lossy) {
        entry(
            pen,
            &|pen, x, y| pen.rect("mark-lossy", x, y - 6.0, 13.0, 3.5),
            &labels.lossy,
        );
    }
    24.0 + y - first
}

/// Runs of consecutive buckets in a wanted state.
fn runs(
    states: &[CoverageState],
    wanted: impl Fn(CoverageState) -> bool,
) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, _) in states
        .iter()
        .enumerate()
        .filter(|(_, state)| wanted(**state))
    {
        match found.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => found.push(index..index + 1),
        }
    }
    found
}

/// The values of every bucket as JSON for the page's script: `{l, r, t, b, n: names, x: [[label, note, value…]…]}`, null for a gap.
fn hover(labels: &Labels, frame: &PlotArea, time: &TimeBuckets, series: &[&Series]) -> String {
    let mut names: Vec<&str> = series.iter().map(|series| series.label.as_str()).collect();
    if let Some(total) = &labels.total {
        names.insert(0, total);
    }
    let rows: Vec<serde_json::Value> = time
        .labels
        .iter()
        .enumerate()
        .map(|(index, label)| {
            let note = match time.states[index] {
                CoverageState::Missing => labels.no_data.as_str(),
                CoverageState::NotYet => labels.not_yet.as_str(),
                CoverageState::Partial => labels.partial.as_str(),
                CoverageState::Lossy => labels.lossy.as_str(),
                CoverageState::Complete => "",
            };
            let mut row = vec![serde_json::json!(label), serde_json::json!(note)];
            let power = 10_f64.powi(i32::from(labels.digits));
            let rounded = |value: f64| (value * power).round() / power;
            let values: Vec<Option<f64>> =
                series.iter().map(|series| series.values[index]).collect();
            if labels.total.is_some() {
                let total = values.iter().copied().sum::<Option<f64>>();
                row.push(serde_json::json!(total.map(rounded)));
            }
            let values = values.into_iter().map(|value| value.map(rounded));
            row.extend(values.map(|value| serde_json::json!(value)));
            serde_json::Value::Array(row)
        })
        .collect();
    serde_json::json!({"l": frame.left, "r": frame.right, "t": frame.top, "b": frame.bottom, "n": names, "x": rows}).to_string()
}
