//! Lines over time. A gap breaks a line; a bucket between two gaps is a dot, so that nothing observed disappears. A bucket with too little
//! observation to be compared is a ring without a line.

use super::timeline::{self, Labels, Margins, Series, TimeBuckets};
use super::{Chart, Pen, legend, num};

/// Draws the chart; the series are compared, not added.
#[must_use]
pub fn draw(labels: &Labels, time: &TimeBuckets, series: &[Series]) -> Chart {
    let present = timeline::present(series);
    let highest = present
        .iter()
        .flat_map(|series| series.values.iter().flatten())
        .copied()
        .fold(0.0, f64::max);
    let values = timeline::value_axis(labels, highest);
    let mut pen = Pen::default();
    let entries: Vec<_> = present
        .iter()
        .map(|series| (format!("dot{}", series.class), series.legend()))
        .collect();
    let legend_height = legend(&mut pen, &labels.name, 2.0, labels.width, &entries) + 6.0;
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
            for series in &present {
                let (mut line, mut dots, mut rings) = (String::new(), String::new(), String::new());
                let known = |index: usize| series.values.get(index).copied().flatten();
                let whole = |index: usize| known(index).filter(|_| !time.hollow[index]);
                for (index, &is_hollow) in time.hollow.iter().enumerate() {
                    let Some(value) = known(index) else {
                        continue;
                    };
                    let x = frame.left + (index as f64 + 0.5) * slot;
                    let y = values.place(value, frame.bottom, frame.top);
                    let dot = format!(
                        "M{} {:.1}m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0",
                        num(x),
                        y
                    );
                    if is_hollow {
                        rings.push_str(&dot);
                        continue;
                    }
                    let follows = index > 0 && whole(index - 1).is_some();
                    line.push_str(&format!(
                        "{}{} {:.1}",
                        if follows { "L" } else { "M" },
                        num(x),
                        y
                    ));
                    let follows_on = index + 1 < time.states.len() && whole(index + 1).is_some();
                    if (!follows && !follows_on) || time.states.len() <= 40 {
                        dots.push_str(&dot);
                    }
                }
                pen.path(&format!("line{}", series.class), &line);
                pen.path(&format!("dot{}", series.class), &dots);
                pen.path(&format!("line{} ring", series.class), &rings);
            }
        },
    )
}
