//! The date of a data file: from its own header, from its name, or from its modification, in this order. Dates are days, UTC.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Where a date was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateSource {
    /// The file says it.
    Header,
    /// From the file's name: `20260625`, `2026-06-25`, or `2026-06` for a month's first day.
    Name,
    /// From the file system; the data may be older.
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

/// The best known date: `header` if the format gave one.
pub(crate) fn date_of(
    header: Option<Date>,
    path: &Path,
    modified: Option<SystemTime>,
) -> (Date, DateSource) {
    if let Some(date) = header {
        return (date, DateSource::Header);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(date) = date_in_name(&name) {
        return (date, DateSource::Name);
    }
    let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
    let date = date_of_time(modified.unwrap_or(Timestamp::UNIX_EPOCH));
    (date, DateSource::Modified)
}

/// The date in a comment such as `# Generated: Thu, 25 Jun 2026 04:33:59 GMT`, of IPFire's data, or
/// `# Last updated based on July 8 2015 Maxmind GeoLite2 Country`, of tor's before that.
pub(crate) fn date_in_comment(comment: &[u8]) -> Option<Date> {
    let text = std::str::from_utf8(comment).ok()?;
    if let Some((_, stamp)) = text.split_once("Last updated based on") {
        return date_of_words("%B %d %Y", stamp.split_whitespace());
    }
    let stamp = text.split_once("Generated:")?.1.split_whitespace();
    date_of_words(
        "%d %b %Y",
        stamp.skip_while(|word| word.parse::<u32>().is_err()),
    )
}

/// The first three words as a date of this form.
fn date_of_words<'a>(form: &str, words: impl Iterator<Item = &'a str>) -> Option<Date> {
    let words: Vec<&str> = words.take(3).collect();
    plausible(Date::strptime(form, words.join(" ")).ok()?)
}

/// `20260625` as a date, when it is one.
pub(crate) fn date_of_digits(digits: &[u8]) -> Option<Date> {
    if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    plausible(Date::strptime("%Y%m%d", digits).ok()?)
}

/// A plausible date for Internet data.
fn plausible(date: Date) -> Option<Date> {
    (1980..2200).contains(&date.year()).then_some(date)
}

/// The first date in a name; a day is searched before a month.
fn date_in_name(name: &str) -> Option<Date> {
    let runs: Vec<&str> = name
        .split(|character: char| !character.is_ascii_digit())
        .collect();
    // One separator between two runs: more give an empty run between them.
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

/// The day of a Unix time, UTC; `None` if it is beyond the calendar.
pub(crate) fn date_of_unix_seconds(seconds: u64) -> Option<Date> {
    let seconds = i64::try_from(seconds).ok()?;
    Timestamp::from_second(seconds).ok().map(date_of_time)
}

fn date_of_time(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn unix_times_become_dates() {
        assert_eq!(date_of_unix_seconds(1_782_362_039), Some(date(2026, 6, 25)));
        assert_eq!(date_of_unix_seconds(u64::MAX), None);
        assert_eq!(date_of_unix_seconds(1 << 50), None);
    }

    #[test]
    fn the_header_of_the_location_database_gives_its_date() {
        assert_eq!(
            date_in_comment(b"# Generated: Thu, 25 Jun 2026 04:33:59 GMT"),
            Some(date(2026, 6, 25))
        );
        assert_eq!(
            date_in_comment(b"# Last updated based on July 8 2015 Maxmind GeoLite2 Country"),
            Some(date(2015, 7, 8))
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
            ("geo-20260231.csv", None),
            ("geoip6", None),
            ("country-2026.csv", None),
        ] {
            let found = date_in_name(name).map(|date| date.to_string());
            assert_eq!(found.as_deref(), date, "{name}");
        }
    }

    #[test]
    fn a_header_comes_before_the_name_and_the_name_before_the_file_system() {
        let named = Path::new("data/routeviews-rv2-20260101-1200.pfx2as");
        let header = Some(date(2026, 6, 25));
        assert_eq!(date_of(header, named, None).1, DateSource::Header);
        assert_eq!(
            date_of(None, named, None),
            (date(2026, 1, 1), DateSource::Name)
        );
        assert_eq!(
            date_of(None, Path::new("geoip"), None).1,
            DateSource::Modified
        );
    }
}
