//! The date of a data file: from its own header, from its name, or from its modification, in this order. Dates are days, UTC, as
//! `YYYY-MM-DD`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a date was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateSource {
    /// The file says it.
    Header,
    /// Eight digits in the file's name.
    Name,
    /// The file system says it; the data may be older.
    Modified,
}

impl DateSource {
    /// One word for messages and metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DateSource::Header => "header",
            DateSource::Name => "name",
            DateSource::Modified => "modified",
        }
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The best date there is: `header` when the format gave one.
pub(crate) fn date_of(
    header: Option<String>,
    path: &Path,
    modified: Option<SystemTime>,
) -> (String, DateSource) {
    if let Some(date) = header {
        return (date, DateSource::Header);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(date) = date_in_name(&name) {
        return (date, DateSource::Name);
    }
    let seconds = modified
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |age| age.as_secs());
    (date_of_unix_seconds(seconds), DateSource::Modified)
}

/// The date in a comment such as `# Generated: Thu, 25 Jun 2026 04:33:59 GMT`.
pub(crate) fn date_in_comment(comment: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(comment).ok()?;
    let stamp = text.split_once("Generated:")?.1;
    let mut words = stamp
        .split_whitespace()
        .skip_while(|word| word.parse::<u32>().is_err());
    let day: u32 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == month_name)? + 1;
    let year: u32 = words.next()?.parse().ok()?;
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// `20260625` as a date, when it is one.
pub(crate) fn date_of_digits(digits: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let month: u32 = text[4..6].parse().ok()?;
    let day: u32 = text[6..].parse().ok()?;
    let plausible = ("1980".."2200").contains(&&text[..4])
        && (1..=12).contains(&month)
        && (1..=31).contains(&day);
    plausible.then(|| format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]))
}

fn date_in_name(name: &str) -> Option<String> {
    name.split(|character: char| !character.is_ascii_digit())
        .find_map(|digits| date_of_digits(digits.as_bytes()))
}

/// The civil date of a Unix time (H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
pub(crate) fn date_of_unix_seconds(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_become_civil_dates() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_782_362_039, "2026-06-25"),
            (4_102_444_799, "2099-12-31"),
        ] {
            assert_eq!(date_of_unix_seconds(seconds), date);
        }
    }

    #[test]
    fn the_header_of_the_location_database_gives_its_date() {
        assert_eq!(
            date_in_comment(b"# Generated: Thu, 25 Jun 2026 04:33:59 GMT").as_deref(),
            Some("2026-06-25")
        );
        assert_eq!(date_in_comment(b"# Generated: some day"), None);
    }

    #[test]
    fn a_header_comes_before_the_name_and_the_name_before_the_file_system() {
        let named = Path::new("data/routeviews-rv2-20260101-1200.pfx2as");
        let header = Some("2026-06-25".to_string());
        assert_eq!(date_of(header, named, None).1, DateSource::Header);
        assert_eq!(
            date_of(None, named, None),
            ("2026-01-01".to_string(), DateSource::Name)
        );
        assert_eq!(
            date_of(None, Path::new("geoip"), None).1,
            DateSource::Modified
        );
    }
}
