//! Spellings that several modules share: hexadecimal digits, the date of a day's number, and a time as text. `jiff` knows the calendar.

use jiff::Timestamp;
use jiff::civil::Date;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes as lower-case hexadecimal digits, two each.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// A number as 16 lower-case hexadecimal digits.
#[must_use]
pub(crate) fn hexadecimal_digits(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| DIGITS[(number >> (60 - place * 4)) as usize & 15])
}

/// Appends a number as decimal digits, with a minus below zero.
pub(crate) fn push_decimal(number: i64, text: &mut Vec<u8>) {
    // As many digits as a number has at most.
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        text.push(b'-');
    }
    text.extend_from_slice(&digits[start..]);
}

/// The date (proleptic Gregorian) of a day counted from 1970-01-01. Days outside the years -9999 to 9999 take the nearest of these.
#[must_use]
pub fn date_of_day(day: i64) -> Date {
    const SECONDS: i64 = 86_400;
    let nearest = if day < 0 { Date::MIN } else { Date::MAX };
    let timestamp = day.checked_mul(SECONDS).map(Timestamp::from_second);
    timestamp.and_then(Result::ok).map_or(nearest, |time| {
        time.to_zoned(jiff::tz::TimeZone::UTC).date()
    })
}

/// A time in microseconds since 1970-01-01 UTC as RFC 3339 text with six decimals: `2026-11-05T08:04:09.000001Z`.
#[must_use]
pub fn time(time_us: i64) -> String {
    let nearest = if time_us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let time = Timestamp::from_microsecond(time_us).unwrap_or(nearest);
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_each() {
        assert_eq!(hexadecimal(&[0, 255, 16]), "00ff10");
    }

    #[test]
    fn numbers_are_written_as_formats_write_them() {
        let numbers = [0, 1, -1, 9, 10, 1_700_000_000_000_000, i64::MAX, i64::MIN];
        for number in numbers {
            let mut text = b"at ".to_vec();
            push_decimal(number, &mut text);
            assert_eq!(text, format!("at {number}").into_bytes());
            let bits = number as u64;
            let digits = hexadecimal_digits(bits);
            assert_eq!(digits[..], *hexadecimal(&bits.to_be_bytes()).as_bytes());
        }
    }

    #[test]
    fn days_before_and_after_1970_have_their_date() {
        for (day, date) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
        ] {
            assert_eq!(date_of_day(day).to_string(), date);
        }
        assert_eq!(date_of_day(i64::MAX), Date::MAX);
        assert_eq!(date_of_day(i64::MIN), Date::MIN);
    }

    #[test]
    fn times_have_microseconds() {
        for (time_us, text) in [
            (1_237_107_849_000_001, "2009-03-15T09:04:09.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (0, "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(time_us), text);
        }
        assert!(time(i64::MAX).starts_with("9999-12-"));
        assert!(time(i64::MIN).starts_with("-009999-01-"));
    }
}
