//! [`Observation`]: one observed packet, as the hour tables need it.

use crate::kind::Kind;

/// One packet that was observed, as the hour tables need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<A> {
    /// Time of the packet, microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Source address, host byte order.
    pub source: A,
    /// Destination address, host byte order: the dark address.
    pub destination: A,
    /// What the packet is.
    pub kind: Kind,
    /// Length on the wire including the link layer, bytes.
    pub wire_length_bytes: u32,
    /// Compatibility flags of the packet, a bit each; 0 where none holds.
    pub flags: u32,
    /// Stack signature of a SYN, packed; 0 for other packets.
    pub stack: u64,
    /// What any two SYNs of one run of a tool share although they go to different destinations; 0 where no tool is thought of.
    pub pair: u32,
}

const _: () = assert!(size_of::<Observation<u32>>() == 40);
