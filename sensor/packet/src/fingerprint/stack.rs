//! Computes the stack signature of a SYN from its headers and its list of options.

use teiten_observation::{Address, OptionKind, StackSignature, TrafficType};

use crate::decode::{Packet, Tcp, Transport};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SELECTIVE_ACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;

/// The packed signature of the stack that sent a SYN; 0 for other packets, and where not all options were captured.
#[inline(always)]
#[must_use]
pub fn stack<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> u64 {
    match (traffic_type, &packet.transport) {
        (TrafficType::TcpSyn, Transport::Tcp(tcp)) if tcp.complete => stack_of(packet, tcp),
        _ => 0,
    }
}

/// The packed signature of the stack that sent a SYN whose options were all captured.
#[inline(always)]
pub(crate) fn stack_of<A: Address>(packet: &Packet<'_, A>, tcp: &Tcp<'_>) -> u64 {
    let (window, hops) = (tcp.window, packet.time_to_live);
    let bare = StackSignature::new(window, packet.dont_fragment, hops);
    with_options(bare, tcp.options).bits()
}

/// The signature with these options; the most common lists are compared as a whole.
#[inline(always)]
fn with_options(bare: StackSignature, options: &[u8]) -> StackSignature {
    match options {
        [] => bare,
        &[MAXIMUM_SEGMENT_SIZE, 4, high, low] => bare
            .with(0, OptionKind::SegmentSize)
            .with_segment_size(u16::from_be_bytes([high, low])),
        // Linux.
        &[
            MAXIMUM_SEGMENT_SIZE,
            4,
            high,
            low,
            SELECTIVE_ACK_PERMITTED,
            2,
            TIMESTAMPS,
            10,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            NO_OPERATION,
            WINDOW_SCALE,
            3,
            scale,
        ] => {
            const KINDS: [OptionKind; 5] = [
                OptionKind::SegmentSize,
                OptionKind::SelectiveAck,
                OptionKind::Timestamps,
                OptionKind::NoOperation,
                OptionKind::WindowScale,
            ];
            listed(bare, &KINDS, [high, low], scale)
        }
        // Windows.
        &[
            MAXIMUM_SEGMENT_SIZE,
            4,
            high,
            low,
            NO_OPERATION,
            WINDOW_SCALE,
            3,
            scale,
            NO_OPERATION,
            NO_OPERATION,
            SELECTIVE_ACK_PERMITTED,
            2,
        ] => {
            const KINDS: [OptionKind; 6] = [
                OptionKind::SegmentSize,
                OptionKind::NoOperation,
                OptionKind::WindowScale,
                OptionKind::NoOperation,
                OptionKind::NoOperation,
                OptionKind::SelectiveAck,
            ];
            listed(bare, &KINDS, [high, low], scale)
        }
        _ => walked(bare, options),
    }
}

#[inline(always)]
fn listed(
    bare: StackSignature,
    kinds: &[OptionKind],
    segment_size: [u8; 2],
    scale: u8,
) -> StackSignature {
    let mut signature = bare;
    for (number, &kind) in kinds.iter().enumerate() {
        signature = signature.with(number as u32, kind);
    }
    signature
        .with_segment_size(u16::from_be_bytes(segment_size))
        .with_window_scale(scale)
}

#[inline(never)]
fn walked(mut signature: StackSignature, mut rest: &[u8]) -> StackSignature {
    let mut number = 0;
    while let [kind, behind @ ..] = rest {
        signature = signature.with(number, kind_of(*kind));
        number += 1;
        if *kind == NO_OPERATION {
            rest = behind;
            continue;
        }
        let length = behind.first().map_or(0, |&length| usize::from(length));
        // The end of the list, or a wrong length: the rest has no meaning.
        let Some(value) = rest.get(2..length).filter(|_| *kind != END) else {
            break;
        };
        match (*kind, value) {
            (MAXIMUM_SEGMENT_SIZE, &[high, low]) => {
                signature = signature.with_segment_size(u16::from_be_bytes([high, low]));
            }
            (WINDOW_SCALE, &[scale]) => signature = signature.with_window_scale(scale),
            _ => {}
        }
        rest = &rest[length..];
    }
    signature
}

const fn kind_of(kind: u8) -> OptionKind {
    match kind {
        END => OptionKind::End,
        NO_OPERATION => OptionKind::NoOperation,
        MAXIMUM_SEGMENT_SIZE => OptionKind::SegmentSize,
        WINDOW_SCALE => OptionKind::WindowScale,
        SELECTIVE_ACK_PERMITTED => OptionKind::SelectiveAck,
        TIMESTAMPS => OptionKind::Timestamps,
        _ => OptionKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkType;
    use crate::decode::{Decoded, decode_record};
    use crate::samples::{ipv4_packet, tcp_segment};

    const LINUX: &[u8] = &[
        2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    const BSD: &[u8] = &[
        2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0,
    ];

    fn ipv4(bytes: &[u8]) -> Packet<'_, u32> {
        match decode_record(LinkType::RAW, bytes, bytes.len() as u32) {
            Decoded::Ipv4(packet) => packet,
            other => panic!("not an IPv4 packet: {other:?}"),
        }
    }

    /// The signature of a SYN with window 1024 and a time to live of 54.
    fn signature(options: &[u8], change: fn(&mut Vec<u8>)) -> String {
        let mut bytes = ipv4_packet(6, &tcp_segment(2, 40000, 23, options, b""));
        change(&mut bytes);
        let bits = stack(&ipv4(&bytes), TrafficType::TcpSyn);
        StackSignature::from_bits(bits).unwrap().to_string()
    }

    #[test]
    fn a_signature_keeps_kinds_size_and_scale() {
        let with = |options: &[u8]| signature(options, |_| {});
        assert_eq!(with(LINUX), "1024:M1460,S,T,N,W7:df0:64");
        assert_eq!(with(BSD), "1024:M1460,N,W6,N,N,T,S,E:df0:64");
        assert_eq!(with(&[]), "1024::df0:64");
        assert_eq!(with(&[2, 4, 5, 0x78]), "1024:M1400:df0:64");
        assert_eq!(with(&[254, 4, 0, 0]), "1024:?:df0:64");
        assert_eq!(
            signature(&[], |bytes| (bytes[6], bytes[8]) = (0x40, 128)),
            "1024::df1:128"
        );
    }

    #[test]
    fn lying_option_lengths_end_the_list() {
        let with = |options: &[u8]| signature(options, |_| {});
        assert_eq!(with(&[8, 0, 8, 0]), "1024:T:df0:64");
        assert_eq!(with(&[2, 3, 5, 1]), "1024:M0,N:df0:64");
        assert_eq!(with(&[3, 40, 7, 0]), "1024:W:df0:64");
        assert_eq!(with(&[1, 0, 2, 4]), "1024:N,E:df0:64");
    }

    #[test]
    fn lists_compared_as_a_whole_give_what_walking_them_gives() {
        const WINDOWS: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
        let bare = StackSignature::new(64240, true, 54);
        let same = |options: &[u8]| {
            let signature = with_options(bare, options);
            assert_eq!(signature, walked(bare, options), "{options:?}");
        };
        for list in [LINUX, WINDOWS, BSD, &[2, 4, 0, 0], &[]] {
            same(list);
            // Every octet as other lists have it.
            for place in 0..list.len() {
                for value in [0, 1, 2, 3, 4, 8, 10, 15, 255] {
                    let mut options = list.to_vec();
                    options[place] = value;
                    same(&options);
                }
            }
        }
    }

    #[test]
    fn what_is_no_syn_has_no_signature() {
        let bytes = ipv4_packet(6, &tcp_segment(0x12, 80, 4000, &[2, 4, 5, 0xb4], b""));
        assert_eq!(stack(&ipv4(&bytes), TrafficType::TcpSynAck), 0);
    }
}
