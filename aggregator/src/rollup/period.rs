//! A day or month that is rolled up: what its parts are made of, and what they say of their making.

use super::making::{INPUTS, MakingNotes, NotedParts, PARTS_KEY};
use crate::calendar::{AS_OF_KEY, TIMEZONE_KEY};
use crate::hour::Hour;
use crate::store::{Period, Store};

/// A day or month of a sensor.
#[derive(Clone, Copy, Debug)]
pub(super) struct RolledPeriod<'p> {
    pub store: &'p Store,
    pub period: Period,
    pub sensor: &'p str,
    pub zone: &'p str,
    /// Until when the hours of a day are known; of a month its days say that.
    pub as_of: Option<&'p str>,
}

impl RolledPeriod<'_> {
    /// The hash of what it is made of.
    pub(super) fn inputs(&self, noted: &NotedParts<'_>, layout: &str) -> String {
        let mut else_of = vec![self.zone, layout];
        else_of.extend(self.as_of);
        noted.sha256(&else_of)
    }

    /// The metadata of its parts.
    pub(super) fn notes(&self, noted: &NotedParts<'_>, inputs: &str) -> MakingNotes {
        let mut notes = noted.notes();
        notes.set(INPUTS, inputs);
        notes.set(PARTS_KEY, &noted.sha256(&[]));
        notes.set(TIMEZONE_KEY, self.zone);
        match self.as_of {
            Some(as_of) => notes.set(AS_OF_KEY, as_of),
            None => notes.keep_last(AS_OF_KEY),
        }
        notes
    }
}

/// The month that a day is in.
pub(crate) fn month_of(day: Period) -> Period {
    let first = day.first_hour();
    let (_, _, day, _) = first.civil();
    Period::Month(Hour(first.0 - (i64::from(day) - 1) * 24))
}
