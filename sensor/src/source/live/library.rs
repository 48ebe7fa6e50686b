//! An interface captured on through libpcap: the portable way, and the one for interfaces without an Ethernet header. Packets are
//! copied out of the library's buffer.

use std::os::fd::RawFd;

use super::CaptureRequest;
use super::libpcap::{LibpcapCapture, LibpcapError, Opening};
use crate::source::block::{BLOCK_RECORDS_MAX, Block, BlockBytes};
use crate::source::filter::Instruction;
use crate::source::record::Record;
use crate::source::walk::BLOCK_BYTES_MAX;
use teiten_packet::LinkType;

/// Packets taken before the block's size is checked again.
const TAKEN_AT_ONCE: usize = 64;
/// Bytes of buffer for a capture that only compiles a filter.
const COMPILER_BUFFER_BYTES: i32 = 1 << 16;
/// DLT_RAW as Linux and OpenBSD number it, and what capture files say instead (<https://www.tcpdump.org/linktypes.html>).
const RAW_IP_LIVE: [i32; 2] = [12, 14];
const RAW_IP: LinkType = LinkType(101);

/// A capture through libpcap.
pub(super) struct Library {
    capture: LibpcapCapture,
    link_type: LinkType,
    /// libpcap's counter when it was last read: it wraps.
    dropped: u32,
}

impl Library {
    /// Opens a capture.
    ///
    /// # Errors
    /// libpcap's message.
    pub(super) fn open(interface: &str, wanted: &CaptureRequest) -> Result<Self, LibpcapError> {
        // Immediate mode stays off: with it libpcap falls back from TPACKET_V3 to one frame at a time.
        let opening = Opening {
            snap_length_bytes: Some(i32::try_from(wanted.snap_length_bytes).unwrap_or(i32::MAX)),
            buffer_bytes: i32::try_from(wanted.buffer_bytes).unwrap_or(i32::MAX),
            promiscuous: wanted.promiscuous,
            wait_ms: i32::try_from(super::LIVE_WAIT.as_millis()).unwrap_or(i32::MAX),
        };
        let mut capture = LibpcapCapture::open(interface, &opening)?;
        capture.set_nonblocking()?;
        if let Some(expression) = &wanted.filter {
            capture.filter(expression)?;
        }
        capture.take_incoming();
        let link_type = link_type(capture.data_link());
        Ok(Library {
            capture,
            link_type,
            dropped: 0,
        })
    }

    /// What the packets' first header is.
    pub(super) fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// The packets that wait, as far as a block holds them; `block` is reused.
    ///
    /// # Errors
    /// libpcap's message; packets taken before are lost with it.
    pub(super) fn take(&mut self, block: Block) -> Result<Block, LibpcapError> {
        let Block { bytes, mut records } = block.emptied();
        let mut bytes = match bytes {
            BlockBytes::Owned(bytes) => bytes,
            BlockBytes::Mapped(..) | BlockBytes::Ring(_) => Vec::new(),
        };
        bytes.clear();
        let link_type = self.link_type;
        while bytes.len() < BLOCK_BYTES_MAX && records.len() < BLOCK_RECORDS_MAX {
            let count = TAKEN_AT_ONCE.min(BLOCK_RECORDS_MAX - records.len());
            let taken = self.capture.dispatch(count, |packet| {
                records.push(Record {
                    time_us: packet.time_us,
                    nanoseconds: 0,
                    offset: bytes.len() as u32,
                    captured_bytes: packet.bytes.len() as u32,
                    wire_bytes: packet.wire_bytes,
                    link_type,
                });
                bytes.extend_from_slice(packet.bytes);
            })?;
            if taken == 0 {
                break;
            }
        }
        Ok(Block {
            bytes: BlockBytes::Owned(bytes),
            records,
        })
    }

    /// Packets dropped since the last call; 0 if libpcap has no count.
    pub(super) fn dropped(&mut self) -> u64 {
        let Some(now) = self.capture.dropped() else {
            return 0;
        };
        let dropped = now.wrapping_sub(self.dropped);
        self.dropped = now;
        dropped.into()
    }

    /// What to wait at.
    pub(super) fn descriptor(&self) -> RawFd {
        self.capture.descriptor()
    }
}

/// Compiles a filter expression (pcap-filter(7)) for an interface, with what the kernel offers for VLAN tags that the interface took
/// off.
///
/// # Errors
/// libpcap's message.
pub(super) fn compile(interface: &str, expression: &str) -> Result<Vec<Instruction>, LibpcapError> {
    let opening = Opening {
        snap_length_bytes: None,
        buffer_bytes: COMPILER_BUFFER_BYTES,
        promiscuous: false,
        wait_ms: 0,
    };
    LibpcapCapture::open(interface, &opening)?.compile(expression)
}

fn link_type(live: i32) -> LinkType {
    if RAW_IP_LIVE.contains(&live) {
        return RAW_IP;
    }
    LinkType(u16::try_from(live).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ip_has_the_number_it_has_in_files() {
        assert_eq!(link_type(12), LinkType(101));
        assert_eq!(link_type(276), LinkType(276));
    }
}
