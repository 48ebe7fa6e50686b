//! Dates and times in the form of each language. The timezone is always a parameter.

use jiff::civil::{Date, DateTime};
use jiff::{Unit, tz::TimeZone};

use super::Language;
use crate::period::{HOUR_US, PeriodKind, ReportPeriod, timestamp};
use crate::series::BucketWidth;

/// Civil time of an instant in microseconds.
#[must_use]
pub fn civil(us: i64, timezone: &TimeZone) -> DateTime {
    timezone.to_datetime(timestamp(us))
}

/// `2026年11月5日(木)` or `Thu 5 Nov 2026`
#[must_use]
pub fn day(date: Date, language: Language) -> String {
    let weekday = language.text().weekdays[date.weekday().to_monday_zero_offset() as usize];
    match language {
        Language::Ja => format!(
            "{}年{}月{}日({weekday})",
            date.year(),
            date.month(),
            date.day()
        ),
        Language::En => format!(
            "{weekday} {} {} {}",
            date.day(),
            month_short(date.month()),
            date.year()
        ),
    }
}

/// `11/5(木)` or `Thu 5 Nov`
#[must_use]
pub fn day_short(date: Date, language: Language) -> String {
    let weekday = language.text().weekdays[date.weekday().to_monday_zero_offset() as usize];
    match language {
        Language::Ja => format!("{}/{}({weekday})", date.month(), date.day()),
        Language::En => format!("{weekday} {} {}", date.day(), month_short(date.month())),
    }
}

/// `11/5`, in either language, for narrow places.
#[must_use]
pub fn day_plain(date: Date) -> String {
    format!("{}/{}", date.month(), date.day())
}

/// `2026年11月` or `Nov 2026`
#[must_use]
pub fn month(date: Date, language: Language) -> String {
    match language {
        Language::Ja => format!("{}年{}月", date.year(), date.month()),
        Language::En => format!("{} {}", month_short(date.month()), date.year()),
    }
}

/// `Nov`
#[must_use]
pub fn month_short(month: i8) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    NAMES[usize::from(month.unsigned_abs()).clamp(1, 12) - 1]
}

/// The heading of a table row for the bucket that starts here.
#[must_use]
pub fn bucket(us: i64, step: BucketWidth, timezone: &TimeZone, language: Language) -> String {
    let civil = civil(us, timezone);
    match step {
        BucketWidth::Hour => format!(
            "{} {:02}:{:02}",
            day(civil.date(), language),
            civil.hour(),
            civil.minute()
        ),
        BucketWidth::Day => day(civil.date(), language),
        BucketWidth::Month => month(civil.date(), language),
    }
}

/// An instant for CSV files: ISO 8601 with its offset.
#[must_use]
pub fn iso(us: i64, timezone: &TimeZone) -> String {
    let zoned = timestamp(us).to_zoned(timezone.clone());
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// An instant for people, to the minute, with the timezone's abbreviation.
#[must_use]
pub fn instant(us: i64, timezone: &TimeZone, language: Language) -> String {
    let zoned = timestamp(us).to_zoned(timezone.clone());
    let zoned = zoned.round(Unit::Minute).unwrap_or(zoned);
    let zone = zoned.strftime("%Z").to_string();
    format!(
        "{} {:02}:{:02} {zone}",
        day(zoned.date(), language),
        zoned.hour(),
        zoned.minute()
    )
}

/// A length of time in whole seconds, minutes, or hours and minutes.
#[must_use]
pub fn length(seconds: i64, language: Language) -> String {
    let minutes = (seconds + 30) / 60;
    let (hours, rest) = (minutes / 60, minutes % 60);
    match language {
        _ if seconds < 0 => String::new(),
        Language::Ja if seconds < 60 => format!("{seconds}秒"),
        Language::En if seconds < 60 => format!("{seconds} s"),
        Language::Ja if hours == 0 => format!("{minutes}分"),
        Language::En if hours == 0 => format!("{minutes} min"),
        Language::Ja => format!("{}時間{rest}分", super::number::count(hours)),
        Language::En => format!("{} h {rest} min", super::number::count(hours)),
    }
}

/// The title of a period.
#[must_use]
pub fn period(period: &ReportPeriod, language: Language) -> String {
    let first = civil(period.start_us, &period.timezone);
    let last = civil(period.end_us - HOUR_US, &period.timezone);
    match period.kind {
        PeriodKind::Day => day(first.date(), language),
        PeriodKind::Month => match language {
            Language::Ja => month(first.date(), language),
            Language::En => first.strftime("%B %Y").to_string(),
        },
        PeriodKind::Year => match language {
            Language::Ja => format!("{}年", first.year()),
            Language::En => first.year().to_string(),
        },
        PeriodKind::Quarter => {
            let quarter = (first.month() - 1) / 3 + 1;
            match language {
                Language::Ja => format!(
                    "{}年第{quarter}四半期({}月〜{}月)",
                    first.year(),
                    first.month(),
                    last.month()
                ),
                Language::En => format!(
                    "Q{quarter} {} ({}–{})",
                    first.year(),
                    month_short(first.month()),
                    month_short(last.month())
                ),
            }
        }
        PeriodKind::HalfYear => match language {
            Language::Ja => format!(
                "{}年{}月〜{}年{}月",
                first.year(),
                first.month(),
                last.year(),
                last.month()
            ),
            Language::En => format!(
                "{} {} to {} {}",
                month_short(first.month()),
                first.year(),
                month_short(last.month()),
                last.year()
            ),
        },
        PeriodKind::FiscalYear => match language {
            Language::Ja => format!("{0}年度({0}年4月〜{1}年3月)", first.year(), last.year()),
            Language::En => format!(
                "Fiscal year {0} (Apr {0} to Mar {1})",
                first.year(),
                last.year()
            ),
        },
        PeriodKind::Week => {
            let week = first.date().iso_week_date();
            let (from, to) = (
                day_short(first.date(), language),
                day_short(last.date(), language),
            );
            match language {
                Language::Ja => format!("{}年第{}週 {from}〜{to}", week.year(), week.week()),
                Language::En => format!("Week {} of {} ({from} to {to})", week.week(), week.year()),
            }
        }
        PeriodKind::Range => join(
            &day(first.date(), language),
            &day(last.date(), language),
            language,
        ),
        PeriodKind::Hour | PeriodKind::Span => hours(period, language),
    }
}

fn hours(period: &ReportPeriod, language: Language) -> String {
    let first = civil(period.start_us, &period.timezone);
    let end = civil(period.end_us, &period.timezone);
    let from = format!(
        "{} {:02}:{:02}",
        day(first.date(), language),
        first.hour(),
        first.minute()
    );
    let same_day = civil(period.end_us - 1, &period.timezone).date() == first.date();
    let time = if end.hour() == 0 && same_day {
        "24:00".to_owned()
    } else {
        format!("{:02}:{:02}", end.hour(), end.minute())
    };
    let to = if same_day {
        time
    } else {
        format!("{} {time}", day(end.date(), language))
    };
    join(&from, &to, language)
}

fn join(from: &str, to: &str, language: Language) -> String {
    match language {
        _ if from == to => from.to_owned(),
        Language::Ja => format!("{from}〜{to}"),
        Language::En => format!("{from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_naturally_in_both_languages() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        for (text, ja, en) in [
            ("2026-11-05", "2026年11月5日(木)", "Thu 5 Nov 2026"),
            ("2026-11", "2026年11月", "November 2026"),
            (
                "2026-Q4",
                "2026年第4四半期(10月〜12月)",
                "Q4 2026 (Oct–Dec)",
            ),
            (
                "2026-W45",
                "2026年第45週 11/2(月)〜11/8(日)",
                "Week 45 of 2026 (Mon 2 Nov to Sun 8 Nov)",
            ),
            ("2026", "2026年", "2026"),
            (
                "2026-11-05T23",
                "2026年11月5日(木) 23:00〜24:00",
                "Thu 5 Nov 2026 23:00 to 24:00",
            ),
        ] {
            let parsed = ReportPeriod::parse(text, &tokyo).unwrap();
            assert_eq!(period(&parsed, Language::Ja), ja);
            assert_eq!(period(&parsed, Language::En), en);
        }
    }

    #[test]
    fn csv_times_carry_their_offset() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(iso(0, &tokyo), "1970-01-01T09:00:00+09:00");
    }
}
