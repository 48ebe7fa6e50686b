//! Columns over time, stacked: the parts of a whole in every bucket, so that the height is the total.

use super::timeline::{self, Labels, Margins, Series, TimeBuckets};
use super::{Chart, Pen, legend, num};

/// Up to this many buckets each is its own column; beyond, neighbours join into a stepped area.
const COLUMNS_MAX: usize = 200;

/// Draws the chart; `series` from the bottom up, a bucket is a gap when its state is missing.
#[must_use]
pub fn draw(labels: &Labels, time: &TimeBuckets, series: &[Series]) -> Chart {
    let present = timeline::present(series);
    let totals = (0..time.states.len()).map(|index| {
        present
            .iter()
            .filter_map(|series| series.values[index])
            .sum()
    });
    let highest = totals.fold(0.0, f64::max);
    let values = timeline::value_axis(labels, highest);
    let mut pen = Pen::default();
    let entries: Vec<_> = present
        .iter()
        .map(|series| (series.class.clone(), series.legend()))
        .collect();
    let legend_height = if entries.len() > 1 {
        legend(&mut pen, &labels.name, 2.0, labels.width, &entries) + 6.0
    } else {
        0.0
    };
    timeline::draw(
        pen,
        labels,
        time,
        &values,
        &present,
        Margins {
            above: legend_height,
            below: 0.0,
        },
        |pen, frame| {
            let slot = time.slot(frame);
            let mut floor = vec![0.0; time.states.len()];
            for series in &present {
                let joined = time.states.len() > COLUMNS_MAX;
                let path = || Path {
                    slot,
                    left: frame.left,
                    joined,
                    ..Path::default()
                };
                let (mut full, mut faint) = (path(), path());
                for (index, value) in series.values.iter().enumerate() {
                    let Some(value) = value.filter(|_| time.states[index].is_observed()) else {
                        full.lift();
                        faint.lift();
                        continue;
                    };
                    let (path, other) = if time.hollow[index] {
                        (&mut faint, &mut full)
                    } else {
                        (&mut full, &mut faint)
                    };
                    other.lift();
                    let bottom = values.place(floor[index], frame.bottom, frame.top);
                    floor[index] += value;
                    path.column(
                        index,
                        bottom,
                        values.place(floor[index], frame.bottom, frame.top),
                    );
                }
                full.lift();
                faint.lift();
                pen.path(&series.class, &full.data);
                pen.path(&format!("{} hollow", series.class), &faint.data);
            }
        },
    )
}

/// The outline of one series: columns one by one, or runs of columns joined.
#[derive(Default)]
struct Path {
    data: String,
    slot: f64,
    left: f64,
    joined: bool,
    upper: Vec<(f64, f64, f64)>,
    lower: Vec<f64>,
}

impl Path {
    fn column(&mut self, index: usize, bottom: f64, top: f64) {
        let x = self.left + index as f64 * self.slot;
        if self.joined {
            self.upper.push((x, x + self.slot, top));
            self.lower.push(bottom);
        } else if bottom - top > 0.04 {
            let gap = (self.slot * 0.14).min(2.0);
            let (start, end) = (num(x + gap / 2.0), num(x + self.slot - gap / 2.0));
            self.data.push_str(&format!(
                "M{start} {:.1}V{:.1}H{end}V{:.1}z",
                bottom, top, bottom
            ));
        }
    }

    /// Ends a run at a gap.
    fn lift(&mut self) {
        let Some(&(start, _, _)) = self.upper.first() else {
            return;
        };
        self.data
            .push_str(&format!("M{} {:.1}", num(start), self.lower[0]));
        for (_, end, top) in &self.upper {
            self.data.push_str(&format!("V{top:.1}H{}", num(*end)));
        }
        for ((start, _, _), bottom) in self.upper.iter().zip(&self.lower).rev() {
            self.data.push_str(&format!("V{bottom:.1}H{}", num(*start)));
        }
        self.data.push('z');
        self.upper.clear();
        self.lower.clear();
    }
}
