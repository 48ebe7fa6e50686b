//! Axes: round values to label, and the instants of a time axis that readers expect, from hours to years.

use jiff::tz::TimeZone;

use super::{Anchor, Pen, text_width};
use crate::series::BucketWidth;
use crate::text::{Language, number, time};

/// A value axis from zero (or below, for changes) to a round value.
#[derive(Clone, Debug)]
pub struct ValueAxis {
    /// Labelled values, ascending.
    pub ticks: Vec<f64>,
}

impl ValueAxis {
    /// An axis that holds `low` to `high` with about `wanted` steps of 1, 2 or 5 times a power of ten; whole steps only.
    #[must_use]
    pub fn new(low: f64, high: f64, wanted: usize) -> Self {
        Self::with_step(low, high, wanted, 1.0)
    }

    /// The same for values that are no counts: steps may be as small as they need.
    #[must_use]
    pub fn of_rates(low: f64, high: f64, wanted: usize) -> Self {
        Self::with_step(low, high, wanted, 0.0)
    }

    fn with_step(low: f64, high: f64, wanted: usize, least: f64) -> Self {
        let low = low.min(0.0);
        let high = if high > low { high } else { low + 1.0 };
        let rough = (high - low) / wanted.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|factor| factor * power >= rough)
            .unwrap_or(10.0);
        let step = (factor * power).max(least);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        Self {
            ticks: (first..=last).map(|index| index as f64 * step).collect(),
        }
    }

    /// Position of a value between `bottom` and `top`.
    #[must_use]
    pub fn place(&self, value: f64, bottom: f64, top: f64) -> f64 {
        let (low, high) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        bottom + (value - low) / (high - low) * (top - bottom)
    }

    /// Labels in a language.
    #[must_use]
    pub fn labels(&self, language: Language) -> Vec<String> {
        number::axis_ticks(&self.ticks, language)
    }

    /// Draws grid lines and labels.
    pub fn draw(&self, pen: &mut Pen, language: Language, frame: &PlotArea) {
        for (tick, label) in self.ticks.iter().zip(self.labels(language)) {
            let y = self.place(*tick, frame.bottom, frame.top);
            let class = if *tick == 0.0 { "base" } else { "grid" };
            pen.line(class, frame.left, y, frame.right, y);
            pen.text("tick", frame.left - 8.0, y + 4.0, Anchor::End, &label);
        }
    }
}

/// The rectangle that data is drawn in.
#[derive(Clone, Copy, Debug)]
pub struct PlotArea {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Top edge.
    pub top: f64,
    /// Bottom edge.
    pub bottom: f64,
}

/// A label of a time axis at the start of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeTick {
    /// The bucket.
    pub bucket: usize,
    /// First line; empty for a mark without label.
    pub label: String,
    /// Second line, where the day, month or year changes.
    pub context: String,
}

/// A time axis: one slot per bucket.
#[derive(Clone, Debug)]
pub struct TimeAxis {
    /// Start of each bucket, microseconds since 1970-01-01 UTC.
    pub starts_us: Vec<i64>,
    /// Width of the buckets.
    pub step: BucketWidth,
    /// Timezone of the labels.
    pub timezone: TimeZone,
    /// Language of the labels.
    pub language: Language,
}

impl TimeAxis {
    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.starts_us.len()
    }

    /// Marks and labels, by how long the span is: hours, days, weeks, months or years.
    #[must_use]
    pub fn ticks(&self) -> Vec<TimeTick> {
        let slots = self.slots();
        match self.step {
            BucketWidth::Hour if slots <= 60 => self.hour_ticks(if slots <= 16 {
                1
            } else if slots <= 30 {
                3
            } else {
                6
            }),
            BucketWidth::Hour => self.day_ticks(slots / 24),
            BucketWidth::Day if slots <= 40 => self.day_ticks(slots),
            BucketWidth::Day => self.month_ticks(if slots <= 460 { 1 } else { 3 }, slots <= 100),
            BucketWidth::Month => self.month_ticks(if slots <= 24 { 3 } else { 12 }, false),
        }
    }

    fn hour_ticks(&self, every: i8) -> Vec<TimeTick> {
        let mut last_day = None;
        self.civil()
            .filter(|(_, civil)| civil.hour() % every == 0)
            .map(|(bucket, civil)| {
                let day = Some(civil.date());
                let context = if day == last_day {
                    String::new()
                } else {
                    time::day_short(civil.date(), self.language)
                };
                last_day = day;
                TimeTick {
                    bucket,
                    label: format!("{:02}:{:02}", civil.hour(), civil.minute()),
                    context,
                }
            })
            .collect()
    }

    fn day_ticks(&self, days: usize) -> Vec<TimeTick> {
        let every = [1, 2, 3, 5, 7]
            .into_iter()
            .find(|every| days / every <= 20)
            .unwrap_or(7);
        let mut last_month = None;
        let mut last_date = None;
        let mut ticks = Vec::new();
        for (bucket, civil) in self.civil() {
            let date = civil.date();
            if bucket > 0 && (last_date == Some(date) || civil.hour() != 0) {
                continue;
            }
            last_date = Some(date);
            let labelled = days <= 10
                || (date.day() - 1) % every as i8 == 0 && (every == 1 || date.day() < 31);
            let label = match (labelled, days <= 10) {
                (false, _) => String::new(),
                (true, true) => time::day_short(date, self.language),
                (true, false) => date.day().to_string(),
            };
            let new_month = labelled && last_month != Some(date.month());
            let context = if new_month {
                time::month(date, self.language)
            } else {
                String::new()
            };
            if labelled {
                last_month = Some(date.month());
            }
            ticks.push(TimeTick {
                bucket,
                label,
                context,
            });
        }
        ticks
    }

    fn month_ticks(&self, every: i8, weeks: bool) -> Vec<TimeTick> {
        let mut last_year = None;
        let mut ticks = Vec::new();
        for (bucket, civil) in self.civil() {
            let date = civil.date();
            let monday = weeks && date.weekday() == jiff::civil::Weekday::Monday;
            if !(date.day() == 1 && !weeks || monday) {
                continue;
            }
            let labelled = weeks || (date.month() - 1) % every == 0;
            let label = match (labelled, weeks, every, self.language) {
                (false, ..) => String::new(),
                (_, true, ..) => time::day_short(date, self.language),
                (_, _, 12, _) => date.year().to_string(),
                (.., Language::Ja) => format!("{}月", date.month()),
                (.., Language::En) => time::month_short(date.month()).to_owned(),
            };
            let new_year = labelled && every != 12 && last_year != Some(date.year());
            let context = match (new_year, self.language) {
                (false, _) => String::new(),
                (true, Language::Ja) => format!("{}年", date.year()),
                (true, Language::En) => date.year().to_string(),
            };
            if labelled {
                last_year = Some(date.year());
            }
            ticks.push(TimeTick {
                bucket,
                label,
                context,
            });
        }
        ticks
    }

    fn civil(&self) -> impl Iterator<Item = (usize, jiff::civil::DateTime)> + '_ {
        self.starts_us
            .iter()
            .enumerate()
            .map(|(bucket, &us)| (bucket, time::civil(us, &self.timezone)))
    }

    /// Draws marks and labels below a frame; labels that would touch the previous one are left out.
    pub fn draw(&self, pen: &mut Pen, frame: &PlotArea, below: f64) {
        let slot = (frame.right - frame.left) / self.slots().max(1) as f64;
        let mut free_from = f64::MIN;
        let mut context_free_from = f64::MIN;
        // A mark per day of the hours, centred labels under single bars.
        let shift = if self.slots() <= 40 { slot / 2.0 } else { 0.0 };
        for tick in self.ticks() {
            let x = frame.left + tick.bucket as f64 * slot;
            if shift == 0.0 {
                pen.line(
                    if tick.label.is_empty() { "day" } else { "base" },
                    x,
                    frame.bottom,
                    x,
                    frame.bottom + 5.0,
                );
            }
            let width = text_width(&tick.label, 11.5);
            let centre = (x + shift)
                .max(frame.left + width / 2.0 - 14.0)
                .min(frame.right - width / 2.0 + 10.0);
            if !tick.label.is_empty() && centre - width / 2.0 >= free_from {
                pen.text(
                    "tick",
                    centre,
                    frame.bottom + below,
                    Anchor::Middle,
                    &tick.label,
                );
                free_from = centre + width / 2.0 + 6.0;
            }
            let start = (centre - width / 2.0).min(frame.right - text_width(&tick.context, 11.5));
            if !tick.context.is_empty() && start >= context_free_from {
                pen.text(
                    "tick strong",
                    start,
                    frame.bottom + below + 16.0,
                    Anchor::Start,
                    &tick.context,
                );
                context_free_from = start + text_width(&tick.context, 11.5) + 12.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::{HOUR_US, ReportPeriod};
    use crate::series::Buckets;

    fn axis(text: &str, language: Language) -> TimeAxis {
        let period = ReportPeriod::parse(text, &TimeZone::get("Asia/Tokyo").unwrap()).unwrap();
        let buckets = Buckets::of(&period);
        let starts = buckets
            .ranges
            .iter()
            .map(|range| period.start_us + range.start as i64 * HOUR_US);
        TimeAxis {
            starts_us: starts.collect(),
            step: buckets.step,
            timezone: period.timezone.clone(),
            language,
        }
    }

    fn labels(text: &str, language: Language) -> Vec<String> {
        axis(text, language)
            .ticks()
            .into_iter()
            .map(|tick| tick.label)
            .filter(|label| !label.is_empty())
            .collect()
    }

    #[test]
    fn value_axes_end_on_round_values() {
        for (low, high, expected) in [
            (0.0, 97.0, vec![0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (0.0, 0.0, vec![0.0, 1.0]),
            (-30.0, 55.0, vec![-40.0, -20.0, 0.0, 20.0, 40.0, 60.0]),
        ] {
            assert_eq!(ValueAxis::new(low, high, 5).ticks, expected);
        }
    }

    #[test]
    fn every_span_has_a_legible_number_of_labels() {
        for text in [
            "2026-11-05T08",
            "2026-11-05",
            "2026-11-05..2026-11-06",
            "2026-W45",
            "2026-11",
            "2026-10..2026-11",
            "2026-Q4",
            "2026",
            "2024..2026",
            "2017..2026",
        ] {
            let count = labels(text, Language::Ja).len();
            assert!((1..=24).contains(&count), "{text}: {count}");
        }
    }

    #[test]
    fn a_day_shows_hours_and_a_week_shows_days() {
        assert_eq!(
            labels("2026-11-05", Language::En),
            [
                "00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"
            ]
        );
        assert_eq!(labels("2026-W45", Language::Ja)[0], "11/2(月)");
        assert_eq!(labels("2026", Language::En)[0], "Jan");
        assert_eq!(labels("2017..2026", Language::En)[0], "2017");
    }
}
