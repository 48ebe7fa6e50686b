//! The number that says what a captured frame begins with.

/// A libpcap link type number (<https://www.tcpdump.org/linktypes.html>), as it stands in the capture's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);
