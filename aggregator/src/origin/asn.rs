//! A source's autonomous system, and how lists write its number: plain, with `AS` before it, or with a dot (RFC 5396). It does not look up
//! addresses.

/// An autonomous system's number; 0, which RFC 7607 reserves, means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asn(pub(super) u32);

impl Asn {
    /// The number in a field of a list, and whether the field names several systems (`701_702`, `{64496,64497}`): the first one is it. A
    /// number may have `AS` before it, and `1.10` is 65546 (RFC 5396, asdot).
    pub(super) fn parse(field: &[u8]) -> Option<(Asn, bool)> {
        let field = match field {
            [b'A' | b'a', b'S' | b's', rest @ ..] => rest,
            _ => field,
        };
        let field = field.strip_prefix(b"{").unwrap_or(field);
        let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let length = field.iter().position(|byte| !is_number(byte));
        let (number, rest) = field.split_at(length.unwrap_or(field.len()));
        let is_set = matches!(rest, [b'_' | b',' | b' ', ..]);
        if !is_set && !matches!(rest, [] | [b'}']) {
            return None;
        }
        let number = std::str::from_utf8(number).ok()?;
        let number = match number.split_once('.') {
            Some((high, low)) => u32::from(half(high)?) << 16 | u32::from(half(low)?),
            None => number.parse().ok()?,
        };
        Some((Asn(number), is_set))
    }
}

/// One side of a dotted number: digits only, without leading zeros.
fn half(text: &str) -> Option<u16> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_lists_write_them() {
        for (field, expected) in [
            ("13335", Some((13_335, false))),
            ("AS13335", Some((13_335, false))),
            ("as7", Some((7, false))),
            ("1.10", Some((65_546, false))),
            ("AS0.7", Some((7, false))),
            ("65535.65535", Some((u32::MAX, false))),
            ("4294967295", Some((u32::MAX, false))),
            ("701_702", Some((701, true))),
            ("4777,4713", Some((4777, true))),
            ("{64496,64497}", Some((64_496, true))),
            ("{64496}", Some((64_496, false))),
            ("3356_{7018,701}", Some((3356, true))),
            ("1.10_2", Some((65_546, true))),
            ("4294967296", None),
            ("1.65536", None),
            ("1.2.3", None),
            ("1.", None),
            (".1", None),
            ("1.010", None),
            ("12ab", None),
            ("ASIA", None),
            ("", None),
        ] {
            let read = Asn::parse(field.as_bytes());
            assert_eq!(read.map(|(asn, set)| (asn.0, set)), expected, "{field}");
        }
    }
}
