//! The leading ports and countries in the `traffic` of a run, for the summary of a replay. The sums are collected while hours close; if hours
//! were written more than once, four columns of the run's own parts are read instead.

use std::collections::HashMap;
use std::path::Path;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use crate::origin::Country;
use crate::schema::{Key, LEADING_COLUMNS, TRAFFIC};
use crate::store::{Part, PartName, Store};
use teiten_observation::Family;

/// Packets by port and by country, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leading {
    /// IANA protocol number and port; rows without a port are left out.
    pub ports: Vec<((i32, i32), i64)>,
    /// ISO 3166-1 alpha-2, `ZZ` for unknown.
    pub countries: Vec<(String, i64)>,
}

/// Packets for each number of 16 bits.
type Packets = Box<[i64]>;

fn no_packets() -> Packets {
    vec![0; 1 << 16].into_boxed_slice()
}

/// Sums of `traffic` by port and by country.
#[derive(Clone, Debug, Default)]
pub struct LeadingSums {
    /// By protocol: those that have ports.
    ports: Vec<(u8, Packets)>,
    countries: Option<Packets>,
}

impl LeadingSums {
    /// Adds rows. Most have the kind of the row before.
    pub(crate) fn add_rows(&mut self, keys: &[Key], packets: &[u64], family: Family) {
        let countries = self.countries.get_or_insert_with(no_packets);
        let mut from = 0;
        for run in keys.chunk_by(|left, right| left.is_of_kind_of(*right)) {
            let counts = &packets[from..from + run.len()];
            from += run.len();
            let mut sum = 0;
            for (key, &one) in run.iter().zip(counts) {
                let one = i64::try_from(one).unwrap_or(i64::MAX);
                let country = &mut countries[usize::from(key.country_code())];
                *country = country.saturating_add(one);
                sum = one.saturating_add(sum);
            }
            let kind = run[0].kind();
            if let Some(port) = kind.port() {
                let ports = of_protocol(&mut self.ports, kind.protocol(family));
                let port = &mut ports[usize::from(port)];
                *port = port.saturating_add(sum);
            }
        }
    }

    /// The first `count` of each.
    #[must_use]
    pub fn first(&self, count: usize) -> Leading {
        let ports = self.ports.iter().flat_map(|(protocol, packets)| {
            occurring(packets)
                .map(|(port, packets)| ((i32::from(*protocol), i32::from(port)), packets))
        });
        let countries = self.countries.iter().flat_map(|packets| {
            let text = |code| Country::from_code(code).as_str().to_owned();
            occurring(packets).map(move |(code, packets)| (text(code), packets))
        });
        Leading {
            ports: first(ports, count),
            countries: first(countries, count),
        }
    }
}

fn of_protocol(ports: &mut Vec<(u8, Packets)>, protocol: u8) -> &mut Packets {
    let place = ports.iter().position(|(known, _)| *known == protocol);
    let place = place.unwrap_or_else(|| {
        ports.push((protocol, no_packets()));
        ports.len() - 1
    });
    &mut ports[place].1
}

fn occurring(packets: &Packets) -> impl Iterator<Item = (u16, i64)> {
    let numbered = (0..=u16::MAX).zip(packets.iter().copied());
    numbered.filter(|(_, packets)| *packets > 0)
}

/// The first `count` ports and countries of the parts of `name` in `directory`.
///
/// # Errors
/// When a folder cannot be listed, or a part is unreadable.
pub fn leading(directory: &Path, name: &PartName, count: usize) -> Result<Leading> {
    let mut ports = HashMap::new();
    let mut countries = HashMap::new();
    let store = Store::at(directory);
    let parts = store.parts_within(TRAFFIC.name, &(i64::MIN..i64::MAX))?;
    let is_own = |part: &Part| part.name().is_some_and(|(found, _)| found == *name);
    for part in parts.into_iter().filter(is_own) {
        let reader = SerializedFileReader::new(part.open()?)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let found = schema.columns();
        let mut places = [0; LEADING_COLUMNS.len()];
        for (place, wanted) in places.iter_mut().zip(LEADING_COLUMNS) {
            let missing = || ParquetError::General(format!("a part has no column {wanted}"));
            let position = found.iter().position(|column| column.name() == wanted);
            *place = position.ok_or_else(missing)?;
        }
        for group in 0..reader.num_row_groups() {
            add(
                reader.get_row_group(group)?.as_ref(),
                places,
                &mut ports,
                &mut countries,
            )?;
        }
    }
    Ok(Leading {
        ports: first(ports.into_iter(), count),
        countries: first(countries.into_iter(), count)
            .into_iter()
            .map(|(country, packets)| (String::from_utf8_lossy(&country).into(), packets))
            .collect(),
    })
}

fn add(
    group: &dyn RowGroupReader,
    [protocol, port, country, packets]: [usize; LEADING_COLUMNS.len()],
    ports: &mut HashMap<(i32, i32), i64>,
    countries: &mut HashMap<Vec<u8>, i64>,
) -> Result<()> {
    let rows = group.metadata().num_rows() as usize;
    let (protocols, _) = int32(group.get_column_reader(protocol)?, rows)?;
    let (values, defined) = int32(group.get_column_reader(port)?, rows)?;
    let (packets, _) = match group.get_column_reader(packets)? {
        ColumnReader::Int64ColumnReader(reader) => column::<Int64Type>(reader, rows)?,
        _ => return Err(unexpected()),
    };
    let (names, _) = match group.get_column_reader(country)? {
        ColumnReader::ByteArrayColumnReader(reader) => column::<ByteArrayType>(reader, rows)?,
        _ => return Err(unexpected()),
    };
    for (name, &packets) in names.iter().zip(&packets) {
        match countries.get_mut(name.data()) {
            Some(sum) => *sum += packets,
            None => {
                countries.insert(name.data().to_vec(), packets);
            }
        }
    }
    let mut values = values.into_iter();
    let rows = protocols.into_iter().zip(&packets).zip(defined);
    for ((protocol, &packets), level) in rows {
        if level > 0
            && let Some(port) = values.next()
        {
            *ports.entry((protocol, port)).or_default() += packets;
        }
    }
    Ok(())
}

fn int32(reader: ColumnReader, rows: usize) -> Result<(Vec<i32>, Vec<i16>)> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => column::<Int32Type>(reader, rows),
        _ => Err(unexpected()),
    }
}

/// A column's values that are not null, and for each row of a column that may be null whether it has one.
fn column<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
) -> Result<(Vec<T::T>, Vec<i16>)> {
    let (mut values, mut defined) = (Vec::with_capacity(rows), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, _, _) =
            reader.read_records(rows - read, Some(&mut defined), None, &mut values)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    Ok((values, defined))
}

fn unexpected() -> ParquetError {
    ParquetError::General("a part's column is not of its type".to_owned())
}

/// The largest counts; equal counts in the order of their keys.
fn first<K: Ord>(counts: impl Iterator<Item = (K, i64)>, count: usize) -> Vec<(K, i64)> {
    let mut sorted: Vec<(K, i64)> = counts.collect();
    let order = |a: &(K, i64), b: &(K, i64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    // There may be all ports, of which few are wanted.
    if count < sorted.len() {
        sorted.select_nth_unstable_by(count, order);
        sorted.truncate(count);
    }
    sorted.sort_unstable_by(order);
    sorted
}
