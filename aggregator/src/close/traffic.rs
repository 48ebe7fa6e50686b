//! The `traffic` table: the sums over sources become row groups.

use super::contributions::Contributions;
use super::{ClosedHour, Closer, GROUP_ROWS, encode_with};
use crate::hour::Hour;
use crate::leading::LeadingSums;
use crate::parallel::staged;
use crate::schema::{RowGrouper, TRAFFIC, TRAFFIC_ROWS, TrafficRows, encode_group};
use crate::writer::{PartWriter, WriteError};
use teiten_observation::Family;

/// Bytes of sketches in a row group, at most: a page must stay small enough to be read at once.
const GROUP_SKETCH_BYTES: usize = 8 << 20;

/// Appends the rows of one family, in the order of their keys.
pub(super) fn append(
    file: &mut PartWriter,
    hour: Hour,
    closer: &Closer,
    family: Family,
    contributions: &Contributions,
    closed: &mut ClosedHour,
    leading: &mut LeadingSums,
) -> Result<(), WriteError> {
    let path = closer.path(&TRAFFIC, hour, 0);
    let schema = file.schema();
    let mut grouper = RowGrouper::new(GROUP_ROWS, GROUP_SKETCH_BYTES);
    let (mut summed, mut written) = (Ok(()), Ok(()));
    staged(
        closer.threads_of(contributions.bytes_of_sums()),
        contributions.partitions(),
        |partition| contributions.sum(partition),
        |sums| match sums {
            Some(Ok(sums)) => {
                closed.traffic_rows += sums.len() as u64;
                let all = |counts: &[u64]| {
                    counts
                        .iter()
                        .fold(0, |sum: u64, one| sum.saturating_add(*one))
                };
                closed.packets = closed.packets.saturating_add(all(&sums.packets));
                closed.bytes = closed.bytes.saturating_add(all(&sums.bytes));
                leading.add_rows(&sums.keys, &sums.packets, family);
                let rows = sums.len();
                grouper.push(sums, rows, |sums, row| sums.sketch(row).len())
            }
            Some(Err(error)) => {
                summed = Err(error);
                Vec::new()
            }
            None => grouper.finish().into_iter().collect(),
        },
        |group| {
            let (count, rows) = (
                group.rows(),
                TrafficRows {
                    hour,
                    sensor: &closer.name.sensor,
                    family,
                    actors: closer.origins.actors(),
                    group,
                },
            );
            encode_with(&path, |encoder| {
                encode_group(TRAFFIC_ROWS, &schema, count, &rows, encoder)
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
