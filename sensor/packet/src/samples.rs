//! Hand-built packets for the tests of this crate.

/// A TCP segment with window 1024, sequence number 0x01020304 and the given options (a multiple of 4 bytes) and data.
#[must_use]
pub fn tcp_segment(
    flags: u8,
    source_port: u16,
    destination_port: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(source_port.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend([1, 2, 3, 4, 0, 0, 0, 0]);
    bytes.extend([
        ((20 + options.len()) / 4 * 16) as u8,
        flags,
        4,
        0,
        0,
        0,
        0,
        0,
    ]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// A UDP datagram.
#[must_use]
pub fn udp_datagram(source_port: u16, destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(source_port.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend((payload.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// An IPv4 packet from 1.2.3.4 to 203.0.113.9 with TTL 54 and identification 0x1234.
#[must_use]
pub fn ipv4_packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((payload.len() as u16 + 20).to_be_bytes());
    bytes.extend([0x12, 0x34, 0, 0, 54, protocol, 0, 0]);
    bytes.extend([1, 2, 3, 4, 203, 0, 113, 9]);
    bytes.extend(payload);
    bytes
}

/// An IPv6 packet from 2a00::1 to 2001:db8::9 with hop limit 54.
#[must_use]
pub fn ipv6_packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next_header, 54]);
    bytes.extend([0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    bytes.extend(payload);
    bytes
}

/// An Ethernet frame with this type.
#[must_use]
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}
