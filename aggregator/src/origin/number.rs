//! Parses addresses and numbers from the bytes of a text file without allocating strings.

use std::net::Ipv6Addr;

/// An address as a line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Dotted, or a decimal number below 2^32.
    V4(u32),
    /// With colons, or a greater decimal number.
    V6(u128),
}

/// The IPv4 address that an IPv6 address holds in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
pub(crate) fn mapped(address: u128) -> Option<u32> {
    (address >> 32 == 0xffff).then_some(address as u32)
}

/// A decimal number that fills the whole field.
pub(crate) fn decimal(field: &[u8]) -> Option<u64> {
    match decimal_prefix(field)? {
        (number, []) => Some(number),
        _ => None,
    }
}

/// The decimal number at the beginning of `bytes`, at most 19 digits, and what follows it.
fn decimal_prefix(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).filter(|byte| byte.is_ascii_digit()) {
        if length == 19 {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
        length += 1;
    }
    (length > 0).then(|| (number, &bytes[length..]))
}

/// An address that fills the whole field: IPv4 dotted or decimal, IPv6 as RFC 4291 writes it. The standard library parses rare forms (a
/// dotted tail).
pub(crate) fn address(field: &[u8]) -> Option<Parsed> {
    match address_prefix(field) {
        Some((address, [])) => Some(address),
        _ => {
            let text = std::str::from_utf8(field).ok()?;
            if field.first()?.is_ascii_digit() && field.iter().all(u8::is_ascii_digit) {
                return text.parse().ok().map(Parsed::V6);
            }
            let address: Ipv6Addr = text.parse().ok()?;
            Some(Parsed::V6(u128::from(address)))
        }
    }
}

/// The address at the beginning of `bytes` and what follows it: one pass over the bytes, the hot loop of loading.
#[inline]
pub(crate) fn address_prefix(bytes: &[u8]) -> Option<(Parsed, &[u8])> {
    // An IPv6 address has a colon after four digits at most.
    if bytes.iter().take(5).any(|byte| *byte == b':') {
        let (address, rest) = groups(bytes)?;
        return Some((Parsed::V6(address), rest));
    }
    match decimal_prefix(bytes)? {
        (first, [b'.', rest @ ..]) => {
            let (address, rest) = dotted(first, rest)?;
            Some((Parsed::V4(address), rest))
        }
        (number, rest) => Some((Parsed::V4(u32::try_from(number).ok()?), rest)),
    }
}

/// The address whose first octet has been read.
fn dotted(first: u64, mut rest: &[u8]) -> Option<(u32, &[u8])> {
    let mut address = u32::from(u8::try_from(first).ok()?);
    for octet_index in 1..4 {
        let (octet, after) = decimal_prefix(rest)?;
        address = address << 8 | u32::from(u8::try_from(octet).ok()?);
        rest = if octet_index == 3 {
            after
        } else {
            after.strip_prefix(b".")?
        };
    }
    Some((address, rest))
}

/// Hexadecimal groups with at most one `::`.
#[inline]
fn groups(bytes: &[u8]) -> Option<(u128, &[u8])> {
    let mut address: u128 = 0;
    let mut count = 0;
    // Groups before the `::`, once it was seen.
    let mut before_gap: Option<u32> = None;
    let mut rest = bytes;
    if let [b':', b':', after @ ..] = rest {
        before_gap = Some(0);
        rest = after;
    }
    while count < 8 {
        let Some((group, after)) = hexadecimal_group(rest) else {
            break;
        };
        address = address << 16 | u128::from(group);
        count += 1;
        match after {
            [b':', b':', after @ ..] if count < 8 && before_gap.is_none() => {
                before_gap = Some(count);
                rest = after;
            }
            [b':', after @ ..] if count < 8 && after.first().is_some_and(u8::is_ascii_hexdigit) => {
                rest = after;
            }
            _ => {
                rest = after;
                break;
            }
        }
    }
    // Characters that cannot follow an address make it invalid: a further colon, a dotted tail.
    if matches!(rest.first(), Some(b':' | b'.')) {
        return None;
    }
    match before_gap {
        None if count == 8 => Some((address, rest)),
        Some(before) if count < 8 => Some((open_gap(address, before, count), rest)),
        _ => None,
    }
}

/// Moves the first `before` of `count` groups to the top.
fn open_gap(address: u128, before: u32, count: u32) -> u128 {
    if before == 0 {
        return address;
    }
    let after_bits = (count - before) * 16;
    let head = address >> after_bits;
    let tail = address & ((1 << after_bits) - 1);
    head << (128 - before * 16) | tail
}

/// One to four hexadecimal digits.
#[inline]
fn hexadecimal_group(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut group: u16 = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        let digit = HEXADECIMAL[usize::from(*byte)];
        if digit == NO_DIGIT {
            return (index > 0).then(|| (group, &bytes[index..]));
        }
        if index == 4 {
            return None;
        }
        group = group << 4 | u16::from(digit);
    }
    (!bytes.is_empty()).then_some((group, &[]))
}

const NO_DIGIT: u8 = 0xff;

/// Each byte's value as a hexadecimal digit.
const HEXADECIMAL: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_spellings_of_ipv4_are_read() {
        assert_eq!(address(b"16777216"), Some(Parsed::V4(0x0100_0000)));
        assert_eq!(address(b"1.0.0.255"), Some(Parsed::V4(0x0100_00ff)));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for field in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1:2",
            "::1::",
            ":::",
            "1::2::3",
            "12345::",
            "g::",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8:9",
            "340282366920938463463374607431768211456",
            "-1",
            "1.2.3.",
        ] {
            assert_eq!(address(field.as_bytes()), None, "{field}");
        }
    }

    #[test]
    fn a_number_beyond_ipv4_is_ipv6() {
        assert_eq!(address(b"4294967295"), Some(Parsed::V4(u32::MAX)));
        assert_eq!(address(b"4294967296"), Some(Parsed::V6(1 << 32)));
        let last = u128::MAX.to_string();
        assert_eq!(address(last.as_bytes()), Some(Parsed::V6(u128::MAX)));
    }

    #[test]
    fn a_dotted_tail_is_left_to_the_standard_library() {
        assert_eq!(
            address(b"::ffff:1.2.3.4"),
            Some(Parsed::V6(0xffff_0102_0304))
        );
    }

    proptest! {
        #[test]
        fn ipv6_is_read_as_the_standard_library_reads_it(parts in prop::array::uniform8(prop_oneof![Just(0u16), any::<u16>()])) {
            let expected = Ipv6Addr::from(parts);
            prop_assert_eq!(address(expected.to_string().as_bytes()), Some(Parsed::V6(u128::from(expected))));
        }

        #[test]
        fn any_text_of_an_address_alphabet_agrees_with_the_standard_library(text in "[0-9a-f:.]{0,24}") {
            let expected = text.parse::<Ipv6Addr>().ok().map(|address| Parsed::V6(u128::from(address)))
                .or_else(|| text.parse::<Ipv4Addr>().ok().map(|address| Parsed::V4(u32::from(address))));
            // Decimal numbers and octets with leading zeros are not accepted by the standard library.
            if expected.is_some() || text.contains(':') {
                prop_assert_eq!(address(text.as_bytes()), expected);
            }
        }
    }
}
