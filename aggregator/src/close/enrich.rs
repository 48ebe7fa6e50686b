//! Merged rows, source by source: each source gets its origin once, the marks of its packets are confirmed, and its rows go on to
//! `sources` and to the sums of `traffic`.

use super::contributions::{Bounds, Contribution, Scattered, Wide};
use super::fold::Fold;
use super::judge::Judge;
use crate::actor::{ActorCursor, ActorsOfDay};
use crate::destinations::View;
use crate::origin::{OriginCursor, OriginsOfDay};
use crate::role::{Role, RoleRow, RoleSums};
use crate::run::{Merged, RowsInPlace, RowsOfSource, SourceRow};
use crate::schema::{Key, Origin, SourceChunk};
use crate::sketch::Member;
use teiten_observation::{Address, Tool};

/// What one task hands on.
pub(super) struct Enriched<A: Address> {
    /// Rows in order.
    pub chunk: SourceChunk,
    /// The same rows, and those folded, as `traffic` needs them.
    pub contributions: Scattered,
    /// Rows of small sources.
    pub fold: Fold<A>,
    /// Packets by tool, in the order of the tools.
    pub tools: [u64; Tool::ALL.len()],
}

/// Takes merged rows in the order of their sources.
pub(super) struct Enricher<'a, A: Address> {
    judge: Judge,
    /// Destinations of each row of the current source.
    counts: Vec<u32>,
    out: Out<'a, A>,
}

/// Where rows go.
struct Out<'a, A: Address> {
    cursor: OriginCursor<'a, A>,
    actors: ActorCursor<'a, A>,
    bounds: &'a Bounds,
    /// Sources up to so many packets are folded.
    small_packets: u64,
    chunk: SourceChunk,
    contributions: Vec<Contribution>,
    wide: Vec<Wide>,
    fold: Fold<A>,
    tools: [u64; Tool::ALL.len()],
    /// The current source: its text, what is known of it, and whether it is folded.
    text: Vec<u8>,
    origin: Origin,
    member: Member,
    is_small: bool,
}

impl<'a, A: Address> Enricher<'a, A> {
    /// An enricher with no row yet, for about `rows` of them. Sources with up to `small_packets` packets are folded.
    pub(super) fn new(
        origins: OriginsOfDay<'a>,
        actors: &'a ActorsOfDay<A>,
        bounds: &'a Bounds,
        small_packets: u64,
        rows: usize,
    ) -> Self {
        Enricher {
            judge: Judge::default(),
            counts: Vec::new(),
            out: Out {
                cursor: origins.cursor(),
                actors: actors.cursor(),
                bounds,
                small_packets,
                chunk: SourceChunk::with_capacity(rows),
                contributions: Vec::with_capacity(rows),
                wide: Vec::new(),
                fold: Fold::default(),
                tools: [0; Tool::ALL.len()],
                text: Vec::new(),
                origin: Origin::default(),
                member: Member::of(&[]),
                is_small: false,
            },
        }
    }

    /// Takes the rows of the next source.
    #[inline]
    pub(super) fn take<'r>(&mut self, group: RowsOfSource<'_, 'r, A>) {
        match group {
            RowsOfSource::InPlace(rows) => self.take_in_place(rows),
            RowsOfSource::Merged(rows) => self.take_merged(rows),
        }
    }

    /// All rows taken.
    pub(super) fn finish(self) -> Enriched<A> {
        let out = self.out;
        Enriched {
            chunk: out.chunk,
            contributions: out.bounds.scatter(&out.contributions, out.wide),
            fold: out.fold,
            tools: out.tools,
        }
    }

    /// Rows that lie in a run are read there twice, to judge and to write them; only where some get another kind are they taken out.
    fn take_in_place<'r>(&mut self, rows: RowsInPlace<'r, A>) {
        if rows.count() == 1 {
            rows.each().for_each(|only| self.take_only(only));
            return;
        }
        let mut sums = RoleSums::default();
        let counts = &mut self.counts;
        counts.clear();
        let judged = self.judge.judge_in_place(rows, |row| {
            sums.add(row.kind.class(), row.packets);
            counts.push(row.destinations);
        });
        let Some(judged) = judged else {
            let mut held = rows.each().map(Merged::of).collect();
            self.judge.apply(&mut held);
            self.write_merged(&held);
            return;
        };
        let role_rows = rows.each().map(|(row, destinations)| RoleRow {
            kind: row.kind,
            packets: row.packets,
            destinations,
        });
        let role = sums.role(role_rows);
        self.out.begin_source(rows.source(), role, sums.packets());
        for ((mut row, view), &destinations) in rows.each().zip(&*counts) {
            row.destinations = destinations;
            row.tool_packets = judged.tool_packets(&row);
            self.out.push(&row, view);
        }
    }

    /// Most sources have one row, which is read once.
    #[inline]
    fn take_only(&mut self, (mut row, destinations): (SourceRow<A>, View<'_, A>)) {
        row.destinations = destinations.count() as u32;
        let Some(judged) = self.judge.judge_only(&row) else {
            let mut held = vec![Merged::of((row, destinations))];
            self.judge.apply(&mut held);
            self.write_merged(&held);
            return;
        };
        row.tool_packets = judged.tool_packets(&row);
        let mut sums = RoleSums::default();
        sums.add(row.kind.class(), row.packets);
        let role = sums.role(std::iter::once(RoleRow {
            kind: row.kind,
            packets: row.packets,
            destinations,
        }));
        self.out.begin_source(row.source, role, row.packets);
        self.out.push(&row, destinations);
    }

    fn take_merged(&mut self, rows: &mut Vec<Merged<'_, A>>) {
        self.judge.judge(rows);
        self.write_merged(rows);
    }

    fn write_merged(&mut self, rows: &[Merged<'_, A>]) {
        let Some(first) = rows.first() else {
            return;
        };
        let role = Role::of(rows.iter().map(Merged::role_row));
        self.out
            .begin_source(first.source(), role, packets_of(rows));
        for merged in rows {
            self.out.push(merged.row(), merged.view());
        }
    }
}

impl<A: Address> Out<'_, A> {
    /// Begins a source that sent so many packets.
    #[inline]
    fn begin_source(&mut self, source: A, role: Role, packets: u64) {
        let asn = self.cursor.asn(source);
        self.origin = Origin {
            country: self.cursor.country(source),
            asn,
            actor: self.actors.find(source, asn),
            role,
        };
        self.text.clear();
        source.write_text(&mut self.text);
        self.member = Member::of(&self.text);
        self.is_small = self.small_packets > 0 && packets <= self.small_packets;
        if !self.is_small {
            self.chunk.begin_source(&self.text, self.origin);
        }
    }

    /// Takes a row of the source that was begun last.
    #[inline(always)]
    fn push(&mut self, row: &SourceRow<A>, destinations: View<'_, A>) {
        let packets = &mut self.tools[row.kind.tool() as usize];
        *packets = packets.saturating_add(row.packets);
        let key = Key::new(row.kind, self.origin.actor, self.origin.country);
        match Contribution::new(key, self.member, row.packets, row.bytes) {
            Some(contribution) => self.contributions.push(contribution),
            None => self.wide.push(Wide {
                key,
                member: self.member,
                packets: row.packets,
                bytes: row.bytes,
            }),
        }
        if self.is_small {
            self.fold.push(row, destinations.into());
        } else {
            self.chunk.push(row, Some(destinations));
        }
    }
}

fn packets_of<A: Address>(rows: &[Merged<'_, A>]) -> u64 {
    let packets = rows.iter().map(Merged::packets);
    packets.fold(0, u64::saturating_add)
}

/// Appends a row of folded sources: its source is a prefix of so many bits, without country and actor.
pub(super) fn push_folded<A: Address>(
    chunk: &mut SourceChunk,
    row: &SourceRow<A>,
    prefix_bits: u8,
) {
    let mut text = Vec::new();
    row.source.write_text(&mut text);
    text.extend_from_slice(format!("/{prefix_bits}").as_bytes());
    chunk.begin_source(&text, Origin::default());
    chunk.push(row, None);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hour::Hour;
    use crate::origin::Origins;
    use crate::run::{DiskRun, MemoryRun, Run, merge_sources};
    use crate::table::{RowTable, Seed};
    use teiten_observation::{Class, Kind, Mark, Observation, TrafficType};

    fn run_of(observations: &[Observation<u32>]) -> Run<u32> {
        let mut table = RowTable::new(Seed::random());
        table.observe(0, observations);
        let (rows, sets) = table.take();
        Run::Memory(Box::new(MemoryRun::sort(rows, sets)))
    }

    /// All that comes out, as text.
    fn enriched(runs: &[Run<u32>], small_packets: u64) -> String {
        let origins = Origins::empty();
        let actors = origins.actors().on(Hour(0));
        let bounds = Bounds::of(Vec::new(), 0);
        let mut enricher = Enricher::new(origins.on(Hour(0)), &actors, &bounds, small_packets, 10);
        merge_sources(runs, None, None, |rows| enricher.take(rows)).expect("readable");
        let Enriched {
            chunk,
            contributions,
            fold,
            tools,
        } = enricher.finish();
        let mut rows: Vec<_> = fold.into_rows().map(|row| format!("{row:?}")).collect();
        rows.sort();
        format!("{chunk:?}\n{contributions:?}\n{rows:?}\n{tools:?}")
    }

    proptest! {
        /// Rows that lie in one run are judged where they lie; those of several, or from disk, are merged first.
        #[test]
        fn rows_that_lie_in_a_run_come_out_as_merged_ones(
            packets in prop::collection::vec(
                (0_u32..6, 0_u32..200, 0..Mark::ALL.len(), 0_u16..4, 0_u32..4, 0..3_usize),
                1..400,
            ),
            small_packets in 0_u64..20,
        ) {
            let observations: Vec<Observation<u32>> = packets
                .iter()
                .enumerate()
                .map(|(index, &(source, destination, mark, port, pair, class))| Observation {
                    time_us: index as i64,
                    source,
                    destination,
                    kind: Kind::marked(
                        [TrafficType::TcpSyn, TrafficType::Udp, TrafficType::TcpSynAck][class],
                        [Class::Scan, Class::ReflectorScan, Class::Backscatter][class],
                        // Marks are rare, or nothing would be left to confirm.
                        Mark::ALL[if index % 3 == 0 { mark } else { 0 }],
                        [6, 17, 6][class],
                        Some(port),
                    ),
                    wire_length_bytes: 60,
                    flags: 1 << class,
                    stack: 0,
                    pair,
                })
                .collect();
            let folder = tempfile::tempdir().expect("a temporary folder");
            let whole = [run_of(&observations)];
            let Run::Memory(memory) = &whole[0] else { unreachable!("made in memory") };
            let disk = DiskRun::write(&folder.path().join("run"), memory).expect("writable");
            let expected = enriched(&whole, small_packets);
            prop_assert_eq!(&enriched(&[Run::Disk(disk)], small_packets), &expected);
            for parts in [2, 7] {
                let length = observations.len().div_ceil(parts);
                let runs: Vec<_> = observations.chunks(length).map(run_of).collect();
                prop_assert_eq!(&enriched(&runs, small_packets), &expected);
            }
        }
    }
}
