//! The type of a frame's first header.

/// A libpcap link type number (<https://www.tcpdump.org/linktypes.html>), as in the capture's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// Ethernet, what nearly every interface gives.
    pub const ETHERNET: LinkType = LinkType(1);
    /// IP without a link layer: the first four bits say the version.
    pub const RAW: LinkType = LinkType(101);
}
