//! Noise that makes tools hard to recognise. Sources whose SYNs have any options in any order, any window and any TTL, some of them in a
//! tool's own shape; tools whose probes left with another TTL than the usual; Masscan over SCTP. On top of the coincidences that random
//! fields have by nature (once in 65,536 packets for a mark of 16 bits), packets have a tool's mark by design; the truth says who sent
//! them.

use super::survey::{masscan_id, port};
use super::{Probe, bots, junk};
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, Tcp, flag, protocol};
use crate::random::weighted;
use crate::stack::OPTION_BYTES_MAX;

/// One packet in this many has a mark of 16 bits by design: 64 times as many as by chance.
const MARKED_BY_16_BITS: u64 = 1 << 10;
/// One packet in this many has Mirai's mark of 32 bits: 65,536 times as many as by chance.
const MARKED_BY_32_BITS: u64 = 1 << 16;

/// Options of a SYN that noise is made of; numbers in them are drawn.
const MAXIMUM_SEGMENT_SIZES: &[u16] = &[536, 1360, 1380, 1400, 1452, 1460];
const WINDOWS: &[u16] = &[
    512, 1024, 1025, 5840, 8192, 14_600, 16_384, 29_200, 64_240, 65_535,
];
const TIMES_TO_LIVE: &[u8] = &[32, 64, 128, 255];

/// How a noisy source builds its SYNs.
enum Form {
    /// Any shape.
    Any,
    /// Masscan's until November 2023: no options, window 1024, TTL 255.
    LikeMasscan,
    /// Nmap's: MSS alone, window 1024, TTL below 60.
    LikeNmap,
    /// Nearly old ZMap's: no options, window 65535, TTL 255.
    LikeZmap,
}

/// A SYN of no tool, to the ports of surveys.
pub fn survey_syn(probe: &mut Probe<'_>) -> Sent {
    let port = port(probe);
    syn(probe, port)
}

/// The same to the ports that bots ask for.
pub fn bot_syn(probe: &mut Probe<'_>) -> Sent {
    let port = bots::port(probe);
    syn(probe, port)
}

fn syn(probe: &mut Probe<'_>, port: u16) -> Sent {
    const FORMS: &[(u32, Form)] = &[
        (61, Form::Any),
        (13, Form::LikeMasscan),
        (13, Form::LikeNmap),
        (13, Form::LikeZmap),
    ];
    let mut buffer = [0; OPTION_BYTES_MAX];
    let form = weighted(FORMS, probe.source.bits(91));
    let source = probe.source;
    let any = |salt, choices: usize| source.bits(salt) as usize % choices;
    let (option_bytes, window, initial_ttl, fragment) = match form {
        Form::Any => (
            options(probe, &mut buffer),
            WINDOWS[any(92, WINDOWS.len())],
            TIMES_TO_LIVE[any(93, TIMES_TO_LIVE.len())],
            if any(94, 2) == 0 { DONT_FRAGMENT } else { 0 },
        ),
        Form::LikeMasscan => (0, 1024, 255, 0),
        Form::LikeNmap => {
            buffer[..4].copy_from_slice(&[2, 4, 5, 0xb4]);
            (4, 1024, 59, 0)
        }
        Form::LikeZmap => (0, 65_535, 255, 0),
    };
    let mut tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags: flag::S,
        window,
        ..Tcp::default()
    };
    if probe.random.below(MARKED_BY_32_BITS) == 0 {
        tcp.sequence = probe.destination;
    }
    let envelope = Envelope {
        id: identification(probe, port, tcp.sequence),
        ttl: probe.ttl(initial_ttl),
        fragment,
    };
    probe.packet.tcp(&tcp, &buffer[..option_bytes], &[]);
    probe.close_with(protocol::TCP, &envelope);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
}

/// A random identification, or one that looks like old ZMap's or Masscan's.
fn identification(probe: &mut Probe<'_>, port: u16, sequence: u32) -> u16 {
    match probe.random.below(2 * MARKED_BY_16_BITS) {
        0 => 54321,
        1 => masscan_id(probe.destination, port, sequence),
        _ => probe.random.next_u16(),
    }
}

/// Writes a source's options in an order that changes with each packet; returns their length, a multiple of 4.
fn options(probe: &mut Probe<'_>, buffer: &mut [u8; OPTION_BYTES_MAX]) -> usize {
    let bits = probe.source.bits(95);
    let size =
        MAXIMUM_SEGMENT_SIZES[(bits >> 32) as usize % MAXIMUM_SEGMENT_SIZES.len()].to_be_bytes();
    let stamp = probe.random.next_u32().to_be_bytes();
    let candidates: [&[u8]; 7] = [
        &[2, 4, size[0], size[1]],
        &[4, 2],
        &[8, 10, stamp[0], stamp[1], stamp[2], stamp[3], 0, 0, 0, 0],
        &[3, 3, (bits >> 40) as u8 % 10],
        &[1],
        &[1],
        &[1],
    ];
    let mut chosen = [0; 7];
    let mut count = 0;
    for candidate in 0..candidates.len() {
        if bits >> candidate & 1 == 1 {
            // Each goes to a random place among those before it.
            let place = probe.random.below(count as u64 + 1) as usize;
            chosen[count] = chosen[place];
            chosen[place] = candidate;
            count += 1;
        }
    }
    let mut length = 0;
    for &candidate in &chosen[..count] {
        let option = candidates[candidate];
        buffer[length..length + option.len()].copy_from_slice(option);
        length += option.len();
    }
    // The end of the list, and padding.
    length.next_multiple_of(4)
}

/// Masscan's identification in a SYN of any of its forms that left under another TTL (`--ttl`).
pub fn masscan(probe: &mut Probe<'_>) -> Sent {
    let is_new = probe.source.chance(96, 2);
    let (option_bytes, window) = if is_new { (4, 1025) } else { (0, 1024) };
    let port = port(probe);
    let sequence = probe.random.next_u32();
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence,
        flags: flag::S,
        window,
        ..Tcp::default()
    };
    probe
        .packet
        .tcp(&tcp, &[2, 4, 5, 0xb4][..option_bytes], &[]);
    tool_syn(
        probe,
        masscan_id(probe.destination, port, sequence),
        port,
        Tool::Masscan,
    )
}

/// Old ZMap's identification in a SYN that left under another TTL (`--probe-ttl`).
pub fn zmap(probe: &mut Probe<'_>) -> Sent {
    let port = port(probe);
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags: flag::S,
        window: 65_535,
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, &[2, 4, 5, 0xb4], &[]);
    tool_syn(probe, 54321, port, Tool::Zmap)
}

fn tool_syn(probe: &mut Probe<'_>, id: u16, port: u16, tool: Tool) -> Sent {
    let initial_ttl = TIMES_TO_LIVE[probe.source.bits(97) as usize % TIMES_TO_LIVE.len()];
    let envelope = Envelope {
        id,
        ttl: probe.ttl(initial_ttl),
        fragment: 0,
    };
    probe.close_with(protocol::TCP, &envelope);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port)).by(tool)
}

/// Masscan over SCTP (`src/templ-pkt.c`): an INIT whose identification comes from address, port and initiate tag, TTL 255.
pub fn masscan_init(probe: &mut Probe<'_>) -> Sent {
    let (port, tag) = junk::init_body(probe);
    let envelope = Envelope {
        id: masscan_id(probe.destination, port, tag),
        ttl: probe.ttl(255),
        fragment: 0,
    };
    probe.close_with(protocol::SCTP, &envelope);
    Sent::new(TrafficType::Sctp, Class::Scan, protocol::SCTP, Some(port)).by(Tool::Masscan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;
    use crate::random::Random;
    use crate::source::Source;

    /// Packets of `sources` noisy sources by `send`, each with what was sent.
    fn sent(
        send: fn(&mut Probe<'_>) -> Sent,
        sources: u32,
        of_each: u32,
    ) -> Vec<(Sent, Vec<u8>, Vec<u8>)> {
        let mut random = Random::new(5, 0);
        let mut packet = Packet::default();
        let mut all = Vec::new();
        for number in 0..sources * of_each {
            let source = Source {
                address: 0x2460_0000 + number / of_each,
                seed: number / of_each,
                hops: 9,
                country: 0,
            };
            let sent = send(&mut Probe {
                destination: 0xc612_0000 | u32::from(random.next_u16()),
                random: &mut random,
                source,
                time_us: 0,
                packet: &mut packet,
            });
            all.push((sent, packet.header().to_vec(), packet.body().to_vec()));
        }
        all
    }

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    /// Whether the identification is the tool's own, by the bytes of the packet.
    fn has_masscan_id(header: &[u8], body: &[u8], tag_at: usize) -> bool {
        let id = u16::from_be_bytes([header[4], header[5]]);
        let port = u16::from_be_bytes([body[2], body[3]]);
        id == (word(header, 16) as u16) ^ port ^ (word(body, tag_at) as u16)
    }

    #[test]
    fn marks_stand_in_noise_about_as_often_as_they_are_meant_to() {
        let packets = sent(survey_syn, 200, 1_000);
        let masscan = packets
            .iter()
            .filter(|(_, header, body)| has_masscan_id(header, body, 4))
            .count();
        let zmap = packets
            .iter()
            .filter(|(_, header, _)| header[4..6] == 54321_u16.to_be_bytes())
            .count();
        // 200,000 packets, one in 2,048 each: 98, and 3 by nature; five standard deviations are 50.
        for found in [masscan, zmap] {
            assert!((50..=150).contains(&found), "{found}");
        }
        assert!(packets.iter().all(|(sent, ..)| sent.tool == Tool::None));
    }

    #[test]
    fn options_are_whole_and_their_order_changes_within_a_source() {
        let packets = sent(bot_syn, 50, 40);
        let mut orders = std::collections::BTreeSet::new();
        for (_, header, body) in &packets {
            let length = usize::from(body[12] >> 4) * 4;
            assert_eq!(length, body.len());
            let (mut at, mut kinds) = (20, Vec::new());
            while at < length && body[at] != 0 {
                kinds.push(body[at]);
                at += if body[at] == 1 {
                    1
                } else {
                    usize::from(body[at + 1])
                };
            }
            assert!(at <= length, "{body:?}");
            orders.insert((word(header, 12), kinds));
        }
        assert!(orders.len() > 200, "{}", orders.len());
    }

    #[test]
    fn tools_keep_their_mark_under_every_time_to_live() {
        for (send, tool, tag_at) in [
            (masscan as fn(&mut Probe<'_>) -> Sent, Tool::Masscan, 4),
            (masscan_init, Tool::Masscan, 16),
        ] {
            for (sent, header, body) in sent(send, 40, 5) {
                assert_eq!(sent.tool, tool);
                assert!(has_masscan_id(&header, &body, tag_at));
            }
        }
        let packets = sent(zmap, 40, 1);
        let times: std::collections::BTreeSet<_> =
            packets.iter().map(|(_, header, _)| header[8]).collect();
        assert_eq!(Vec::from_iter(times), [23, 55, 119, 246]);
    }
}
