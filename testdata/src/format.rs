//! Frames and records around an IP packet in a capture file; all numbers are little-endian, as in most captures.

use crate::clock::SECOND_US;
use crate::packet::Packet;
use crate::scenario::{Format, Link, Scenario};

/// Shortest Ethernet frame without its check sequence.
const ETHERNET_BYTES_MIN: usize = 60;
const SNAPLEN: u32 = 262_144;

const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_ARP: u16 = 0x0806;
const ETHER_TYPE_IPV6: u16 = 0x86dd;

/// The monitoring port and the router in front of it, locally administered.
const DARK_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const ROUTER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfe];

/// Wraps packets for one scenario.
#[derive(Clone, Debug)]
pub struct Framing {
    format: Format,
    link: Link,
    vlan: Option<u16>,
}

impl Framing {
    /// The framing that `scenario` asks for.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Framing {
            format: scenario.format,
            link: scenario.link,
            vlan: scenario.vlan,
        }
    }

    /// The header of a file.
    #[must_use]
    pub fn file_header(&self) -> Vec<u8> {
        let link_type: u32 = match self.link {
            Link::Ethernet => 1,
            Link::Raw => 101,
            Link::Sll => 113,
        };
        let mut header = Vec::new();
        let mut words = |words: &[u32]| {
            words
                .iter()
                .for_each(|word| header.extend_from_slice(&word.to_le_bytes()));
        };
        match self.format {
            Format::Pcap => words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, SNAPLEN, link_type]),
            Format::PcapNanosecond => words(&[0xa1b2_3c4d, 0x0004_0002, 0, 0, SNAPLEN, link_type]),
            Format::Pcapng => words(&[
                // Section header of unknown length, then the interface; its time resolution is the default, microseconds.
                0x0a0d_0d0a,
                28,
                0x1a2b_3c4d,
                1,
                u32::MAX,
                u32::MAX,
                28,
                1,
                20,
                link_type,
                SNAPLEN,
                20,
            ]),
        }
        header
    }

    /// Appends `packet` as a record and returns its length on the wire.
    pub fn packet(&self, out: &mut Vec<u8>, time_us: i64, packet: &Packet, extra_ns: u32) -> u32 {
        let ether_type = if packet.is_ipv6() {
            ETHER_TYPE_IPV6
        } else {
            ETHER_TYPE_IPV4
        };
        self.record(
            out,
            time_us,
            extra_ns,
            ether_type,
            [packet.header(), packet.body()],
        )
    }

    /// Appends an ARP request of the router for `address`.
    pub fn arp(&self, out: &mut Vec<u8>, time_us: i64, address: u32) -> u32 {
        let mut body = [0; 28];
        body[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
        body[8..14].copy_from_slice(&ROUTER_MAC);
        body[14..18].copy_from_slice(&(address & 0xffff_ff00 | 254).to_be_bytes());
        body[24..28].copy_from_slice(&address.to_be_bytes());
        self.record(out, time_us, 0, ETHER_TYPE_ARP, [&body, &[]])
    }

    fn record(
        &self,
        out: &mut Vec<u8>,
        time_us: i64,
        extra_ns: u32,
        ether_type: u16,
        parts: [&[u8]; 2],
    ) -> u32 {
        let mut link = [0; 18];
        let link_bytes = self.link_header(&mut link, ether_type);
        let content = link_bytes + parts[0].len() + parts[1].len();
        let length = match self.link {
            Link::Ethernet => content.max(ETHERNET_BYTES_MIN),
            Link::Raw | Link::Sll => content,
        };
        self.record_header(out, time_us, extra_ns, length as u32);
        out.extend_from_slice(&link[..link_bytes]);
        out.extend_from_slice(parts[0]);
        out.extend_from_slice(parts[1]);
        const ZEROS: [u8; ETHERNET_BYTES_MIN] = [0; ETHERNET_BYTES_MIN];
        out.extend_from_slice(&ZEROS[..length - content]);
        if self.format == Format::Pcapng {
            let padding = length.next_multiple_of(4) - length;
            out.extend_from_slice(&ZEROS[..padding]);
            out.extend_from_slice(&block_bytes(length as u32).to_le_bytes());
        }
        length as u32
    }

    fn record_header(&self, out: &mut Vec<u8>, time_us: i64, extra_ns: u32, length: u32) {
        let seconds = time_us.div_euclid(SECOND_US) as u32;
        let micros = time_us.rem_euclid(SECOND_US) as u32;
        match self.format {
            Format::Pcap => push_words(out, [seconds, micros, length, length]),
            Format::PcapNanosecond => {
                push_words(out, [seconds, micros * 1000 + extra_ns, length, length]);
            }
            Format::Pcapng => {
                push_words(out, [6, block_bytes(length), 0, (time_us >> 32) as u32]);
                push_words(out, [time_us as u32, length, length]);
            }
        }
    }

    fn link_header(&self, link: &mut [u8; 18], ether_type: u16) -> usize {
        match self.link {
            Link::Raw => 0,
            Link::Ethernet => {
                link[0..6].copy_from_slice(&DARK_MAC);
                link[6..12].copy_from_slice(&ROUTER_MAC);
                let mut end = 12;
                if let Some(vlan) = self.vlan {
                    link[12..14].copy_from_slice(&[0x81, 0]);
                    link[14..16].copy_from_slice(&(vlan & 0x0fff).to_be_bytes());
                    end = 16;
                }
                link[end..end + 2].copy_from_slice(&ether_type.to_be_bytes());
                end + 2
            }
            Link::Sll => {
                link[0..6].copy_from_slice(&[0, 0, 0, 1, 0, 6]);
                link[6..12].copy_from_slice(&ROUTER_MAC);
                link[14..16].copy_from_slice(&ether_type.to_be_bytes());
                16
            }
        }
    }
}

fn block_bytes(length: u32) -> u32 {
    32 + length.next_multiple_of(4)
}

fn push_words<const N: usize>(out: &mut Vec<u8>, words: [u32; N]) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}
