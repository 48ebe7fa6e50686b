//! MMDB files (<https://maxmind.github.io/MaxMind-DB/>) converted to ranges once, when loading: a lookup in the file itself costs twenty
//! times as much as one in the table.

use std::collections::HashMap;
use std::net::IpAddr;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};

use super::asn::Asn;
use super::country::Country;
use super::date::date_of_unix_seconds;
use super::provenance::Oddities;
use super::text::FileRanges;
use crate::ranges::table::Value;

/// The marker before the metadata of every MMDB file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// By the format, the metadata is within this many bytes of the end.
const METADATA_BYTES_MAX: usize = 128 * 1024;

/// Whether the bytes are those of an MMDB file.
pub(crate) fn is_mmdb(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(METADATA_BYTES_MAX)..];
    memchr::memmem::rfind(tail, MARKER).is_some()
}

/// What an MMDB record can give.
pub(crate) trait MmdbRecord: Value {
    /// The value of a record, or the default.
    fn from_record(record: &LookupResult<'_, &[u8]>, oddities: &mut Oddities) -> Self;
}

/// The paths of a country in vendors' records: nested like MaxMind's, or flat.
const COUNTRY_PATHS: &[&[PathElement<'static>]] = &[
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[
        PathElement::Key("registered_country"),
        PathElement::Key("iso_code"),
    ],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

impl MmdbRecord for Country {
    fn from_record(record: &LookupResult<'_, &[u8]>, oddities: &mut Oddities) -> Self {
        let country = COUNTRY_PATHS.iter().find_map(|path| {
            // A path that ends in a map, or a value that is no text, is another vendor's layout.
            let text: &str = record.decode_path(path).ok()??;
            let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
            Country::from_letters(letters)
        });
        oddities.no_country += u64::from(country.is_none());
        country.unwrap_or(Country::UNKNOWN)
    }
}

/// Where vendors keep an AS number.
const ASN_KEYS: [&str; 3] = ["autonomous_system_number", "asn", "as_number"];

impl MmdbRecord for Asn {
    fn from_record(record: &LookupResult<'_, &[u8]>, _: &mut Oddities) -> Self {
        let of_key = |key| {
            let path = [PathElement::Key(key)];
            if let Ok(Some(number)) = record.decode_path::<u32>(&path) {
                return Some(Asn(number));
            }
            let text = record.decode_path::<&str>(&path).ok()??;
            Asn::parse(text.as_bytes()).map(|(asn, _)| asn)
        };
        ASN_KEYS.into_iter().find_map(of_key).unwrap_or_default()
    }
}

/// Reads every network of the file.
pub(crate) fn read<V: MmdbRecord>(bytes: &[u8]) -> Result<FileRanges<V>, MaxMindDbError> {
    let reader = Reader::from_source(bytes)?;
    let mut ranges = FileRanges {
        v4: Vec::new(),
        v6: Vec::new(),
        oddities: Oddities::default(),
        bad_rows: Vec::new(),
        date: date_of_unix_seconds(reader.metadata().build_epoch),
    };
    // Many networks share a record: each is decoded once.
    let mut decoded: HashMap<usize, V> = HashMap::new();
    for network in reader.networks(WithinOptions::default())? {
        let network = network?;
        let Some(offset) = network.offset() else {
            continue;
        };
        let value = match decoded.get(&offset) {
            Some(value) => *value,
            None => {
                let value = V::from_record(&network, &mut ranges.oddities);
                decoded.insert(offset, value);
                value
            }
        };
        let prefix = network.network()?;
        match (prefix.network(), prefix.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                ranges.push_v4(first.into(), last.into(), value);
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                ranges.push_v6(first.into(), last.into(), value);
            }
            _ => {}
        }
    }
    Ok(ranges)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn control(kind: u8, size: usize) -> Vec<u8> {
        assert!(size < 29, "the test writer knows short values only");
        if kind <= 7 {
            vec![kind << 5 | size as u8]
        } else {
            vec![size as u8, kind - 7]
        }
    }

    fn text(value: &str) -> Vec<u8> {
        [control(2, value.len()), value.as_bytes().to_vec()].concat()
    }

    fn number(kind: u8, value: u64) -> Vec<u8> {
        let bytes: Vec<u8> = value
            .to_be_bytes()
            .into_iter()
            .skip_while(|byte| *byte == 0)
            .collect();
        [control(kind, bytes.len()), bytes].concat()
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = control(7, entries.len());
        for (key, value) in entries {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        bytes
    }

    /// A file with a tree of 24-bit records over IPv6, IPv4 in ::/96 as the format has it.
    pub(crate) fn write(networks: &[(u128, u8, Vec<u8>)]) -> Vec<u8> {
        #[derive(Clone, Copy)]
        enum Slot {
            Nothing,
            Node(usize),
            Data(usize),
        }
        let mut nodes = vec![[Slot::Nothing; 2]];
        let mut data: Vec<u8> = Vec::new();
        for (prefix, length, value) in networks {
            let mut node = 0;
            for depth in 0..*length {
                let bit = (prefix >> (127 - depth) & 1) as usize;
                if depth + 1 == *length {
                    nodes[node][bit] = Slot::Data(data.len());
                } else if let Slot::Node(next) = nodes[node][bit] {
                    node = next;
                } else {
                    nodes.push([Slot::Nothing; 2]);
                    nodes[node][bit] = Slot::Node(nodes.len() - 1);
                    node = nodes.len() - 1;
                }
            }
            data.extend(value);
        }
        let mut bytes = Vec::new();
        for slot in nodes.iter().flatten() {
            let record = match *slot {
                Slot::Nothing => nodes.len(),
                Slot::Node(node) => node,
                Slot::Data(offset) => nodes.len() + 16 + offset,
            };
            bytes.extend(&(record as u32).to_be_bytes()[1..]);
        }
        bytes.extend([0; 16]);
        bytes.extend(data);
        bytes.extend(MARKER);
        bytes.extend(map(&[
            ("binary_format_major_version", number(5, 2)),
            ("binary_format_minor_version", number(5, 0)),
            ("build_epoch", number(9, 1_782_362_039)),
            ("database_type", text("Test")),
            ("description", map(&[])),
            ("ip_version", number(5, 6)),
            ("languages", control(11, 0)),
            ("node_count", number(6, nodes.len() as u64)),
            ("record_size", number(5, 24)),
        ]));
        bytes
    }

    pub(crate) fn japan() -> Vec<u8> {
        map(&[("country", map(&[("iso_code", text("JP"))]))])
    }

    #[test]
    fn countries_of_both_layouts_and_families_are_read() {
        let flat = map(&[("country_code", text("DE"))]);
        let file = write(&[
            (0x0102_0300, 120, japan()),
            (0x2001_0db8 << 96, 32, flat),
            (0x2600 << 112, 16, map(&[("continent", text("NA"))])),
        ]);
        assert!(is_mmdb(&file));
        let ranges = read::<Country>(&file).expect("a good file");
        assert_eq!(ranges.date, Some(jiff::civil::date(2026, 6, 25)));
        assert_eq!(
            (ranges.v4[0].first, ranges.v4[0].last),
            (0x0102_0300, 0x0102_03ff)
        );
        assert_eq!(ranges.v4[0].value.as_str(), "JP");
        assert_eq!(ranges.v6[0].value.as_str(), "DE");
        assert_eq!(ranges.v6[1].value, Country::UNKNOWN);
        assert_eq!(ranges.oddities.no_country, 1);
    }

    #[test]
    fn as_numbers_are_read_as_number_and_as_text() {
        let file = write(&[
            (
                0x0102_0300,
                120,
                map(&[("autonomous_system_number", number(6, 13335))]),
            ),
            (0x0102_0400, 120, map(&[("asn", text("AS7"))])),
        ]);
        let values: Vec<Asn> = read::<Asn>(&file)
            .expect("a good file")
            .v4
            .iter()
            .map(|range| range.value)
            .collect();
        assert_eq!(values, [Asn(13335), Asn(7)]);
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let mut file = write(&[(0x0102_0300, 120, japan())]);
        let length = file.len();
        file.truncate(length - 4);
        assert!(read::<Country>(&file).is_err());
    }
}
