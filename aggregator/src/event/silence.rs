//! The silence that ends an event. What a sensor did not observe is no silence: of an outage an hour at most, so that an event does not go on
//! over days of which nothing is known.

/// Time that was not observed and does not count as silence, at most, microseconds.
pub(crate) const UNOBSERVED_MAX_US: i64 = 3_600_000_000;

/// A stretch of time of which a part was not observed; where in it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UnobservedSpan {
    start_us: i64,
    end_us: i64,
    unobserved_us: i64,
}

/// When a sensor did not observe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnobservedTime(Vec<UnobservedSpan>);

impl UnobservedTime {
    /// Everything was observed.
    #[must_use]
    pub(crate) const fn new() -> Self {
        UnobservedTime(Vec::new())
    }

    /// Adds the next stretch: `unobserved_us` of it were not observed.
    pub(crate) fn push(&mut self, [start_us, end_us]: [i64; 2], unobserved_us: i64) {
        if unobserved_us <= 0 {
            return;
        }
        let is_whole = unobserved_us == end_us - start_us;
        if let Some(last) = self.0.last_mut()
            && is_whole
            && last.end_us == start_us
            && last.unobserved_us == last.end_us - last.start_us
        {
            last.end_us = end_us;
            last.unobserved_us += unobserved_us;
            return;
        }
        self.0.push(UnobservedSpan {
            start_us,
            end_us,
            unobserved_us,
        });
    }

    /// How much of the time between two moments was not observed; of a stretch that only partly lies between them, as large a part.
    fn between(&self, from_us: i64, to_us: i64) -> i64 {
        let first = self.0.partition_point(|span| span.end_us <= from_us);
        let within = self.0[first..].iter();
        let within = within.take_while(|span| span.start_us < to_us);
        let part = |span: &UnobservedSpan| {
            let shared = span.end_us.min(to_us) - span.start_us.max(from_us);
            let all = span.end_us - span.start_us;
            // Stretches can be months long.
            (i128::from(span.unobserved_us) * i128::from(shared) / i128::from(all)) as i64
        };
        within.map(part).sum()
    }

    /// What there is, as text: for a note of what events are made of.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let spans = self.0.iter();
        let text =
            |it: &UnobservedSpan| format!("{}..{} {}", it.start_us, it.end_us, it.unobserved_us);
        spans.map(text).collect::<Vec<_>>().join(";")
    }
}

/// How long a silence may be, and until when everything is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence<'u> {
    /// Events survive a silence of this, microseconds.
    pub longest_us: i64,
    /// Everything before is known, microseconds since 1970-01-01 UTC.
    pub horizon_us: i64,
    /// Of the sensor, as far back as a silence reaches.
    pub unobserved: &'u UnobservedTime,
}

impl Silence<'_> {
    /// Whether an event whose last packet is of `last_us` was over at `now_us`. Once it is, it stays so.
    #[must_use]
    pub(crate) fn ends(&self, last_us: i64, now_us: i64) -> bool {
        let beyond = now_us
            .saturating_sub(last_us)
            .saturating_sub(self.longest_us);
        // Most are clear without a look at what was observed.
        beyond > UNOBSERVED_MAX_US
            || (beyond > 0 && beyond > self.unobserved.between(last_us, now_us))
    }

    /// Whether it is over as far as is known.
    #[must_use]
    pub(crate) fn has_ended(&self, last_us: i64) -> bool {
        self.ends(last_us, self.horizon_us)
    }

    /// The same, with everything known until then.
    #[must_use]
    pub(crate) const fn at(self, horizon_us: i64) -> Self {
        Silence { horizon_us, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn what_was_not_observed_is_no_silence_up_to_an_hour() {
        let mut unobserved = UnobservedTime::default();
        // Twenty minutes, half a minute of one, and later four hours in one-hour pieces.
        unobserved.push([100 * MINUTE, 120 * MINUTE], 20 * MINUTE);
        unobserved.push([130 * MINUTE, 131 * MINUTE], MINUTE / 2);
        for hour in 5..9 {
            let start = hour * 60 * MINUTE;
            unobserved.push([start, start + 60 * MINUTE], 60 * MINUTE);
        }
        unobserved.push([600 * MINUTE, 601 * MINUTE], 0);
        assert_eq!(unobserved.0.len(), 3, "{unobserved:?}");
        let silence = Silence {
            longest_us: 5 * MINUTE,
            horizon_us: 0,
            unobserved: &unobserved,
        };
        for (last, now, ends) in [
            // Nothing is missing.
            (0, 5 * MINUTE, false),
            (0, 5 * MINUTE + 1, true),
            // The outage does not count, wherever in it the packets would have come.
            (99 * MINUTE, 124 * MINUTE, false),
            (99 * MINUTE, 124 * MINUTE + 1, true),
            (110 * MINUTE, 125 * MINUTE, false),
            (110 * MINUTE, 125 * MINUTE + 1, true),
            // Of a minute the half.
            (127 * MINUTE, 132 * MINUTE + MINUTE / 2, false),
            (127 * MINUTE, 132 * MINUTE + MINUTE / 2 + 1, true),
            // Of four hours one.
            (299 * MINUTE, 364 * MINUTE, false),
            (299 * MINUTE, 364 * MINUTE + 1, true),
            (299 * MINUTE, i64::MAX, true),
        ] {
            assert_eq!(silence.ends(last, now), ends, "{last} {now}");
            assert_eq!(silence.at(now).has_ended(last), ends, "{last} {now}");
        }
    }

    #[test]
    fn what_has_ended_stays_so() {
        let mut unobserved = UnobservedTime::default();
        for minute in (0..600).step_by(3) {
            let start = minute * MINUTE;
            unobserved.push([start, start + MINUTE], MINUTE * (minute % 7) / 7);
        }
        let silence = Silence {
            longest_us: 10 * MINUTE,
            horizon_us: 0,
            unobserved: &unobserved,
        };
        for last in (0..300 * MINUTE).step_by(17_000_001) {
            let mut before = false;
            for now in (last..last + 120 * MINUTE).step_by(7_000_003) {
                let ends = silence.ends(last, now);
                assert!(ends || !before, "{last} {now}");
                before = ends;
            }
            assert!(before, "{last}");
        }
    }
}
