//! Peer-to-peer networks and local services that talk to an address by mistake: a former holder's, a garbled one, a leaked one.

use teiten_observation::Class::Misconfiguration;

use super::Ports::{Any, To};
use super::{Payload, Ports, Signature, ber};

/// A payload that reached this address by mistake.
pub(super) const fn stray(
    name: &'static str,
    ports: Ports,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class: Misconfiguration,
        ports,
        first,
        test,
        source,
    }
}

/// Stray datagrams.
pub(super) const UDP: &[Signature] = &[
    stray(
        "dhcp",
        To(&[67, 68]),
        &[1, 2],
        |payload| {
            matches!(payload.byte(1), 1 | 6) && payload.byte(2) <= 16 && payload.bytes.len() >= 44
        },
        "RFC 2131 2",
    ),
    stray(
        "netbios-datagram",
        To(&[138]),
        &[0x10, 0x11, 0x12],
        |payload| payload.byte(1) & 0xf0 == 0 && payload.bytes.len() >= 14,
        "RFC 1002 4.4",
    ),
    stray(
        "snmp-trap",
        To(&[162]),
        b"0",
        |payload| ber::snmp(payload.bytes).is_some(),
        "RFC 3416 3",
    ),
    stray(
        "syslog",
        To(&[514]),
        b"<",
        |payload| payload.byte(1).is_ascii_digit(),
        "RFC 5424 6",
    ),
    stray(
        "flow-export",
        To(&[2055, 4739, 9995, 9996]),
        &[0],
        |payload| matches!(payload.byte(1), 5 | 9 | 10) && payload.bytes.len() >= 16,
        "RFC 3954 5, RFC 7011 3.1",
    ),
    stray(
        "sflow",
        To(&[6343]),
        &[0],
        |payload| payload.starts_with(&[0, 0, 0, 5, 0, 0, 0]),
        "sFlow version 5",
    ),
    stray(
        "dropbox-lan-sync",
        To(&[17500]),
        b"{",
        |payload| payload.starts_with(b"{\""),
        "Dropbox LAN sync discovery",
    ),
    stray(
        "ssdp-notify",
        Any,
        b"N",
        |payload| payload.starts_with(b"NOTIFY * HTTP/1.1"),
        "UPnP Device Architecture 1.1, 1.2",
    ),
    stray("bittorrent-dht", Any, b"d", is_dht, "BEP 5"),
    stray(
        "bittorrent-tracker",
        Any,
        &[0],
        |payload| payload.starts_with(&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80]),
        "BEP 15",
    ),
    stray("bittorrent-utp", Any, &[0x41], is_utp_syn, "BEP 29: ST_SYN"),
    stray(
        "azureus-dht",
        Any,
        &[],
        |payload| {
            payload.byte(0) & 0x80 != 0
                && matches!(payload.big_endian_32(8), Some(1024..=1035))
                && payload.byte(16) <= 0x40
                && payload.bytes.len() >= 28
        },
        "Vuze wiki, Distributed hash table: a connection identifier, an action",
    ),
    stray(
        "bittorrent-local",
        To(&[6771]),
        b"B",
        |payload| payload.starts_with(b"BT-SEARCH"),
        "BEP 14",
    ),
    stray(
        "edonkey",
        Any,
        &[0xe3, 0xe4, 0xe5, 0xc5],
        is_edonkey,
        "eMule 0.50a, opcodes.h; Kademlia 2",
    ),
    stray(
        "gnutella",
        Any,
        b"G",
        |payload| payload.starts_with(b"GND") || payload.starts_with(b"GNUTELLA"),
        "Gnutella 0.6, Gnutella2 UDP transceiver",
    ),
    stray(
        "steam-streaming",
        To(&[27036]),
        &[0xff],
        |payload| payload.starts_with(&[0xff, 0xff, 0xff, 0xff, 0x21, 0x4c, 0x5f, 0xa0]),
        "Steam in-home streaming discovery",
    ),
    stray(
        "wireguard-transport",
        Any,
        &[4],
        |payload| {
            payload.starts_with(&[4, 0, 0, 0])
                && payload.bytes.len() >= 32
                && payload.bytes.len().is_multiple_of(16)
        },
        "WireGuard protocol, data message",
    ),
    stray(
        "gtp-tunnel",
        To(&[2152]),
        &[0x30, 0x32, 0x34, 0x36],
        |payload| matches!(payload.bytes, [_, 0xff, _, _, _, _, _, _, ..]),
        "3GPP TS 29.281 5.1: G-PDU",
    ),
    stray(
        "wake-on-lan",
        To(&[7, 9, 40000]),
        &[0xff],
        |payload| payload.starts_with(&[0xff; 6]) && payload.bytes.len() >= 102,
        "AMD, Magic Packet, 1995",
    ),
];

/// Stray segments.
pub(super) const TCP: &[Signature] = &[
    stray(
        "bittorrent-handshake",
        Any,
        &[19],
        |payload| payload.starts_with(b"\x13BitTorrent protocol"),
        "BEP 3",
    ),
    stray(
        "gnutella-connect",
        Any,
        b"G",
        |payload| payload.starts_with(b"GNUTELLA "),
        "Gnutella 0.6",
    ),
    stray(
        "edonkey-hello",
        Any,
        &[0xe3, 0xc5],
        |payload| {
            payload.byte(5) == 1
                && payload.byte(3) == 0
                && payload.byte(4) == 0
                && payload.bytes.len() >= 20
        },
        "eMule 0.50a, opcodes.h: OP_HELLO",
    ),
];

/// A dictionary whose first key is one of the protocol's: a, e, ip, q, r, t, v, y.
fn is_dht(payload: &Payload) -> bool {
    match payload.bytes {
        [b'd', b'1', b':', key, ..] => b"aeqrtvy".contains(key),
        bytes => bytes.starts_with(b"d2:ip"),
    }
}

/// Version 1, nothing acknowledged, and no longer than the extension says. The first sequence number is 1 in BEP 29 and random in libutp,
/// so it is not checked.
fn is_utp_syn(payload: &Payload) -> bool {
    let has_extension = match payload.byte(1) {
        0 => false,
        1 | 2 => true,
        _ => return false,
    };
    payload.bytes.len() >= 20
        && has_extension == (payload.bytes.len() > 20)
        && payload.big_endian_16(18) == Some(0)
}

/// The protocol byte, then an operation of that protocol, in a datagram as long as the operation wants.
fn is_edonkey(payload: &Payload) -> bool {
    let length = payload.bytes.len();
    match payload.bytes {
        // Servers: status, search, sources, lists, descriptions.
        [0xe3, operation, ..] => match operation {
            0x96 => length == 6,
            0x94 | 0x9a => length >= 18 && (length - 2).is_multiple_of(4),
            0x97 => (14..=64).contains(&length),
            0xa2 => matches!(length, 2 | 6),
            // A search begins with the kind of its first term, a list of servers with their number, six bytes each.
            0x90 | 0x92 | 0x98 => payload.byte(2) <= 4 && length >= 4,
            0xa0 | 0xa4 => length <= 6,
            0xa1 => length == 3 + 6 * usize::from(payload.byte(2)),
            _ => false,
        },
        // Kademlia, plain and packed by zlib, whose streams begin with 0x78.
        [0xe4, operation, ..] => is_kademlia(*operation, length),
        [0xe5, 0x00..=0x62, 0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => true,
        // Clients: file requests and their answers, a test of the port.
        [0xc5, 0x90, ..] => length >= 18,
        [0xc5, 0x91..=0x93, ..] => length <= 4,
        [0xc5, 0xfe, ..] => length == 3,
        _ => false,
    }
}

/// Whether a Kademlia message of this operation can have this length, both bytes of the header included. An identifier has 16 bytes, a
/// contact 25.
const fn is_kademlia(operation: u8, length: usize) -> bool {
    match operation {
        // Bootstrap, ping, pong.
        0x01 | 0x60 | 0x59 => length == 2,
        0x61 => length == 4,
        // Hello of the first version, and bootstrap: identifier, address, ports, type.
        0x00 | 0x10 | 0x18 => length == 27,
        0x11 | 0x19 => length >= 22 && length <= 64,
        0x22 => length == 19,
        // Requests for contacts: kind, target, receiver; and the contacts.
        0x20 | 0x21 => length == 35,
        0x28 | 0x29 => length >= 19 && (length - 19).is_multiple_of(25),
        0x08 | 0x09 => length >= 23,
        // Searches for words, sources and notes.
        0x33 => length == 20,
        0x34 => length == 28,
        0x35 => length == 26,
        // Firewall checks and buddies.
        0x50 => length == 4,
        0x53 => length == 21,
        0x58 => length == 6,
        0x62 => length == 5,
        0x51 | 0x52 | 0x5a => length == 36,
        0x4b => length == 18 || length == 19,
        // Results and publications: an identifier and more.
        0x3b | 0x43..=0x45 => length >= 36,
        _ => false,
    }
}
