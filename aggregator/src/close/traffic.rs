//! The `traffic` table: merged rows summed over sources, with the exact number of sources and their sketch.
//!
//! Contributions are spread over partitions by their key, so that partitions are summed in parallel; within a partition they keep
//! the order of their sources, which is what a sketch is fed in.

use datasketches::hll::Coupon;

use super::columns::{Column, encode_group};
use super::sources::{class_column, country_column, tool_column, type_column};
use super::{ClosedHour, Closer, GROUP_ROWS};
use crate::dataset::Hour;
use crate::observation::{Family, Kind};
use crate::origin::Country;
use crate::parallel::ordered;
use crate::sketch::sketch_bytes;
use crate::writer::{PartWriter, WriteError};

/// Partitions: more than threads, so that they share the work evenly.
const PARTITIONS: usize = 64;
/// Bytes of sketches in a row group, at most: a page must stay small enough to be read at once.
const GROUP_SKETCH_BYTES: usize = 32 << 20;

/// What one row of `sources` adds to a row of `traffic`.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// Family, kind and country.
    key: u64,
    coupon: Coupon,
    packets: u64,
    bytes: u64,
}

const _: () = assert!(size_of::<Contribution>() == 32);
const COUNTRY_BITS: u32 = 16;
const IPV6_BIT: u64 = 1 << 63;

impl Contribution {
    /// The contribution of one row.
    pub fn new(
        family: Family,
        kind: Kind,
        country: Country,
        coupon: Coupon,
        packets: u64,
        bytes: u64,
    ) -> Self {
        let family = if family == Family::Ipv6 { IPV6_BIT } else { 0 };
        let key = family | u64::from(kind.bits()) << COUNTRY_BITS | u64::from(country.code());
        Contribution {
            key,
            coupon,
            packets,
            bytes,
        }
    }

    fn partition(&self) -> usize {
        (self.key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % PARTITIONS
    }
}

/// All contributions of an hour.
pub struct Contributions(Vec<Vec<Contribution>>);

impl Default for Contributions {
    fn default() -> Self {
        Contributions(vec![Vec::new(); PARTITIONS])
    }
}

impl Contributions {
    /// Adds contributions, in the order of their sources.
    pub fn extend(&mut self, more: Vec<Contribution>) {
        for one in more {
            self.0[one.partition()].push(one);
        }
    }
}

/// A row of `traffic`.
struct TrafficRow {
    key: u64,
    packets: u64,
    bytes: u64,
    sources: u64,
    sketch: Vec<u8>,
}

impl TrafficRow {
    fn family(&self) -> Family {
        if self.key & IPV6_BIT != 0 {
            Family::Ipv6
        } else {
            Family::Ipv4
        }
    }

    fn kind(&self) -> Kind {
        let bits = (self.key & !IPV6_BIT) >> COUNTRY_BITS;
        Kind::from_bits(bits as u32).expect("a contribution's key holds the kind it was made of")
    }

    fn country_code(&self) -> u16 {
        self.key as u16
    }
}

/// Sums the contributions and writes them as the part `file`.
pub fn write(
    mut file: PartWriter,
    hour: Hour,
    closer: &Closer,
    contributions: Contributions,
    closed: &mut ClosedHour,
) -> Result<(), WriteError> {
    let path = closer.path(&crate::schema::TRAFFIC, hour, 0);
    let rows = summed(closer.threads, contributions);
    for group in groups(&rows) {
        let columns = traffic_columns(group, hour, &closer.name.sensor);
        file.append(encode_group(
            &columns,
            &file.schema(),
            closer.threads,
            &path,
        )?)?;
    }
    closed.traffic_rows = rows.len() as u64;
    closed.packets = rows.iter().map(|row| row.packets).sum();
    closed.bytes = rows.iter().map(|row| row.bytes).sum();
    closed.file_bytes += file.publish()?;
    Ok(())
}

/// The rows of all partitions in ascending order of their keys.
fn summed(threads: usize, contributions: Contributions) -> Vec<TrafficRow> {
    let partitions: Vec<_> = contributions
        .0
        .into_iter()
        .map(|partition| std::sync::Mutex::new(partition))
        .collect();
    let mut rows = Vec::new();
    let task = |index: usize| {
        // Each partition is taken by one task; a poisoned lock means that this very task panicked before.
        let mut partition = std::mem::take(
            &mut *partitions[index]
                .lock()
                .unwrap_or_else(|error| error.into_inner()),
        );
        sum_partition(&mut partition)
    };
    ordered(threads, PARTITIONS, task, |summed| rows.extend(summed));
    rows.sort_unstable_by_key(|row: &TrafficRow| row.key);
    rows
}

fn sum_partition(partition: &mut [Contribution]) -> Vec<TrafficRow> {
    // Stable: contributions of a key stay in the order of their sources.
    partition.sort_by_key(|one| one.key);
    partition
        .chunk_by(|left, right| left.key == right.key)
        .map(|group| TrafficRow {
            key: group[0].key,
            packets: group.iter().map(|one| one.packets).sum(),
            bytes: group.iter().map(|one| one.bytes).sum(),
            sources: group.len() as u64,
            sketch: sketch_bytes(group.iter().map(|one| one.coupon)),
        })
        .collect()
}

/// Row groups: bounded in rows and in bytes of sketches.
fn groups(rows: &[TrafficRow]) -> Vec<&[TrafficRow]> {
    let mut groups = Vec::new();
    let (mut start, mut sketch_bytes) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        let full =
            index - start == GROUP_ROWS || sketch_bytes + row.sketch.len() > GROUP_SKETCH_BYTES;
        if full && index > start {
            groups.push(&rows[start..index]);
            (start, sketch_bytes) = (index, 0);
        }
        sketch_bytes += row.sketch.len();
    }
    if start < rows.len() {
        groups.push(&rows[start..]);
    }
    groups
}

/// The columns in the order of the schema.
fn traffic_columns(rows: &[TrafficRow], hour: Hour, sensor: &str) -> Vec<Column> {
    let count = rows.len();
    let integers =
        |value: &dyn Fn(&TrafficRow) -> i64| Column::Integers(rows.iter().map(value).collect());
    let codes = |code: &dyn Fn(&TrafficRow) -> u16| rows.iter().map(code).collect::<Vec<_>>();
    let mut sketches = Vec::new();
    let mut ends = Vec::with_capacity(count);
    for row in rows {
        sketches.extend_from_slice(&row.sketch);
        ends.push(sketches.len() as u32);
    }
    vec![
        Column::Integers(vec![hour.start_us(); count]),
        Column::constant(sensor, count),
        integers(&|row| row.family() as i64),
        integers(&|row| i64::from(row.kind().protocol(row.family()))),
        Column::sparse(rows.iter().map(|row| row.kind().port().map(i64::from))),
        type_column(&codes(&|row| row.kind().traffic_type() as u16)),
        class_column(&codes(&|row| row.kind().class() as u16)),
        tool_column(&codes(&|row| row.kind().tool() as u16)),
        Column::constant("", count),
        country_column(&codes(&TrafficRow::country_code)),
        integers(&|row| row.packets as i64),
        integers(&|row| row.bytes as i64),
        integers(&|row| row.sources as i64),
        Column::Strings(sketches, ends),
    ]
}
