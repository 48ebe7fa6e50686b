//! The `backscatter` table: the replies of the hour, by victim, attacked service and minute.
//!
//! An hour with more rows than it may have, as a flood with forged sources makes it, keeps those of the prefixes with most replies: an attack
//! needs many of them, whether it is on one address or on all of a prefix. What is left out is counted.

use super::fold::SizeHistogram;
use super::{Closer, GROUP_ROWS, encode_with};
use crate::hour::Hour;
use crate::reply_run::{ReplyRun, merge_replies};
use crate::reply_table::ReplyRow;
use crate::schema::{BACKSCATTER, BACKSCATTER_ROWS, BackscatterRows, LocatedReplies, encode_group};
use crate::writer::{PartWriter, WriteError};
use teiten_observation::Family;

/// Rows of an hour, at most: some 100 MB of Parquet.
const REPLY_ROWS_MAX: u64 = 4 << 20;

/// Metadata key of the replies that were left out.
const LEFT_OUT_KEY: &str = "replies_left_out";

/// Writes the replies of the hour to its file; gives how many rows it has, and how many replies were left out.
pub(super) fn write(
    closer: &Closer,
    hour: Hour,
    part: u32,
    file: &mut PartWriter,
    runs: Vec<ReplyRun>,
) -> Result<(u64, u64), WriteError> {
    let small = small_prefixes(&runs, REPLY_ROWS_MAX)?;
    let mut out = ReplyWriter {
        closer,
        hour,
        part,
        file,
        group: Vec::new(),
        rows: 0,
    };
    let mut left_out = 0;
    large_prefixes(runs, small, &mut left_out, |row| out.push(row))?;
    let rows = out.finish()?;
    file.note(LEFT_OUT_KEY, left_out.to_string());
    Ok((rows, left_out))
}

/// The replies up to which a prefix is left out: 0 unless there are more than `rows_max` rows.
fn small_prefixes(runs: &[ReplyRun], rows_max: u64) -> Result<u64, WriteError> {
    // Rows with one key in several runs make this too many, and the merge says so.
    if runs.iter().map(ReplyRun::len).sum::<u64>() <= rows_max {
        return Ok(0);
    }
    let mut sizes = SizeHistogram::default();
    let mut current: Option<((Family, u128), u64, u64)> = None;
    merge_replies::<WriteError>(runs.iter().map(ReplyRun::lent), |row| {
        let (next, count) = (row.key.prefix(), row.counts.packets());
        match &mut current {
            Some((known, rows, packets)) if *known == next => {
                *rows += 1;
                *packets += count;
            }
            current => {
                if let Some((_, rows, packets)) = current.replace((next, 1, count)) {
                    sizes.add_source(rows, packets);
                }
            }
        }
        Ok(())
    })?;
    if let Some((_, rows, packets)) = current {
        sizes.add_source(rows, packets);
    }
    Ok(sizes.threshold(rows_max))
}

/// Gives the rows of prefixes with more than `small` replies, and counts the others' replies.
fn large_prefixes(
    mut runs: Vec<ReplyRun>,
    small: u64,
    left_out: &mut u64,
    mut take: impl FnMut(ReplyRow) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let mut current = None;
    // What is held is not more than `small` rows: each has a reply.
    let (mut held, mut packets) = (Vec::new(), 0);
    merge_replies::<WriteError>(runs.iter_mut().map(ReplyRun::taken), |row| {
        let next = Some(row.key.prefix());
        if current != next {
            if !held.is_empty() {
                *left_out += packets;
                held.clear();
            }
            (current, packets) = (next, 0);
        }
        packets += row.counts.packets();
        held.push(row.into_owned());
        if packets > small {
            held.drain(..).try_for_each(&mut take)?;
        }
        Ok(())
    })?;
    if !held.is_empty() {
        *left_out += packets;
    }
    Ok(())
}

/// Writes rows with the origins of their victims.
struct ReplyWriter<'c> {
    closer: &'c Closer,
    hour: Hour,
    part: u32,
    file: &'c mut PartWriter,
    group: Vec<LocatedReplies>,
    rows: u64,
}

impl ReplyWriter<'_> {
    fn push(&mut self, row: ReplyRow) -> Result<(), WriteError> {
        let origins = self.closer.origins.on(self.hour);
        let known = self.group.last().filter(|last| {
            (last.row.key.family, last.row.key.victim) == (row.key.family, row.key.victim)
        });
        let (country, asn) = match (known, row.key.family) {
            (Some(last), _) => (last.country, last.asn),
            (None, Family::Ipv4) => {
                let victim = row.key.victim as u32;
                (origins.country(victim), origins.asn(victim))
            }
            (None, Family::Ipv6) => {
                let victim = row.key.victim;
                (origins.country(victim), origins.asn(victim))
            }
        };
        self.group.push(LocatedReplies { row, country, asn });
        if self.group.len() == GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        let (closer, hour) = (self.closer, self.hour);
        let path = closer.path(&BACKSCATTER, hour, self.part);
        let schema = self.file.schema();
        let rows = BackscatterRows {
            hour,
            sensor: &closer.name.sensor,
            rows: &self.group,
        };
        let columns = encode_with(&path, |encoder| {
            encode_group(BACKSCATTER_ROWS, &schema, rows.rows.len(), &rows, encoder)
        })?;
        self.file.append(columns)?;
        self.rows += self.group.len() as u64;
        self.group.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<u64, WriteError> {
        if !self.group.is_empty() {
            self.write_group()?;
        }
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_table::{ReplyPacket, ReplyTable};
    use teiten_observation::TrafficType;

    fn runs() -> Vec<ReplyRun> {
        let mut tables = [ReplyTable::default(), ReplyTable::default()];
        let reply = |victim: u32, second: u32| ReplyPacket {
            time_us: i64::from(second) * 1_000_000,
            victim,
            destination: 1,
            protocol: 6,
            port: Some(80),
            traffic_type: TrafficType::TcpSynAck,
            wire_length_bytes: 60,
        };
        // 1,000 forged sources of a packet each, and 50 addresses of one prefix with two each.
        for source in 0..1_000 {
            tables[source as usize % 2].observe(&reply((source + 1) << 8, 0));
        }
        for place in 0..50 {
            for second in 0..2 {
                tables[second as usize].observe(&reply(0x0b00_0000 | place, second));
            }
        }
        tables.into_iter().flat_map(ReplyRun::all_of).collect()
    }

    #[test]
    fn a_flood_of_forged_sources_leaves_the_prefixes_with_most_replies() {
        for (rows_max, small, kept, left) in [
            (2_000, 0, 1_050, 0),
            (1_050, 0, 1_050, 0),
            (1_049, 1, 50, 1_000),
            (50, 1, 50, 1_000),
        ] {
            let runs = runs();
            assert_eq!(small_prefixes(&runs, rows_max).expect("readable"), small);
            let (mut rows, mut left_out) = (0, 0);
            let taken = large_prefixes(runs, small, &mut left_out, |_| {
                rows += 1;
                Ok(())
            });
            taken.expect("readable");
            assert_eq!((rows, left_out), (kept, left), "{rows_max}");
        }
    }
}
