//! Columns above and below zero over time: changes. A bucket without a value is left blank.

use super::axis::ValueAxis;
use super::timeline::{self, Labels, Margins, Series, TimeBuckets};
use super::{Chart, Pen};

/// Draws one series of signed values.
#[must_use]
pub fn draw(labels: &Labels, time: &TimeBuckets, series: &Series) -> Chart {
    let known = || series.values.iter().flatten().copied();
    let values = ValueAxis::new(known().fold(0.0, f64::min), known().fold(0.0, f64::max), 5);
    timeline::draw(
        Pen::default(),
        labels,
        time,
        &values,
        &[series],
        Margins::default(),
        |pen, frame| {
            let slot = time.slot(frame);
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
    )
}
