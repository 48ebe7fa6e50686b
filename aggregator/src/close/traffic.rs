//! The `traffic` table: the sums over sources become row groups.

use super::columns::{Column, encode_group};
use super::contributions::Sum;
use super::sources::{class_column, country_column, tool_column, type_column};
use super::{ClosedHour, Closer, GROUP_ROWS};
use crate::dataset::Hour;
use crate::observation::Family;
use crate::writer::{PartWriter, WriteError};

/// Bytes of sketches in a row group, at most: a page must stay small enough to be read at once.
const GROUP_SKETCH_BYTES: usize = 32 << 20;

/// Appends the rows of one family, in the order of their keys.
pub fn append(
    file: &mut PartWriter,
    hour: Hour,
    closer: &Closer,
    family: Family,
    sums: &[Sum],
    closed: &mut ClosedHour,
) -> Result<(), WriteError> {
    let path = closer.path(&crate::schema::TRAFFIC, hour, 0);
    for group in groups(sums) {
        let columns = traffic_columns(group, family, hour, &closer.name.sensor);
        file.append(encode_group(
            &columns,
            &file.schema(),
            closer.threads,
            &path,
        )?)?;
    }
    closed.traffic_rows += sums.len() as u64;
    closed.packets += sums.iter().map(|sum| sum.packets).sum::<u64>();
    closed.bytes += sums.iter().map(|sum| sum.bytes).sum::<u64>();
    Ok(())
}

/// Row groups: bounded in rows and in bytes of sketches.
fn groups(sums: &[Sum]) -> Vec<&[Sum]> {
    let mut groups = Vec::new();
    let (mut start, mut sketch_bytes) = (0, 0);
    for (index, sum) in sums.iter().enumerate() {
        let full =
            index - start == GROUP_ROWS || sketch_bytes + sum.sketch.len() > GROUP_SKETCH_BYTES;
        if full && index > start {
            groups.push(&sums[start..index]);
            (start, sketch_bytes) = (index, 0);
        }
        sketch_bytes += sum.sketch.len();
    }
    if start < sums.len() {
        groups.push(&sums[start..]);
    }
    groups
}

/// The columns in the order of the schema.
fn traffic_columns(sums: &[Sum], family: Family, hour: Hour, sensor: &str) -> Vec<Column> {
    let count = sums.len();
    let integers = |value: &dyn Fn(&Sum) -> i64| Column::Integers(sums.iter().map(value).collect());
    let codes = |code: &dyn Fn(&Sum) -> u16| sums.iter().map(code).collect::<Vec<_>>();
    let mut sketches = Vec::new();
    let mut ends = Vec::with_capacity(count);
    for sum in sums {
        sketches.extend_from_slice(&sum.sketch);
        ends.push(sketches.len() as u32);
    }
    vec![
        Column::Integers(vec![hour.start_us(); count]),
        Column::constant(sensor, count),
        Column::Integers(vec![family as i64; count]),
        integers(&|sum| i64::from(sum.kind().protocol(family))),
        Column::sparse(sums.iter().map(|sum| sum.kind().port().map(i64::from))),
        type_column(&codes(&|sum| sum.kind().traffic_type() as u16)),
        class_column(&codes(&|sum| sum.kind().class() as u16)),
        tool_column(&codes(&|sum| sum.kind().tool() as u16)),
        Column::constant("", count),
        country_column(&codes(&Sum::country_code)),
        integers(&|sum| sum.packets as i64),
        integers(&|sum| sum.bytes as i64),
        integers(&|sum| sum.sources as i64),
        Column::Strings(sketches, ends),
    ]
}
