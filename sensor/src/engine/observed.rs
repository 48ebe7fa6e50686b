//! Finds the seconds that a capture observed as a whole, from its clock. A second in which the capture began or broke off does not count.

use std::ops::Range;

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;
/// The largest advance of the clock without a gap. The clock advances ten times a second, but lags a second while no packet comes. In a
/// longer pause the kernel buffers packets and counts drops, but nothing proves that the capture ran.
const STEP_US_MAX: i64 = 3 * SECOND_US;
/// How far the clock may lag behind the time of day.
const LAG_US: i64 = SECOND_US;

/// The period observed without a break, and how much of it has been reported.
#[derive(Debug)]
pub(super) struct ObservedPeriod {
    /// Start of the period.
    from_us: i64,
    /// The last clock value.
    clock_us: Option<i64>,
}

impl ObservedPeriod {
    /// A capture that starts observing at this time.
    pub(super) fn from(from_us: i64) -> Self {
        ObservedPeriod {
            from_us,
            clock_us: None,
        }
    }

    /// Advances the clock and returns the seconds that are now known to be observed as a whole. `complete` is false if an interface was
    /// missing until now.
    pub(super) fn advance(&mut self, clock_us: i64, complete: bool) -> Range<i64> {
        let before_us = self.clock_us.replace(clock_us);
        if !complete {
            self.from_us = clock_us.saturating_add(LAG_US);
            return 0..0;
        }
        let Some(before_us) = before_us else {
            return 0..0;
        };
        if !(0..=STEP_US_MAX).contains(&clock_us.saturating_sub(before_us)) {
            self.from_us = clock_us;
            return 0..0;
        }
        let first = self
            .from_us
            .max(before_us.div_euclid(SECOND_US) * SECOND_US);
        let first = first.saturating_add(SECOND_US - 1).div_euclid(SECOND_US);
        first..clock_us.div_euclid(SECOND_US).max(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds observed from `from_us` on with these clocks; minus marks a moment that was not complete.
    fn check(from_us: i64, clocks_us: &[i64], expected: &[i64]) {
        let mut observed = ObservedPeriod::from(from_us);
        let seconds: Vec<i64> = clocks_us
            .iter()
            .flat_map(|&clock_us| observed.advance(clock_us.abs(), clock_us > 0))
            .collect();
        assert_eq!(seconds, expected);
    }

    #[test]
    fn a_second_counts_once_it_is_over_and_only_when_all_of_it_was_observed() {
        check(10_000_000, &[10_000_000, 10_900_000], &[]);
        check(
            10_000_000,
            &[10_000_000, 10_900_000, 11_000_000, 11_050_000],
            &[10],
        );
        // Begun within second 10, and with a clock that lags behind the beginning.
        check(
            10_200_000,
            &[9_300_000, 10_300_000, 11_300_000, 13_100_000],
            &[11, 12],
        );
    }

    #[test]
    fn a_kill_of_one_and_a_half_seconds_is_two_or_three_seconds_and_never_less() {
        let clocks = |from: i64, to: i64| (from..to).step_by(100_000).collect::<Vec<i64>>();
        for phase in (0..1_000_000).step_by(50_000) {
            let mut seen = std::collections::BTreeSet::new();
            for (from, to) in [
                (10_000_000, 20_000_000 + phase),
                (21_500_000 + phase, 30_500_000),
            ] {
                let mut observed = ObservedPeriod::from(from);
                for clock in clocks(from - LAG_US, to) {
                    seen.extend(observed.advance(clock, true));
                }
            }
            let missing = (10..30).filter(|second| !seen.contains(second)).count();
            assert!((2..=3).contains(&missing), "{phase}: {missing}");
        }
    }

    #[test]
    fn what_was_not_complete_and_a_clock_that_steps_begin_a_new_stretch() {
        let second = 1_000_000;
        check(
            0,
            &[
                second,
                2 * second,
                -3 * second,
                4 * second,
                5 * second,
                6 * second,
            ],
            &[1, 4, 5],
        );
        check(
            0,
            &[
                second,
                2 * second,
                60 * second,
                61 * second,
                3 * second,
                4 * second,
            ],
            &[1, 60, 3],
        );
    }
}
