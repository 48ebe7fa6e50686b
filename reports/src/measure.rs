//! The one measure that reports compare: IPv4 packets per observed address and day, never a raw count.
//!
//! Packets ÷ address-hours × 24. If a telescope's size is unknown, the denominator is the sensor-day. A day (or another bucket) with less
//! than [`SHARE_MIN`] of its address-hours is drawn hollow and not compared. `query/exposure.rs` measures an answer.

/// Least observed share of a bucket's address-hours; below it the bucket is not compared.
pub const SHARE_MIN: f64 = 0.75;
/// Smaller changes count as unchanged, percent.
pub const UNCHANGED_PERCENT: f64 = 2.0;
/// If the old value is at most this share of the new one, it counts as zero: the new one has no percentage.
pub const NEW_SHARE_MAX: f64 = 0.01;

/// The denominator of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateUnit {
    /// Dark IPv4 addresses × days observed.
    AddressDay,
    /// Sensors × days observed, where a telescope's size is not known.
    SensorDay,
}

/// How far a bucket was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// At least [`SHARE_MIN`] of its address-hours: it is drawn full and compared.
    Whole,
    /// Less: it is drawn hollow and not compared.
    Hollow,
    /// Nothing: a gap.
    Gap,
    /// Still to come.
    NotYet,
}

/// The change of a value against an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The value before.
    pub before: f64,
    /// Difference.
    pub difference: f64,
    /// Difference in percent of the value before; `None` if that counts as zero.
    pub percent: Option<f64>,
    /// Whether it is too small to count as a change.
    pub unchanged: bool,
}

impl Change {
    /// The change between two values with a standard error of `error_percent` (0 for counts).
    #[must_use]
    pub fn between(before: f64, now: f64, error_percent: f64) -> Self {
        let percent = (before > now * NEW_SHARE_MAX).then(|| (now / before - 1.0) * 100.0);
        // The errors of two estimates add in quadrature, and a change needs two standard errors.
        let least = UNCHANGED_PERCENT.max(2.0 * std::f64::consts::SQRT_2 * error_percent);
        Self {
            before,
            difference: now - before,
            percent,
            unchanged: percent.is_some_and(|percent| percent.abs() < least),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_within_two_percent_or_the_sketch_error_is_none() {
        assert!(Change::between(100.0, 101.9, 0.0).unchanged);
        assert!(!Change::between(100.0, 102.1, 0.0).unchanged);
        assert!(Change::between(100.0, 104.0, 1.6).unchanged);
        assert!(!Change::between(100.0, 105.0, 1.6).unchanged);
        let new = Change::between(0.0, 3.0, 0.0);
        assert_eq!((new.percent, new.unchanged), (None, false));
        assert_eq!(Change::between(0.001, 3.0, 0.0).percent, None);
    }
}
