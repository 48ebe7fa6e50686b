//! An interface captured on through libpcap: the portable way, and the one for interfaces without an Ethernet header. Packets are
//! copied out of the library's buffer.

use std::os::fd::{AsRawFd, RawFd};

use pcap::{Active, Capture, Direction};

use super::{ANY, CaptureRequest};
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
    capture: Capture<Active>,
    link_type: LinkType,
    /// libpcap's counter when it was last read: it wraps.
    dropped: u32,
}

impl Library {
    /// Opens a capture.
    ///
    /// # Errors
    /// libpcap's message.
    pub(super) fn open(interface: &str, wanted: &CaptureRequest) -> Result<Self, pcap::Error> {
        let wait_ms = i32::try_from(super::LIVE_WAIT.as_millis()).unwrap_or(i32::MAX);
        // Immediate mode stays off: with it libpcap falls back from TPACKET_V3 to one frame at a time.
        let mut capture = Capture::from_device(interface)?
            .snaplen(i32::try_from(wanted.snap_length_bytes).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(wanted.buffer_bytes).unwrap_or(i32::MAX))
            // All interfaces together cannot be made promiscuous (pcap_open_live(3PCAP)).
            .promisc(wanted.promiscuous && interface != ANY)
            .timeout(wait_ms)
            .open()?
            .setnonblock()?;
        if let Some(expression) = &wanted.filter {
            capture.filter(expression, true)?;
        }
        // If a system cannot distinguish directions, all packets are taken.
        let _ = capture.direction(Direction::In);
        let link_type = link_type(capture.get_datalink().0);
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
    pub(super) fn take(&mut self, block: Block) -> Result<Block, pcap::Error> {
        let Block { bytes, mut records } = block.emptied();
        let mut bytes = match bytes {
            BlockBytes::Owned(bytes) => bytes,
            BlockBytes::Mapped(..) | BlockBytes::Ring(_) => Vec::new(),
        };
        bytes.clear();
        let link_type = self.link_type;
        while bytes.len() < BLOCK_BYTES_MAX && records.len() < BLOCK_RECORDS_MAX {
            let count = TAKEN_AT_ONCE.min(BLOCK_RECORDS_MAX - records.len());
            let taken = self.capture.dispatch(Some(count), |packet| {
                let time = packet.header.ts;
                let seconds_us = time.tv_sec.saturating_mul(1_000_000);
                records.push(Record {
                    time_us: seconds_us.saturating_add(time.tv_usec),
                    nanoseconds: 0,
                    offset: bytes.len() as u32,
                    captured_bytes: packet.data.len() as u32,
                    wire_bytes: packet.header.len,
                    link_type,
                });
                bytes.extend_from_slice(packet.data);
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
        let Ok(stat) = self.capture.stats() else {
            return 0;
        };
        let dropped = stat.dropped.wrapping_sub(self.dropped);
        self.dropped = stat.dropped;
        dropped.into()
    }

    /// The descriptor to wait for.
    pub(super) fn descriptor(&self) -> RawFd {
        self.capture.as_raw_fd()
    }
}

/// Compiles a filter expression (pcap-filter(7)) for an interface, with what the kernel offers for VLAN tags that the interface took
/// off.
///
/// # Errors
/// libpcap's message.
pub(super) fn compile(interface: &str, expression: &str) -> Result<Vec<Instruction>, pcap::Error> {
    let capture = Capture::from_device(interface)?
        .buffer_size(COMPILER_BUFFER_BYTES)
        .open()?;
    let program = capture.compile(expression, true)?;
    let instructions = program.get_instructions().iter();
    // The crate shows an instruction's four numbers as text only.
    let numbers = |text: String| -> Option<Instruction> {
        let mut numbers = text.split(' ').map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        let (code, if_true, if_false, value) = (next()?, next()?, next()?, next()?);
        Some(Instruction {
            code: u16::try_from(code).ok()?,
            if_true: u8::try_from(if_true).ok()?,
            if_false: u8::try_from(if_false).ok()?,
            value,
        })
    };
    instructions
        .map(|one| numbers(one.to_string()).ok_or(pcap::Error::InvalidString))
        .collect()
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
