//! The layout of a text file's rows: the separator and the columns of addresses and value, from column names if there are any and from the
//! first rows otherwise. `text.rs` reads the rows.

use super::number::{Parsed, address, decimal};
use super::provenance::OriginFormat;

/// Rows that are sampled to find the layout.
pub(super) const ROWS_LOOKED_AT: usize = 200;

/// Separators of lists, the most likely first.
const SEPARATORS: [u8; 4] = *b"\t,; ";

/// The columns of a row's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressColumns {
    /// First and last address in these two columns.
    Bounds(usize, usize),
    /// A prefix, two addresses with `-` between, or a lone address in this column.
    Prefix(usize),
    /// An address in the first column, the length of its prefix in the second.
    AddressAndLength,
}

impl AddressColumns {
    /// The columns that hold it.
    pub(super) fn columns(self) -> [usize; 2] {
        match self {
            AddressColumns::Bounds(first, last) => [first, last],
            AddressColumns::Prefix(column) => [column, column],
            AddressColumns::AddressAndLength => [0, 1],
        }
    }
}

/// The possible names of the value's column, the most likely first, and how well a field fits.
pub(super) struct ColumnNames {
    pub(super) names: &'static [&'static str],
    /// 1: a value of this kind; 0: unknown; -1: something else.
    pub(super) fits: fn(&[u8]) -> i32,
}

/// The layout of a file of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) separator: u8,
    pub(super) span: AddressColumns,
    /// The column of the value, none of those of the addresses; `None` if no column fits.
    pub(super) value: Option<usize>,
}

impl Layout {
    /// The layout of these rows, the first of which may be column names; `None` if no row looks like a row of a list.
    pub(super) fn of(rows: &[&[u8]], wanted: &ColumnNames) -> Option<Layout> {
        let (names, rows) = match rows {
            [first, rest @ ..] if is_column_names(first) => (Some(*first), rest),
            _ => (None, rows),
        };
        let mut best: Option<(usize, Layout)> = None;
        for separator in SEPARATORS {
            let names: Vec<String> = names.map_or(Vec::new(), |line| column_names(line, separator));
            let Some((span, count)) = best_span(rows, separator, &names) else {
                continue;
            };
            if best.is_none_or(|(most, _)| count > most) {
                let value = value_column(rows, separator, span, &names, wanted);
                let layout = Layout {
                    separator,
                    span,
                    value,
                };
                best = Some((count, layout));
            }
        }
        best.map(|(_, layout)| layout)
    }

    pub(super) fn format(self) -> OriginFormat {
        match self.span {
            AddressColumns::Bounds(..) if self.separator == b'\t' => OriginFormat::TabbedRanges,
            AddressColumns::Bounds(..) => OriginFormat::Ranges,
            AddressColumns::Prefix(_) => OriginFormat::Prefixes,
            AddressColumns::AddressAndLength => OriginFormat::PrefixToAs,
        }
    }
}

/// Fields of a row; a separator in quotes does not separate.
pub(super) fn fields(row: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let end = text.iter().position(|byte| {
            is_quoted ^= *byte == b'"';
            *byte == separator && !is_quoted
        });
        let (field, after) = match end {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(unquoted(field))
    })
}

pub(super) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let inner = field.strip_prefix(b"\"");
    let inner = inner.and_then(|inner| inner.strip_suffix(b"\""));
    inner.map_or(field, <[u8]>::trim_ascii)
}

/// Whether a field says unknown, in one of the ways of lists.
pub(super) fn is_unknown(field: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"", b"-", b"--", b"?", b"??", b"*", b"none", b"null", b"n/a", b"\\n", b"unknown", b"zz",
    ];
    WORDS.iter().any(|word| field.eq_ignore_ascii_case(word))
}

/// A row of words such as `start_ip,end_ip,country`: letters, and no field that is an address or begins as one.
pub(super) fn is_column_names(row: &[u8]) -> bool {
    let is_word = |field: &[u8]| {
        field.first().is_some_and(u8::is_ascii_alphabetic)
            && !field.contains(&b':')
            && address(field).is_none()
    };
    let mut fields = row.split(|byte| SEPARATORS.contains(byte)).map(unquoted);
    !row.contains(&b'|') && fields.next().is_some_and(is_word)
}

/// Names of the columns, reduced to lower-case letters and digits.
fn column_names(row: &[u8], separator: u8) -> Vec<String> {
    let plain = |field: &[u8]| {
        let letters = field.iter().filter(|byte| byte.is_ascii_alphanumeric());
        letters
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect()
    };
    fields(row, separator).map(plain).collect()
}

const FIRST_NAMES: &[&str] = &[
    "startip",
    "ipstart",
    "ipfrom",
    "rangestart",
    "start",
    "first",
    "firstip",
    "from",
    "beginip",
    "startaddress",
    "networkstart",
    "fromip",
];
const LAST_NAMES: &[&str] = &[
    "endip",
    "ipend",
    "ipto",
    "rangeend",
    "end",
    "last",
    "lastip",
    "to",
    "endaddress",
    "networkend",
    "toip",
];
const PREFIX_NAMES: &[&str] = &[
    "network",
    "prefix",
    "cidr",
    "range",
    "subnet",
    "ipprefix",
    "ipnetwork",
    "netblock",
    "iprange",
];

fn named(names: &[String], wanted: &[&str]) -> Option<usize> {
    let of_name = |name: &&str| names.iter().position(|known| known == name);
    wanted.iter().find_map(of_name)
}

/// The columns in which most rows have their addresses, and the number of these rows.
fn best_span(rows: &[&[u8]], separator: u8, names: &[String]) -> Option<(AddressColumns, usize)> {
    let of_names = match (named(names, FIRST_NAMES), named(names, LAST_NAMES)) {
        (Some(first), Some(last)) => Some(AddressColumns::Bounds(first, last)),
        _ => named(names, PREFIX_NAMES).map(AddressColumns::Prefix),
    };
    let candidates = of_names.into_iter().chain([
        AddressColumns::AddressAndLength,
        AddressColumns::Bounds(0, 1),
        AddressColumns::Prefix(0),
    ]);
    let counted = candidates.map(|span| {
        let has = |row: &&&[u8]| is_there(span, &fields(row, separator).collect::<Vec<_>>());
        (span, rows.iter().filter(has).count())
    });
    counted
        .filter(|(_, count)| *count > 0)
        // The first of several equally good ones.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
}

fn is_there(span: AddressColumns, fields: &[&[u8]]) -> bool {
    let at = |column: usize| fields.get(column).copied().unwrap_or_default();
    match span {
        // A value has to follow them.
        AddressColumns::Bounds(first, last) => {
            fields.len() > 2 && address(at(first)).is_some() && address(at(last)).is_some()
        }
        AddressColumns::Prefix(column) => {
            // A lone address is the first of two if more fields follow.
            let is_prefix = at(column).iter().any(|byte| matches!(byte, b'/' | b'-'));
            (fields.len() == 2 || is_prefix) && prefix(at(column)).is_some()
        }
        AddressColumns::AddressAndLength => {
            let is_text = at(0).iter().any(|byte| matches!(byte, b'.' | b':'));
            let length = decimal(at(1)).filter(|length| *length <= 128);
            is_text && fields.len() > 2 && address(at(0)).is_some() && length.is_some()
        }
    }
}

/// First and last address of a prefix, of two addresses with `-` between, or of a lone address.
pub(super) fn prefix(field: &[u8]) -> Option<(Parsed, Parsed)> {
    let at = field.iter().position(|byte| matches!(byte, b'/' | b'-'));
    let Some(at) = at else {
        let lone = address(field)?;
        return Some((lone, lone));
    };
    let (before, after) = (field[..at].trim_ascii(), field[at + 1..].trim_ascii());
    let first = address(before)?;
    if field[at] == b'-' {
        return Some((first, address(after)?));
    }
    of_length(first, decimal(after)?)
}

/// First and last address of the prefix of this length that holds `address`.
pub(super) fn of_length(address: Parsed, length: u64) -> Option<(Parsed, Parsed)> {
    match address {
        Parsed::V4(address) if length <= 32 => {
            let host = u32::MAX.checked_shr(length as u32).unwrap_or(0);
            Some((Parsed::V4(address & !host), Parsed::V4(address | host)))
        }
        Parsed::V6(address) if length <= 128 => {
            let host = u128::MAX.checked_shr(length as u32).unwrap_or(0);
            Some((Parsed::V6(address & !host), Parsed::V6(address | host)))
        }
        _ => None,
    }
}

/// Without column names, the value is searched in this many columns after the addresses; later ones have coordinates and postal codes.
const COLUMNS_LOOKED_AT: usize = 3;

fn value_column(
    rows: &[&[u8]],
    separator: u8,
    span: AddressColumns,
    names: &[String],
    wanted: &ColumnNames,
) -> Option<usize> {
    // Rows without addresses are bad and say nothing about the columns.
    let good: Vec<Vec<&[u8]>> = rows
        .iter()
        .map(|row| fields(row, separator).collect())
        .filter(|fields: &Vec<&[u8]>| is_there(span, fields))
        .collect();
    let score = |column: usize| -> i32 {
        let fits =
            |fields: &Vec<&[u8]>| fields.get(column).map_or(-1, |field| (wanted.fits)(field));
        good.iter().map(fits).sum()
    };
    // A column of addresses is not the value, whatever its name says.
    let of_names = wanted
        .names
        .iter()
        .filter_map(|name| named(names, &[name]))
        .filter(|column| !span.columns().contains(column));
    if let Some(column) = of_names.into_iter().find(|column| score(*column) >= 0) {
        return Some(column);
    }
    if !names.is_empty() && named(names, &["geonameid", "continentcode"]).is_some() {
        return None;
    }
    let behind = span.columns().into_iter().max().unwrap_or(0) + 1;
    let candidates = (behind..behind + COLUMNS_LOOKED_AT).map(|column| (column, score(column)));
    // The column has at least one such value; rows with another value there are bad rows.
    let is_hit = |column: usize| {
        let fits = |fields: &Vec<&[u8]>| {
            fields
                .get(column)
                .is_some_and(|field| (wanted.fits)(field) > 0)
        };
        good.iter().any(fits)
    };
    candidates
        .filter(|(column, score)| *score >= 0 || is_hit(*column))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(column, _)| column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_divide_nothing() {
        let row = b"1.0.0.0/24,\"Cloudflare, Inc.\", \"AU\" ,";
        let fields: Vec<&[u8]> = fields(row, b',').collect();
        let expected: [&[u8]; 4] = [b"1.0.0.0/24", b"Cloudflare, Inc.", b"AU", b""];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_prefix_a_pair_and_a_lone_address_are_spans() {
        let v4 = |first, last| Some((Parsed::V4(first), Parsed::V4(last)));
        for (field, expected) in [
            ("1.0.0.0/24", v4(0x0100_0000, 0x0100_00ff)),
            ("1.0.0.7/24", v4(0x0100_0000, 0x0100_00ff)),
            ("0.0.0.0/0", v4(0, u32::MAX)),
            ("1.0.0.0 - 1.0.0.9", v4(0x0100_0000, 0x0100_0009)),
            ("1.0.0.7", v4(0x0100_0007, 0x0100_0007)),
            ("1.0.0.0/33", None),
            ("1.0.0.0/", None),
            ("/8", None),
            ("::/129", None),
        ] {
            assert_eq!(prefix(field.as_bytes()), expected, "{field}");
        }
        let all = Some((Parsed::V6(0), Parsed::V6(u128::MAX)));
        assert_eq!(prefix(b"::/0"), all);
    }
}
