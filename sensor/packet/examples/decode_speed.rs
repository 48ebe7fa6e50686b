//! Nanoseconds a packet for decoding alone and for all of `judge`, over a million varied packets in memory: plain SYNs, a telescope's
//! mix, and full frames of data. `cargo run --release -p teiten-packet --example decode_speed`

use std::hint::black_box;

use teiten_packet::decode::{Decoded, decode_record};
use teiten_packet::observation::Observation;
use teiten_packet::{Frame, Judgement, LinkType, Telescope, judge};

const PACKETS: usize = 1_000_000;
const ROUNDS: usize = 12;
/// Observations that wait until they are counted.
const BATCH: usize = 4096;
/// Full frames: fewer, as they fill the memory.
const DATA_PACKETS: usize = 100_000;

fn main() {
    measure("TCP SYN, no options", &packets(|_| syn(&[])));
    measure(
        "TCP SYN, five options",
        &packets(|_| {
            syn(&[
                2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
            ])
        }),
    );
    measure("mix of a telescope", &packets(mixed));
    let data = |start: &'static [u8], fill: &'static [u8]| {
        measure(
            &format!("data: {}", start.escape_ascii()),
            &some_packets(DATA_PACKETS, move |_| tcp_data(start, fill)),
        );
    };
    data(
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"Accept: text/html, */*\r\n",
    );
    data(
        b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NewNTPServer;/shell/GponForm$(",
    );
    data(b"GET ", b"/");
    data(b"GET /", b"${jnd");
    data(b"\x80\x81\x82", b"\x80\x81\x82");
    measure(
        "data: M-SEARCH",
        &some_packets(DATA_PACKETS, |_| {
            udp(&filled(b"M-SEARCH * HTTP/1.1\r\n", b";cd;wge`"), 1900)
        }),
    );
}

/// As much data as a frame holds: 1,448 bytes that start so and go on with `fill`.
fn filled(start: &[u8], fill: &[u8]) -> Vec<u8> {
    let fill = fill.iter().cycle();
    start.iter().chain(fill).take(1448).copied().collect()
}

fn tcp_data(start: &[u8], fill: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8];
    segment.extend([0x50, 0x18, 4, 1, 0, 0, 0, 0]);
    segment.extend(filled(start, fill));
    ip(6, &segment)
}

/// 90 % SYN, 4 % replies, 4 % UDP (half of it known requests), 2 % ICMP.
fn mixed(number: usize) -> Vec<u8> {
    match number.wrapping_mul(2_654_435_761) >> 7 & 127 {
        0..=3 => udp(
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\xff\0\x01",
            53,
        ),
        4..=5 => udp(&[0x55; 40], 40000),
        6..=8 => ip(1, &[8, 0, 0, 0, 0, 1, 0, 1]),
        9..=13 => tcp(0x12, &[2, 4, 5, 0xb4]),
        14..=60 => syn(&[2, 4, 5, 0xb4]),
        _ => syn(&[]),
    }
}

fn syn(options: &[u8]) -> Vec<u8> {
    tcp(2, options)
}

fn tcp(flags: u8, options: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0, 23, 1, 2, 3, 4, 0, 0, 0, 0];
    segment.extend([
        ((20 + options.len()) / 4 * 16) as u8,
        flags,
        4,
        1,
        0,
        0,
        0,
        0,
    ]);
    segment.extend(options);
    ip(6, &segment)
}

fn udp(payload: &[u8], port: u16) -> Vec<u8> {
    let mut datagram = vec![0x9c, 0x40];
    datagram.extend(port.to_be_bytes());
    datagram.extend((payload.len() as u16 + 8).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ip(17, &datagram)
}

fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((payload.len() as u16 + 20).to_be_bytes());
    frame.extend([
        0x12, 0x34, 0, 0, 54, protocol, 0, 0, 1, 2, 3, 4, 203, 0, 113, 9,
    ]);
    frame.extend(payload);
    frame.resize(frame.len().max(60), 0);
    frame
}

struct Packets {
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
}

/// The packets one behind the other, with sources, destinations, sequence numbers and identifications of their own.
fn packets(build: impl Fn(usize) -> Vec<u8>) -> Packets {
    some_packets(PACKETS, build)
}

fn some_packets(count: usize, build: impl Fn(usize) -> Vec<u8>) -> Packets {
    let mut packets = Packets {
        bytes: Vec::new(),
        places: Vec::new(),
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..count {
        let mut frame = build(number);
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let random = state.to_be_bytes();
        frame[18..20].copy_from_slice(&random[..2]);
        frame[26..30].copy_from_slice(&random[2..6]);
        // Most sources are ordinary ones.
        frame[26] = 1 + frame[26] % 8;
        frame[33] = random[3];
        frame[38..42].copy_from_slice(&random[1..5]);
        packets
            .places
            .push((packets.bytes.len() as u32, frame.len() as u32));
        packets.bytes.extend(frame);
    }
    packets
}

fn measure(name: &str, packets: &Packets) {
    let telescope = Telescope::new(&["203.0.113.0/24".parse().expect("a prefix")], &[]);
    let mut decode_ns = f64::MAX;
    let mut all_ns = f64::MAX;
    // A worker's batch: what it keeps of each packet must be written somewhere.
    let mut batch: Vec<Observation<u32>> = Vec::with_capacity(BATCH);
    for _ in 0..ROUNDS {
        decode_ns = decode_ns.min(time(packets, |captured| {
            match decode_record(LinkType::ETHERNET, captured, captured.len() as u32) {
                Decoded::Ipv4(packet) => u64::from(packet.source),
                _ => 0,
            }
        }));
        all_ns = all_ns.min(time(packets, |captured| {
            if batch.len() == BATCH {
                black_box(&batch);
                batch.clear();
            }
            let frame = Frame {
                link_type: LinkType::ETHERNET,
                captured,
                wire_bytes: captured.len() as u32,
            };
            match judge(&telescope, frame) {
                Judgement::Ipv4(packet) => {
                    batch.push(packet.at(0, frame.wire_bytes));
                    packet.payload.len() as u64
                }
                _ => 0,
            }
        }));
    }
    println!("{name}: decode {decode_ns:.1} ns, judge {all_ns:.1} ns a packet");
}

fn time(packets: &Packets, mut read: impl FnMut(&[u8]) -> u64) -> f64 {
    let start_ns = cpu_ns();
    let mut sum = 0_u64;
    for &(offset, length) in &packets.places {
        let captured = &packets.bytes[offset as usize..][..length as usize];
        sum = sum.wrapping_add(read(captured));
    }
    black_box(sum);
    (cpu_ns() - start_ns) as f64 / packets.places.len() as f64
}

/// Time that this thread has spent on a processor; on a shared machine the clock on the wall tells of the neighbours.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel");
    text.split_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .expect("the first field is a number")
}
