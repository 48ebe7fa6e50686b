//! The marks on hand-built SYNs, and that nothing is named on no evidence.

use super::*;
use crate::decode::tests_support::{ipv4_packet, ipv6_packet, tcp_segment};
use crate::decode::{Decoded, decode_record};
use crate::packet::LinkType;

/// A SYN as a tool would build it.
struct Syn {
    identification: u16,
    dont_fragment: bool,
    time_to_live: u8,
    sequence: u32,
    window: u16,
    options: &'static [u8],
}

const PLAIN: Syn = Syn {
    identification: 0x1111,
    dont_fragment: false,
    time_to_live: 50,
    sequence: 0x0102_0304,
    window: 29200,
    options: &[],
};

const DESTINATION: u32 = 0xcb00_7109;
const PORT: u16 = 23;

impl Syn {
    fn bytes(&self) -> Vec<u8> {
        let mut segment = tcp_segment(2, 40000, PORT, self.options, b"");
        segment[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        segment[14..16].copy_from_slice(&self.window.to_be_bytes());
        let mut bytes = ipv4_packet(6, &segment);
        bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
        bytes[6] = if self.dont_fragment { 0x40 } else { 0 };
        bytes[8] = self.time_to_live;
        bytes
    }
}

fn with_probe<T>(syn: &Syn, read: impl Fn(&Packet<'_, u32>, &Probe<'_>) -> T) -> T {
    let bytes = syn.bytes();
    let Decoded::Ipv4(packet) = decode_record(LinkType(101), &bytes, bytes.len() as u32) else {
        panic!("not an IPv4 packet");
    };
    let probe = probe(&packet, TrafficType::TcpSyn).unwrap();
    read(&packet, &probe)
}

fn check(syn: &Syn, tool: Option<Tool>) {
    with_probe(syn, |packet, _| {
        assert_eq!(
            mark(packet, TrafficType::TcpSyn).map(|mark| mark.tool),
            tool
        );
    });
}

fn masscan_identification(sequence: u32) -> u16 {
    (DESTINATION ^ u32::from(PORT) ^ sequence) as u16
}

#[test]
fn exact_marks_name_their_tools() {
    check(&PLAIN, None);
    check(
        &Syn {
            identification: 54321,
            ..PLAIN
        },
        Some(Tool::Zmap),
    );
    check(
        &Syn {
            sequence: DESTINATION,
            ..PLAIN
        },
        Some(Tool::Mirai),
    );
    let identification = masscan_identification(PLAIN.sequence);
    check(
        &Syn {
            identification,
            ..PLAIN
        },
        Some(Tool::Masscan),
    );
}

#[test]
fn mirai_comes_before_zmap_before_masscan() {
    check(
        &Syn {
            identification: 54321,
            sequence: DESTINATION,
            ..PLAIN
        },
        Some(Tool::Mirai),
    );
    let sequence = DESTINATION ^ u32::from(PORT) ^ 54321;
    check(
        &Syn {
            identification: 54321,
            sequence,
            ..PLAIN
        },
        Some(Tool::Zmap),
    );
}

#[test]
fn masscan_is_a_16_bit_match_whatever_the_high_bits() {
    let sequence = 0xffff_0304;
    let identification = masscan_identification(sequence);
    check(
        &Syn {
            identification,
            sequence,
            ..PLAIN
        },
        Some(Tool::Masscan),
    );
}

const ZMAP_WINDOWS: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
const ZMAP_LINUX: &[u8] = &[
    2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
];
const ZMAP_BSD: &[u8] = &[
    2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0,
];

#[test]
fn zmap_stack_is_the_whole_shape() {
    let zmap = |options: &'static [u8]| Syn {
        window: 65535,
        options,
        ..PLAIN
    };
    for options in [ZMAP_WINDOWS, ZMAP_LINUX, ZMAP_BSD, &[2, 4, 5, 0xb4][..]] {
        check(&zmap(options), Some(Tool::ZmapStack));
        check(
            &Syn {
                time_to_live: 240,
                ..zmap(options)
            },
            Some(Tool::ZmapStack),
        );
        check(
            &Syn {
                dont_fragment: true,
                ..zmap(options)
            },
            None,
        );
        check(
            &Syn {
                time_to_live: 110,
                ..zmap(options)
            },
            None,
        );
        check(
            &Syn {
                window: 64240,
                ..zmap(options)
            },
            None,
        );
    }
    check(&zmap(&[2, 4, 5, 0xb4, 1, 3, 3, 8, 4, 2, 1, 1]), None);
    check(&zmap(&[2, 4, 5, 0xb0, 1, 3, 3, 8, 1, 1, 4, 2]), None);
    check(&zmap(&[]), None);
}

#[test]
fn masscan_has_two_shapes() {
    let shape = |syn: &Syn| with_probe(syn, |_, probe| masscan_shape(probe).is_some());
    let old = Syn {
        window: 1024,
        time_to_live: 240,
        ..PLAIN
    };
    assert!(shape(&old));
    let new = Syn {
        window: 1025,
        options: &[2, 4, 5, 0xb4],
        ..old
    };
    assert!(shape(&new));
    assert!(!shape(&Syn {
        time_to_live: 60,
        ..new
    }));
    assert!(!shape(&Syn {
        options: &[2, 4, 5, 0xb4],
        ..old
    }));
}

#[test]
fn nmap_and_unicornscan_invariants_hold_between_packets() {
    let nmap = Syn {
        window: 1024,
        options: &[2, 4, 5, 0xb4],
        ..PLAIN
    };
    let invariant = |syn: &Syn| with_probe(syn, |_, probe| nmap_invariant(probe));
    let first = invariant(&nmap).unwrap();
    let second = Syn {
        sequence: nmap.sequence ^ 0x7777_7777,
        ..nmap
    };
    assert_eq!(invariant(&second), Some(first));
    assert_eq!(
        invariant(&Syn {
            time_to_live: 60,
            ..nmap
        }),
        None
    );
    assert_eq!(invariant(&PLAIN), None);

    let key = 0xdead_beef_u32;
    let ports = (u32::from(PORT) << 16) + 40000;
    let sequence = key ^ DESTINATION.swap_bytes() ^ ports;
    let unicornscan = Syn { sequence, ..PLAIN };
    assert_eq!(
        with_probe(&unicornscan, |_, probe| unicornscan_invariant(probe)),
        key
    );
}

#[test]
fn a_cut_option_list_is_no_evidence() {
    let bytes = Syn {
        window: 65535,
        options: &[2, 4, 5, 0xb4],
        ..PLAIN
    }
    .bytes();
    let Decoded::Ipv4(packet) = decode_record(LinkType(101), &bytes[..40], 44) else {
        panic!("not an IPv4 packet");
    };
    assert!(mark(&packet, TrafficType::TcpSyn).is_none());
    assert!(stack_shape(&probe(&packet, TrafficType::TcpSyn).unwrap()).is_none());
}

#[test]
fn ipv6_has_no_marks() {
    let bytes = ipv6_packet(6, &tcp_segment(2, 0, 0, &[], b""));
    let Decoded::Ipv6(packet) = decode_record(LinkType(101), &bytes, bytes.len() as u32) else {
        panic!("not an IPv6 packet");
    };
    assert!(mark(&packet, TrafficType::TcpSyn).is_none());
}

#[test]
fn sctp_init_bears_masscans_mark_by_its_tag() {
    let tag = 0x0a0b_0c0d_u32;
    let port = 2905_u16;
    let mut body = vec![0x9c, 0x40];
    body.extend(port.to_be_bytes());
    body.extend([0; 8]);
    body.extend([1, 0, 0, 20]);
    body.extend(tag.to_be_bytes());
    let mut bytes = ipv4_packet(132, &body);
    let identification = (DESTINATION ^ u32::from(port) ^ tag) as u16;
    bytes[4..6].copy_from_slice(&identification.to_be_bytes());
    let Decoded::Ipv4(packet) = decode_record(LinkType(101), &bytes, bytes.len() as u32) else {
        panic!("not an IPv4 packet");
    };
    let found = mark(&packet, TrafficType::Sctp).map(|mark| mark.tool);
    assert_eq!(found, Some(Tool::Masscan));
}

#[test]
fn a_stack_shape_keeps_kinds_size_and_scale() {
    let syn = Syn {
        options: ZMAP_LINUX,
        ..PLAIN
    };
    let shape = with_probe(&syn, |_, probe| stack_shape(probe)).unwrap();
    assert_eq!(
        shape.kinds[..usize::from(shape.kinds_count)],
        [2, 4, 8, 1, 3]
    );
    assert_eq!((shape.segment_size_max, shape.window_scale), (1460, 7));
    assert_eq!(shape.initial_time_to_live, 64);
    let endless = Syn {
        options: &[8, 0, 8, 0],
        ..PLAIN
    };
    assert_eq!(
        with_probe(&endless, |_, probe| stack_shape(probe))
            .unwrap()
            .kinds_count,
        1
    );
}

proptest::proptest! {
    #[test]
    fn the_mark_of_a_syn_is_that_of_the_table(
        choices in proptest::collection::vec(0_usize..3, 5),
        sequence in proptest::prelude::any::<u32>(),
    ) {
        let sequence = [sequence, DESTINATION, DESTINATION ^ u32::from(PORT) ^ 54321][choices[0]];
        let syn = Syn {
            identification: [54321, masscan_identification(sequence), 7][choices[1]],
            dont_fragment: choices[2] == 0,
            time_to_live: [50, 110, 240][choices[3]],
            sequence,
            window: 65535,
            options: [ZMAP_WINDOWS, ZMAP_BSD, &[]][choices[4]],
        };
        with_probe(&syn, |packet, probe| {
            let name = |mark: Option<&ToolMark>| mark.map(|mark| mark.name);
            assert_eq!(
                name(mark(packet, TrafficType::TcpSyn)),
                name(listed_mark(probe, TrafficType::TcpSyn))
            );
        });
    }
}
