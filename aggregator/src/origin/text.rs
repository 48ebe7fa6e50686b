//! Parses the text formats, recognised by their first rows (`layout.rs`): rows of addresses and a value, and the registries' delegated
//! files. A row that fits no rule is left out and counted; a file of mostly such rows is refused.

use jiff::civil::Date;

use super::asn::Asn;
use super::country::Country;
use super::date;
use super::layout::{
    AddressColumns, ColumnNames, Layout, ROWS_LOOKED_AT, fields, is_column_names, is_unknown,
    of_length, prefix, unquoted,
};
use super::number::{Parsed, address, address_prefix, decimal, mapped};
use super::provenance::{BadRow, Oddities, OriginFormat};
use crate::ranges::flatten::Range;
use crate::ranges::table::Value;

/// What a file says, per family and in its own order.
#[derive(Debug, Default)]
pub(crate) struct FileRanges<V> {
    pub(crate) v4: Vec<Range<u32, V>>,
    pub(crate) v6: Vec<Range<u128, V>>,
    pub(crate) oddities: Oddities,
    /// The first rows that are not understood.
    pub(crate) bad_rows: Vec<BadRow>,
    /// The date that the file itself states.
    pub(crate) date: Option<Date>,
}

/// Why a text file gives no ranges.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TextError {
    /// Its first rows show no known format.
    Unknown(BadRow),
    /// Its format is known, but has no column for the requested data.
    NoColumn(OriginFormat, BadRow),
    /// Most rows are not understood.
    MostlyBad {
        bad: u64,
        rows: u64,
        first: Vec<BadRow>,
    },
}

/// What a text file can give for a range.
pub(crate) trait Field: Value {
    /// What a row must be.
    const EXPECTED: &'static str;
    /// Names of its columns, the likeliest first.
    const NAMES: &'static [&'static str];

    /// The value of a field; `None` if it is none.
    fn parse(field: &[u8], oddities: &mut Oddities) -> Option<Self>;

    /// How well a field fits: see [`ColumnNames`].
    fn fits(field: &[u8]) -> i32;

    /// Whether registries' files hold it.
    const IS_DELEGATED: bool;
}

impl Field for Country {
    const EXPECTED: &'static str =
        "first address, last address (or a prefix), two-letter country code";
    const NAMES: &'static [&'static str] = &[
        "countrycode",
        "countryisocode",
        "isocode",
        "cc",
        "ctry",
        "country",
        "alpha2",
        "countrycode2",
    ];
    const IS_DELEGATED: bool = true;

    fn parse(field: &[u8], oddities: &mut Oddities) -> Option<Self> {
        let country = match *field {
            _ if is_unknown(field) => None,
            [first, second] => Country::from_letters([first, second]),
            _ => return None,
        };
        oddities.no_country += u64::from(country.is_none());
        Some(country.unwrap_or(Country::UNKNOWN))
    }

    fn fits(field: &[u8]) -> i32 {
        match *field {
            [first, second] if Country::from_letters([first, second]).is_some() => 1,
            [first, second] if first.is_ascii_uppercase() && second.is_ascii_alphanumeric() => 0,
            _ if is_unknown(field) => 0,
            _ => -1,
        }
    }
}

impl Field for Asn {
    const EXPECTED: &'static str = "first address, last address (or a prefix), AS number";
    const NAMES: &'static [&'static str] = &[
        "asn",
        "asnumber",
        "autonomoussystemnumber",
        "as",
        "origin",
        "originas",
        "originasn",
    ];
    const IS_DELEGATED: bool = false;

    fn parse(field: &[u8], oddities: &mut Oddities) -> Option<Self> {
        if is_unknown(field) {
            return Some(Asn::default());
        }
        let (asn, is_set) = Asn::parse(field)?;
        oddities.several_origins += u64::from(is_set);
        Some(asn)
    }

    fn fits(field: &[u8]) -> i32 {
        match Asn::parse(field) {
            Some((Asn(0), _)) => 0,
            Some(_) => 1,
            None if is_unknown(field) => 0,
            None => -1,
        }
    }
}

/// Most ranges that are allocated in advance.
const RANGES_EXPECTED_MAX: usize = 1 << 20;

/// Bad rows that are kept to be shown.
const ROWS_SHOWN_MAX: usize = 3;

/// Reads a text file, whose format is recognised by its rows.
pub(crate) fn read<V: Field>(bytes: &[u8]) -> Result<(FileRanges<V>, OriginFormat), TextError> {
    // Windows puts a byte-order mark before UTF-8 as well.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut ranges = FileRanges {
        v4: Vec::new(),
        v6: Vec::new(),
        oddities: Oddities::default(),
        bad_rows: Vec::new(),
        date: None,
    };
    // Allocates for lines of the usual length, so that vectors need not move while they grow; untouched pages cost nothing.
    ranges
        .v4
        .reserve((bytes.len() / 24).min(RANGES_EXPECTED_MAX));
    ranges
        .v6
        .reserve((bytes.len() / 40).min(RANGES_EXPECTED_MAX));
    let form = form_of::<V>(bytes)?;
    let (mut rows, mut has_names) = (0, false);
    for (index, line) in lines(bytes).enumerate() {
        if is_comment(line) {
            ranges.date = ranges.date.or_else(|| date::date_in_comment(line));
            continue;
        }
        let result = match form {
            Form::Delegated => delegated_line(line, &mut ranges),
            Form::Columns(layout, value) => row(line, layout, value, &mut ranges),
        };
        rows += 1;
        if let Err(expected) = result {
            if rows == 1 && !has_names && is_column_names(line) {
                (rows, has_names) = (0, true);
                continue;
            }
            ranges.oddities.bad_rows += 1;
            if ranges.bad_rows.len() < ROWS_SHOWN_MAX {
                ranges.bad_rows.push(bad_row(index + 1, expected, line));
            }
        }
    }
    let bad = ranges.oddities.bad_rows;
    if bad > rows / 2 {
        return Err(TextError::MostlyBad {
            bad,
            rows,
            first: ranges.bad_rows,
        });
    }
    let format = match form {
        Form::Delegated => OriginFormat::Delegated,
        Form::Columns(layout, _) => layout.format(),
    };
    Ok((ranges, format))
}

/// How the rows are read.
#[derive(Clone, Copy)]
enum Form {
    Delegated,
    /// With the column of the value.
    Columns(Layout, usize),
}

/// The form that most of the first rows have.
fn form_of<V: Field>(bytes: &[u8]) -> Result<Form, TextError> {
    let data = lines(bytes)
        .enumerate()
        .filter(|(_, line)| !is_comment(line));
    let (numbers, rows): (Vec<usize>, Vec<&[u8]>) = data.take(ROWS_LOOKED_AT).unzip();
    let at = |expected| {
        let has_names = rows.len() > 1 && is_column_names(rows[0]);
        let row = usize::from(has_names);
        let number = numbers.get(row).map_or(1, |index| index + 1);
        bad_row(number, expected, rows.get(row).copied().unwrap_or_default())
    };
    let delegated = rows.iter().filter(|row| is_delegated(row)).count();
    if delegated > rows.len() / 2 {
        return if V::IS_DELEGATED {
            Ok(Form::Delegated)
        } else {
            Err(TextError::NoColumn(
                OriginFormat::Delegated,
                at(V::EXPECTED),
            ))
        };
    }
    let wanted = ColumnNames {
        names: V::NAMES,
        fits: V::fits,
    };
    let layout =
        Layout::of(&rows, &wanted).ok_or_else(|| TextError::Unknown(at(EXPECTED_FORMATS)))?;
    match layout.value {
        Some(value) => Ok(Form::Columns(layout, value)),
        None => Err(TextError::NoColumn(layout.format(), at(V::EXPECTED))),
    }
}

const EXPECTED_FORMATS: &str = "an MMDB file, or rows of START,END,VALUE, of PREFIX,VALUE, of a registry's delegated file \
                                (registry|CC|ipv4|…), of PREFIX LENGTH AS or of START END AS with tabs";

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

/// Bytes of a bad row that a message shows.
const SHOWN_BYTES_MAX: usize = 80;

fn bad_row(line: usize, expected: &'static str, found: &[u8]) -> BadRow {
    let shown = &found[..found.len().min(SHOWN_BYTES_MAX)];
    BadRow {
        line,
        expected,
        found: String::from_utf8_lossy(shown).into_owned(),
    }
}

/// Addresses and a value in columns: tor's geoip files, the CSV of vendors, tabbed lists of networks, RouteViews pfx2as
/// (<https://www.caida.org/catalog/datasets/routeviews-prefix2as/>).
fn row<V: Field>(
    line: &[u8],
    layout: Layout,
    value: usize,
    ranges: &mut FileRanges<V>,
) -> Result<(), &'static str> {
    if layout.span == AddressColumns::Bounds(0, 1)
        && let Some((first, last, rest)) = plain_bounds(line, layout.separator)
    {
        let mut fields = rest.split(|byte| *byte == layout.separator);
        if let Some(field) = fields.nth(value - 2)
            && !rest.contains(&b'"')
        {
            let value = V::parse(unquoted(field), &mut ranges.oddities).ok_or(V::EXPECTED)?;
            return ranges.push(first, last, value);
        }
    }
    let fields: Vec<&[u8]> = fields(line, layout.separator).collect();
    let at = |column: usize| fields.get(column).copied();
    let bounds = match layout.span {
        AddressColumns::Bounds(first, last) => of_fields(at(first), at(last)),
        AddressColumns::Prefix(column) => at(column).and_then(prefix),
        AddressColumns::AddressAndLength => at(0)
            .and_then(address)
            .zip(at(1).and_then(decimal))
            .and_then(|(address, length)| of_length(address, length)),
    };
    let (first, last) = bounds.ok_or(V::EXPECTED)?;
    let field = at(value).ok_or(V::EXPECTED)?;
    let value = V::parse(field, &mut ranges.oddities).ok_or(V::EXPECTED)?;
    ranges.push(first, last, value)
}

/// The two addresses of a line and the fields behind them, where nothing is quoted or padded: in one pass.
#[inline]
fn plain_bounds(line: &[u8], separator: u8) -> Option<(Parsed, Parsed, &[u8])> {
    let (first, rest) = address_prefix(line)?;
    let rest = rest.strip_prefix(&[separator])?;
    let (last, rest) = address_prefix(rest)?;
    let is_family = matches!(
        (first, last),
        (Parsed::V4(_), Parsed::V4(_)) | (Parsed::V6(_), Parsed::V6(_))
    );
    Some((first, last, rest.strip_prefix(&[separator])?)).filter(|_| is_family)
}

/// Two addresses of one family. A number below 2^32 beside a number above it is an IPv6 address too.
fn of_fields(first: Option<&[u8]>, last: Option<&[u8]>) -> Option<(Parsed, Parsed)> {
    let (first_text, last_text) = (first?, last?);
    let (first, last) = (address(first_text)?, address(last_text)?);
    let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    match (first, last) {
        (Parsed::V4(first), Parsed::V6(_)) if is_number(first_text) && is_number(last_text) => {
            Some((Parsed::V6(u128::from(first)), last))
        }
        (Parsed::V4(_), Parsed::V4(_)) | (Parsed::V6(_), Parsed::V6(_)) => Some((first, last)),
        _ => None,
    }
}

fn is_delegated(line: &[u8]) -> bool {
    line.iter().filter(|byte| **byte == b'|').count() >= 5
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
    let value = V::parse(country, &mut ranges.oddities).ok_or(EXPECTED)?;
    let size = decimal(size).ok_or(EXPECTED)?;
    match address(start) {
        Some(Parsed::V4(first)) if size > 0 => {
            let last = u64::from(first) + (size - 1);
            ranges.push_v4(first, u32::try_from(last).map_err(|_| EXPECTED)?, value);
        }
        Some(first @ Parsed::V6(_)) => {
            let (first, last) = of_length(first, size).ok_or(EXPECTED)?;
            return ranges.push(first, last, value);
        }
        _ => return Err(EXPECTED),
    }
    Ok(())
}

impl<V: Value> FileRanges<V> {
    /// Takes a range of either family; IPv4 addresses that IPv6 files hold as ::ffff:0:0/96 are such.
    #[inline]
    fn push(&mut self, first: Parsed, last: Parsed, value: V) -> Result<(), &'static str> {
        match (first, last) {
            (Parsed::V4(first), Parsed::V4(last)) => self.push_v4(first, last, value),
            (Parsed::V6(first), Parsed::V6(last)) => match (mapped(first), mapped(last)) {
                (Some(first), Some(last)) => self.push_v4(first, last, value),
                _ => self.push_v6(first, last, value),
            },
            _ => return Err("two addresses of one family"),
        }
        Ok(())
    }

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
mod tests;
