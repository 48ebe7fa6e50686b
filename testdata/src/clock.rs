//! The times of packets: the course of a day, its noise, and missing hours.

use crate::random::{hash, unit};

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in an hour.
pub const HOUR_US: i64 = 3600 * SECOND_US;

const BIN_US: i64 = 60 * SECOND_US;

/// Relative rate at the full hours of UTC: Asian and European working hours overlap from 06 to 14.
const DAY: [f64; 24] = [
    0.93, 0.95, 0.98, 1.01, 1.03, 1.05, 1.08, 1.10, 1.12, 1.12, 1.10, 1.08, 1.07, 1.06, 1.05, 1.02,
    0.99, 0.96, 0.94, 0.92, 0.90, 0.88, 0.88, 0.90,
];
/// Half the width of the noise of a minute, relative.
const MINUTE_NOISE: f64 = 0.12;
/// One minute in this many is the peak of a burst, whose relative height is `BURST`.
const BURST_EVERY: u64 = 300;
const BURST: f64 = 0.8;

/// Maps the packets of a capture, in order, to ascending times.
#[derive(Clone, Debug)]
pub struct Timeline {
    start_us: i64,
    span_us: i64,
    /// Weight before each bin; one more than there are bins.
    before: Vec<f64>,
}

impl Timeline {
    /// A timeline of `span_us` from `start_us`; nothing falls into `outages` (start, end), cut to whole minutes of the capture.
    #[must_use]
    pub fn new(start_us: i64, span_us: i64, outages: &[(i64, i64)], seed: u64) -> Self {
        let bins = (span_us + BIN_US - 1) / BIN_US;
        let mut before = Vec::with_capacity(bins as usize + 1);
        let mut total = 0.0;
        for bin in 0..bins {
            before.push(total);
            let (from, to) = (
                start_us + bin * BIN_US,
                start_us + ((bin + 1) * BIN_US).min(span_us),
            );
            let silent = outages.iter().any(|&(start, end)| from < end && to > start);
            if !silent {
                total += weight(from, seed) * (to - from) as f64;
            }
        }
        before.push(total);
        Timeline {
            start_us,
            span_us,
            before,
        }
    }

    /// Whether any time is left for packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.last().is_none_or(|&total| total <= 0.0)
    }

    /// Whether packets come at this time.
    #[must_use]
    pub fn is_open(&self, time_us: i64) -> bool {
        let bin = (time_us - self.start_us).div_euclid(BIN_US);
        let bounds = usize::try_from(bin)
            .ok()
            .and_then(|bin| self.before.get(bin..bin + 2));
        bounds.is_some_and(|bounds| bounds[0] < bounds[1])
    }

    /// Time of the packet at `position` (0 to 1, ascending) of the capture; `bin` remembers where the last one was found.
    pub fn at(&self, position: f64, bin: &mut usize) -> i64 {
        let bins = self.before.len() - 1;
        let sought = position * self.before[bins];
        if sought < self.before[*bin] {
            *bin = 0;
        }
        if self.before[*bin + 1] <= sought && *bin + 1 < bins {
            let after = self.before.partition_point(|&before| before <= sought);
            *bin = (after - 1).min(bins - 1);
        }
        let (low, high) = (self.before[*bin], self.before[*bin + 1]);
        let begin = *bin as i64 * BIN_US;
        let length = BIN_US.min(self.span_us - begin);
        let within = ((sought - low) / (high - low).max(f64::MIN_POSITIVE) * length as f64) as i64;
        self.start_us + begin + within.clamp(0, length - 1)
    }
}

fn weight(time_us: i64, seed: u64) -> f64 {
    let hour = time_us.rem_euclid(24 * HOUR_US) as f64 / HOUR_US as f64;
    let index = hour as usize;
    let part = hour - index as f64;
    let course = DAY[index] * (1.0 - part) + DAY[(index + 1) % 24] * part;
    let minute = time_us.div_euclid(BIN_US);
    let noise = 1.0 + MINUTE_NOISE * (2.0 * unit(hash(seed, minute as u64)) - 1.0);
    let burst = |minute: i64| hash(seed ^ 0xb0b5, minute as u64).is_multiple_of(BURST_EVERY);
    let height = match (burst(minute), burst(minute - 1)) {
        (true, _) => BURST,
        (false, true) => BURST / 2.0,
        _ => 0.0,
    };
    course * (noise + height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ascend_within_the_span() {
        for span_us in [1, 59 * SECOND_US, HOUR_US + 7] {
            let timeline = Timeline::new(1_000, span_us, &[], 1);
            let (mut bin, mut last) = (0, 0);
            for step in 0..10_000 {
                let time_us = timeline.at(f64::from(step) / 10_000.0, &mut bin);
                assert!(time_us >= last && time_us >= 1_000 && time_us < 1_000 + span_us);
                last = time_us;
            }
        }
    }

    #[test]
    fn an_outage_is_silent() {
        let timeline = Timeline::new(0, 3 * HOUR_US, &[(HOUR_US, 2 * HOUR_US)], 1);
        let mut bin = 0;
        for step in 0..10_000 {
            let hour = timeline.at(f64::from(step) / 10_000.0, &mut bin) / HOUR_US;
            assert_ne!(hour, 1);
        }
        assert!(Timeline::new(0, HOUR_US, &[(0, HOUR_US)], 1).is_empty());
    }
}
