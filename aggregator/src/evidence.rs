//! Confirms the tool marks of a source's packets by all its packets of an hour.
//!
//! The mark of one packet can be chance: one packet in 65,536 of any program passes a test of 16 bits. So a mark is confirmed by its
//! source's other packets. Only the counts of rows are used, so the result depends neither on their order nor on the number of workers.
//! Packets with an unconfirmed mark have no tool.

use crate::destinations::EXACT_DESTINATIONS_MAX;
use crate::run::SourceRow;
use teiten_observation::{
    Address, Class, Confirmation, Family, Kind, Mark, MarkRow, Probes, TOOLS, Tool, TrafficType,
};

/// Maximum number of runs of a tool in one source's hour; each run has its own key.
const RUNS_MAX: u64 = 64;

/// Packets with one pair value in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    mark: Mark,
    value: u32,
    packets: u64,
    /// Whether they certainly went to different destinations.
    spread: bool,
}

/// The counts of one source's rows in one hour.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    syns: u64,
    sctp: u64,
    others: u64,
    by_mark: [u64; Mark::ALL.len()],
    /// For each tool the rows of its common shape and their largest number of destinations.
    common_rows: [u64; Tool::ALL.len()],
    common_destinations: [u32; Tool::ALL.len()],
    shapes: Vec<Pair>,
    keys: Vec<Pair>,
}

/// The confirmed marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// A bit for each mark.
    marks: u32,
    /// Keys that SYNs share, ascending.
    keys: Vec<u32>,
}

/// Whether packets of this kind can have marks.
#[must_use]
#[inline]
pub const fn can_bear_marks(family: Family, kind: Kind) -> bool {
    matches!(family, Family::Ipv4)
        && matches!(
            kind.class(),
            Class::Scan | Class::ReflectorScan | Class::Exploit | Class::Spoofed
        )
        && matches!(
            kind.traffic_type(),
            TrafficType::TcpSyn
                | TrafficType::Sctp
                | TrafficType::Udp
                | TrafficType::IcmpEchoRequest
                | TrafficType::IcmpTimestampRequest
                | TrafficType::IcmpInformationRequest
                | TrafficType::IcmpMaskRequest
        )
}

impl Evidence {
    /// Removes all rows.
    pub fn clear(&mut self) {
        let Evidence { shapes, keys, .. } = std::mem::take(self);
        (self.shapes, self.keys) = (shapes, keys);
        self.shapes.clear();
        self.keys.clear();
    }

    /// Adds a row; rows that cannot have marks are ignored.
    pub fn add<A: Address>(&mut self, row: &SourceRow<A>) {
        if !can_bear_marks(A::FAMILY, row.kind) {
            return;
        }
        let mark = row.kind.mark();
        self.by_mark[mark as usize] += row.packets;
        match row.kind.traffic_type() {
            TrafficType::TcpSyn => self.syns += row.packets,
            TrafficType::Sctp => self.sctp += row.packets,
            _ => self.others += row.packets,
        }
        if matches!(mark.confirmation(), Some(Confirmation::CommonShape)) {
            let tool = mark.tool() as usize;
            self.common_rows[tool] += 1;
            self.common_destinations[tool] = self.common_destinations[tool].max(row.destinations);
        }
        if row.pair == 0 {
            return;
        }
        let pair = |mark| Pair {
            mark,
            value: row.pair,
            packets: row.pair_packets,
            spread: is_spread(row),
        };
        if mark.shares_value() {
            self.shapes.push(pair(mark));
        } else if !mark.stands_alone() {
            // Keys are searched in all SYNs, also in those with other marks.
            self.keys.push(pair(Mark::KEYED));
        }
    }

    /// Decides on the rows that were added, in any order.
    #[must_use]
    pub fn decide(&mut self) -> Confirmed {
        let mut confirmed = Confirmed::default();
        // Most sources have no mark, so nothing but a key can be confirmed that is not in any case.
        let mut marks = self.by_mark.iter().zip(Mark::ALL);
        let has_marks = marks.any(|(packets, mark)| *packets > 0 && *mark != Mark::None);
        for row in TOOLS.iter().flat_map(|tool| tool.marks) {
            let is_confirmed = match row.confirmation {
                Confirmation::Exact(_) | Confirmation::OwnShape(_) => true,
                _ if !has_marks => false,
                Confirmation::Match => self.is_match_confirmed(row),
                Confirmation::ShapedMatch => {
                    self.is_shape_confirmed(row) || self.is_match_confirmed(row)
                }
                Confirmation::CommonShape => self.is_common_shape_confirmed(row),
                Confirmation::SharedValue => self.is_value_confirmed(row),
                Confirmation::SharedKey => false,
            };
            confirmed.confirm(row.mark, is_confirmed);
        }
        let packets_min = self.syns / Confirmation::SYNS_A_KEY_MAX;
        shared(&mut self.keys, packets_min, |value, _| {
            confirmed.keys.push(value);
        });
        confirmed
    }

    /// Packets that could have a mark.
    fn probes(&self, row: &MarkRow) -> u64 {
        match row.probes {
            Probes::Syn => self.syns,
            Probes::SynAndInit => self.syns + self.sctp,
            Probes::SynUdpIcmp => self.syns + self.sctp + self.others,
        }
    }

    /// Packets with a mark of this tool that is confirmed in one of these ways.
    fn bearing(&self, tool: Tool, is_such: fn(Confirmation) -> bool) -> u64 {
        let marks = tool.row().marks.iter();
        marks
            .filter(|row| is_such(row.confirmation))
            .map(|row| self.by_mark[row.mark as usize])
            .sum()
    }

    /// A match of 16 bits is confirmed if enough probes match, in the tool's shape or not.
    fn is_match_confirmed(&self, row: &MarkRow) -> bool {
        let is_match = |confirmation| {
            matches!(
                confirmation,
                Confirmation::Match | Confirmation::ShapedMatch
            )
        };
        let matches = self.bearing(row.tool, is_match);
        matches >= Confirmation::PACKETS_MIN
            && matches * Confirmation::PROBES_A_MATCH_MAX >= self.probes(row)
    }

    /// One match in the tool's shape is enough, unless such packets are rare among the source's.
    fn is_shape_confirmed(&self, row: &MarkRow) -> bool {
        let shapes = self.by_mark[row.mark as usize];
        shapes > 0 && shapes * Confirmation::PROBES_A_SHAPE_MAX >= self.probes(row)
    }

    /// A shape that an operating system could share is a scanner's if most SYNs have it and went to different destinations.
    fn is_common_shape_confirmed(&self, row: &MarkRow) -> bool {
        let tool = row.tool as usize;
        let common = self.bearing(row.tool, |confirmation| {
            matches!(confirmation, Confirmation::CommonShape)
        });
        common >= Confirmation::PACKETS_MIN
            && (self.common_rows[tool] > 1 || self.common_destinations[tool] > 1)
            && common * Confirmation::SYNS_A_COMMON_SHAPE_MAX >= self.syns
    }

    /// A shape is a tool's if enough of its packets share a key.
    fn is_value_confirmed(&mut self, row: &MarkRow) -> bool {
        let shapes = self.by_mark[row.mark as usize];
        if shapes == 0 {
            return false;
        }
        self.shapes.sort_unstable();
        let first = self.shapes.partition_point(|pair| pair.mark < row.mark);
        let last = self.shapes.partition_point(|pair| pair.mark <= row.mark);
        let mut paired = 0;
        shared(
            &mut self.shapes[first..last],
            shapes / RUNS_MAX,
            |_, packets| {
                paired += packets;
            },
        );
        paired > 0 && paired * Confirmation::SHAPES_A_PAIR_MAX >= shapes
    }
}

/// Whether the packets of the pair value certainly went to different destinations: the other packets are too few to have reached all
/// destinations but one.
fn is_spread<A>(row: &SourceRow<A>) -> bool {
    let others = row.packets - row.pair_packets;
    let destinations = u64::from(row.destinations);
    let surely = if destinations > EXACT_DESTINATIONS_MAX as u64 {
        // Five standard errors of the estimate.
        destinations - destinations / 8
    } else {
        destinations
    };
    others + 1 < surely
}

/// Calls `found` with each value, ascending, that at least `packets_min` packets share, and with their number. The packets are of different
/// rows, or of one row with different destinations.
fn shared(pairs: &mut [Pair], packets_min: u64, mut found: impl FnMut(u32, u64)) {
    if !may_be_shared(pairs, packets_min) {
        return;
    }
    pairs.sort_unstable();
    for like in pairs.chunk_by(|left, right| left.value == right.value) {
        let packets = like.iter().map(|pair| pair.packets).sum::<u64>();
        let spread = like.len() > 1 || like[0].spread;
        if spread && packets >= packets_min.max(Confirmation::PACKETS_MIN) {
            found(like[0].value, packets);
        }
    }
}

/// Fewer pairs are sorted at once.
const BINS: usize = 256;

/// Whether `packets_min` packets may share a value: if not, no bin of values has so many. Most sources of many rows share none, and sorting them
/// takes longer than all the rest of the judgement.
fn may_be_shared(pairs: &[Pair], packets_min: u64) -> bool {
    if pairs.len() < BINS {
        return true;
    }
    let mut packets = [0_u64; BINS];
    for pair in pairs {
        let bin = &mut packets[(pair.value.wrapping_mul(0x9e37_79b1) >> 24) as usize];
        *bin = bin.saturating_add(pair.packets);
    }
    packets.iter().any(|packets| *packets >= packets_min)
}

impl Confirmed {
    fn confirm(&mut self, mark: Mark, is_confirmed: bool) {
        self.marks |= u32::from(is_confirmed) << mark as u8;
    }

    /// Whether a mark is confirmed.
    #[must_use]
    pub const fn is_confirmed(&self, mark: Mark) -> bool {
        self.marks >> mark as u8 & 1 != 0
    }

    /// Whether no key is shared.
    #[must_use]
    pub const fn is_nothing_shared(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether packets with this pair value and without a confirmed mark belong to the tool of that key.
    #[must_use]
    pub fn has_key(&self, pair: u32) -> bool {
        self.keys.binary_search(&pair).is_ok()
    }

    /// The tool of a row, and how many of its packets show it. A row of no tool has the packets whose mark was not confirmed.
    #[must_use]
    pub fn judge<A: Address>(&self, row: &SourceRow<A>) -> (Tool, u64) {
        let mark = row.kind.mark();
        if mark != Mark::None && self.is_confirmed(mark) {
            return (mark.tool(), row.packets);
        }
        let is_keyed = !mark.shares_value()
            && row.pair_packets * 2 > row.packets
            && can_bear_marks(A::FAMILY, row.kind)
            && self.has_key(row.pair);
        if is_keyed {
            return (Mark::KEYED.tool(), row.pair_packets);
        }
        let claimed = if mark == Mark::None { 0 } else { row.packets };
        (Tool::None, claimed)
    }
}

#[cfg(test)]
mod tests;
