//! Running sums: a row for each kind and country, finally sorted by their columns.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::close::encode_with;
pub(super) use crate::schema::RolledKey as Key;
use crate::schema::{ROLLED_UP_ROWS, RolledRow, RolledRows, encode_group};
use crate::sketch::{NoSketch, SketchUnion};
use crate::writer::{PartWriter, WriteError};

/// Rows of a row group, and bytes of their sketches.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
struct Sum {
    packets: i64,
    bytes: i64,
    sources: SketchUnion,
}

/// What a row is summed by, with the numbers of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumberedKey {
    pub ip_version: i32,
    pub protocol: i32,
    pub port: Option<i32>,
    /// Traffic type, class, tool, actor and country, as [`PeriodSums::number`] gives them.
    pub texts: [u32; 5],
}

/// All sums of a period.
#[derive(Debug, Default)]
pub(super) struct PeriodSums {
    /// Hours of which there are rows.
    pub hours: i64,
    rows: HashMap<NumberedKey, Sum, RandomState>,
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32, RandomState>,
}

impl PeriodSums {
    /// The number of a text of the few that columns hold.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let text: Arc<str> = text.into();
        let number = self.texts.len() as u32;
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When its sketch is none.
    pub(super) fn add(
        &mut self,
        key: NumberedKey,
        [packets, bytes]: [i64; 2],
        sketch: &[u8],
    ) -> Result<(), NoSketch> {
        let sum = self.rows.entry(key).or_default();
        sum.sources.add(sketch)?;
        sum.packets += packets;
        sum.bytes += bytes;
        Ok(())
    }

    /// Writes the rows in order; how many they are. `day` is its day, or its month's first, counted from
    /// 1970-01-01.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn append(
        self,
        file: &mut PartWriter,
        path: &Path,
        sensor: &str,
        day: i64,
    ) -> Result<u64, WriteError> {
        let schema = file.schema();
        let hours = self.hours;
        let texts = &self.texts;
        let key = |key: NumberedKey| Key {
            ip_version: key.ip_version.into(),
            protocol: key.protocol.into(),
            port: key.port.map(i64::from),
            texts: key.texts.map(|number| Arc::clone(&texts[number as usize])),
        };
        let rows = self.rows.into_iter();
        let mut rows: Vec<(Key, Sum)> = rows.map(|(it, sum)| (key(it), sum)).collect();
        rows.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let count = rows.len() as u64;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let row = |(key, sum): (Key, Sum)| {
                let (sources, sketch) = sum.sources.finish();
                RolledRow {
                    key,
                    packets: sum.packets,
                    bytes: sum.bytes,
                    sources,
                    sketch,
                }
            };
            let group = RolledRows {
                day,
                sensor,
                hours,
                rows: group_of(&mut rows, row),
            };
            file.append(encode_with(path, |encoder| {
                encode_group(ROLLED_UP_ROWS, &schema, group.rows.len(), &group, encoder)
            })?)?;
        }
        Ok(count)
    }
}

/// The next rows of a group.
fn group_of(
    rows: &mut impl Iterator<Item = (Key, Sum)>,
    row: impl Fn((Key, Sum)) -> RolledRow,
) -> Vec<RolledRow> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    while group.len() < GROUP_ROWS
        && bytes < GROUP_BYTES
        && let Some(next) = rows.next()
    {
        let next = row(next);
        bytes += next.sketch.len();
        group.push(next);
    }
    group
}
