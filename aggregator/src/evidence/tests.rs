//! What confirms a mark and what does not, from rows written down by hand.

use super::*;

/// Port, mark, packets, destinations, pair value, packets with it.
type Given = (u16, Mark, u64, u32, u32, u64);

fn row((port, mark, packets, destinations, pair, pair_packets): Given) -> SourceRow<u32> {
    typed(
        TrafficType::TcpSyn,
        (port, mark, packets, destinations, pair, pair_packets),
    )
}

fn typed(traffic_type: TrafficType, given: Given) -> SourceRow<u32> {
    let (port, mark, packets, destinations, pair, pair_packets) = given;
    let class = Class::Scan;
    SourceRow {
        source: 0x0102_0304,
        kind: Kind::marked(traffic_type, class, mark, 6, Some(port)),
        first_us: 0,
        last_us: 1,
        destinations,
        flags: 0,
        packets,
        bytes: packets * 60,
        stack: 0,
        pair,
        pair_packets,
        tool_packets: 0,
    }
}

fn decided(rows: &[SourceRow<u32>]) -> Confirmed {
    let mut evidence = Evidence::default();
    rows.iter().for_each(|row| evidence.add(row));
    evidence.decide()
}

/// The tool of each row, for any order of the rows.
fn check(given: &[Given], tools: &[Tool]) {
    let rows: Vec<_> = given.iter().map(|given| row(*given)).collect();
    let confirmed = decided(&rows);
    let found: Vec<_> = rows.iter().map(|row| confirmed.judge(row).0).collect();
    assert_eq!(found, tools, "{given:?}");
    let mut backwards = rows;
    backwards.reverse();
    assert_eq!(decided(&backwards), confirmed);
}

const NONE: Tool = Tool::None;

#[test]
fn one_match_of_16_bits_is_no_evidence() {
    for mark in [Mark::ZmapId, Mark::MasscanHash] {
        check(&[(23, mark, 1, 1, 7, 1)], &[NONE]);
        let among = (22, Mark::None, 40_000, 200, 8, 1);
        check(&[among, (22, mark, 3, 3, 7, 1)], &[NONE, NONE]);
    }
}

#[test]
fn two_matches_of_16_bits_among_few_packets_are_evidence() {
    check(&[(23, Mark::ZmapId, 2, 1, 7, 1)], &[Tool::Zmap]);
    let others = (22, Mark::None, 28, 28, 8, 1);
    check(
        &[others, (22, Mark::MasscanHash, 2, 2, 7, 1)],
        &[NONE, Tool::Masscan],
    );
    let more = (22, Mark::None, 31, 31, 8, 1);
    check(&[more, (22, Mark::MasscanHash, 2, 2, 7, 1)], &[NONE, NONE]);
}

#[test]
fn a_match_with_the_shape_needs_no_second() {
    check(&[(23, Mark::MasscanShape, 1, 1, 7, 1)], &[Tool::Masscan]);
    check(&[(23, Mark::ZmapIdShape, 1, 1, 7, 1)], &[Tool::Zmap]);
    let crowd = (23, Mark::None, 64, 64, 8, 1);
    check(
        &[crowd, (23, Mark::MasscanShape, 1, 1, 7, 1)],
        &[NONE, NONE],
    );
}

#[test]
fn shapes_confirm_the_matches_beside_them() {
    check(
        &[
            (23, Mark::MasscanHash, 1, 1, 7, 1),
            (23, Mark::MasscanShape, 9, 9, 5, 1),
        ],
        &[Tool::Masscan; 2],
    );
}

#[test]
fn mirai_is_exact_by_itself() {
    let crowd = (23, Mark::None, 1 << 40, 200, 8, 1);
    check(
        &[crowd, (23, Mark::MiraiSequence, 1, 1, 7, 1)],
        &[NONE, Tool::Mirai],
    );
}

#[test]
fn the_default_shape_of_zmap_stands_and_common_ones_need_a_second_place() {
    check(&[(80, Mark::ZmapWindows, 1, 1, 7, 1)], &[Tool::ZmapStack]);
    for mark in [Mark::ZmapLinux, Mark::ZmapBsd, Mark::ZmapSmallest] {
        check(&[(80, mark, 1, 1, 7, 1)], &[NONE]);
        check(&[(80, mark, 5, 1, 7, 5)], &[NONE]);
        check(&[(80, mark, 2, 2, 7, 1)], &[Tool::ZmapStack]);
        let ports = [(80, mark, 1, 1, 7, 1), (81, mark, 1, 1, 8, 1)];
        check(&ports, &[Tool::ZmapStack; 2]);
        let others = (22, Mark::None, 3, 3, 8, 1);
        check(&[others, (80, mark, 2, 2, 7, 1)], &[NONE, NONE]);
    }
}

#[test]
fn nmap_is_equal_values_for_different_destinations_or_ports() {
    let mark = Mark::NmapShape;
    check(&[(22, mark, 2, 2, 0x1_0007, 2)], &[Tool::Nmap]);
    check(&[(22, mark, 2, 1, 0x1_0007, 2)], &[NONE]);
    check(&[(22, mark, 2, 2, 0x1_0007, 1)], &[NONE]);
    check(
        &[(22, mark, 1, 1, 0x1_0007, 1), (23, mark, 1, 1, 0x1_0007, 1)],
        &[Tool::Nmap; 2],
    );
    check(
        &[(22, mark, 1, 1, 0x1_0007, 1), (23, mark, 1, 1, 0x1_0008, 1)],
        &[NONE; 2],
    );
}

#[test]
fn chance_pairs_among_many_shapes_are_not_nmap() {
    let rows: Vec<_> = (0..40_000_u32)
        .map(|port| {
            let value = 0x1_0000 | (port.wrapping_mul(0x9e37_79b9) >> 17);
            row((port as u16, Mark::NmapShape, 1, 1, value, 1))
        })
        .collect();
    assert!(!decided(&rows).is_confirmed(Mark::NmapShape));
}

#[test]
fn unicornscan_is_one_key_for_different_destinations_or_ports() {
    check(&[(22, Mark::None, 3, 3, 77, 3)], &[Tool::Unicornscan]);
    check(&[(22, Mark::None, 3, 1, 77, 3)], &[NONE]);
    check(
        &[(22, Mark::None, 1, 1, 77, 1), (23, Mark::None, 1, 1, 77, 1)],
        &[Tool::Unicornscan; 2],
    );
    // Four tries for one destination, one for another.
    check(&[(22, Mark::None, 5, 2, 77, 4)], &[NONE]);
    let chance = (23, Mark::MasscanHash, 1, 1, 77, 1);
    check(
        &[(22, Mark::None, 30, 30, 77, 30), chance],
        &[Tool::Unicornscan; 2],
    );
}

#[test]
fn a_key_among_very_many_rows_needs_its_share_of_them() {
    let many = |sharing: u16| {
        let rows = (0..8_000).map(|port| {
            let pair = if port < sharing {
                7
            } else {
                100_000 + u32::from(port)
            };
            (port, Mark::None, 1, 1, pair, 1)
        });
        rows.collect::<Vec<Given>>()
    };
    for (sharing, tool) in [
        (499, NONE),
        (500, Tool::Unicornscan),
        (8_000, Tool::Unicornscan),
    ] {
        let mut tools = vec![NONE; 8_000];
        tools[..usize::from(sharing)].fill(tool);
        check(&many(sharing), &tools);
    }
}

#[test]
fn what_marks_are_not_looked_for_in_says_nothing() {
    let mut reply = row((80, Mark::None, 500, 100, 77, 500));
    let class = Class::Backscatter;
    reply.kind = Kind::new(TrafficType::TcpSynAck, class, Tool::None, 6, Some(80));
    let confirmed = decided(&[reply]);
    assert_eq!(confirmed.judge(&reply), (Tool::None, 0));
    let mut evidence = Evidence::default();
    evidence.add(&reply);
    evidence.add(&row((23, Mark::MasscanHash, 2, 2, 7, 1)));
    assert!(evidence.decide().is_confirmed(Mark::MasscanHash));
}

#[test]
fn a_row_says_how_many_packets_show_its_tool() {
    let bears = |given: Given| {
        let row = row(given);
        decided(&[row]).judge(&row)
    };
    assert_eq!(
        bears((23, Mark::MasscanHash, 5, 5, 7, 1)),
        (Tool::Masscan, 5)
    );
    assert_eq!(bears((23, Mark::ZmapId, 1, 1, 7, 1)), (Tool::None, 1));
    assert_eq!(bears((23, Mark::None, 9, 9, 7, 1)), (Tool::None, 0));
    assert_eq!(
        bears((23, Mark::None, 10, 10, 7, 9)),
        (Tool::Unicornscan, 9)
    );
}

#[test]
fn evidence_that_was_cleared_is_as_new() {
    let mut evidence = Evidence::default();
    evidence.add(&row((22, Mark::NmapShape, 2, 2, 0x1_0007, 2)));
    evidence.add(&row((22, Mark::None, 2, 2, 7, 2)));
    evidence.clear();
    assert_eq!(evidence.decide(), decided(&[]));
}

#[test]
fn udp_and_icmp_count_for_zmap_and_not_for_masscan() {
    let udp = typed(TrafficType::Udp, (53, Mark::None, 1000, 9, 0, 1000));
    let zmap = row((53, Mark::ZmapId, 2, 2, 7, 1));
    let masscan = row((53, Mark::MasscanHash, 2, 2, 7, 1));
    assert!(!decided(&[udp, zmap]).is_confirmed(Mark::ZmapId));
    assert!(decided(&[udp, masscan]).is_confirmed(Mark::MasscanHash));
}
