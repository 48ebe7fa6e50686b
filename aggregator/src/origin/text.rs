//! The text formats, told by their first data line: ranges with commas or tabs, the registries' delegated files, and prefixes
//! with their AS. Bytes in, ranges out; a line that fits no rule is an error with its number, an oddity is counted.

use super::country::Country;
use super::flatten::Range;
use super::number::{Parsed, address, address_prefix, decimal};
use super::table::Value;
use super::{Asn, Format, Oddities, date};

/// What a file says, per family and in its own order.
#[derive(Debug, Default)]
pub(crate) struct FileRanges<V> {
    pub(crate) v4: Vec<Range<u32, V>>,
    pub(crate) v6: Vec<Range<u128, V>>,
    pub(crate) oddities: Oddities,
    /// The date that the file itself states.
    pub(crate) date: Option<String>,
}

/// A line that is not what its format asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineError {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) expected: &'static str,
    /// The line, or its beginning.
    pub(crate) found: String,
}

/// What a text file can give for a range.
pub(crate) trait Field: Value {
    /// What a line's fields behind the two addresses must be.
    const EXPECTED: &'static str;
    /// The formats that hold such values.
    const FORMATS: &'static [Format];

    /// The value among the fields behind the addresses; `None` when they are no such thing.
    fn from_fields<'a>(
        fields: impl Iterator<Item = &'a [u8]>,
        oddities: &mut Oddities,
    ) -> Option<Self>;
}

impl Field for Country {
    const EXPECTED: &'static str = "first address, last address, two-letter country code";
    const FORMATS: &'static [Format] = &[Format::Ranges, Format::TabbedRanges, Format::Delegated];

    fn from_fields<'a>(
        mut fields: impl Iterator<Item = &'a [u8]>,
        oddities: &mut Oddities,
    ) -> Option<Self> {
        let mut field = fields.next()?;
        // Lists of networks put the AS number before the country.
        if field.first().is_some_and(u8::is_ascii_digit) {
            field = fields.next()?;
        }
        let country = match *field {
            [first, second] => Country::from_letters([first, second]),
            [] => None,
            _ if field == b"None" => None,
            _ => return None,
        };
        oddities.no_country += u64::from(country.is_none());
        Some(country.unwrap_or(Country::UNKNOWN))
    }
}

impl Field for Asn {
    const EXPECTED: &'static str = "first address, last address, AS number";
    const FORMATS: &'static [Format] = &[Format::Ranges, Format::TabbedRanges, Format::PrefixToAs];

    fn from_fields<'a>(
        mut fields: impl Iterator<Item = &'a [u8]>,
        oddities: &mut Oddities,
    ) -> Option<Self> {
        let field = fields.next()?;
        let field = field.strip_prefix(b"AS").unwrap_or(field);
        // A prefix with several origins (13335_38803) or a set of them ({1,2}): the first one stands for it.
        let field = field.strip_prefix(b"{").unwrap_or(field);
        let length = field
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(field.len());
        oddities.several_origins += u64::from(length < field.len());
        u32::try_from(decimal(&field[..length])?).ok().map(Asn)
    }
}

/// Most ranges that room is made for at once.
const RANGES_EXPECTED_MAX: usize = 1 << 20;

/// Reads a text file of a known format.
pub(crate) fn read<V: Field>(bytes: &[u8], format: Format) -> Result<FileRanges<V>, LineError> {
    let mut ranges = FileRanges {
        v4: Vec::new(),
        v6: Vec::new(),
        oddities: Oddities::default(),
        date: None,
    };
    // Room for lines of the usual length, so that vectors do not move while they grow; untouched pages cost nothing.
    ranges
        .v4
        .reserve((bytes.len() / 24).min(RANGES_EXPECTED_MAX));
    ranges
        .v6
        .reserve((bytes.len() / 40).min(RANGES_EXPECTED_MAX));
    let mut number = 0;
    let mut seen_data = false;
    for line in lines(bytes) {
        number += 1;
        if is_comment(line) {
            ranges.date = ranges.date.or_else(|| date::date_in_comment(line));
            continue;
        }
        let result = match format {
            Format::Ranges => range_line(line, b',', &mut ranges),
            Format::TabbedRanges => range_line(line, b'\t', &mut ranges),
            Format::Delegated => delegated_line(line, &mut ranges),
            Format::PrefixToAs => prefix_line(line, &mut ranges),
            Format::Mmdb => Err("text"),
        };
        match result {
            Err(_) if !seen_data && is_column_names(line) => {}
            Err(expected) => return Err(error_at(number, expected, line)),
            Ok(()) => {}
        }
        seen_data = true;
    }
    Ok(ranges)
}

/// The format that the first data line looks like, or that line as an error.
pub(crate) fn detect(bytes: &[u8]) -> Result<Format, LineError> {
    let mut data = lines(bytes)
        .enumerate()
        .filter(|(_, line)| !is_comment(line));
    let first = data.next().unwrap_or((0, b""));
    let (index, line) = if is_column_names(first.1) {
        data.next().unwrap_or(first)
    } else {
        first
    };
    format_of(line).ok_or_else(|| error_at(index + 1, EXPECTED_FORMATS, line))
}

fn format_of(line: &[u8]) -> Option<Format> {
    let begins_with_address = |separator| {
        let field = line
            .split(|byte| *byte == separator)
            .next()
            .unwrap_or_default();
        line.contains(&separator) && address(unquoted(field)).is_some()
    };
    if line.contains(&b'|') {
        Some(Format::Delegated)
    } else if begins_with_address(b'\t') {
        let second = line.split(|byte| *byte == b'\t').nth(1).unwrap_or_default();
        let is_length = second.len() <= 3 && decimal(second).is_some();
        Some(if is_length {
            Format::PrefixToAs
        } else {
            Format::TabbedRanges
        })
    } else if begins_with_address(b',') {
        Some(Format::Ranges)
    } else {
        None
    }
}

const EXPECTED_FORMATS: &str = "an MMDB file, or lines of START,END,VALUE, of a registry's delegated file (registry|CC|ipv4|…), of \
                                PREFIX LENGTH AS or of START END AS with tabs";

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', bytes)
        .chain((!bytes.ends_with(b"\n")).then_some(bytes.len()))
        .map(move |end| {
            let line = &bytes[start..end];
            start = end + 1;
            line.strip_suffix(b"\r").unwrap_or(line)
        })
}

fn is_comment(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b'#' | b';')) || line.iter().all(u8::is_ascii_whitespace)
}

/// A first line such as `start_ip,end_ip,country`: words, no digits, no colons.
fn is_column_names(line: &[u8]) -> bool {
    line.iter().any(u8::is_ascii_alphabetic)
        && !line
            .iter()
            .any(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'|'))
}

/// Bytes of a bad line that a message shows.
const SHOWN_BYTES_MAX: usize = 80;

fn error_at(line: usize, expected: &'static str, found: &[u8]) -> LineError {
    let shown = &found[..found.len().min(SHOWN_BYTES_MAX)];
    LineError {
        line,
        expected,
        found: String::from_utf8_lossy(shown).into_owned(),
    }
}

fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(field)
}

/// START, END, VALUE: tor's geoip files, the CSV of several vendors, the tabbed lists of networks.
fn range_line<V: Field>(
    line: &[u8],
    separator: u8,
    ranges: &mut FileRanges<V>,
) -> Result<(), &'static str> {
    let (first, last, fields) = plain_bounds(line, separator)
        .or_else(|| quoted_bounds(line, separator))
        .ok_or(V::EXPECTED)?;
    let fields = fields.split(|byte| *byte == separator).map(unquoted);
    let value = V::from_fields(fields, &mut ranges.oddities).ok_or(V::EXPECTED)?;
    match (first, last) {
        (Parsed::V4(first), Parsed::V4(last)) => ranges.push_v4(first, last, value),
        (Parsed::V6(first), Parsed::V6(last)) => ranges.push_v6(first, last, value),
        _ => return Err("two addresses of one family"),
    }
    Ok(())
}

/// The two addresses of a line and the fields behind them, where nothing is quoted or padded: in one pass.
#[inline]
fn plain_bounds(line: &[u8], separator: u8) -> Option<(Parsed, Parsed, &[u8])> {
    let (first, rest) = address_prefix(line)?;
    let rest = rest.strip_prefix(&[separator])?;
    let (last, rest) = address_prefix(rest)?;
    Some((first, last, rest.strip_prefix(&[separator])?))
}

/// The same for any line.
fn quoted_bounds(line: &[u8], separator: u8) -> Option<(Parsed, Parsed, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == separator);
    let first = address(unquoted(fields.next()?))?;
    let last = address(unquoted(fields.next()?))?;
    Some((first, last, fields.next()?))
}

/// A registry's delegated or delegated-extended file: <https://www.apnic.net/about-apnic/corporate-documents/documents/resource-guidelines/rir-statistics-exchange-format/>.
fn delegated_line<V: Field>(line: &[u8], ranges: &mut FileRanges<V>) -> Result<(), &'static str> {
    const EXPECTED: &str = "registry|CC|ipv4 or ipv6|start|count or length|date|status";
    let mut fields = line.split(|byte| *byte == b'|');
    let registry = fields.next().ok_or(EXPECTED)?;
    if registry.first().is_some_and(u8::is_ascii_digit) {
        // version|registry|serial|records|first date|last date|offset from UTC
        ranges.date = fields.nth(4).and_then(date::date_of_digits);
        return Ok(());
    }
    let [Some(country), Some(kind), Some(start), Some(size)] = [(); 4].map(|()| fields.next())
    else {
        return Err(EXPECTED);
    };
    let is_free = line.ends_with(b"|summary") || country.is_empty();
    if is_free || !matches!(kind, b"ipv4" | b"ipv6") {
        return Ok(());
    }
    let value = V::from_fields(std::iter::once(country), &mut ranges.oddities).ok_or(EXPECTED)?;
    let size = decimal(size).ok_or(EXPECTED)?;
    match address(start) {
        Some(Parsed::V4(first)) if size > 0 => {
            let last = u64::from(first) + (size - 1);
            ranges.push_v4(first, u32::try_from(last).map_err(|_| EXPECTED)?, value);
        }
        Some(Parsed::V6(first)) if size <= 128 => {
            ranges.push_v6(first, first | host_bits(128, size), value);
        }
        _ => return Err(EXPECTED),
    }
    Ok(())
}

/// RouteViews pfx2as: prefix, length and AS with tabs, <https://www.caida.org/catalog/datasets/routeviews-prefix2as/>.
fn prefix_line<V: Field>(line: &[u8], ranges: &mut FileRanges<V>) -> Result<(), &'static str> {
    const EXPECTED: &str = "prefix, length and AS number with tabs between";
    let mut fields = line.split(|byte| *byte == b'\t');
    let prefix = fields.next().and_then(address).ok_or(EXPECTED)?;
    let length = fields.next().and_then(decimal).ok_or(EXPECTED)?;
    let value = V::from_fields(fields, &mut ranges.oddities).ok_or(EXPECTED)?;
    match prefix {
        Parsed::V4(first) if length <= 32 => {
            ranges.push_v4(first, first | host_bits(32, length) as u32, value);
        }
        Parsed::V6(first) if length <= 128 => {
            ranges.push_v6(first, first | host_bits(128, length), value);
        }
        _ => return Err(EXPECTED),
    }
    Ok(())
}

/// The bits behind a prefix of `length` in an address of `width` bits.
fn host_bits(width: u32, length: u64) -> u128 {
    let host = width - length as u32;
    u128::MAX.checked_shr(128 - host).unwrap_or(0)
}

impl<V: Value> FileRanges<V> {
    #[inline]
    pub(crate) fn push_v4(&mut self, first: u32, last: u32, value: V) {
        if first <= last {
            self.v4.push(Range { first, last, value });
        } else {
            self.oddities.reversed += 1;
        }
    }

    #[inline]
    pub(crate) fn push_v6(&mut self, first: u128, last: u128, value: V) {
        if first <= last {
            self.v6.push(Range { first, last, value });
        } else {
            self.oddities.reversed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn countries(text: &str) -> FileRanges<Country> {
        let format = detect(text.as_bytes()).expect("a known format");
        read(text.as_bytes(), format).expect("good lines")
    }

    fn asns(text: &str) -> FileRanges<Asn> {
        let format = detect(text.as_bytes()).expect("a known format");
        read(text.as_bytes(), format).expect("good lines")
    }

    fn v4<V: Value + std::fmt::Debug>(ranges: &FileRanges<V>) -> Vec<(u32, u32, V)> {
        ranges
            .v4
            .iter()
            .map(|range| (range.first, range.last, range.value))
            .collect()
    }

    fn japan() -> Country {
        Country::from_letters(*b"JP").expect("assigned")
    }

    #[test]
    fn ranges_are_read_in_decimal_dotted_and_quoted() {
        for text in [
            "# a comment\n16777216,16777471,JP\n",
            "1.0.0.0,1.0.0.255,JP",
            "start,end,country\r\n\"1.0.0.0\",\"1.0.0.255\",\"jp\"\r\n",
            "1.0.0.0\t1.0.0.255\t13335\tJP\tSOME-NET\n",
            "16777216,16777471,JP,JPN,Japan\n",
            "2|apnic|20260101|3|19830613|20251231|+1000\napnic|*|ipv4|*|1|summary\napnic|JP|ipv4|1.0.0.0|256|20110811|allocated|A91\n",
        ] {
            assert_eq!(
                v4(&countries(text)),
                [(0x0100_0000, 0x0100_00ff, japan())],
                "{text}"
            );
        }
    }

    #[test]
    fn ipv6_stands_beside_ipv4() {
        let ranges = countries(
            "apnic|JP|ipv6|2001:200::|35|19990813|allocated\napnic|JP|asn|173|1|20020801|allocated\n",
        );
        assert!(ranges.v4.is_empty());
        assert_eq!(ranges.v6[0].last, 0x2001_0200_1fff_ffff_ffff_ffff_ffff_ffff);
        assert_eq!(countries("::,::1,JP\n::2,::3,JP\n").v6.len(), 2);
    }

    #[test]
    fn delegated_files_give_their_last_date_and_skip_what_is_free() {
        let ranges = countries(
            "2.3|arin|20260102|1|19700101|20260101|-0400\narin||ipv4|23.128.0.0|256||available|\n",
        );
        assert_eq!(ranges.date.as_deref(), Some("2026-01-01"));
        assert!(ranges.v4.is_empty());
    }

    #[test]
    fn as_numbers_are_read_from_prefixes_and_ranges() {
        let expected = [(0x0100_0000, 0x0100_00ff, Asn(13335))];
        for text in [
            "1.0.0.0\t24\t13335\n",
            "1.0.0.0\t24\t13335_38803\n",
            "1.0.0.0\t24\t{13335,38803}\n",
            "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n",
            "1.0.0.0,1.0.0.255,AS13335,\"Cloudflare, Inc.\"\n",
        ] {
            assert_eq!(v4(&asns(text)), expected, "{text}");
        }
        assert_eq!(asns("1.0.0.0\t24\t1_2\n").oddities.several_origins, 1);
        assert_eq!(
            asns("2001:db8::\t32\t5\n").v6[0].last,
            0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffff
        );
    }

    #[test]
    fn reversed_ranges_and_codes_without_a_country_are_counted() {
        let ranges = countries("9,5,JP\n10,11,EU\n12,13,??\n14,15,A1\n16,17,\n");
        assert_eq!(ranges.oddities.reversed, 1);
        assert_eq!(ranges.oddities.no_country, 4);
        assert_eq!(ranges.v4.len(), 4);
        assert!(
            ranges
                .v4
                .iter()
                .all(|range| range.value == Country::UNKNOWN)
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = read::<Country>(b"1,2,JP\n\n3,x,JP\n", Format::Ranges).expect_err("line 3");
        assert_eq!((error.line, error.found.as_str()), (3, "3,x,JP"));
        let error = read::<Country>(b"1,2,Japan\n", Format::Ranges).expect_err("no code");
        assert_eq!(error.expected, Country::EXPECTED);
        assert!(read::<Country>(b"1,::2,JP\n", Format::Ranges).is_err());
        assert!(read::<Asn>(b"1.0.0.0\t33\t7\n", Format::PrefixToAs).is_err());
        assert!(read::<Country>(b"a|JP|ipv4|255.255.255.255|2|x|y\n", Format::Delegated).is_err());
    }

    #[test]
    fn what_is_no_data_is_told_by_its_first_line() {
        for text in [
            "",
            "hello\n",
            "hello\nworld\n",
            "{\"a\": 1}\n",
            "\u{0}\u{1}",
        ] {
            assert!(detect(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
