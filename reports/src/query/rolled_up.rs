//! What a rollup has made of the hours of the period: denial-of-service events, campaigns, novelties and scan events.
//!
//! A dataset has them only where `teiten-aggregator rollup` was run. Days are those of the rollup's time zone; `other_zones` names it where
//! it is not the report's. Nothing here is compared with another period: these are counts of events, not of packets per address.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::period::{HOUR_US, ReportPeriod};

pub mod attacks;
pub mod campaigns;
pub mod novelties;
pub mod scans;

pub use attacks::{AttackEvent, AttackKind, AttackedService};
pub use campaigns::{Came, Campaign, CampaignCounts};
pub use novelties::Novelty;
pub use scans::{ScanPort, ScanTally};

/// What a rollup has found in the period.
#[derive(Clone, Debug, Default)]
pub struct RolledUp {
    /// Days of the period that were rolled up, days since 1970-01-01, and the sensors of each.
    pub days: BTreeMap<i64, BTreeSet<String>>,
    /// Time zones of the days, where they are not the report's.
    pub other_zones: BTreeSet<String>,
    /// Denial-of-service events that ended in the period, densest first.
    pub attacks: Vec<AttackEvent>,
    /// Campaigns, those with most sources on a day first.
    pub campaigns: Vec<Campaign>,
    /// Campaigns by day.
    pub campaign_days: BTreeMap<i64, CampaignCounts>,
    /// Things not seen before, least likely first.
    pub novelties: Vec<Novelty>,
    /// Scan events that ended in the period.
    pub scans: ScanTally,
}

impl RolledUp {
    /// Whether any day of the period was rolled up.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.days.is_empty()
    }
}

/// The civil days of a period, also those that it holds in part, counted from 1970-01-01.
#[must_use]
pub fn civil_days(period: &ReportPeriod) -> Range<i64> {
    let hours = period.hours();
    let day = |hour: i64| {
        let instant = crate::period::timestamp(hour * HOUR_US);
        let date = period.timezone.to_datetime(instant).date();
        day_number(date)
    };
    day(hours.start)..day(hours.end - 1) + 1
}

/// Days from 1970-01-01 to a date.
#[must_use]
pub fn day_number(date: jiff::civil::Date) -> i64 {
    let epoch = jiff::civil::date(1970, 1, 1);
    i64::from(epoch.until(date).map_or(0, |span| span.get_days()))
}

/// The date of a number of days since 1970-01-01.
#[must_use]
pub fn date_of(day: i64) -> jiff::civil::Date {
    let epoch = jiff::civil::date(1970, 1, 1);
    let span = jiff::Span::new().try_days(day).unwrap_or_default();
    epoch.checked_add(span).unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn a_day_of_japan_is_one_day_and_not_two() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let days = |text: &str| civil_days(&ReportPeriod::parse(text, &zone).unwrap());
        assert_eq!(days("1970-01-02"), 1..2);
        assert_eq!(days("1970-01-02T23"), 1..2);
        assert_eq!(days("1970-01-31..1970-02-02"), 30..33);
        assert_eq!(date_of(31).to_string(), "1970-02-01");
    }
}
