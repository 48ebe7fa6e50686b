//! Days and hours on the command line, parsed: what is no day of the calendar is refused, not compared as text.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// A day, `2026-11-05`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayArgument(pub Date);

/// An hour, `2026-11-05T08`, or a day's first one, `2026-11-05`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayOrHour {
    day: DayArgument,
    hour: Option<u8>,
}

/// As RFC 3339 writes a full date: no other form, so that it sorts and reads as folders do.
fn day(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

impl FromStr for DayArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        day(text)
            .map(DayArgument)
            .ok_or_else(|| format!("{text:?} is no day such as 2026-11-05"))
    }
}

impl fmt::Display for DayArgument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for DayOrHour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("{text:?} is no hour such as 2026-11-05T08, nor a day");
        let (date, hour) = match text.split_once('T') {
            Some((date, hour)) => {
                let is_two_digits =
                    hour.len() == 2 && hour.bytes().all(|byte| byte.is_ascii_digit());
                let hour: u8 = hour.parse().map_err(|_| refused())?;
                if !is_two_digits || hour > 23 {
                    return Err(refused());
                }
                (date, Some(hour))
            }
            None => (text, None),
        };
        let day = DayArgument(day(date).ok_or_else(refused)?);
        Ok(DayOrHour { day, hour })
    }
}

impl fmt::Display for DayOrHour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.day.fmt(formatter)?;
        match self.hour {
            Some(hour) => write!(formatter, "T{hour:02}"),
            None => Ok(()),
        }
    }
}

/// A span of time that begins before it ends.
pub(crate) fn ascending<T: Ord + fmt::Display>(
    (from, to): (Option<T>, Option<T>),
) -> anyhow::Result<(Option<T>, Option<T>)> {
    if let (Some(from), Some(to)) = (&from, &to) {
        anyhow::ensure!(
            from < to,
            "--to {to} is not after --from {from}: --to is the end, which is not included"
        );
    }
    Ok((from, to))
}

/// The same as two texts, which sort as times do; empty where an end is open.
pub(crate) fn span<T: Ord + fmt::Display>(
    from: Option<T>,
    to: Option<T>,
) -> anyhow::Result<(String, String)> {
    let (from, to) = ascending((from, to))?;
    let text = |time: Option<T>| time.map_or(String::new(), |time| time.to_string());
    Ok((text(from), text(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_of_the_calendar_are_taken_and_nothing_else() {
        for (text, is_day, is_hour) in [
            ("2026-11-05", true, true),
            ("2026-11-05T08", false, true),
            ("2024-02-29", true, true),
            ("2026-02-29", false, false),
            ("2026-11-05T24", false, false),
            ("2026-11-05T8", false, false),
            ("2026-11-05T+8", false, false),
            ("2026-11-5", false, false),
            ("20261105", false, false),
            ("2026-11-05T08:00", false, false),
            ("garbage", false, false),
            ("", false, false),
        ] {
            assert_eq!(text.parse::<DayArgument>().is_ok(), is_day, "{text}");
            let hour = text.parse::<DayOrHour>();
            assert_eq!(hour.is_ok(), is_hour, "{text}");
            if let Ok(hour) = hour {
                assert_eq!(hour.to_string(), text);
            }
        }
    }

    #[test]
    fn a_span_ends_behind_its_beginning() {
        let parsed = |text: &str| text.parse::<DayOrHour>().ok();
        let texts = span(parsed("2026-11-05"), parsed("2026-11-05T01")).expect("an hour");
        assert_eq!(texts, ("2026-11-05".into(), "2026-11-05T01".into()));
        assert!(span(parsed("2026-11-05"), parsed("2026-11-05")).is_err());
        assert!(span(parsed("2026-11-06"), parsed("2026-11-05T23")).is_err());
        assert!(span::<DayArgument>(None, None).is_ok());
    }
}
