//! FLAGS: the filters of corsaro3 as a bitmap, one row each, so that its users can compare. A flag is what corsaro3 computes for an IPv4
//! packet, its known mistakes included; no flag drops or classifies a packet.
//!
//! Bits are written to the column `flags` of `sources`, together for all packets of a row. A bit never changes its meaning without
//! `FLAGS_VERSION`; what is composed of others is composed once, at the end. Nothing here branches on a packet's content but on
//! its protocol and on whether it carries data.

mod payload;

use teiten_observation::{Address, Family};

use crate::classify::spoofed;
use crate::decode::{Icmp, Packet, Tcp, Transport, Udp};

/// A flag's bit.
pub type Flag = u32;

const TTL_200: Flag = 1 << 0;
const NO_TCP_OPTIONS: Flag = 1 << 1;
const TCP_WIN_1024: Flag = 1 << 2;
const LARGE_SCALE_SCAN: Flag = 1 << 3;
const TTL_200_NONSPOOFED: Flag = 1 << 4;
const FRAGMENTED: Flag = 1 << 5;
const LAST_BYTE_SRC_0: Flag = 1 << 6;
const LAST_BYTE_SRC_255: Flag = 1 << 7;
const SAME_SRC_DST: Flag = 1 << 8;
const UDP_PORT_0: Flag = 1 << 9;
const TCP_PORT_0: Flag = 1 << 10;
const UDP_DESTPORT_80: Flag = 1 << 11;
const ABNORMAL_PROTOCOL: Flag = 1 << 12;
const BACKSCATTER: Flag = 1 << 13;
const RFC5735: Flag = 1 << 14;
const UDP_0X31: Flag = 1 << 15;
const SIP_STATUS: Flag = 1 << 16;
const UDP_IP_LEN_96: Flag = 1 << 17;
const UDP_IP_LEN_1500: Flag = 1 << 18;
const PORT_53: Flag = 1 << 19;
const TCP_PORT_23: Flag = 1 << 20;
const TCP_PORT_80: Flag = 1 << 21;
const TCP_PORT_5000: Flag = 1 << 22;
const DNS_RESP_NON_STANDARD: Flag = 1 << 23;
const NETBIOS_QUERY_NAME: Flag = 1 << 24;
const BITTORRENT: Flag = 1 << 25;
const SPOOFED: Flag = 1 << 26;
const ERRATIC: Flag = 1 << 27;

/// What makes `spoofed`.
const SPOOFED_PARTS: Flag = ABNORMAL_PROTOCOL
    | TTL_200_NONSPOOFED
    | FRAGMENTED
    | LAST_BYTE_SRC_0
    | LAST_BYTE_SRC_255
    | SAME_SRC_DST
    | UDP_PORT_0
    | TCP_PORT_0
    | UDP_DESTPORT_80;
/// What makes `erratic`.
const ERRATIC_PARTS: Flag = SPOOFED
    | UDP_0X31
    | UDP_IP_LEN_96
    | PORT_53
    | TCP_PORT_23
    | TCP_PORT_80
    | TCP_PORT_5000
    | DNS_RESP_NON_STANDARD
    | NETBIOS_QUERY_NAME
    | BACKSCATTER
    | BITTORRENT;

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct FlagRow {
    /// The name by corsaro3.
    pub name: &'static str,
    /// Its bit.
    pub bit: Flag,
    /// The test in words.
    pub words: &'static str,
    /// Its known errors; empty if none is known.
    pub known_false_positives: &'static str,
}

/// Where the filters stand.
pub const SOURCE: &str =
    "corsaro3, libcorsaro/libcorsaro_filtering.c and .h, filters of the same names; IPv4 alone";

const fn row(name: &'static str, bit: Flag, words: &'static str) -> FlagRow {
    wrong_for(name, bit, words, "")
}

const fn wrong_for(
    name: &'static str,
    bit: Flag,
    words: &'static str,
    known_false_positives: &'static str,
) -> FlagRow {
    FlagRow {
        name,
        bit,
        words,
        known_false_positives,
    }
}

/// Every flag, in the order of its bit.
pub static FLAGS: [FlagRow; 28] = [
    wrong_for(
        "ttl-200",
        TTL_200,
        "not ICMP, TTL of 200 or more",
        "routers, and every tool whose probes start with 255: masscan, zmap before 4.1",
    ),
    row(
        "no-tcp-options",
        NO_TCP_OPTIONS,
        "SYN without ACK, TCP data offset 5",
    ),
    row("tcp-win-1024", TCP_WIN_1024, "SYN without ACK, window 1024"),
    wrong_for(
        "large-scale-scan",
        LARGE_SCALE_SCAN,
        "ttl-200, no-tcp-options and tcp-win-1024 together",
        "it misses masscan since 2023-11-07: window 1025 and an option",
    ),
    wrong_for(
        "ttl-200-nonspoofed",
        TTL_200_NONSPOOFED,
        "ttl-200 and not large-scale-scan",
        "any UDP of TTL 200 or more; masscan since 2023-11-07; zmap before 4.1",
    ),
    wrong_for(
        "fragmented",
        FRAGMENTED,
        "fragment offset or reserved bit not 0",
        "first fragments are missed, real later fragments are not forged",
    ),
    wrong_for(
        "last-byte-src-0",
        LAST_BYTE_SRC_0,
        "source address ends in 0",
        "hosts in networks larger than a /24",
    ),
    wrong_for(
        "last-byte-src-255",
        LAST_BYTE_SRC_255,
        "source address ends in 255",
        "hosts in networks larger than a /24",
    ),
    row(
        "same-src-dst",
        SAME_SRC_DST,
        "source address equals destination address",
    ),
    row(
        "udp-port-0",
        UDP_PORT_0,
        "UDP, source or destination port 0",
    ),
    row(
        "tcp-port-0",
        TCP_PORT_0,
        "TCP, source or destination port 0",
    ),
    wrong_for(
        "udp-destport-80",
        UDP_DESTPORT_80,
        "UDP to port 80",
        "scans for QUIC and for open UDP services",
    ),
    wrong_for(
        "abnormal-protocol",
        ABNORMAL_PROTOCOL,
        "neither ICMP, UDP, IPv6 in IPv4 nor TCP; or TCP with flags other than S, A, R, F, SF, SA, FA, AP, FAP",
        "RST and ACK, the usual answer of a closed port; GRE; SCTP scans",
    ),
    wrong_for(
        "backscatter",
        BACKSCATTER,
        "UDP from port 53; ICMP 0, 3, 4, 5, 11, 12, 14, 16, 18; TCP with SYN and ACK, or RST",
        "DNS requests from port 53; replies of other UDP services are missed",
    ),
    row(
        "rfc5735",
        RFC5735,
        "source in special-purpose space, by the registry of RFC 6890 (which adds 100.64.0.0/10), or multicast",
    ),
    row(
        "udp-0x31",
        UDP_0X31,
        "UDP, IP length 58, eight bytes of 0, then 31 00",
    ),
    row(
        "sip-status",
        SIP_STATUS,
        "UDP, data that begins with SIP/2.0 and a space",
    ),
    wrong_for(
        "udp-ip-len-96",
        UDP_IP_LEN_96,
        "UDP, IP length 96",
        "any datagram of 68 bytes of data",
    ),
    wrong_for(
        "udp-ip-len-1500",
        UDP_IP_LEN_1500,
        "UDP, IP length 1500",
        "any datagram that fills an Ethernet frame",
    ),
    row(
        "port-53",
        PORT_53,
        "TCP or UDP, source or destination port 53",
    ),
    row(
        "tcp-port-23",
        TCP_PORT_23,
        "TCP, source or destination port 23",
    ),
    row(
        "tcp-port-80",
        TCP_PORT_80,
        "TCP, source or destination port 80",
    ),
    row(
        "tcp-port-5000",
        TCP_PORT_5000,
        "TCP, source or destination port 5000",
    ),
    row(
        "dns-resp-non-standard",
        DNS_RESP_NON_STANDARD,
        "UDP, IP length above 42, DNS flags 818x, each count below 10, on any port",
    ),
    row(
        "netbios-query-name",
        NETBIOS_QUERY_NAME,
        "UDP from and to 137, IP length above 48, a name that begins with CKAAAA at byte 12",
    ),
    wrong_for(
        "bittorrent",
        BITTORRENT,
        "UDP, one of five forms of DHT and uTP by length and bytes",
        "two of the forms are two bytes and a length",
    ),
    wrong_for(
        "spoofed",
        SPOOFED,
        "abnormal-protocol, ttl-200-nonspoofed, fragmented, last-byte-src-0, last-byte-src-255, same-src-dst, udp-port-0, tcp-port-0 or udp-destport-80",
        "those of its parts",
    ),
    wrong_for(
        "erratic",
        ERRATIC,
        "spoofed, udp-0x31, udp-ip-len-96, port-53, tcp-port-23, tcp-port-80, tcp-port-5000, dns-resp-non-standard, netbios-query-name, backscatter or bittorrent",
        "its complement leaves out scans of telnet and HTTP: no measure of attacks",
    ),
];

/// The flags of a packet; none for IPv6.
#[inline(always)]
#[must_use]
pub fn flags<A: Address>(packet: &Packet<'_, A>) -> Flag {
    if A::FAMILY != Family::Ipv4 {
        return 0;
    }
    let own = of_header(packet) | of_transport(packet);
    composed(own)
}

/// The flags of an IPv4 packet with this TCP header.
#[inline(always)]
pub(crate) fn flags_of_tcp<A: Address>(packet: &Packet<'_, A>, tcp: &Tcp) -> Flag {
    composed(of_header(packet) | of_tcp(tcp))
}

#[inline(always)]
const fn on(condition: bool, flag: Flag) -> Flag {
    // A mask in place of a branch: all bits where the condition holds.
    (condition as u32).wrapping_neg() & flag
}

#[inline(always)]
const fn composed(own: Flag) -> Flag {
    const ALL_THREE: Flag = TTL_200 | NO_TCP_OPTIONS | TCP_WIN_1024;
    let is_scan = own & ALL_THREE == ALL_THREE;
    let flags = own
        | on(is_scan, LARGE_SCALE_SCAN)
        | on(own & TTL_200 != 0 && !is_scan, TTL_200_NONSPOOFED);
    let flags = flags | on(flags & SPOOFED_PARTS != 0, SPOOFED);
    flags | on(flags & ERRATIC_PARTS != 0, ERRATIC)
}

#[inline(always)]
fn of_header<A: Address>(packet: &Packet<'_, A>) -> Flag {
    let source = packet.source.number() as u32;
    let is_fragment = packet.fragment_offset_bytes != 0 || packet.reserved_fragment_bit;
    on(packet.protocol != 1 && packet.time_to_live >= 200, TTL_200)
        | on(is_fragment, FRAGMENTED)
        | on(source as u8 == 0, LAST_BYTE_SRC_0)
        | on(source as u8 == 255, LAST_BYTE_SRC_255)
        | on(packet.source == packet.destination, SAME_SRC_DST)
        | on(is_special(source), RFC5735)
}

/// The deprecated relay prefix of 6to4 is in the registry, though a host can send from it.
#[inline(always)]
fn is_special(source: u32) -> bool {
    const SIX_TO_FOUR: u32 = 0xc058_6300;
    spoofed::is_special(source) || source & 0xffff_ff00 == SIX_TO_FOUR
}

#[inline(always)]
fn of_transport<A: Address>(packet: &Packet<'_, A>) -> Flag {
    match &packet.transport {
        Transport::Tcp(tcp) => of_tcp(tcp),
        Transport::Udp(udp) => of_udp(packet, udp),
        Transport::Icmp(icmp) => of_icmp(icmp),
        _ => of_others(packet),
    }
}

/// Flag bytes that corsaro3 takes for normal, a bit for each value of the six flags.
const NORMAL_FLAGS: u64 = {
    const F: u64 = 1;
    const S: u64 = 2;
    const R: u64 = 4;
    const P: u64 = 8;
    const A: u64 = 16;
    1 << S
        | 1 << A
        | 1 << R
        | 1 << F
        | 1 << (S | F)
        | 1 << (S | A)
        | 1 << (F | A)
        | 1 << (A | P)
        | 1 << (F | A | P)
};

#[inline(always)]
fn of_tcp(tcp: &Tcp) -> Flag {
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;
    let is_request = tcp.flags & (SYN | ACK) == SYN;
    let is_bare = tcp.complete && tcp.options.is_empty();
    let is_reply = tcp.flags & (SYN | ACK) == SYN | ACK || tcp.flags & RST != 0;
    on(is_request && is_bare, NO_TCP_OPTIONS)
        | on(is_request && tcp.window == 1024, TCP_WIN_1024)
        | on(is_reply, BACKSCATTER)
        | on(
            NORMAL_FLAGS >> (tcp.flags & 0x3f) & 1 == 0,
            ABNORMAL_PROTOCOL,
        )
        | of_tcp_ports(tcp.source_port, tcp.destination_port)
}

#[inline(always)]
const fn of_tcp_ports(source: u16, destination: u16) -> Flag {
    let (from, to) = (source, destination);
    on(from == 0 || to == 0, TCP_PORT_0)
        | on(from == 53 || to == 53, PORT_53)
        | on(from == 23 || to == 23, TCP_PORT_23)
        | on(from == 80 || to == 80, TCP_PORT_80)
        | on(from == 5000 || to == 5000, TCP_PORT_5000)
}

#[inline(always)]
const fn of_udp_ports(source: u16, destination: u16) -> Flag {
    on(source == 0 || destination == 0, UDP_PORT_0)
        | on(destination == 80, UDP_DESTPORT_80)
        | on(source == 53 || destination == 53, PORT_53)
        | on(source == 53, BACKSCATTER)
}

const fn of_udp_length(ip_length_bytes: u32) -> Flag {
    on(ip_length_bytes == 96, UDP_IP_LEN_96) | on(ip_length_bytes == 1500, UDP_IP_LEN_1500)
}

#[inline(never)]
fn of_udp<A: Address>(packet: &Packet<'_, A>, udp: &Udp) -> Flag {
    let ip_length_bytes = packet.ip_length_bytes;
    let data = payload::Datagram {
        ip_length_bytes,
        source_port: udp.source_port,
        destination_port: udp.destination_port,
        payload: udp.payload,
    };
    of_udp_length(ip_length_bytes)
        | of_udp_ports(udp.source_port, udp.destination_port)
        | on(payload::is_0x31(&data), UDP_0X31)
        | on(payload::is_sip_status(&data), SIP_STATUS)
        | on(payload::is_dns_response(&data), DNS_RESP_NON_STANDARD)
        | on(payload::is_netbios_query(&data), NETBIOS_QUERY_NAME)
        | on(payload::is_bittorrent(&data), BITTORRENT)
}

fn of_icmp(icmp: &Icmp) -> Flag {
    const REPLIES: u32 =
        1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 16 | 1 << 18;
    let is_reply = icmp.icmp_type < 32 && REPLIES >> (icmp.icmp_type & 31) & 1 != 0;
    on(is_reply, BACKSCATTER)
}

/// Headers of which at most the ports were captured, later fragments, and other protocols.
#[inline(never)]
fn of_others<A: Address>(packet: &Packet<'_, A>) -> Flag {
    let ports = match (packet.protocol, packet.ports()) {
        (6, Some((source, destination))) => of_tcp_ports(source, destination),
        (17, Some((source, destination))) => of_udp_ports(source, destination),
        _ => 0,
    };
    let length = if packet.protocol == 17 {
        of_udp_length(packet.ip_length_bytes)
    } else {
        0
    };
    let is_usual = matches!(packet.protocol, 1 | 6 | 17 | 41);
    ports | length | on(!is_usual, ABNORMAL_PROTOCOL)
}

/// The names of the flags in a bitmap, in the order of their bits.
pub fn names(flags: Flag) -> impl Iterator<Item = &'static str> {
    FLAGS
        .iter()
        .filter(move |row| flags & row.bit != 0)
        .map(|row| row.name)
}

#[cfg(test)]
mod tests;
