//! The marks that scan tools leave in the headers of a probe, and the signature of the stack that sent a SYN. `teiten_observation::TOOLS`
//! lists the marks; `marks.rs` has the test of each.
//!
//! A test looks at a single packet. Whether a mark is confirmed is decided over all packets of a source when its hour closes (the
//! aggregator's `evidence.rs`): a match of 16 bits alone is a coincidence once in 65,536 packets, and Nmap and Unicornscan show only in two
//! packets of one source, to which each SYN contributes its pair value.

mod marks;
mod probe;
mod stack;

use teiten_observation::{Address, Family, Mark, Probes, Tool, TrafficType};

use crate::decode::{Packet, Tcp, Transport};
use marks::{TESTS, can_stand_in, listed_mark, pair, syn_mark};
pub use marks::{marks, masscan_shape, nmap_invariant, unicornscan_invariant};
use probe::syn_probe;
pub use probe::{Probe, initial_time_to_live, probe};
pub use stack::stack;
pub(crate) use stack::stack_of;

/// What a packet shows of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Its mark.
    pub mark: Mark,
    /// What two SYNs of one run of Nmap or Unicornscan share; 0 for packets that are no SYN.
    pub pair: u32,
}

impl Traces {
    /// Nothing.
    pub const NONE: Traces = Traces {
        mark: Mark::None,
        pair: 0,
    };
}

/// The traces in a packet of this type.
#[inline(always)]
#[must_use]
pub fn traces<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> Traces {
    if A::FAMILY != Family::Ipv4 {
        return Traces::NONE;
    }
    if let (TrafficType::TcpSyn, Transport::Tcp(tcp)) = (traffic_type, &packet.transport) {
        return syn_traces(packet, tcp);
    }
    if !Probes::SynUdpIcmp.contain(traffic_type) && traffic_type != TrafficType::Sctp {
        return Traces::NONE;
    }
    Traces {
        mark: rare_mark(packet, traffic_type),
        pair: 0,
    }
}

/// The traces in an IPv4 SYN.
#[inline(always)]
pub(crate) fn syn_traces<A: Address>(packet: &Packet<'_, A>, tcp: &Tcp<'_>) -> Traces {
    let probe = syn_probe(packet, tcp);
    let mark = syn_mark(&probe);
    Traces {
        mark,
        pair: pair(&probe, mark),
    }
}

#[inline(never)]
fn rare_mark<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> Mark {
    match probe(packet, traffic_type) {
        Some(probe) => listed_mark(&probe, traffic_type),
        None => Mark::None,
    }
}

/// Whether a packet of this type has any mark of `tool`, even if an earlier rule decides.
#[must_use]
pub fn bears<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType, tool: Tool) -> bool {
    probe(packet, traffic_type).is_some_and(|probe| {
        TESTS.iter().any(|&(mark, test)| {
            mark.tool() == tool && can_stand_in(mark, traffic_type) && test(&probe)
        })
    })
}
