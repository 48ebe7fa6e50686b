//! Numbers as decimal text, byte for byte as the standard library writes them, in a fraction of its time: the files of a month of a large
//! telescope hold millions.

use std::io::Write as _;

/// Powers of ten for as many digits behind the point as are written.
const POWERS: [u64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
/// Bits of a double's fraction.
const FRACTION_BITS: i32 = 52;

/// Appends an integer.
pub(crate) fn push_integer(value: i64, text: &mut Vec<u8>) {
    if value < 0 {
        text.push(b'-');
    }
    push_digits(value.unsigned_abs(), 1, text);
}

/// Appends a number with `digits` digits behind the point, as `{:.digits$}` does: rounded from its exact value.
pub(crate) fn push_fixed(value: f64, digits: usize, text: &mut Vec<u8>) {
    match POWERS.get(digits).and_then(|power| scaled(value, *power)) {
        Some(scaled) => {
            if value.is_sign_negative() {
                text.push(b'-');
            }
            push_digits(scaled / POWERS[digits], 1, text);
            if digits > 0 {
                text.push(b'.');
                push_digits(scaled % POWERS[digits], digits, text);
            }
        }
        None => {
            let _ = write!(text, "{value:.digits$}");
        }
    }
}

/// The magnitude times `power`, rounded to an integer; `None` for what is rare: a number without a fraction's bit, half of a unit exactly (which
/// rounds to even), or a result of more than 64 bits.
fn scaled(value: f64, power: u64) -> Option<u64> {
    let bits = value.to_bits();
    let exponent = ((bits >> FRACTION_BITS) & 0x7ff) as i32;
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    if exponent == 0 {
        // Zero, and numbers so small that they round to it.
        return Some(0);
    }
    // The value is mantissa / 2^shift. Infinities and what is no number have the largest exponent.
    let mantissa = fraction | (1 << FRACTION_BITS);
    let shift = 1023 + FRACTION_BITS - exponent;
    if shift <= 0 {
        return None;
    }
    // Below 2^73.
    let product = u128::from(mantissa) * u128::from(power);
    if shift >= 75 {
        return Some(0);
    }
    let whole = product >> shift;
    let rest = product & ((1 << shift) - 1);
    let half = 1_u128 << (shift - 1);
    if rest == half {
        return None;
    }
    u64::try_from(whole + u128::from(rest > half)).ok()
}

/// Appends decimal digits, at least `width` of them.
fn push_digits(mut value: u64, width: usize, text: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while value > 0 || digits.len() - first < width {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    text.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64) {
        for digits in 0..=8 {
            let mut text = Vec::new();
            push_fixed(value, digits, &mut text);
            let wanted = format!("{value:.digits$}");
            assert_eq!(String::from_utf8_lossy(&text), wanted, "{value:e}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let special = [
            0.0,
            0.5,
            1.5,
            2.5,
            0.125,
            0.000_000_5,
            0.000_001_5,
            1e-9,
            0.999_999_5,
            9.999_999_6,
            1e15,
            4_503_599_627_370_495.5,
            9_007_199_254_740_991.0,
            9_007_199_254_740_993.0,
            1e18,
            1e21,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            f64::INFINITY,
            f64::NAN,
        ];
        for value in special {
            check(value);
            check(-value);
        }
        // A fixed sequence of bits over all magnitudes, and values such as reports have.
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..20_000_u64 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if round % 4 == 0 {
                check(f64::from_bits(bits));
            }
            check((bits >> 40) as f64 / 65_536.0);
            check((bits >> 44) as f64 / ((round + 1) as f64));
        }
    }

    #[test]
    fn integers_are_written_as_the_standard_library_does() {
        for value in [0, 1, -1, 9, 10, 99, 100, 65_535, i64::MAX, i64::MIN] {
            let mut text = Vec::new();
            push_integer(value, &mut text);
            assert_eq!(text, value.to_string().into_bytes());
        }
    }
}
