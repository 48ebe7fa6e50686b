//! How much of a day's traffic lists of organisations explain: the sources and packets in `sources` that each list names, alone and together.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use parquet::file::reader::FileReader;
use parquet::record::Field;
use parquet::schema::types::Type;

use crate::actor::{ActorError, Actors};
use crate::hour::Hour;
use crate::part::{self, CheckedPart, PartError};
use crate::schema::{SOURCES, names};
use crate::store::{self, Store};
use crate::whole_day;

/// Why a day cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// A list.
    #[error(transparent)]
    Actor(#[from] ActorError),
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part cannot be read as one of the table.
    #[error("{path} {source}; teiten-aggregator verify says what is wrong with it")]
    Part {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PartError,
    },
    /// There is no such day.
    #[error("{path} holds no sources of {day}")]
    NoDay {
        /// The folder of the dataset.
        path: PathBuf,
        /// The day that was asked for.
        day: String,
    },
}

/// Sources and packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListShare {
    /// Distinct source addresses.
    pub sources: u64,
    /// Their packets.
    pub packets: u64,
}

impl ListShare {
    fn add(&mut self, packets: u64) {
        self.sources += 1;
        self.packets += packets;
    }
}

/// The part of a day that lists explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The day, `2026-11-05`, UTC.
    pub day: String,
    /// Totals of the day. Packets of folded sources are included; folded sources are not counted as sources.
    pub all: ListShare,
    /// For each list alone: its name and what it explains.
    pub lists: Vec<(String, ListShare)>,
    /// All lists together.
    pub together: ListShare,
    /// All lists together by organisation, most packets first.
    pub actors: Vec<(String, ListShare)>,
}

/// How much of a day of the dataset `data` the lists `files` explain, with the compiled-in list if `with_default`. Without `day`, the last
/// day.
///
/// # Errors
/// When a list or a part cannot be read, or there is no such day.
pub fn explain(
    data: &Path,
    files: &[PathBuf],
    with_default: bool,
    day: Option<&str>,
) -> Result<Explained, ExplainError> {
    let (hour, parts) = parts_of_day(data, day)?;
    let mut alone: Vec<(String, Actors)> = Vec::new();
    if with_default {
        alone.push(("default".to_owned(), Actors::load(&[], true)?));
    }
    for path in files {
        let actors = Actors::load(std::slice::from_ref(path), false)?;
        let name = actors.lists().first().map(|list| list.name.clone());
        alone.push((name.unwrap_or_default(), actors));
    }
    let together = Actors::load(files, with_default)?;
    let sources = sources_of(&parts)?;
    let mut explained = Explained {
        day: hour.date(),
        all: ListShare::default(),
        lists: Vec::new(),
        together: ListShare::default(),
        actors: Vec::new(),
    };
    let packets = sources.by_address.values().map(|(packets, _)| *packets);
    packets.for_each(|packets| explained.all.add(packets));
    explained.all.packets += sources.folded;
    for (name, actors) in &alone {
        let named = named(actors, hour, &sources);
        explained.lists.push((name.clone(), total(&named)));
    }
    let named = named(&together, hour, &sources);
    explained.together = total(&named);
    explained.actors = named.into_iter().collect();
    explained.actors.sort_by(|(one_name, one), (name, other)| {
        (other.packets, one_name).cmp(&(one.packets, name))
    });
    Ok(explained)
}

fn total(named: &BTreeMap<String, ListShare>) -> ListShare {
    named
        .values()
        .fold(ListShare::default(), |sum, share| ListShare {
            sources: sum.sources + share.sources,
            packets: sum.packets + share.packets,
        })
}

/// The sources of a day.
#[derive(Debug, Default)]
struct DaySources {
    /// Packets and network by address.
    by_address: HashMap<IpAddr, (u64, Option<u32>)>,
    /// Packets of small sources that were folded into their prefix.
    folded: u64,
}

fn named(actors: &Actors, hour: Hour, sources: &DaySources) -> BTreeMap<String, ListShare> {
    let (v4, v6) = (actors.on::<u32>(hour), actors.on::<u128>(hour));
    let (mut v4, mut v6) = (v4.cursor(), v6.cursor());
    let mut named: BTreeMap<String, ListShare> = BTreeMap::new();
    for (source, (packets, asn)) in &sources.by_address {
        let number = match source {
            IpAddr::V4(address) => v4.find(address.to_bits(), *asn),
            IpAddr::V6(address) => v6.find(address.to_bits(), *asn),
        };
        if number != 0 {
            named
                .entry(actors.name(number).to_owned())
                .or_default()
                .add(*packets);
        }
    }
    named
}

/// The parts of a day's hours, or of the last day's.
fn parts_of_day(data: &Path, day: Option<&str>) -> Result<(Hour, Vec<store::Part>), ExplainError> {
    let no_day = || ExplainError::NoDay {
        path: data.to_owned(),
        day: day.unwrap_or("any day").to_owned(),
    };
    let failed = |source| ExplainError::File {
        path: data.join(SOURCES.name),
        source,
    };
    let store = Store::at(data);
    let range = match day {
        Some(day) => {
            let first = Hour::first_of(day).ok_or_else(no_day)?;
            first.0..first.0 + 24
        }
        None => i64::MIN..i64::MAX,
    };
    let listed = |range| whole_day::listed(&store, SOURCES.name, range).map_err(failed);
    let (hours, days) = listed(&range)?;
    let of_all = hours.iter().chain(&days);
    let last = of_all.map(|part| part.period.first_hour()).max();
    let last = last.ok_or_else(no_day)?.0;
    let first = last - last.rem_euclid(24);
    let (mut parts, days) = listed(&(first..first + 24))?;
    parts.extend(days);
    Ok((Hour(first), parts))
}

/// Every source of these parts.
fn sources_of(parts: &[store::Part]) -> Result<DaySources, ExplainError> {
    let mut sources = DaySources::default();
    for part in parts {
        let added = part::read(part.place(), |open| add_part(open, &mut sources));
        added.map_err(|source| ExplainError::Part {
            path: part.path.clone(),
            source,
        })?;
    }
    Ok(sources)
}

fn add_part(part: &CheckedPart, sources: &mut DaySources) -> Result<(), PartError> {
    let schema = part.about().schema();
    let [address, asn, packets] = [names::SRC_IP, names::ASN, names::PACKETS];
    let wanted = [address, asn, packets].map(|name| {
        let mut columns = schema.get_fields().iter();
        let column = columns.find(|column| column.name() == name);
        column.cloned().ok_or_else(|| missing(name))
    });
    let wanted = wanted.into_iter().collect::<Result<Vec<_>, _>>()?;
    let projection = Type::group_type_builder(schema.name()).with_fields(wanted);
    let projection = projection.build()?;
    for row in part.reader().get_row_iter(Some(projection))? {
        let row = row?;
        let (mut source, mut network, mut count) = (None, None, 0_i64);
        for (name, field) in row.get_column_iter() {
            match (name.as_str(), field) {
                (name, Field::Str(text)) if name == address => source = Some(text.as_str()),
                (name, Field::Long(number)) if name == packets => count = *number,
                (name, Field::Long(number)) if name == asn => network = u32::try_from(*number).ok(),
                (name, Field::Int(number)) if name == asn => network = u32::try_from(*number).ok(),
                _ => {}
            }
        }
        let (source, count) = (
            source.ok_or_else(|| missing(address))?,
            count.unsigned_abs(),
        );
        match source.parse() {
            Ok(source) => {
                let known = sources.by_address.entry(source).or_default();
                known.0 = known.0.saturating_add(count);
                known.1 = known.1.or(network);
            }
            Err(_) => sources.folded = sources.folded.saturating_add(count),
        }
    }
    Ok(())
}

fn missing(name: &str) -> PartError {
    PartError::Damaged(format!("it has no column {name} of this table"))
}
