//! Decides which kept packets are old enough to be removed. The clock decides, but with a delay when it jumps ahead of the steady clock:
//! the jump may be a mistake, and removed files are gone for good.

use std::time::{Duration, Instant};

use teiten_aggregator::table::HOUR_US;

const HOUR_SECONDS: u64 = 3600;
/// How far the clock may run ahead of the steady one before it counts as a jump, microseconds; a slow disk or reader explains less.
const AHEAD_US_MAX: i64 = 300_000_000;

/// The age at which files go.
#[derive(Debug)]
pub(super) struct Retention {
    hours: u32,
    /// The steady clock and the capture's in the last round.
    last: Option<(Instant, i64)>,
    /// Nothing is removed before this moment.
    held_until: Option<Instant>,
}

impl Retention {
    pub(super) fn new(hours: u32) -> Self {
        Retention {
            hours,
            last: None,
            held_until: None,
        }
    }

    /// The first hour whose files stay if the clock is right.
    pub(super) fn by_clock(&self, clock_us: i64) -> i64 {
        clock_us.div_euclid(HOUR_US) - i64::from(self.hours)
    }

    /// Whether nothing was asked yet.
    pub(super) fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// The first hour whose files stay, given the steady clock and the capture's; `None` while nothing is removed. `all_are_old` matters in
    /// the first round only.
    pub(super) fn first_hour(
        &mut self,
        now: Instant,
        clock_us: i64,
        all_are_old: bool,
    ) -> Option<i64> {
        let first = self.by_clock(clock_us);
        let is_ahead = match self.last {
            Some((then, then_us)) => {
                let passed = now.saturating_duration_since(then).as_micros();
                let passed_us = i64::try_from(passed).unwrap_or(i64::MAX);
                let expected_us = then_us.saturating_add(passed_us);
                clock_us.saturating_sub(expected_us) > AHEAD_US_MAX
            }
            // At the start, a clock by which all files are old may be wrong as well.
            None => all_are_old,
        };
        self.last = Some((now, clock_us));
        if is_ahead {
            let hours = self.hours;
            tracing::warn!("the clock is far ahead: kept packets stay for another {hours} h");
            self.held_until = Some(now + Duration::from_secs(u64::from(hours) * HOUR_SECONDS));
        }
        if self.held_until.is_some_and(|until| now < until) {
            return None;
        }
        self.held_until = None;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 498_535;

    /// What `first_hour` gives at these (steady hours, hours of the clock) after the beginning.
    fn first_hours(all_are_old: bool, looks: &[(u64, i64)]) -> Vec<Option<i64>> {
        let begin = Instant::now();
        let mut retention = Retention::new(24);
        let look = |&(steady, clock): &(u64, i64)| {
            let now = begin + Duration::from_secs(steady * HOUR_SECONDS);
            let first = retention.first_hour(now, (HOUR + clock) * HOUR_US, all_are_old);
            first.map(|first| first - HOUR)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn hours_go_by_the_clock() {
        let looks = [(0, 0), (1, 1), (100, 100)];
        assert_eq!(first_hours(false, &looks), [Some(-24), Some(-23), Some(76)]);
    }

    #[test]
    fn a_step_ahead_removes_nothing_for_as_long_as_packets_are_kept() {
        let looks = [(0, 0), (1, 27), (2, 28), (24, 50), (25, 51), (26, 52)];
        let expected = [Some(-24), None, None, None, Some(27), Some(28)];
        assert_eq!(first_hours(false, &looks), expected);
        // And back: the hours before it are still there.
        let looks = [(0, 0), (1, 27), (2, 2), (25, 25)];
        let expected = [Some(-24), None, None, Some(1)];
        assert_eq!(first_hours(false, &looks), expected);
    }

    #[test]
    fn a_start_by_whose_clock_everything_is_old_removes_nothing_at_first() {
        let looks = [(0, 0), (23, 23), (24, 24)];
        assert_eq!(first_hours(true, &looks), [None, None, Some(0)]);
    }
}
