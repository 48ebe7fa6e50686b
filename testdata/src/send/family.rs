//! Packets of planted families.

use super::Probe;
use crate::families::Family;
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{DONT_FRAGMENT, Tcp, flag, protocol};
use crate::random::weighted;
use crate::stack::OPTION_BYTES_MAX;

/// Writes a packet of a member of `family`.
pub fn planned(family: &Family, ports: &[(u32, u16)], probe: &mut Probe<'_>) -> Sent {
    let bits = probe.random.next_u64();
    let port = *weighted(ports, bits);
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = family.layout.write(&mut buffer, probe.random);
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: match family.tool {
            Tool::Mirai => probe.destination,
            _ => probe.random.next_u32(),
        },
        flags: flag::S,
        window: family.window.unwrap_or_else(|| probe.random.next_u16()),
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, options, &[]);
    let fragment = if family.dont_fragment {
        DONT_FRAGMENT
    } else {
        0
    };
    probe.close(protocol::TCP, family.initial_ttl, fragment);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port)).by(family.tool)
}
