//! Columns above and below zero over time: changes. A bucket without a value is left blank.

use super::axis::{TimeAxis, ValueAxis};
use super::timeline::{self, Labels, Series};
use super::{Chart, Pen};
use crate::series::CoverageState;

/// Draws one series of signed values.
#[must_use]
pub fn draw(
    labels: &Labels,
    time: &TimeAxis,
    bucket_labels: &[String],
    states: &[CoverageState],
    hollow: &[bool],
    series: &Series,
) -> Chart {
    let known = || series.values.iter().flatten().copied();
    let values = ValueAxis::new(known().fold(0.0, f64::min), known().fold(0.0, f64::max), 5);
    let mut pen = Pen::default();
    let (frame, height) = timeline::draw(
        &mut pen,
        labels,
        time,
        &values,
        states,
        hollow,
        0.0,
        |pen, frame| {
            let slot = (frame.right - frame.left) / states.len().max(1) as f64;
            let zero = values.place(0.0, frame.bottom, frame.top);
            for (index, value) in series.values.iter().enumerate() {
                let Some(value) = *value else {
                    continue;
                };
                let y = values.place(value, frame.bottom, frame.top);
                let gap = (slot * 0.2).min(6.0);
                let x = frame.left + index as f64 * slot + gap / 2.0;
                pen.rect(
                    if value < 0.0 { "down" } else { "up" },
                    x,
                    y.min(zero),
                    slot - gap,
                    (y - zero).abs(),
                );
            }
        },
    );
    Chart {
        name: labels.name.clone(),
        title: labels.title.clone(),
        description: labels.description.clone(),
        width: labels.width,
        height,
        hover: timeline::hover(labels, &frame, bucket_labels, states, &[series]),
        body: pen.finish(),
        language: time.language.tag(),
    }
}
