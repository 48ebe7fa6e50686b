//! The `traffic` table: the sums over sources become row groups.

use super::columns::Columns;
use super::contributions::{Contributions, Key, Sums};
use super::group::{Cutter, Group};
use super::{ClosedHour, Closer, GROUP_ROWS, encode_with};
use crate::actor::Actors;
use crate::dataset::Hour;
use crate::parallel::staged;
use crate::schema::TRAFFIC;
use crate::writer::{PartWriter, WriteError};
use teiten_observation::Family;

/// Bytes of sketches in a row group, at most: a page must stay small enough to be read at once.
const GROUP_SKETCH_BYTES: usize = 32 << 20;

/// Appends the rows of one family, in the order of their keys.
pub fn append(
    file: &mut PartWriter,
    hour: Hour,
    closer: &Closer,
    family: Family,
    contributions: &Contributions,
    closed: &mut ClosedHour,
) -> Result<(), WriteError> {
    let path = closer.path(&TRAFFIC, hour, 0);
    let schema = file.schema();
    let mut cutter = Cutter::new(GROUP_ROWS, GROUP_SKETCH_BYTES);
    let (mut summed, mut written) = (Ok(()), Ok(()));
    staged(
        closer.threads,
        contributions.partitions(),
        |partition| contributions.sum(partition),
        |sums| match sums {
            Some(Ok(sums)) => {
                closed.traffic_rows += sums.len() as u64;
                closed.packets += sums.packets.iter().sum::<u64>();
                closed.bytes += sums.bytes.iter().sum::<u64>();
                let rows = sums.len();
                cutter.push(sums, rows, |sums, row| sums.sketch(row).len())
            }
            Some(Err(error)) => {
                summed = Err(error);
                Vec::new()
            }
            None => cutter.finish().into_iter().collect(),
        },
        |group| {
            encode_with(&path, |encoder| {
                let mut columns = Columns::new(encoder, &schema, group.rows());
                fill(
                    &mut columns,
                    &group,
                    family,
                    hour,
                    &closer.name.sensor,
                    closer.origins.actors(),
                )?;
                Ok(columns.finish())
            })
        },
        |encoded| {
            if written.is_ok() {
                written = encoded.and_then(|columns| file.append(columns));
            }
        },
    );
    summed?;
    written
}

/// The columns in the order of the schema.
fn fill(
    columns: &mut Columns<'_>,
    group: &Group<Sums>,
    family: Family,
    hour: Hour,
    sensor: &str,
    actors: &Actors,
) -> parquet::errors::Result<()> {
    let kinds = group.each(|sums, row| sums.keys[row].kind());
    columns.constant_integer(hour.start_us())?;
    columns.constant_text(sensor)?;
    columns.constant_integer(family as i64)?;
    columns.small_integers(kinds.clone().map(|kind| u16::from(kind.protocol(family))))?;
    columns.sparse(kinds.clone().map(|kind| kind.port().map(i64::from)))?;
    columns.kinds(&kinds)?;
    columns.named(
        group.each(|sums, row| Key::actor(sums.keys[row])),
        |number| actors.name(number),
    )?;
    columns.countries(group.each(|sums, row| Key::country_code(sums.keys[row])))?;
    columns.integers(group.each(|sums, row| sums.packets[row] as i64))?;
    columns.integers(group.each(|sums, row| sums.bytes[row] as i64))?;
    columns.integers(group.each(|sums, row| sums.sources[row] as i64))?;
    columns.strings(group.each(|sums, row| sums.sketch(row)))
}
