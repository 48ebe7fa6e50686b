//! Merged rows, source by source: each source gets its origin once, the marks of its packets are confirmed, and its rows go on to
//! `sources` and to the sums of `traffic`.

use super::GROUP_ROWS;
use super::contributions::{Bounds, Contribution, Scattered, Wide};
use super::fold::Fold;
use super::judge::Judge;
use crate::actor::{ActorCursor, ActorsOfDay};
use crate::origin::{OriginCursor, OriginsOfDay};
use crate::role::Role;
use crate::run::{Merged, SourceRow};
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
pub(super) struct Enricher<'a, 'r, A: Address> {
    cursor: OriginCursor<'a, A>,
    actors: ActorCursor<'a, A>,
    bounds: &'a Bounds,
    /// Sources up to so many packets are folded.
    small_packets: u64,
    chunk: SourceChunk,
    contributions: Vec<Contribution>,
    wide: Vec<Wide>,
    fold: Fold<A>,
    /// The rows of the current source.
    held: Vec<Merged<'r, A>>,
    judge: Judge,
    tools: [u64; Tool::ALL.len()],
    text: Vec<u8>,
}

impl<'a, 'r, A: Address> Enricher<'a, 'r, A> {
    /// An enricher with no row yet, for about `rows` of them. Sources with up to `small_packets` packets are folded.
    pub(super) fn new(
        origins: OriginsOfDay<'a>,
        actors: &'a ActorsOfDay<A>,
        bounds: &'a Bounds,
        small_packets: u64,
        rows: usize,
    ) -> Self {
        Enricher {
            cursor: origins.cursor(),
            actors: actors.cursor(),
            bounds,
            small_packets,
            chunk: SourceChunk::with_capacity(rows),
            contributions: Vec::with_capacity(rows),
            wide: Vec::new(),
            fold: Fold::default(),
            held: Vec::new(),
            judge: Judge::default(),
            tools: [0; Tool::ALL.len()],
            text: Vec::new(),
        }
    }

    /// Takes the next row.
    #[inline]
    pub(super) fn push(&mut self, merged: Merged<'r, A>) {
        if let Some(last) = self.held.last()
            && last.source() != merged.source()
        {
            self.finish_source();
        }
        self.held.push(merged);
    }

    /// All rows taken.
    pub(super) fn finish(mut self) -> Enriched<A> {
        self.finish_source();
        Enriched {
            chunk: self.chunk,
            contributions: self.bounds.scatter(&self.contributions, self.wide),
            fold: self.fold,
            tools: self.tools,
        }
    }

    /// Judges the rows of the current source, once all of them are here.
    fn finish_source(&mut self) {
        let Some(first) = self.held.first() else {
            return;
        };
        let source = first.source();
        self.judge.judge(&mut self.held);
        let asn = self.cursor.asn(source);
        let origin = Origin {
            country: self.cursor.country(source),
            asn,
            actor: self.actors.find(source, asn),
            role: Role::of(self.held.iter().map(Merged::role_row)),
        };
        self.text.clear();
        source.write_text(&mut self.text);
        let member = Member::of(&self.text);
        let is_small = self.small_packets > 0 && packets_of(&self.held) <= self.small_packets;
        if !is_small {
            self.chunk.begin_source(&self.text, origin);
        }
        for merged in self.held.drain(..) {
            let row = merged.row();
            let packets = &mut self.tools[row.kind.tool() as usize];
            *packets = packets.saturating_add(row.packets);
            let key = Key::new(row.kind, origin.actor, origin.country);
            match Contribution::new(key, member, row.packets, row.bytes) {
                Some(contribution) => self.contributions.push(contribution),
                None => self.wide.push(Wide {
                    key,
                    member,
                    packets: row.packets,
                    bytes: row.bytes,
                }),
            }
            if is_small {
                self.fold.push(row, merged.destinations());
            } else {
                self.chunk.push(row, Some(merged.view()));
            }
        }
    }
}

fn packets_of<A: Address>(rows: &[Merged<'_, A>]) -> u64 {
    let packets = rows.iter().map(Merged::packets);
    packets.fold(0, u64::saturating_add)
}

/// Rows of folded sources as a chunk: their source is a prefix of so many bits, without country and actor.
pub(super) fn folded_chunk<A: Address>(
    rows: impl Iterator<Item = (SourceRow<A>, u8)>,
) -> SourceChunk {
    let mut chunk = SourceChunk::with_capacity(GROUP_ROWS);
    let mut text = Vec::new();
    for (row, prefix_bits) in rows {
        text.clear();
        row.source.write_text(&mut text);
        text.extend_from_slice(format!("/{prefix_bits}").as_bytes());
        chunk.begin_source(&text, Origin::default());
        chunk.push(&row, None);
    }
    chunk
}
