//! The clock of a live capture, which follows a step of the time of day only once it is confirmed. The time of day may step because of a
//! wrong time source, a paused machine or an administrator. A monotonic clock detects the step; until it has lasted for [`CONFIRMED`],
//! times come from the monotonic clock, so that a short step closes no hour, deletes no kept packet and loses none. Nothing here reads a
//! clock.

use std::time::Duration;

use crate::source::record::{NO_TIME_US, Record};

/// From this difference on, the time of day has stepped; less is slewing, or a machine under load.
const STEP_US: i64 = 60_000_000;

/// How long a step must last before it is confirmed.
const CONFIRMED: Duration = Duration::from_secs(60);

/// How old a packet may be when it is read: after a pause of the program its buffers hold old ones.
const AGE_US_MAX: i64 = 24 * 3600 * 1_000_000;

/// The result of a reading of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockStep {
    /// The time of day stepped by this many seconds; the step is not confirmed yet.
    Doubted(i64),
    /// The time of day returned to the expected time.
    Returned,
    /// The step lasted and is confirmed.
    Believed(i64),
}

/// Packets with implausible times since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Implausible {
    pub packets: u64,
    /// The original time of the first one.
    pub first_us: i64,
}

impl Implausible {
    fn note(&mut self, time_us: i64) {
        if self.packets == 0 {
            self.first_us = time_us;
        }
        self.packets += 1;
    }
}

/// The clock's current estimate of the time of day.
#[derive(Debug)]
pub(super) struct LiveClock {
    /// A moment of the steady clock, and the time of day at it.
    anchor: (Duration, i64),
    /// When the time of day stepped, and by how much.
    doubted: Option<(Duration, i64)>,
    expected_us: i64,
}

impl LiveClock {
    /// A clock that starts at this moment of the steady clock, with this time of day.
    pub(super) fn new(steady: Duration, time_of_day_us: i64) -> Self {
        LiveClock {
            anchor: (steady, time_of_day_us),
            doubted: None,
            expected_us: time_of_day_us,
        }
    }

    /// The confirmed time of day at the last reading.
    pub(super) fn now_us(&self) -> i64 {
        self.expected_us
    }

    /// Reads both clocks.
    pub(super) fn look(&mut self, steady: Duration, time_of_day_us: i64) -> Option<ClockStep> {
        let since = steady.saturating_sub(self.anchor.0);
        let since_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        self.expected_us = self.anchor.1.saturating_add(since_us);
        let step_us = time_of_day_us.saturating_sub(self.expected_us);
        if step_us.saturating_abs() <= STEP_US {
            self.anchor = (steady, time_of_day_us);
            self.expected_us = time_of_day_us;
            return self.doubted.take().map(|_| ClockStep::Returned);
        }
        match self.doubted {
            // A further step restarts the wait.
            Some((from, doubted_us)) if (step_us - doubted_us).saturating_abs() <= STEP_US => {
                if steady.saturating_sub(from) < CONFIRMED {
                    return None;
                }
                self.anchor = (steady, time_of_day_us);
                self.expected_us = time_of_day_us;
                self.doubted = None;
                Some(ClockStep::Believed(step_us / 1_000_000))
            }
            _ => {
                self.doubted = Some((steady, step_us));
                Some(ClockStep::Doubted(step_us / 1_000_000))
            }
        }
    }

    /// Corrects the times of packets and returns the latest. Implausible ones are noted in `implausible`.
    pub(super) fn correct_times(
        &self,
        records: &mut [Record],
        implausible: &mut Implausible,
    ) -> Option<i64> {
        let mut latest = None;
        for record in records {
            let ahead_us = record.time_us.wrapping_sub(self.expected_us);
            if !(-STEP_US..=STEP_US).contains(&ahead_us) {
                let said_us = record.time_us;
                record.time_us = self.told(said_us);
                if record.time_us == NO_TIME_US {
                    implausible.note(said_us);
                }
            }
            latest = latest.max(Some(record.time_us));
        }
        latest.filter(|&time_us| time_us != NO_TIME_US)
    }

    #[cold]
    fn told(&self, time_us: i64) -> i64 {
        let believable = -AGE_US_MAX..=STEP_US;
        let is_believable =
            |time_us: i64| believable.contains(&time_us.saturating_sub(self.expected_us));
        match self.doubted {
            Some((_, step_us)) => {
                let stepped_back = time_us.saturating_sub(step_us);
                // Of the two readings the one nearer to now: packets from before the step may still arrive.
                let nearer = [time_us, stepped_back]
                    .into_iter()
                    .filter(|&time_us| is_believable(time_us));
                nearer
                    .min_by_key(|time_us| time_us.abs_diff(self.expected_us))
                    .unwrap_or(NO_TIME_US)
            }
            None if is_believable(time_us) => time_us,
            None => NO_TIME_US,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use teiten_packet::LinkType;

    const BEGIN_US: i64 = 1_762_300_800_000_000;
    const SECOND_US: i64 = 1_000_000;
    const DAY_SECONDS: i64 = 86_400;

    /// The time of day is `seconds` from the beginning plus `step` at the second of this number.
    fn look(clock: &mut LiveClock, seconds: i64, step: i64) -> Option<ClockStep> {
        let time_of_day_us = BEGIN_US + (seconds + step) * SECOND_US;
        clock.look(Duration::from_secs(seconds as u64), time_of_day_us)
    }

    /// The corrected times of packets at these seconds from the beginning.
    fn told(clock: &LiveClock, seconds: &[i64]) -> Vec<Option<i64>> {
        let record = |second: &i64| Record {
            time_us: BEGIN_US + second * SECOND_US,
            nanoseconds: 0,
            offset: 0,
            captured_bytes: 0,
            wire_bytes: 0,
            link_type: LinkType(1),
        };
        let mut records: Vec<Record> = seconds.iter().map(record).collect();
        let mut implausible = Implausible::default();
        let latest = clock.correct_times(&mut records, &mut implausible);
        let lost = records.iter().filter(|record| record.time_us == NO_TIME_US);
        assert_eq!(implausible.packets, lost.count() as u64);
        let known = records
            .iter()
            .map(|record| record.time_us)
            .filter(|&time_us| time_us != NO_TIME_US);
        assert_eq!(latest, known.max());
        let seconds = |record: &Record| {
            (record.time_us != NO_TIME_US).then(|| (record.time_us - BEGIN_US) / SECOND_US)
        };
        records.iter().map(seconds).collect()
    }

    #[test]
    fn a_step_that_goes_back_moves_nothing() {
        let step = 26 * 3600;
        for step in [step, -step, 400 * DAY_SECONDS] {
            let mut clock = LiveClock::new(Duration::ZERO, BEGIN_US);
            assert_eq!(look(&mut clock, 10, 0), None);
            assert_eq!(look(&mut clock, 11, step), Some(ClockStep::Doubted(step)));
            assert_eq!(look(&mut clock, 14, step), None);
            assert_eq!(clock.now_us(), BEGIN_US + 14 * SECOND_US);
            assert_eq!(
                told(&clock, &[13 + step, 9, 14 + step]),
                [Some(13), Some(9), Some(14)]
            );
            assert_eq!(look(&mut clock, 15, 0), Some(ClockStep::Returned));
            assert_eq!(told(&clock, &[15]), [Some(15)]);
        }
    }

    #[test]
    fn a_step_that_stays_is_believed() {
        let mut clock = LiveClock::new(Duration::ZERO, BEGIN_US);
        assert_eq!(
            look(&mut clock, 1, -DAY_SECONDS),
            Some(ClockStep::Doubted(-DAY_SECONDS))
        );
        assert_eq!(look(&mut clock, 60, -DAY_SECONDS), None);
        assert_eq!(
            look(&mut clock, 61, -DAY_SECONDS),
            Some(ClockStep::Believed(-DAY_SECONDS))
        );
        assert_eq!(clock.now_us(), BEGIN_US + (61 - DAY_SECONDS) * SECOND_US);
        assert_eq!(told(&clock, &[61 - DAY_SECONDS]), [Some(61 - DAY_SECONDS)]);
    }

    #[test]
    fn slewing_is_followed_at_once() {
        let mut clock = LiveClock::new(Duration::ZERO, BEGIN_US);
        for second in 1..1000 {
            assert_eq!(look(&mut clock, second, second / 10), None);
        }
        assert_eq!(clock.now_us(), BEGIN_US + (999 + 99) * SECOND_US);
    }

    #[test]
    fn one_packet_far_ahead_has_no_time_and_old_ones_keep_theirs() {
        let mut clock = LiveClock::new(Duration::ZERO, BEGIN_US);
        assert_eq!(look(&mut clock, 1000, 0), None);
        assert_eq!(
            told(&clock, &[1000, 1000 + 2 * DAY_SECONDS, 3, 4000]),
            [Some(1000), None, Some(3), None]
        );
    }
}
