//! The flags that look at the data of a datagram. Where corsaro3 reads bytes that were not captured, these hold nothing.

/// A datagram as these tests see it.
pub(super) struct Datagram<'a> {
    /// Length by the IP header, bytes.
    pub ip_length_bytes: u32,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Data, as far as it was captured.
    pub payload: &'a [u8],
}

pub(super) fn is_0x31(datagram: &Datagram) -> bool {
    datagram.ip_length_bytes == 58
        && datagram
            .payload
            .starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0x31, 0])
}

pub(super) fn is_sip_status(datagram: &Datagram) -> bool {
    datagram.payload.starts_with(b"SIP/2.0 ")
}

/// QR, RD and RA set, opcode 0, no truncation; the lowest four bits are the response code.
pub(super) fn is_dns_response(datagram: &Datagram) -> bool {
    let Some(header) = datagram.payload.first_chunk::<12>() else {
        return false;
    };
    datagram.ip_length_bytes > 42
        && header[2] == 0x81
        && header[3] & 0xf0 == 0x80
        && header[4..]
            .chunks_exact(2)
            .all(|count| count[0] == 0 && count[1] < 10)
}

pub(super) fn is_netbios_query(datagram: &Datagram) -> bool {
    datagram.source_port == 137
        && datagram.destination_port == 137
        && datagram.ip_length_bytes > 48
        && datagram
            .payload
            .get(12..20)
            .is_some_and(|name| name == b"\x20CKAAAAA")
}

pub(super) fn is_bittorrent(datagram: &Datagram) -> bool {
    let payload = datagram.payload;
    is_dht(payload)
        || payload
            .get(20..40)
            .is_some_and(|text| text == b"\x13BitTorrent protocol")
        || is_transport_protocol(datagram)
}

/// A DHT query or reply: a dictionary whose first key, `a` or `r`, holds an `id` of 20 bytes.
fn is_dht(payload: &[u8]) -> bool {
    payload.starts_with(b"d1:ad2:id20:") || payload.starts_with(b"d1:rd2:id20:")
}

/// uTP by its first two bytes, and an end, a length or a body that uTP's own senders have.
fn is_transport_protocol(datagram: &Datagram) -> bool {
    let Some(&start) = datagram.payload.first_chunk::<2>() else {
        return false;
    };
    const END: [u8; 10] = [0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    const BODY: &[u8] = &[
        0x7f, 0xff, 0xff, 0xff, 0xab, 2, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,
    ];
    let has_extension = matches!(
        start,
        [0x41, 0x02] | [0x21, 0x02] | [0x31, 0x02] | [0x11, 0x02]
    );
    let is_short = matches!(
        start,
        [0x41, 0x00] | [0x21, 0x00] | [0x31, 0x02] | [0x11, 0x00]
    );
    has_extension && datagram.ip_length_bytes >= 58 && datagram.payload.ends_with(&END)
        || is_short && datagram.ip_length_bytes == 48
        || datagram.ip_length_bytes == 61
            && datagram
                .payload
                .get(12..32)
                .is_some_and(|body| body == BODY)
}
