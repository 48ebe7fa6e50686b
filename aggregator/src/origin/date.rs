//! The date of a data file: from its own header, from its name, or from its modification, in this order. Dates are days, UTC, as
//! `YYYY-MM-DD`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a date was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateSource {
    /// The file says it.
    Header,
    /// It stands in the file's name: `20260625`, `2026-06-25`, or `2026-06` for a month's first day.
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

/// The date in a comment such as `# Generated: Thu, 25 Jun 2026 04:33:59 GMT`, of IPFire's data, or
/// `# Last updated based on July 8 2015 Maxmind GeoLite2 Country`, of tor's before that.
pub(crate) fn date_in_comment(comment: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(comment).ok()?;
    if let Some((_, stamp)) = text.split_once("Last updated based on") {
        let mut words = stamp.split_whitespace();
        let (month, day, year) = (words.next()?, words.next()?, words.next()?);
        return date_of_words(day, month.get(..3)?, year);
    }
    let stamp = text.split_once("Generated:")?.1;
    let mut words = stamp
        .split_whitespace()
        .skip_while(|word| word.parse::<u32>().is_err());
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    date_of_words(day, month, year)
}

fn date_of_words(day: &str, month: &str, year: &str) -> Option<String> {
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let (day, year): (u32, u32) = (day.parse().ok()?, year.parse().ok()?);
    date_of_digits(format!("{year:04}{month:02}{day:02}").as_bytes())
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

/// The first date that stands in a name; a day is looked for before a month.
fn date_in_name(name: &str) -> Option<String> {
    let runs: Vec<&str> = name
        .split(|character: char| !character.is_ascii_digit())
        .collect();
    // One separator between two runs: with more, an empty run stands between them.
    let lengths = |runs: &[&str]| runs.iter().map(|run| run.len()).collect::<Vec<_>>();
    let parted = |wanted: &'static [usize], behind: &'static str| {
        let found = runs.windows(wanted.len());
        found
            .filter(move |runs| lengths(runs) == wanted)
            .map(move |runs| runs.concat() + behind)
    };
    parted(&[8], "")
        .chain(parted(&[4, 2, 2], ""))
        .chain(parted(&[4, 2], "01"))
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
        assert_eq!(
            date_in_comment(b"# Last updated based on July 8 2015 Maxmind GeoLite2 Country")
                .as_deref(),
            Some("2015-07-08")
        );
        assert_eq!(date_in_comment(b"# Generated: some day"), None);
        assert_eq!(date_in_comment(b"# Last updated based on J 8 2015"), None);
    }

    #[test]
    fn a_name_holds_a_date_as_days_or_months_are_usually_written() {
        for (name, date) in [
            ("delegated-apnic-extended-20260625", Some("2026-06-25")),
            ("geo.2026-06-25.csv", Some("2026-06-25")),
            ("geo_2026_06_25_v2.csv", Some("2026-06-25")),
            ("dbip-country-lite-2026-06.csv.gz", Some("2026-06-01")),
            ("2026-07-GeoLite2_20260625.mmdb", Some("2026-06-25")),
            ("geo-2026--06-25.csv", None),
            ("geo-2026-13-01.csv", None),
            ("geoip6", None),
            ("country-2026.csv", None),
        ] {
            assert_eq!(date_in_name(name).as_deref(), date, "{name}");
        }
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
