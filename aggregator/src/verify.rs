//! Checks of a dataset: every part is readable and says what it is, and the tables of an hour hold the same packets.
//!
//! Reads only; what it finds is returned, not printed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::dataset::{PART_ENDING, hour_folders};
use crate::schema::{
    BYTES_COLUMN, COVERAGE, OBSERVED_COLUMN, PACKETS_COLUMN, PAYLOADS, SCHEMA_VERSION, SOURCES,
    TABLES, TRAFFIC, Table,
};

/// Values read from a column at a time.
const BATCH_VALUES: usize = 64 << 10;

/// What is wrong with a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// What a check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Parts read.
    pub parts: u64,
    /// Hours with at least one part.
    pub hours: u64,
    /// Packets in `traffic`.
    pub packets: u64,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
}

/// Packets and bytes of one table in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    packets: i64,
    bytes: i64,
}

/// Checks every part of the dataset in `directory`.
///
/// # Errors
/// When a folder cannot be listed.
pub fn verify(directory: &Path) -> std::io::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut hours: BTreeMap<PathBuf, BTreeMap<&'static str, Sums>> = BTreeMap::new();
    for table in TABLES {
        let root = directory.join(table.name);
        for folder in hour_folders(&root)? {
            let hour = folder.strip_prefix(&root).unwrap_or(&folder).to_owned();
            let sums = hours
                .entry(hour)
                .or_default()
                .entry(table.name)
                .or_default();
            for path in parts_in(&folder)? {
                verdict.parts += 1;
                match part_sums(&path, table) {
                    Ok(part) => {
                        sums.packets += part.packets;
                        sums.bytes += part.bytes;
                    }
                    Err(reason) => verdict.findings.push(Finding { path, reason }),
                }
            }
        }
    }
    verdict.hours = hours.len() as u64;
    for (hour, tables) in hours {
        let sums = |table: &Table| tables.get(table.name).copied().unwrap_or_default();
        let (traffic, sources, coverage) = (sums(&TRAFFIC), sums(&SOURCES), sums(&COVERAGE));
        verdict.packets += traffic.packets as u64;
        if traffic != sources || traffic.packets != coverage.packets {
            let reason = format!(
                "traffic holds {} packets and {} bytes, sources {} and {}, coverage {} observed packets",
                traffic.packets, traffic.bytes, sources.packets, sources.bytes, coverage.packets
            );
            let path = hour.clone();
            verdict.findings.push(Finding { path, reason });
        }
        // Not every packet has a payload, so fewer is sound.
        let payloads = sums(&PAYLOADS);
        if payloads.packets > traffic.packets {
            let reason = format!(
                "payloads holds {} packets, traffic only {}",
                payloads.packets, traffic.packets
            );
            verdict.findings.push(Finding { path: hour, reason });
        }
    }
    Ok(verdict)
}

fn parts_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == PART_ENDING) {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

/// The sums of one part, after its schema and metadata were found good; else the reason.
fn part_sums(path: &Path, table: &Table) -> Result<Sums, String> {
    let unreadable = |error: ParquetError| format!("cannot be read: {error}");
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let reader = SerializedFileReader::new(file).map_err(unreadable)?;
    let metadata = reader.metadata().file_metadata();
    let version = metadata.key_value_metadata().and_then(|pairs| {
        pairs
            .iter()
            .find(|pair| pair.key == "schema_version")?
            .value
            .clone()
    });
    if version.as_deref() != Some(&SCHEMA_VERSION.to_string()) {
        return Err(format!(
            "its schema_version is {}, this program reads {SCHEMA_VERSION}",
            version.as_deref().unwrap_or("missing")
        ));
    }
    let names: Vec<&str> = metadata
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    let column = |name: &str| {
        let missing = || format!("has no column {name}");
        names
            .iter()
            .position(|found| *found == name)
            .ok_or_else(missing)
    };
    for expected in table.columns {
        column(expected.name)?;
    }
    let sum = |name: &str| sum_column(&reader, column(name)?).map_err(unreadable);
    if table.name == COVERAGE.name {
        return Ok(Sums {
            packets: sum(OBSERVED_COLUMN)?,
            bytes: 0,
        });
    }
    let has_bytes = table
        .columns
        .iter()
        .any(|column| column.name == BYTES_COLUMN);
    Ok(Sums {
        packets: sum(PACKETS_COLUMN)?,
        bytes: if has_bytes { sum(BYTES_COLUMN)? } else { 0 },
    })
}

fn sum_column(reader: &SerializedFileReader<File>, index: usize) -> Result<i64, ParquetError> {
    let mut sum = 0;
    let mut values = Vec::with_capacity(BATCH_VALUES);
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let ColumnReader::Int64ColumnReader(mut column) = group.get_column_reader(index)? else {
            return Err(ParquetError::General(
                "a counter is not a 64-bit integer".to_owned(),
            ));
        };
        loop {
            values.clear();
            let (records, _, _) = column.read_records(BATCH_VALUES, None, None, &mut values)?;
            sum += values.iter().sum::<i64>();
            if records == 0 {
                break;
            }
        }
    }
    Ok(sum)
}
