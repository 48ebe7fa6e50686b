//! Addresses and numbers read from the bytes of a text file, without a string for each. What a line means is not decided here.

use std::net::Ipv6Addr;

/// An address as a line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Dotted, or a decimal number below 2^32.
    V4(u32),
    /// With colons.
    V6(u128),
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

/// An address that fills the whole field: IPv4 dotted or decimal, IPv6 as RFC 4291 writes it.
pub(crate) fn address(field: &[u8]) -> Option<Parsed> {
    match decimal_prefix(field) {
        Some((number, [])) => u32::try_from(number).ok().map(Parsed::V4),
        Some((first, [b'.', rest @ ..])) => dotted(first, rest).map(Parsed::V4),
        _ => ipv6(field).map(Parsed::V6),
    }
}

/// The address whose first octet has been read.
fn dotted(first: u64, mut rest: &[u8]) -> Option<u32> {
    let mut address = u32::from(u8::try_from(first).ok()?);
    for octet_index in 1..4 {
        let (octet, after) = decimal_prefix(rest)?;
        address = address << 8 | u32::from(u8::try_from(octet).ok()?);
        rest = match (octet_index, after) {
            (3, []) => after,
            (1 | 2, [b'.', after @ ..]) => after,
            _ => return None,
        };
    }
    Some(address)
}

/// Groups by hand, as almost every line has them; any other form is left to the standard library.
fn ipv6(field: &[u8]) -> Option<u128> {
    groups(field).or_else(|| {
        let text = std::str::from_utf8(field).ok()?;
        text.parse::<Ipv6Addr>().ok().map(u128::from)
    })
}

/// An address of hexadecimal groups with at most one `::`.
fn groups(field: &[u8]) -> Option<u128> {
    let mut address: u128 = 0;
    let mut count = 0;
    // Groups before the `::`, once it was seen.
    let mut before_gap: Option<u32> = None;
    let mut position = 0;
    if let [b':', b':', ..] = field {
        before_gap = Some(0);
        position = 2;
    }
    while position < field.len() {
        let (group, length) = hexadecimal_group(&field[position..])?;
        address = address << 16 | u128::from(group);
        count += 1;
        position += length;
        match &field[position..] {
            [] => break,
            [b':', b':', ..] if before_gap.is_none() => {
                before_gap = Some(count);
                position += 2;
            }
            [b':', next, ..] if *next != b':' => position += 1,
            _ => return None,
        }
        if count == 8 {
            return None;
        }
    }
    match before_gap {
        None if count == 8 => Some(address),
        Some(before) if count < 8 => Some(open_gap(address, before, count)),
        _ => None,
    }
}

/// Moves the first `before` of `count` groups to the top.
fn open_gap(address: u128, before: u32, count: u32) -> u128 {
    let after_bits = (count - before) * 16;
    if before == 0 {
        return address;
    }
    let head = address >> after_bits;
    let tail = address & ((1 << after_bits) - 1);
    head << (128 - before * 16) | tail
}

fn hexadecimal_group(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut group: u16 = 0;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).and_then(|&byte| hexadecimal_digit(byte)) {
        if length == 4 {
            return None;
        }
        group = group << 4 | digit;
        length += 1;
    }
    (length > 0).then_some((group, length))
}

fn hexadecimal_digit(byte: u8) -> Option<u16> {
    match byte {
        b'0'..=b'9' => Some(u16::from(byte - b'0')),
        b'a'..=b'f' => Some(u16::from(byte - b'a' + 10)),
        b'A'..=b'F' => Some(u16::from(byte - b'A' + 10)),
        _ => None,
    }
}

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
            "4294967296",
            "1:2",
            "::1::",
            ":::",
            "1::2::3",
            "12345::",
            "g::",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8:9",
            "99999999999999999999",
            "-1",
            "1.2.3.",
        ] {
            assert_eq!(address(field.as_bytes()), None, "{field}");
        }
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
            // Decimal numbers and octets with leading zeros are ours alone.
            if expected.is_some() || text.contains(':') {
                prop_assert_eq!(address(text.as_bytes()), expected);
            }
        }
    }
}
