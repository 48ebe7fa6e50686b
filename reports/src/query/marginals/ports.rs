//! The rows of `asked_ports_daily` and `asked_ports_monthly`. Days give packets and the hosts of each; the hosts of the period are those of
//! its month, or the union of the sketches of its months and days.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use teiten_aggregator::calendar::TIMEZONE_KEY;
use teiten_aggregator::columns::{PartColumns, unknown};
use teiten_aggregator::rollup::{PARTS_KEY, parts_sha256_of};
use teiten_aggregator::schema::names;
use teiten_aggregator::store::Part;
use teiten_aggregator::whole_day::PartOfHour;
use teiten_observation::Family;

use super::{RolledDays, opened, unpanicked};
use crate::query::distinct::{LG_K_SMALL, SourceSketch};
use crate::query::rolled_up::date_of;
use crate::query::tally::{Map, Port, PortRole, TalliedPort, family_of};
use crate::query::{Answer, DamagedFile, Job};

/// A row of a day.
#[derive(Clone, Debug)]
pub(super) struct PortRow {
    key: TalliedPort,
    /// Packets and bytes.
    counts: [i64; 2],
    /// Distinct sources, estimated.
    hosts: f64,
    /// Empty where it was not asked for.
    sketch: Vec<u8>,
}

const COLUMNS: &[&str] = &[
    names::ROLE,
    names::IP_VERSION,
    names::PROTOCOL,
    names::PORT,
    names::PACKETS,
    names::BYTES,
    names::SOURCES_ESTIMATE,
];

/// Reads the rows of a day, with their sketches where asked for.
///
/// # Errors
/// The reason as text, when the part is damaged, or of an older program that counted both IP versions together.
pub(super) fn read(part: PartColumns, with_sketches: bool) -> Result<Vec<PortRow>, String> {
    let mut rows = Vec::new();
    let mut columns = COLUMNS.to_vec();
    columns.extend(with_sketches.then_some(names::SOURCES_SKETCH));
    part.read(&columns, &[], |batch| {
        let roles = batch.text(names::ROLE, |name| {
            PortRole::from_name(name).ok_or_else(|| unknown(names::ROLE, name))
        })?;
        let (protocols, ports) = (batch.int32(names::PROTOCOL)?, batch.ports()?);
        let (packets, bytes) = (batch.int64(names::PACKETS)?, batch.int64(names::BYTES)?);
        let versions = batch.int32(names::IP_VERSION)?;
        let estimates = batch.float64(names::SOURCES_ESTIMATE)?;
        let sketches = match with_sketches {
            true => Some(batch.bytes(names::SOURCES_SKETCH)?),
            false => None,
        };
        rows.reserve(batch.rows());
        for row in 0..batch.rows() {
            let sketch = sketches.map_or(&[][..], |sketches| sketches.value(row));
            let port = Port {
                protocol: protocols.value(row) as u8,
                port: ports.at(row),
            };
            rows.push(PortRow {
                key: TalliedPort {
                    family: family_of(versions.value(row)),
                    role: *roles.at(row),
                    port,
                },
                counts: [packets.value(row), bytes.value(row)],
                hosts: estimates.value(row),
                sketch: sketch.to_vec(),
            });
            if with_sketches {
                SourceSketch::new(LG_K_SMALL)
                    .merge_image(sketch)
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Adds the rows of a day, of each sensor.
pub(super) fn add(day: usize, of_sensors: &[Vec<PortRow>], part: &mut Answer) {
    if let [rows] = of_sensors {
        for row in rows {
            add_row(day, row.key, (row.counts, row.hosts), part);
        }
        return;
    }
    let mut joint: Map<TalliedPort, ([i64; 2], SourceSketch)> = Map::default();
    for row in of_sensors.iter().flatten() {
        let empty = || ([0; 2], SourceSketch::new(LG_K_SMALL));
        let (sums, sources) = joint.entry(row.key).or_insert_with(empty);
        for (sum, count) in sums.iter_mut().zip(row.counts) {
            *sum += count;
        }
        // They were merged once when they were read.
        let _ = sources.merge_image(&row.sketch);
    }
    for (key, (sums, sources)) in joint {
        add_row(day, key, (sums, sources.estimate()), part);
    }
}

fn add_row(day: usize, key: TalliedPort, (counts, hosts): ([i64; 2], f64), part: &mut Answer) {
    if key.role == PortRole::Asked {
        part.port_days[day].set(key.port, key.family, counts[0], hosts as f32);
    }
    part.totals_of(key).add_packets(key.family, counts);
}

/// Sets the hosts of every port over the period, once all days were read.
pub(in crate::query) fn close(job: &Job<'_>, workers: usize, answer: &mut Answer) {
    let raw = std::mem::take(&mut answer.open_ports);
    let files = match job.counts_hosts {
        true => job.rolled.files_of(&answer.rolled_days),
        false => Vec::new(),
    };
    if let (
        [
            PortFile {
                part,
                is_month: true,
            },
        ],
        true,
    ) = (&files[..], raw.is_empty())
    {
        let read = opened(part.place()).and_then(|opened| unpanicked(|| read(opened, false)));
        match read {
            Ok(rows) => {
                for row in rows {
                    let totals = answer.totals_of(row.key);
                    totals.set_hosts(row.key.family, row.hosts);
                }
            }
            Err(reason) => damaged(part, reason, answer),
        }
        return;
    }
    let mut sketches = union_of(&files, workers, answer);
    for (key, tally) in raw {
        let counts = [tally.packets, tally.bytes];
        answer.totals_of(key).add_packets(key.family, counts);
        if !job.counts_hosts {
            continue;
        }
        match sketches.get_mut(&key) {
            Some(sources) => sources.merge(&tally.sources),
            None => drop(sketches.insert(key, tally.sources)),
        }
    }
    for &role in PortRole::ALL {
        for (port, totals) in answer.ports[role as usize].iter_mut() {
            // Those of the days do not add up.
            for family in [Family::Ipv4, Family::Ipv6] {
                let key = TalliedPort { family, role, port };
                let sources = sketches.get(&key);
                totals.set_hosts(family, sources.map_or(0.0, SourceSketch::estimate));
            }
        }
    }
}

fn damaged(part: &Part, reason: String, answer: &mut Answer) {
    answer.damaged.push(DamagedFile {
        path: part.place().to_owned(),
        reason,
    });
}

/// A part with sketches of ports.
struct PortFile<'p> {
    part: &'p Part,
    is_month: bool,
}

impl RolledDays {
    /// The parts that hold the hosts of these days and sensors: months where they are made of nothing else.
    fn files_of(&self, days: &[(usize, String)]) -> Vec<PortFile<'_>> {
        let mut months: BTreeMap<(i64, &str), BTreeSet<i64>> = BTreeMap::new();
        for (day, sensor) in days {
            if let Some(number) = self.number(*day) {
                let month = number - i64::from(date_of(number).day()) + 1;
                months.entry((month, sensor)).or_default().insert(number);
            }
        }
        let mut files = Vec::new();
        for ((month, sensor), days) in months {
            let of_sensor = |part: &&Part| part.sensor().as_deref() == Some(sensor);
            let of_month = self.ports.range(month..month + 31);
            let of_month =
                of_month.filter(|(day, _)| *day - i64::from(date_of(**day).day()) + 1 == month);
            let parts: Vec<(i64, &Part)> = of_month
                .filter_map(|(day, parts)| Some((*day, parts.iter().find(of_sensor)?)))
                .collect();
            let is_whole = parts.len() == days.len();
            let file = self.months.get(&month);
            let file = file.and_then(|parts| parts.iter().find(of_sensor));
            match file.filter(|file| is_whole && self.is_of(file, &parts)) {
                Some(part) => files.push(PortFile {
                    part,
                    is_month: true,
                }),
                None => files.extend(parts.into_iter().filter(|(day, _)| days.contains(day)).map(
                    |(_, part)| PortFile {
                        part,
                        is_month: false,
                    },
                )),
            }
        }
        files
    }

    /// Whether a month is made of these days, in the report's time zone.
    fn is_of(&self, month: &Part, days: &[(i64, &Part)]) -> bool {
        let days = days
            .iter()
            .map(|(_, part)| PartOfHour::from((*part).clone()));
        let days: BTreeSet<PartOfHour> = days.collect();
        let Ok(opened) = opened(month.place()) else {
            return false;
        };
        let made_of = parts_sha256_of(&days, |_| ()).ok();
        made_of.as_deref() == opened.note(PARTS_KEY)
            && opened.note(TIMEZONE_KEY) == Some(&self.zone)
    }
}

/// The union of the sketches of these files.
fn union_of(
    files: &[PortFile<'_>],
    workers: usize,
    answer: &mut Answer,
) -> Map<TalliedPort, SourceSketch> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sketches = Map::default();
        let mut failed = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let read = opened(file.part.place())
                .and_then(|opened| unpanicked(|| add_sketches(opened, &mut sketches)));
            failed.extend(read.err().map(|reason| (file.part, reason)));
        }
        (sketches, failed)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers = workers.clamp(1, files.len().max(1));
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut all: Map<TalliedPort, SourceSketch> = Map::default();
    for (sketches, failed) in results {
        for (key, sources) in sketches {
            match all.get_mut(&key) {
                Some(known) => known.merge(&sources),
                None => drop(all.insert(key, sources)),
            }
        }
        for (part, reason) in failed {
            damaged(part, reason, answer);
        }
    }
    all
}

fn add_sketches(
    part: PartColumns,
    sketches: &mut Map<TalliedPort, SourceSketch>,
) -> Result<(), String> {
    let columns = [
        names::ROLE,
        names::IP_VERSION,
        names::PROTOCOL,
        names::PORT,
        names::SOURCES_SKETCH,
    ];
    part.read(&columns, &[], |batch| {
        let roles = batch.text(names::ROLE, |name| {
            PortRole::from_name(name).ok_or_else(|| unknown(names::ROLE, name))
        })?;
        let (protocols, ports) = (batch.int32(names::PROTOCOL)?, batch.ports()?);
        let versions = batch.int32(names::IP_VERSION)?;
        let images = batch.bytes(names::SOURCES_SKETCH)?;
        for row in 0..batch.rows() {
            let port = Port {
                protocol: protocols.value(row) as u8,
                port: ports.at(row),
            };
            let key = TalliedPort {
                family: family_of(versions.value(row)),
                role: *roles.at(row),
                port,
            };
            sketches
                .entry(key)
                .or_insert_with(|| SourceSketch::new(LG_K_SMALL))
                .merge_image(images.value(row))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}
