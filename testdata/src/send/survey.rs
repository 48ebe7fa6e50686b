//! Survey scanners: few sources, half of the packets, every port. Tools are shaped after their own sources, named at each sender.

use super::Probe;
use crate::clock::SECOND_US;
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{Envelope, Tcp, flag, protocol};
use crate::random::{hash, weighted};
use crate::stack::{BARE, BSD, LINUX, Layout, MSS_ONLY, OPTION_BYTES_MAX, WINDOWS, stack_of};

/// How long a scanner that sweeps port by port stays with one.
const SWEEP_US: i64 = 600 * SECOND_US;

/// Services that surveys come back to.
const SERVICES: &[(u32, u16)] = &[
    (10, 80),
    (10, 443),
    (8, 22),
    (6, 8080),
    (5, 3389),
    (5, 21),
    (5, 25),
    (5, 8443),
    (4, 23),
    (4, 445),
    (3, 3306),
    (3, 5900),
    (3, 6379),
    (3, 9200),
    (3, 27017),
    (3, 1433),
    (2, 5432),
    (2, 11211),
    (2, 502),
    (2, 102),
    (2, 2222),
    (2, 2375),
    (2, 5060),
    (2, 110),
    (2, 143),
    (2, 993),
    (2, 995),
    (2, 587),
    (2, 8888),
    (2, 9090),
];

/// The port of this packet: half of the surveys jump over all ports, half stay with one for ten minutes.
pub(super) fn port(probe: &mut Probe<'_>) -> u16 {
    let bits = if probe.source.seed & 1 == 0 {
        probe.random.next_u64()
    } else {
        hash(
            u64::from(probe.source.seed),
            probe.time_us.div_euclid(SWEEP_US) as u64,
        )
    };
    if bits & 0xff < 64 {
        *weighted(SERVICES, bits)
    } else {
        (bits >> 16) as u16
    }
}

struct Shape {
    layout: &'static Layout,
    window: u16,
    initial_ttl: u8,
    id: u16,
}

fn syn(probe: &mut Probe<'_>, shape: &Shape, tcp: &mut Tcp, tool: Tool) -> Sent {
    tcp.flags = flag::S;
    tcp.window = shape.window;
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = shape.layout.write(&mut buffer, probe.random);
    probe.packet.tcp(tcp, options, &[]);
    let envelope = Envelope {
        id: shape.id,
        ttl: probe.ttl(shape.initial_ttl),
        fragment: 0,
    };
    probe.close_with(protocol::TCP, &envelope);
    let port = Some(tcp.destination_port);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, port).by(tool)
}

fn random_tcp(probe: &mut Probe<'_>) -> Tcp {
    Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port(probe),
        sequence: probe.random.next_u32(),
        ..Tcp::default()
    }
}

/// ZMap before 4.1 (`src/probe_modules/packet.c`): identification 54321, TTL 255, window 65535; with MSS since 2.0, without before.
pub fn zmap(probe: &mut Probe<'_>) -> Sent {
    let shape = Shape {
        layout: if probe.source.chance(2, 3) {
            &MSS_ONLY
        } else {
            &BARE
        },
        window: 65535,
        initial_ttl: 255,
        id: 54321,
    };
    let mut tcp = random_tcp(probe);
    syn(probe, &shape, &mut tcp, Tool::Zmap)
}

/// ZMap 4.1 and later: option lists of operating systems, random identification, DF clear, window 65535, TTL 64 (255 in 4.1.0).
pub fn zmap_stack(probe: &mut Probe<'_>) -> Sent {
    const LAYOUTS: &[(u32, &Layout)] = &[(60, &WINDOWS), (30, &LINUX), (5, &BSD), (5, &MSS_ONLY)];
    let layout: &&Layout = weighted(LAYOUTS, probe.source.bits(1));
    let shape = Shape {
        layout,
        window: 65535,
        initial_ttl: if probe.source.chance(3, 20) { 255 } else { 64 },
        id: probe.random.next_u16(),
    };
    let mut tcp = random_tcp(probe);
    syn(probe, &shape, &mut tcp, Tool::ZmapStack)
}

/// Masscan until November 2023 (`src/templ-pkt.c`): no options, window 1024, TTL 255, identification from address, port, sequence.
pub fn masscan_old(probe: &mut Probe<'_>) -> Sent {
    masscan(probe, &BARE, 1024)
}

/// Masscan since commit 4f89257: MSS 1460, window 1025.
pub fn masscan_new(probe: &mut Probe<'_>) -> Sent {
    masscan(probe, &MSS_ONLY, 1025)
}

fn masscan(probe: &mut Probe<'_>, layout: &'static Layout, window: u16) -> Sent {
    let mut tcp = random_tcp(probe);
    let shape = Shape {
        layout,
        window,
        initial_ttl: 255,
        id: masscan_id(probe.destination, tcp.destination_port, tcp.sequence),
    };
    syn(probe, &shape, &mut tcp, Tool::Masscan)
}

/// Masscan's identification, from which it knows its answers again.
#[must_use]
pub fn masscan_id(destination: u32, port: u16, sequence: u32) -> u16 {
    (destination ^ u32::from(port) ^ sequence) as u16
}

/// Nmap -sS (`scan_engine_raw.cc`, `tcpip.cc`): sequence numbers of one run differ by the same 16 bits twice, one source port, TTL
/// 37 to 59, window 1024, MSS alone.
pub fn nmap(probe: &mut Probe<'_>) -> Sent {
    let repeated = u32::from(probe.random.next_u16());
    let mask = probe.source.bits(2) as u32;
    let mut tcp = Tcp {
        source_port: 33_000 + (probe.source.bits(3) % 30_000) as u16,
        destination_port: port(probe),
        sequence: mask ^ (repeated << 16 | repeated),
        ..Tcp::default()
    };
    let shape = Shape {
        layout: &MSS_ONLY,
        window: 1024,
        initial_ttl: 37 + probe.random.below(23) as u8,
        id: probe.random.next_u16(),
    };
    syn(probe, &shape, &mut tcp, Tool::Nmap)
}

/// Unicornscan (`tcphash.h`): the sequence number is a constant of the run with addresses and ports mixed in.
pub fn unicornscan(probe: &mut Probe<'_>) -> Sent {
    let (source_port, destination_port) = (probe.ephemeral_port(), port(probe));
    let ports = (u32::from(destination_port) << 16).wrapping_add(u32::from(source_port));
    let constant = probe.source.bits(4) as u32;
    let mut tcp = Tcp {
        source_port,
        destination_port,
        sequence: constant ^ probe.destination.swap_bytes() ^ ports,
        ..Tcp::default()
    };
    let shape = Shape {
        layout: &BARE,
        window: 16384,
        initial_ttl: 128,
        id: probe.random.next_u16(),
    };
    syn(probe, &shape, &mut tcp, Tool::Unicornscan)
}

/// Surveys that connect through their operating system.
pub fn plain(probe: &mut Probe<'_>) -> Sent {
    let stack = stack_of((probe.source.bits(5) % 46) as u32);
    let port = port(probe);
    probe.syn(stack, port, 0)
}
