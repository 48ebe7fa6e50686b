//! The tests of TOOLS: how the bytes of a probe show its tool, and in which order the tests decide. The rest about a mark is in its row
//! (`teiten_observation::TOOLS`).

use teiten_observation::{Confirmation, Mark, MarkRow, TrafficType};

use super::probe::{Probe, initial_time_to_live};

/// Whether a probe bears a mark.
type Test = fn(&Probe) -> bool;

/// Every mark of a single packet, in the order in which they decide: a 32-bit match before the 16-bit ones, those with the tool's
/// shape before those without, matches before shapes.
pub(super) const TESTS: &[(Mark, Test)] = &[
    (Mark::MiraiSequence, is_mirai),
    (Mark::MasscanShape, is_masscan_with_shape),
    (Mark::ZmapIdShape, is_zmap_with_shape),
    (Mark::ZmapId, is_zmap),
    (Mark::MasscanHash, is_masscan),
    (Mark::ZmapWindows, is_zmap_windows),
    (Mark::ZmapLinux, is_zmap_linux),
    (Mark::ZmapBsd, is_zmap_bsd),
    (Mark::ZmapSmallest, is_zmap_smallest),
    (Mark::NmapShape, has_nmap_shape),
];

const _: () = {
    let mut tested = 0_u32;
    let mut test = 0;
    while test < TESTS.len() {
        tested |= 1 << TESTS[test].0 as u8;
        test += 1;
    }
    assert!(
        tested.count_ones() as usize == TESTS.len(),
        "one test for each mark"
    );
    let mut code = 1;
    while code < Mark::ALL.len() {
        let is_key = matches!(
            Mark::ALL[code].confirmation(),
            Some(Confirmation::SharedKey)
        );
        assert!(
            is_key != (tested >> code & 1 != 0),
            "every mark of TOOLS but a key has a test"
        );
        code += 1;
    }
};

/// The rows of all marks, in the order in which they decide; those that no single packet shows come last.
pub fn marks() -> impl Iterator<Item = &'static MarkRow> {
    let tested = TESTS.iter().map(|&(mark, _)| mark);
    tested.chain([Mark::KEYED]).filter_map(Mark::row)
}

/// The mark of a SYN: that of the first test that it passes.
///
/// The tests are called by name, in the order of [`TESTS`], so that the compiler inlines them: calls through the table cost three times as
/// much as the rest of the classification. A property test compares the two.
#[inline(always)]
pub(super) fn syn_mark(probe: &Probe) -> Mark {
    // This test comes first because few bits rule out nearly every packet.
    if is_mirai(probe) {
        return Mark::MiraiSequence;
    }
    if is_masscan(probe) || is_zmap(probe) {
        return matched_mark(*probe);
    }
    match probe.window {
        65535 => zmap_stack_mark(*probe),
        1024 if has_nmap_shape(probe) => Mark::NmapShape,
        _ => Mark::None,
    }
}

/// By value, as the next: a reference would keep the fields of every SYN in memory.
#[inline(never)]
fn matched_mark(probe: Probe) -> Mark {
    if is_masscan_with_shape(&probe) {
        Mark::MasscanShape
    } else if is_zmap_with_shape(&probe) {
        Mark::ZmapIdShape
    } else if is_zmap(&probe) {
        Mark::ZmapId
    } else {
        Mark::MasscanHash
    }
}

#[inline(never)]
fn zmap_stack_mark(probe: Probe) -> Mark {
    if is_zmap_windows(&probe) {
        Mark::ZmapWindows
    } else if is_zmap_linux(&probe) {
        Mark::ZmapLinux
    } else if is_zmap_bsd(&probe) {
        Mark::ZmapBsd
    } else if is_zmap_smallest(&probe) {
        Mark::ZmapSmallest
    } else {
        Mark::None
    }
}

/// What two SYNs of one run share. Nmap's values have bit 16 set and no higher one; no value is 0.
#[inline(always)]
pub(super) fn pair(probe: &Probe, mark: Mark) -> u32 {
    match mark {
        Mark::NmapShape => 1 << 16 | u32::from(nmap_invariant(probe)),
        _ => unicornscan_invariant(probe).max(1),
    }
}

/// The mark of the first test that the probe passes.
pub(super) fn listed_mark(probe: &Probe, traffic_type: TrafficType) -> Mark {
    TESTS
        .iter()
        .find(|&&(mark, test)| can_stand_in(mark, traffic_type) && test(probe))
        .map_or(Mark::None, |&(mark, _)| mark)
}

/// Whether packets of a type can have a mark.
pub(super) fn can_stand_in(mark: Mark, traffic_type: TrafficType) -> bool {
    mark.row()
        .is_some_and(|row| row.probes.contain(traffic_type))
}

#[inline]
fn is_mirai(probe: &Probe) -> bool {
    probe.sequence == probe.destination
}

#[inline]
fn is_zmap(probe: &Probe) -> bool {
    probe.identification == 54321
}

#[inline]
fn is_masscan(probe: &Probe) -> bool {
    let mark = probe.destination ^ u32::from(probe.destination_port) ^ probe.sequence;
    probe.identification == mark as u16
}

/// A probe of zmap before 4.1 as zmap builds it.
fn is_zmap_with_shape(probe: &Probe) -> bool {
    is_zmap(probe)
        && !probe.dont_fragment
        && initial_time_to_live(probe.time_to_live) == 255
        && (probe.window == 65535 || !probe.is_syn)
}

/// A SYN of one of Masscan's two forms, or an SCTP INIT under its time to live.
fn is_masscan_with_shape(probe: &Probe) -> bool {
    is_masscan(probe)
        && if probe.is_syn {
            masscan_shape(probe).is_some()
        } else {
            !probe.dont_fragment && initial_time_to_live(probe.time_to_live) == 255
        }
}

/// What zmap 4.1 sends whatever its options.
fn has_zmap_stack(probe: &Probe) -> bool {
    probe.window == 65535
        && !probe.dont_fragment
        && matches!(initial_time_to_live(probe.time_to_live), 64 | 255)
}

/// The list of Windows: zmap's default since 4.1.
fn is_zmap_windows(probe: &Probe) -> bool {
    const LIST: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
    has_zmap_stack(probe) && probe.ip_length_bytes == 52 && probe.options == Some(LIST)
}

/// The list of Linux. The timestamps differ from packet to packet; all else is fixed.
fn is_zmap_linux(probe: &Probe) -> bool {
    let options = probe.options.unwrap_or_default();
    has_zmap_stack(probe)
        && probe.ip_length_bytes == 60
        && options.len() == 20
        && options.starts_with(&[2, 4, 5, 0xb4, 4, 2, 8, 10])
        && options.ends_with(&[1, 3, 3, 7])
}

/// The list of BSD and macOS.
fn is_zmap_bsd(probe: &Probe) -> bool {
    let options = probe.options.unwrap_or_default();
    has_zmap_stack(probe)
        && probe.ip_length_bytes == 64
        && options.len() == 24
        && options.starts_with(&[2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10])
        && options.ends_with(&[4, 2, 0, 0])
}

/// The shortest list that hosts answer.
fn is_zmap_smallest(probe: &Probe) -> bool {
    const LIST: &[u8] = &[2, 4, 5, 0xb4];
    has_zmap_stack(probe) && probe.ip_length_bytes == 44 && probe.options == Some(LIST)
}

/// The form of Masscan's SYN, where it has one of the two: evidence beside the 16-bit match.
#[must_use]
pub fn masscan_shape(probe: &Probe) -> Option<&'static str> {
    if probe.dont_fragment || initial_time_to_live(probe.time_to_live) != 255 {
        return None;
    }
    match (probe.ip_length_bytes, probe.window, probe.options?) {
        (40, 1024, []) => Some("masscan before 2023-11-07: no options, window 1024"),
        (44, 1025, [2, 4, 5, 0xb4]) => Some("masscan since 2023-11-07: MSS 1460, window 1025"),
        _ => None,
    }
}

/// Whether a SYN could be of `nmap -sS`: window 1024, MSS alone, initial TTL 37 to 59, DF clear.
fn has_nmap_shape(probe: &Probe) -> bool {
    probe.window == 1024
        && probe.ip_length_bytes == 44
        && !probe.dont_fragment
        && probe.time_to_live <= 59
        && matches!(probe.options, Some([2, 4, _, _]))
}

/// The value that any two SYNs of one Nmap run share although they go to different destinations: equal for two packets of a source
/// with distinct destinations means Nmap, once in 65,536 by chance.
///
/// nmap, `scan_engine_raw.cc`: the sequence number is a constant xor a 16-bit value repeated in both halves.
#[must_use]
#[inline(always)]
pub fn nmap_invariant(probe: &Probe) -> u16 {
    (probe.sequence >> 16) as u16 ^ probe.sequence as u16
}

/// The value that any two SYNs of one Unicornscan run share although they go to different destinations.
///
/// unicornscan, `tcphash.h`: the sequence number is a key xor destination (in network order) xor both ports.
#[must_use]
#[inline(always)]
pub fn unicornscan_invariant(probe: &Probe) -> u32 {
    let ports = (u32::from(probe.destination_port) << 16) + u32::from(probe.source_port);
    probe.sequence ^ probe.destination.swap_bytes() ^ ports
}

#[cfg(test)]
mod tests {
    use super::super::probe::probe;
    use super::super::{Traces, traces};
    use super::*;
    use crate::LinkType;
    use crate::decode::{Decoded, Packet, decode_record};
    use crate::samples::{ipv4_packet, ipv6_packet, tcp_segment};

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

    fn mark_of(packet: &Packet<'_, u32>, traffic_type: TrafficType) -> Mark {
        traces(packet, traffic_type).mark
    }

    fn check(syn: &Syn, mark: Mark) {
        with_probe(syn, |packet, _| {
            assert_eq!(mark_of(packet, TrafficType::TcpSyn), mark);
        });
    }

    fn masscan_identification(sequence: u32) -> u16 {
        (DESTINATION ^ u32::from(PORT) ^ sequence) as u16
    }

    #[test]
    fn exact_marks_name_their_tools() {
        check(&PLAIN, Mark::None);
        check(
            &Syn {
                identification: 54321,
                ..PLAIN
            },
            Mark::ZmapId,
        );
        check(
            &Syn {
                sequence: DESTINATION,
                ..PLAIN
            },
            Mark::MiraiSequence,
        );
        let identification = masscan_identification(PLAIN.sequence);
        check(
            &Syn {
                identification,
                ..PLAIN
            },
            Mark::MasscanHash,
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
            Mark::MiraiSequence,
        );
        let sequence = DESTINATION ^ u32::from(PORT) ^ 54321;
        check(
            &Syn {
                identification: 54321,
                sequence,
                ..PLAIN
            },
            Mark::ZmapId,
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
            Mark::MasscanHash,
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
    fn a_zmap_stack_is_the_whole_shape() {
        let zmap = |options: &'static [u8]| Syn {
            window: 65535,
            options,
            ..PLAIN
        };
        for (options, mark) in [
            (ZMAP_WINDOWS, Mark::ZmapWindows),
            (ZMAP_LINUX, Mark::ZmapLinux),
            (ZMAP_BSD, Mark::ZmapBsd),
            (&[2, 4, 5, 0xb4][..], Mark::ZmapSmallest),
        ] {
            check(&zmap(options), mark);
            let other = |change: fn(&mut Syn), mark: Mark| {
                let mut syn = zmap(options);
                change(&mut syn);
                check(&syn, mark);
            };
            // zmap 4.1.0 started with 255.
            other(|syn| syn.time_to_live = 240, mark);
            // A real Windows sends DF and starts with 128.
            other(|syn| syn.dont_fragment = true, Mark::None);
            other(|syn| syn.time_to_live = 110, Mark::None);
            other(|syn| syn.window = 64240, Mark::None);
        }
        for options in [
            &[2, 4, 5, 0xb4, 1, 3, 3, 8, 4, 2, 1, 1][..],
            &[2, 4, 5, 0xb0, 1, 3, 3, 8, 1, 1, 4, 2],
            &[
                2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 8,
            ],
            &[],
        ] {
            check(&zmap(options), Mark::None);
        }
    }

    #[test]
    fn zmap_of_old_has_a_shape_beside_its_identification() {
        let zmap = Syn {
            identification: 54321,
            window: 65535,
            time_to_live: 240,
            ..PLAIN
        };
        check(&zmap, Mark::ZmapIdShape);
        let other = |change: fn(&mut Syn)| {
            let mut syn = Syn { ..zmap };
            change(&mut syn);
            check(&syn, Mark::ZmapId);
        };
        other(|syn| syn.dont_fragment = true);
        other(|syn| syn.time_to_live = 60);
        other(|syn| syn.window = 1024);
    }

    #[test]
    fn zmap_leaves_its_identification_on_udp_and_icmp() {
        let datagram = crate::samples::udp_datagram(40000, 53, b"");
        for (protocol, body, traffic_type) in [
            (17, datagram, TrafficType::Udp),
            (
                1,
                vec![8, 0, 0, 0, 0, 1, 0, 1],
                TrafficType::IcmpEchoRequest,
            ),
        ] {
            let mut bytes = ipv4_packet(protocol, &body);
            bytes[4..6].copy_from_slice(&54321_u16.to_be_bytes());
            for (time_to_live, mark) in [(50, Mark::ZmapId), (240, Mark::ZmapIdShape)] {
                bytes[8] = time_to_live;
                assert_eq!(mark_of(&ipv4(&bytes), traffic_type), mark);
            }
            bytes[5] ^= 1;
            assert_eq!(mark_of(&ipv4(&bytes), traffic_type), Mark::None);
        }
    }

    fn ipv4(bytes: &[u8]) -> Packet<'_, u32> {
        match decode_record(LinkType(101), bytes, bytes.len() as u32) {
            Decoded::Ipv4(packet) => packet,
            other => panic!("not an IPv4 packet: {other:?}"),
        }
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
    fn masscan_in_its_shape_is_more_than_a_match() {
        let mut old = Syn {
            window: 1024,
            time_to_live: 240,
            identification: masscan_identification(PLAIN.sequence),
            ..PLAIN
        };
        check(&old, Mark::MasscanShape);
        old.window = 1025;
        check(&old, Mark::MasscanHash);
        old.options = &[2, 4, 5, 0xb4];
        check(&old, Mark::MasscanShape);
        old.identification ^= 1;
        check(&old, Mark::None);
    }

    #[test]
    fn nmap_has_a_shape_and_its_syns_share_a_value() {
        let nmap = Syn {
            window: 1024,
            options: &[2, 4, 5, 0xb4],
            ..PLAIN
        };
        check(&nmap, Mark::NmapShape);
        let other = |change: fn(&mut Syn)| {
            let mut syn = Syn { ..nmap };
            change(&mut syn);
            check(&syn, Mark::None);
        };
        other(|syn| syn.time_to_live = 60);
        other(|syn| syn.window = 1025);
        other(|syn| syn.dont_fragment = true);
        other(|syn| syn.options = &[1, 1, 1, 1]);
        let pair =
            |syn: &Syn| with_probe(syn, |packet, _| traces(packet, TrafficType::TcpSyn).pair);
        let second = Syn {
            sequence: nmap.sequence ^ 0x7777_7777,
            ..nmap
        };
        assert_eq!(pair(&second), pair(&nmap));
        let third = Syn {
            sequence: nmap.sequence ^ 0x7777_7778,
            ..nmap
        };
        assert_ne!(pair(&third), pair(&nmap));
    }

    #[test]
    fn unicornscans_syns_share_a_key() {
        let key = 0xdead_beef_u32;
        let ports = (u32::from(PORT) << 16) + 40000;
        let unicornscan = |key: u32| Syn {
            sequence: key ^ DESTINATION.swap_bytes() ^ ports,
            ..PLAIN
        };
        let pair =
            |syn: &Syn| with_probe(syn, |packet, _| traces(packet, TrafficType::TcpSyn).pair);
        assert_eq!(pair(&unicornscan(key)), key);
        assert_eq!(pair(&unicornscan(0)), 1);
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
        assert_eq!(mark_of(&packet, TrafficType::TcpSyn), Mark::None);
        assert_eq!(super::super::stack(&packet, TrafficType::TcpSyn), 0);
    }

    #[test]
    fn ipv6_has_no_marks() {
        let bytes = ipv6_packet(6, &tcp_segment(2, 0, 0, &[], b""));
        let Decoded::Ipv6(packet) = decode_record(LinkType(101), &bytes, bytes.len() as u32) else {
            panic!("not an IPv6 packet");
        };
        assert_eq!(traces(&packet, TrafficType::TcpSyn), Traces::NONE);
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
        assert_eq!(mark_of(&ipv4(&bytes), TrafficType::Sctp), Mark::MasscanHash);
        bytes[8] = 250;
        assert_eq!(
            mark_of(&ipv4(&bytes), TrafficType::Sctp),
            Mark::MasscanShape
        );
        // The tag of another chunk is no initiate tag.
        bytes[32] = 3;
        assert_eq!(mark_of(&ipv4(&bytes), TrafficType::Sctp), Mark::None);
    }

    #[test]
    fn what_is_no_syn_has_no_pair() {
        let bytes = ipv4_packet(6, &tcp_segment(0x12, 80, 4000, &[2, 4, 5, 0xb4], b""));
        assert_eq!(traces(&ipv4(&bytes), TrafficType::TcpSynAck), Traces::NONE);
    }

    proptest::proptest! {
        #[test]
        fn the_mark_of_a_syn_is_that_of_the_table(
            choices in proptest::collection::vec(0_usize..3, 6),
            sequence in proptest::prelude::any::<u32>(),
        ) {
            let sequence = [sequence, DESTINATION, DESTINATION ^ u32::from(PORT) ^ 54321][choices[0]];
            let syn = Syn {
                identification: [54321, masscan_identification(sequence), 7][choices[1]],
                dont_fragment: choices[2] == 0,
                time_to_live: [50, 110, 240][choices[3]],
                sequence,
                window: [65535, 1024, 1025][choices[5]],
                options: [ZMAP_WINDOWS, &[2, 4, 5, 0xb4], &[]][choices[4]],
            };
            with_probe(&syn, |packet, probe| {
                assert_eq!(
                    mark_of(packet, TrafficType::TcpSyn),
                    listed_mark(probe, TrafficType::TcpSyn)
                );
            });
        }
    }
}
