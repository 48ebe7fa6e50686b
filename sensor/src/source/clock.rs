//! The time of a pcapng interface: ticks of its resolution and an offset become microseconds (draft-ietf-opsawg-pcapng, if_tsresol and
//! if_tsoffset). Times before 1970 or after 2199 count as no time.

use super::record::NO_TIME_US;

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;

/// 2199-12-31T23:59:59.999999Z: a later time has another unit or another epoch than its interface says.
const TIME_US_MAX: i64 = 7_258_118_399_999_999;

/// How an interface's ticks become microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: TickUnit,
    offset_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TickUnit {
    Microseconds,
    /// The most common resolution besides microseconds: a division by a constant.
    Nanoseconds,
    /// A tick is this many microseconds.
    Multiple(u64),
    /// A microsecond is this many ticks.
    Fraction(u64),
    /// A second is two to this power of ticks.
    Binary(u32),
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            unit: TickUnit::Microseconds,
            offset_us: 0,
        }
    }
}

impl Clock {
    /// Takes the option if_tsresol: the exponent, negated; of 2 if the highest bit is set, else of 10.
    pub(super) fn with_resolution(self, option: u8) -> Self {
        let exponent = u32::from(option & 0x7f);
        let unit = if option & 0x80 != 0 {
            TickUnit::Binary(exponent)
        } else {
            match exponent {
                6 => TickUnit::Microseconds,
                9 => TickUnit::Nanoseconds,
                0..6 => TickUnit::Multiple(10u64.pow(6 - exponent)),
                // If the power does not fit, the only time is zero.
                _ => TickUnit::Fraction(10u64.checked_pow(exponent - 6).unwrap_or(u64::MAX)),
            }
        };
        Clock { unit, ..self }
    }

    /// Takes the option if_tsoffset, seconds to be added.
    pub(super) fn with_offset(self, seconds: i64) -> Self {
        Clock {
            offset_us: seconds.saturating_mul(MICROSECONDS_PER_SECOND),
            ..self
        }
    }

    /// Microseconds since 1970 of a packet's ticks.
    #[inline]
    pub(super) fn time_us(self, ticks: u64) -> i64 {
        let since_offset_us = match self.unit {
            TickUnit::Microseconds => ticks,
            TickUnit::Nanoseconds => ticks / 1000,
            TickUnit::Multiple(factor) => ticks.saturating_mul(factor),
            TickUnit::Fraction(divisor) => ticks / divisor,
            TickUnit::Binary(exponent) => binary_us(ticks, exponent),
        };
        i64::try_from(since_offset_us)
            .unwrap_or(i64::MAX)
            .checked_add(self.offset_us)
            .filter(|time_us| (0..=TIME_US_MAX).contains(time_us))
            .unwrap_or(NO_TIME_US)
    }
}

/// Ticks of 2^-exponent seconds as microseconds; the product fits 84 bits, the exponent is below 128.
fn binary_us(ticks: u64, exponent: u32) -> u64 {
    let product = u128::from(ticks) * MICROSECONDS_PER_SECOND as u128;
    u64::try_from(product >> exponent).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resolution: u8, ticks: u64, expected_us: i64) {
        assert_eq!(
            Clock::default().with_resolution(resolution).time_us(ticks),
            expected_us
        );
    }

    #[test]
    fn powers_of_ten_become_microseconds() {
        check(0, 7, 7_000_000);
        check(3, 1_234, 1_234_000);
        check(6, 1_234_567, 1_234_567);
        check(9, 1_234_567_899, 1_234_567);
        check(12, 1_234_567_890_123, 1_234_567);
        check(127, u64::MAX - 1, 0);
    }

    #[test]
    fn powers_of_two_become_microseconds() {
        check(0x80, 7, 7_000_000);
        check(0x80 | 10, 1_536, 1_500_000);
        check(0x80 | 32, 3 << 31, 1_500_000);
        check(0xff, u64::MAX, 0);
    }

    #[test]
    fn times_beyond_the_range_are_none() {
        check(0, u64::MAX, NO_TIME_US);
        check(6, u64::MAX, NO_TIME_US);
        check(0x80, u64::MAX, NO_TIME_US);
        let late = Clock::default().with_offset(i64::MAX);
        assert_eq!(late.time_us(1), NO_TIME_US);
        assert_eq!(
            Clock::default().with_offset(i64::MIN).time_us(0),
            NO_TIME_US
        );
    }

    #[test]
    fn an_offset_is_added_in_seconds() {
        assert_eq!(
            Clock::default().with_offset(-2).time_us(5_000_000),
            3_000_000
        );
    }
}
