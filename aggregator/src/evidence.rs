//! Which marks of a source's packets stand: confirmation over all that the source sent in an hour.
//!
//! A mark of one packet can be chance: one packet in 65,536 matches a test of 16 bits whatever sent it. So a mark is confirmed by its
//! source's other packets, from the counts of its rows alone and therefore in any order, for any number of workers. Packets whose
//! mark is not confirmed are of no tool. How packets come by marks must not be here.

use crate::destinations::EXACT_DESTINATIONS_MAX;
use crate::run::SourceRow;
use teiten_observation::Mark;
use teiten_observation::{Address, Class, Family, Kind, Tool, TrafficType};

/// Of a source's probes at least one in so many must bear a mark of 16 bits: 4,096 times as many as match by chance.
const PROBES_A_MATCH_MAX: u64 = 16;
/// The same for such a mark together with the tool's shape, of which one packet is enough: 1,024 times as many as match by chance.
const PROBES_A_SHAPE_MAX: u64 = 64;
/// Packets that a mark of 16 bits, or a shape that a system could share, must stand in.
const PACKETS_MIN: u64 = 2;
/// Of the probes with a shape that a system could share at least one in so many must be among the source's SYNs.
const SYNS_A_COMMON_SHAPE_MAX: u64 = 2;
/// Of the packets with Nmap's shape at least one in so many must share its value with others.
const SHAPES_A_PAIR_MAX: u64 = 4;
/// Runs of a tool that one source's hour can hold: each has a value of its own.
const RUNS_MAX: u64 = 64;
/// Of a source's SYNs at least one in so many must have a key that others have.
const SYNS_A_KEY_MAX: u64 = 16;

/// Packets with one pair value in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    value: u32,
    packets: u64,
    /// Whether they went to different destinations for certain.
    spread: bool,
}

/// What the rows of one source in one hour hold.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    syns: u64,
    sctp: u64,
    others: u64,
    by_mark: [u64; Mark::ALL.len()],
    /// Rows and most destinations of the common shapes.
    common_rows: u64,
    common_destinations: u32,
    shapes: Vec<Pair>,
    keys: Vec<Pair>,
}

/// Which marks stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// A bit for each mark.
    marks: u32,
    /// Unicornscan's keys, ascending.
    keys: Vec<u32>,
}

/// Whether rows of this kind are of packets that marks are looked for in.
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
    /// Forgets all rows.
    pub fn clear(&mut self) {
        let Evidence { shapes, keys, .. } = std::mem::take(self);
        (self.shapes, self.keys) = (shapes, keys);
        self.shapes.clear();
        self.keys.clear();
    }

    /// Adds a row; those that cannot bear marks change nothing.
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
        if matches!(mark, Mark::ZmapLinux | Mark::ZmapBsd | Mark::ZmapSmallest) {
            self.common_rows += 1;
            self.common_destinations = self.common_destinations.max(row.destinations);
        }
        if row.pair == 0 {
            return;
        }
        let pair = Pair {
            value: row.pair,
            packets: row.pair_packets,
            spread: is_spread(row),
        };
        match mark {
            Mark::NmapShape => self.shapes.push(pair),
            mark if mark.stands_alone() => {}
            _ => self.keys.push(pair),
        }
    }

    /// Decides on the rows that were added. The order in which they were is of no matter.
    #[must_use]
    pub fn decide(&mut self) -> Confirmed {
        let mut confirmed = Confirmed::default();
        let probes = self.syns + self.sctp + self.others;
        confirmed.confirm(Mark::MiraiSequence, true);
        self.decide_bits(&mut confirmed, Mark::ZmapId, Mark::ZmapIdShape, probes);
        let hashed = self.syns + self.sctp;
        self.decide_bits(
            &mut confirmed,
            Mark::MasscanHash,
            Mark::MasscanShape,
            hashed,
        );
        confirmed.confirm(Mark::ZmapWindows, true);
        let common = self.is_common_shape_confirmed();
        for mark in [Mark::ZmapLinux, Mark::ZmapBsd, Mark::ZmapSmallest] {
            confirmed.confirm(mark, common);
        }
        let shapes = self.by_mark[Mark::NmapShape as usize];
        let mut paired = 0;
        shared(&mut self.shapes, shapes / RUNS_MAX, |_, packets| {
            paired += packets;
        });
        let is_nmap = paired > 0 && paired * SHAPES_A_PAIR_MAX >= shapes;
        confirmed.confirm(Mark::NmapShape, is_nmap);
        shared(&mut self.keys, self.syns / SYNS_A_KEY_MAX, |value, _| {
            confirmed.keys.push(value);
        });
        confirmed
    }

    /// A mark of 16 bits, and the same mark in a packet of the tool's shape.
    fn decide_bits(&self, confirmed: &mut Confirmed, bits: Mark, shape: Mark, probes: u64) {
        let shapes = self.by_mark[shape as usize];
        let matches = self.by_mark[bits as usize] + shapes;
        let is_bits = matches >= PACKETS_MIN && matches * PROBES_A_MATCH_MAX >= probes;
        let is_shape = shapes > 0 && shapes * PROBES_A_SHAPE_MAX >= probes;
        confirmed.confirm(bits, is_bits);
        confirmed.confirm(shape, is_shape || is_bits);
    }

    /// A shape that a system could share is a scanner's where most SYNs have it and they went to different places.
    fn is_common_shape_confirmed(&self) -> bool {
        let common = self.by_mark[Mark::ZmapLinux as usize]
            + self.by_mark[Mark::ZmapBsd as usize]
            + self.by_mark[Mark::ZmapSmallest as usize];
        common >= PACKETS_MIN
            && (self.common_rows > 1 || self.common_destinations > 1)
            && common * SYNS_A_COMMON_SHAPE_MAX >= self.syns
    }
}

/// Whether the packets of the pair value went to different destinations for certain: the others are too few to have reached all
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

/// Calls `found` with each value, ascending, that at least `packets_min` packets share, and with their number: those of different
/// rows, or of one row that went to different destinations.
fn shared(pairs: &mut [Pair], packets_min: u64, mut found: impl FnMut(u32, u64)) {
    pairs.sort_unstable();
    for like in pairs.chunk_by(|left, right| left.value == right.value) {
        let packets = like.iter().map(|pair| pair.packets).sum::<u64>();
        let spread = like.len() > 1 || like[0].spread;
        if spread && packets >= packets_min.max(PACKETS_MIN) {
            found(like[0].value, packets);
        }
    }
}

impl Confirmed {
    fn confirm(&mut self, mark: Mark, stands: bool) {
        self.marks |= u32::from(stands) << mark as u8;
    }

    /// Whether a mark stands.
    #[must_use]
    pub const fn stands(&self, mark: Mark) -> bool {
        self.marks >> mark as u8 & 1 != 0
    }

    /// Whether packets with this pair value that bear no mark which stands are Unicornscan's.
    #[must_use]
    pub fn has_key(&self, pair: u32) -> bool {
        self.keys.binary_search(&pair).is_ok()
    }

    /// The tool of a row, and how many of its packets show it. A row of no tool has the packets whose mark was not confirmed.
    #[must_use]
    pub fn judge<A: Address>(&self, row: &SourceRow<A>) -> (Tool, u64) {
        let mark = row.kind.mark();
        if mark != Mark::None && self.stands(mark) {
            return (mark.tool(), row.packets);
        }
        let is_keyed = mark != Mark::NmapShape
            && row.pair_packets * 2 > row.packets
            && can_bear_marks(A::FAMILY, row.kind)
            && self.has_key(row.pair);
        if is_keyed {
            return (Tool::Unicornscan, row.pair_packets);
        }
        let claimed = if mark == Mark::None { 0 } else { row.packets };
        (Tool::None, claimed)
    }
}

#[cfg(test)]
mod tests;
