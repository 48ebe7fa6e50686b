//! Numbers as readers write them: thousands separators, estimates rounded to their precision, 万 and 億 on Japanese axes.

use super::Language;

/// A number of addresses of either family: those beyond 2^53 as a power of two or a multiple of one, which is what prefixes have.
#[must_use]
pub fn size(value: f64) -> String {
    const EXACT: f64 = (1_u64 << 53) as f64;
    /// Largest factor before a power of two.
    const FACTOR_MAX: f64 = 4096.0;
    if value < EXACT {
        return count(value as i64);
    }
    let (mut factor, mut exponent) = (value, 0);
    while factor > 1.0 && (factor / 2.0).fract() == 0.0 {
        factor /= 2.0;
        exponent += 1;
    }
    if factor <= 1.0 {
        format!("2^{exponent}")
    } else if factor <= FACTOR_MAX {
        format!("{factor} × 2^{exponent}")
    } else {
        let exponent = value.log10().floor();
        format!("{:.2} × 10^{exponent}", value / 10_f64.powf(exponent))
    }
}

/// `1,234,567`
#[must_use]
pub fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An estimate, rounded to three significant digits from 1,000 on, because of its error.
#[must_use]
pub fn estimate(value: f64) -> String {
    let whole = value.round().max(0.0);
    if whole < 1000.0 {
        return count(whole as i64);
    }
    let unit = 10_f64.powf(whole.log10().floor() - 2.0);
    count(((whole / unit).round() * unit).round() as i64)
}

/// `12.3`, or `<0.1` for a value that would round to zero; without the percent sign.
#[must_use]
pub fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 {
        return "–".to_owned();
    }
    let value = part / whole * 100.0;
    if value > 0.0 && value < 0.05 {
        "<0.1".to_owned()
    } else {
        format!("{value:.1}")
    }
}

/// A number with `digits` decimals and thousands separators.
#[must_use]
pub fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = count(whole.parse().unwrap_or(i64::MAX));
    let sign = if value < 0.0
        && text
            .bytes()
            .any(|byte| byte.is_ascii_digit() && byte != b'0')
    {
        "−"
    } else {
        ""
    };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A rate per address and day: three significant digits, and at least one decimal.
#[must_use]
pub fn measure(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 1,
        tiny if tiny < 0.01 => 4,
        tiny if tiny < 0.1 => 3,
        small if small < 10.0 => 2,
        _ => 1,
    };
    decimal(value, digits)
}

/// A difference of rates with its sign.
#[must_use]
pub fn signed_measure(value: f64) -> String {
    let text = measure(value);
    if text.starts_with('−') || value == 0.0 {
        text
    } else {
        format!("+{text}")
    }
}

/// A change in percent with its sign: `+3.2`, `−0.4`; whole from 1,000 on.
#[must_use]
pub fn signed_percent(value: f64) -> String {
    let digits = usize::from(value.abs() < 1000.0);
    let text = decimal(value, digits);
    if text.starts_with('−') || text.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        text
    } else {
        format!("+{text}")
    }
}

/// A rate: two decimals below 10, one below 100, else whole.
#[must_use]
pub fn rate(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 10.0 => 2,
        middle if middle < 100.0 => 1,
        _ => 0,
    };
    decimal(value, digits)
}

/// The units of a language's short numbers: what each is worth, its name, and from which number on it is used.
const fn units(language: Language) -> &'static [(f64, &'static str, f64)] {
    match language {
        Language::Ja => &[(1e12, "兆", 1e12), (1e8, "億", 1e8), (1e4, "万", 1e4)],
        Language::En => &[(1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", 1e4)],
    }
}

/// A number for a chart: short, in the units of the language.
#[must_use]
pub fn axis(value: f64, language: Language) -> String {
    let used = |(_, _, from): &&(f64, &str, f64)| value.abs() >= *from;
    match units(language).iter().find(used) {
        Some((unit, name, _)) => format!("{}{name}", short(value / unit)),
        None => short(value),
    }
}

/// The numbers of an axis, ascending at even distances, all in one unit: the largest that the distance reaches.
#[must_use]
pub fn axis_ticks(ticks: &[f64], language: Language) -> Vec<String> {
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).next();
    let largest = ticks
        .iter()
        .fold(0.0, |largest: f64, tick| largest.max(tick.abs()));
    let used = |(unit, _, from): &&(f64, &str, f64)| {
        step.is_some_and(|step| step >= *unit) && largest >= *from
    };
    let found = units(language).iter().find(used);
    let label = |&tick: &f64| match found {
        Some((unit, name, _)) if tick != 0.0 => format!("{}{name}", short(tick / unit)),
        _ => short(tick),
    };
    ticks.iter().map(label).collect()
}

fn short(value: f64) -> String {
    let digits = match value.abs() {
        tiny if tiny > 0.0 && tiny < 0.1 => (1.0 - tiny.log10().floor()) as usize,
        _ => 2,
    };
    let text = decimal(value, digits.min(9));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Bytes in decimal units: `1.23 GB`.
#[must_use]
pub fn bytes(value: i64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{} B", count(value))
    } else {
        format!("{} {}", rate(scaled), UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "−1,234,567"),
        ] {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn sizes_of_ipv6_are_powers_of_two() {
        for (value, text) in [
            (0.0, "0"),
            (65_536.0, "65,536"),
            (2_f64.powi(80), "2^80"),
            (2_f64.powi(80) * 2.0, "2^81"),
            (2_f64.powi(80) * 3.0, "3 × 2^80"),
            (2_f64.powi(128), "2^128"),
            (2_f64.powi(80) + 2_f64.powi(40), "1.21 × 10^24"),
        ] {
            assert_eq!(size(value), text);
        }
    }

    #[test]
    fn estimates_show_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12.4, "12"),
            (999.4, "999"),
            (1234.0, "1,230"),
            (98_765_432.0, "98,800,000"),
            (999_999.0, "1,000,000"),
        ] {
            assert_eq!(estimate(value), text);
        }
    }

    #[test]
    fn shares_never_round_something_to_nothing() {
        assert_eq!(percent(1.0, 1e6), "<0.1");
        assert_eq!(percent(0.0, 10.0), "0.0");
        assert_eq!(percent(1.0, 0.0), "–");
        assert_eq!(percent(123.0, 1000.0), "12.3");
    }

    #[test]
    fn axes_use_the_units_of_the_language() {
        assert_eq!(axis(250_000.0, Language::Ja), "25万");
        assert_eq!(axis(250_000.0, Language::En), "250k");
        assert_eq!(axis(5000.0, Language::En), "5,000");
        assert_eq!(axis(1_500_000.0, Language::En), "1.5M");
        assert_eq!(axis(0.0, Language::Ja), "0");
        assert_eq!(axis(0.5, Language::En), "0.5");
        assert_eq!(axis(0.005, Language::En), "0.005");
        assert_eq!(axis(-20.0, Language::En), "−20");
        for (ticks, language, labels) in [
            ([0.0, 5e3, 1e4], Language::Ja, ["0", "5,000", "10,000"]),
            ([0.0, 5e3, 1e4], Language::En, ["0", "5k", "10k"]),
            ([0.0, 5e4, 1e5], Language::Ja, ["0", "5万", "10万"]),
            ([0.0, 5e5, 1e6], Language::En, ["0", "500k", "1,000k"]),
            ([0.0, 4e3, 8e3], Language::En, ["0", "4,000", "8,000"]),
            ([-20.0, 0.0, 20.0], Language::Ja, ["−20", "0", "20"]),
        ] {
            assert_eq!(axis_ticks(&ticks, language), labels);
        }
    }

    #[test]
    fn changes_carry_their_sign() {
        for (value, text) in [
            (3.21, "+3.2"),
            (-0.44, "−0.4"),
            (0.0, "0.0"),
            (4231.0, "+4,231"),
        ] {
            assert_eq!(signed_percent(value), text);
        }
    }

    #[test]
    fn bytes_have_decimal_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.50 MB");
    }
}
