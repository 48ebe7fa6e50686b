//! The quick way for the packets that make the mass of a telescope's traffic: SYNs without data from a possible source, in a plain Ethernet
//! frame. [`PlainSyn`] says of them what [`judge()`](crate::judge()) says, from the same tests, at a fraction of the cost: most of what those
//! ask is known beforehand.

use teiten_observation::{Class, Kind, TrafficType};

use crate::LinkType;
use crate::classify::spoofed::{SourceValidity, standing};
use crate::classify::{Rule, scan};
use crate::decode::{Packet, Tcp, Transport};
use crate::fingerprint::{stack_of, syn_traces};
use crate::flags::flags_of_tcp;
use crate::judge::{Frame, Observed};
use crate::telescope::{Place, Telescope};

/// Ethernet, IPv4 and TCP without options.
const HEADERS_BYTES: usize = ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES;
const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const TCP_BYTES: usize = 20;
const TCP: u8 = 6;
/// What the fields of a plain SYN are; the others are free.
const IPV4_BARE: [u8; 3] = [0x08, 0x00, 0x45];
const FRAGMENT_BITS: u16 = 0x3fff;
const SIX_FLAGS: u8 = 0x3f;
const SYN: u8 = 0x02;

/// The rule that decides on every plain SYN.
const RULE: &Rule = &scan::TCP_SYN;
const _: () = assert!(matches!(RULE.class, Class::Scan) && RULE.test.is_none());

/// A SYN that was captured whole, with neither IP options nor data, from a source that can exist.
#[derive(Clone, Copy, Debug)]
pub struct PlainSyn<'a> {
    packet: Packet<'a, u32>,
    tcp: Tcp<'a>,
}

impl<'a> PlainSyn<'a> {
    /// Reads a frame; `None` if it is anything else.
    #[inline(always)]
    #[must_use]
    pub fn read(frame: Frame<'a>) -> Option<Self> {
        let header = frame.captured.first_chunk::<HEADERS_BYTES>()?;
        let half = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let word = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let total = usize::from(half(16));
        let fragment = half(20);
        let is_plain = frame.link_type == LinkType::ETHERNET
            && header[12..15] == IPV4_BARE
            && header[23] == TCP
            && fragment & FRAGMENT_BITS == 0
            && header[47] & SIX_FLAGS == SYN
            && usize::from(header[46] >> 4) * 4 + IPV4_BYTES == total;
        if !is_plain {
            return None;
        }
        let options = frame.captured.get(HEADERS_BYTES..ETHERNET_BYTES + total)?;
        let (source, destination) = (word(26), word(30));
        if standing(source, destination) != SourceValidity::Possible {
            return None;
        }
        let tcp = Tcp {
            source_port: half(34),
            destination_port: half(36),
            sequence: word(38),
            acknowledgment: word(42),
            flags: header[47],
            window: half(48),
            complete: true,
            options,
            payload: &[],
        };
        let packet = Packet {
            source,
            destination,
            ip_length_bytes: total as u32,
            protocol: TCP,
            time_to_live: header[22],
            identification: half(18),
            fragment_offset_bytes: 0,
            more_fragments: false,
            dont_fragment: fragment & 0x4000 != 0,
            reserved_fragment_bit: fragment & 0x8000 != 0,
            damage: None,
            transport: Transport::Tcp(tcp),
        };
        Some(PlainSyn { packet, tcp })
    }

    /// Its place by the telescope.
    #[inline(always)]
    #[must_use]
    pub fn place(&self, telescope: &Telescope) -> Place {
        telescope.place(self.packet.source, self.packet.destination)
    }

    /// What is known of it.
    #[inline(always)]
    #[must_use]
    pub fn observed(&self) -> Observed<'a, u32> {
        let (packet, tcp) = (&self.packet, &self.tcp);
        let traces = syn_traces(packet, tcp);
        Observed {
            source: packet.source,
            destination: packet.destination,
            protocol: TCP,
            ports: Some((tcp.source_port, tcp.destination_port)),
            kind: Kind::marked(
                TrafficType::TcpSyn,
                RULE.class,
                traces.mark,
                TCP,
                Some(tcp.destination_port),
            ),
            rule: RULE,
            flags: flags_of_tcp(packet, tcp),
            stack: stack_of(packet, tcp),
            pair: traces.pair,
            payload: &[],
            signature: None,
            quotation: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzz::check_frame;
    use crate::samples::{ethernet, ipv4_packet, tcp_segment};

    /// Lists that tools and systems send.
    const LISTS: [&[u8]; 6] = [
        &[],
        &[2, 4, 5, 0xb4],
        &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2],
        &[
            2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
        ],
        &[
            2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0,
        ],
        &[8, 0, 8, 0],
    ];

    fn frame(captured: &[u8]) -> Frame<'_> {
        Frame {
            link_type: LinkType::ETHERNET,
            captured,
            wire_bytes: captured.len() as u32,
        }
    }

    fn syn(list: usize) -> Vec<u8> {
        ethernet(
            0x0800,
            &ipv4_packet(TCP, &tcp_segment(SYN, 40000, 23, LISTS[list], b"")),
        )
    }

    /// Whether a frame is read; both ways agree on it.
    fn is_read(captured: &[u8]) -> bool {
        check_frame(frame(captured));
        let syn = PlainSyn::read(frame(captured));
        let everything = Telescope::new(&[], &[]);
        syn.is_some_and(|syn| syn.place(&everything) == Place::Observed)
    }

    #[test]
    fn a_plain_syn_is_read_and_nothing_else_is() {
        let plain = syn(2);
        assert!(is_read(&plain));
        let changed = |at: usize, value: u8| {
            let mut bytes = plain.clone();
            bytes[at] = value;
            is_read(&bytes)
        };
        // A type, IP options, a length, a later and a first fragment, a protocol, a source that cannot exist, other flags, data.
        for (at, value) in [
            (13, 0x06),
            (14, 0x46),
            (17, 53),
            (21, 1),
            (20, 0x20),
            (23, 17),
            (26, 127),
            (47, 0x12),
            (46, 0x50),
        ] {
            assert!(!changed(at, value), "byte {at}");
        }
        // The two fragment flags that a whole packet can have, the two flags of congestion notification, a trailer.
        for (at, value) in [(20, 0xc0), (47, 0xc2)] {
            assert!(changed(at, value), "byte {at}");
        }
        assert!(is_read(&[&plain[..], &[0; 6]].concat()));
        assert!(!is_read(&plain[..plain.len() - 1]));
        let raw = Frame {
            link_type: LinkType::RAW,
            ..frame(&plain)
        };
        assert!(PlainSyn::read(raw).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Marks are drawn as well: the sequence number and the identification are often what a tool makes of the destination.
        #[test]
        fn it_is_judged_as_the_full_way_judges_it(
            list in 0..LISTS.len(),
            source: u32,
            destination: u32,
            ports: (u16, u16),
            sequence in prop_oneof![any::<u32>().prop_map(Some), Just(None)],
            identification in prop_oneof![any::<u16>().prop_map(Some), Just(Some(54321)), Just(None)],
            window in prop_oneof![any::<u16>(), Just(65535), Just(1024), Just(1025)],
            time_to_live: u8,
            bits in prop_oneof![Just(0_u8), Just(0x40), Just(0x80), Just(0xc0)],
            change in prop::option::of((0..78_usize, any::<u8>())),
        ) {
            let mut bytes = syn(list);
            let sequence = sequence.unwrap_or(destination);
            let masscan = (destination ^ u32::from(ports.1) ^ sequence) as u16;
            bytes[18..20].copy_from_slice(&identification.unwrap_or(masscan).to_be_bytes());
            (bytes[20], bytes[22]) = (bits, time_to_live);
            bytes[26..30].copy_from_slice(&source.to_be_bytes());
            bytes[30..34].copy_from_slice(&destination.to_be_bytes());
            bytes[34..36].copy_from_slice(&ports.0.to_be_bytes());
            bytes[36..38].copy_from_slice(&ports.1.to_be_bytes());
            bytes[38..42].copy_from_slice(&sequence.to_be_bytes());
            bytes[48..50].copy_from_slice(&window.to_be_bytes());
            if let Some((at, value)) = change
                && let Some(byte) = bytes.get_mut(at)
            {
                *byte = value;
            }
            is_read(&bytes);
        }
    }
}
