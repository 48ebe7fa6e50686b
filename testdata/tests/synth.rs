//! What the synthesiser promises: the same bytes for the same scenario, sums that hold, and packets that others can read.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use sha2::{Digest, Sha256};
use teiten_testdata::clock::HOUR_US;
use teiten_testdata::families::FAMILIES;
use teiten_testdata::label;
use teiten_testdata::{
    Error, Format, Link, Prefix, Scenario, Shape, Truth, write, write_labelled, write_split,
};

/// The capture of [`small`]; changes only together with `MODEL_VERSION`; the failing test prints the new one.
const GOLDEN_SHA256: &str = "c1be0cc5e53bd7ec5660cec8f80675eaf236bda2de0190d387fdd761eecc6755";

fn small() -> Scenario {
    Scenario {
        packets: 60_000,
        sources: 3_000,
        span_us: 3 * HOUR_US,
        seed: 42,
        threads: 1,
        ..Scenario::default()
    }
}

fn everything() -> Scenario {
    let telescope = ["198.18.0.0/20", "192.88.99.0/24", "2001:db8::/32"];
    Scenario {
        telescope: telescope
            .iter()
            .filter_map(|text| text.parse::<Prefix>().ok())
            .collect(),
        ipv6_share: 0.2,
        outside_share: 0.05,
        arp_share: 0.01,
        out_of_order_share: 0.1,
        ..small()
    }
}

fn made(scenario: &Scenario) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write(scenario, &mut bytes).expect("the scenario is sound");
    (bytes, truth)
}

/// (time in microseconds, frame) of each record of a pcap.
fn records(bytes: &[u8]) -> Vec<(i64, &[u8])> {
    let word = |place: usize| {
        u32::from_le_bytes([
            bytes[place],
            bytes[place + 1],
            bytes[place + 2],
            bytes[place + 3],
        ])
    };
    let (mut place, mut result) = (24, Vec::new());
    while place < bytes.len() {
        let length = word(place + 8) as usize;
        let time_us = i64::from(word(place)) * 1_000_000 + i64::from(word(place + 4));
        result.push((time_us, &bytes[place + 16..place + 16 + length]));
        place += 16 + length;
    }
    result
}

fn check_sums(truth: &Truth) {
    let partitions = [
        &truth.families,
        &truth.protocols,
        &truth.classes,
        &truth.traffic_types,
        &truth.tools,
        &truth.ports,
        &truth.countries,
        &truth.hours,
    ];
    for partition in partitions {
        assert_eq!(
            partition.values().sum::<u64>(),
            truth.packets,
            "{partition:?}"
        );
    }
    let kinds: u64 = truth.kinds.iter().map(|kind| kind.packets).sum();
    assert_eq!(kinds, truth.packets);
    let accounting = &truth.accounting;
    assert_eq!(
        accounting.records,
        accounting.observed + accounting.outside + accounting.not_ip + accounting.malformed.ipv4
    );
}

#[test]
fn the_golden_capture_is_still_the_same() {
    let (bytes, _) = made(&small());
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digest, GOLDEN_SHA256);
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_and_truth() {
    let one = made(&everything());
    for threads in [2, 3, 8] {
        let many = made(&Scenario {
            threads,
            ..everything()
        });
        assert!(one == many, "{threads} threads");
    }
}

#[test]
fn every_partition_sums_to_the_packets() {
    for shape in [Shape::Mixed, Shape::Flat, Shape::Flood] {
        let (_, truth) = made(&Scenario { shape, ..small() });
        check_sums(&truth);
    }
    check_sums(&made(&everything()).1);
}

#[test]
fn files_of_a_split_hold_the_packets_of_the_whole() {
    let (whole, truth) = made(&everything());
    for files in [1, 7, 10] {
        let mut parts = Vec::new();
        let split = write_split(
            &everything(),
            files,
            |_| Ok(Vec::new()),
            |part| {
                parts.push(part);
                Ok::<(), Error>(())
            },
        );
        assert_eq!(split.ok().as_ref(), Some(&truth));
        assert_eq!(parts.len() as u64, files);
        let joined: Vec<u8> = parts.iter().flat_map(|part| &part[24..]).copied().collect();
        assert!(joined == whole[24..], "{files} files");
    }
}

#[test]
fn labels_of_single_records_add_up_to_the_truth() {
    let (bytes, truth) = made(&everything());
    for threads in [1, 3] {
        let (mut capture, mut labels) = (Vec::new(), Vec::new());
        let scenario = Scenario {
            threads,
            ..everything()
        };
        let mut only = Some(&mut capture);
        let again = write_labelled(
            &scenario,
            1,
            |_| only.take().ok_or(Error::Worker),
            |_| Ok::<(), Error>(()),
            Some(&mut labels),
        );
        assert_eq!(again.ok().as_ref(), Some(&truth));
        assert!(capture == bytes, "labels change no packet");
        let text = labels.strip_prefix(label::HEADER).expect("a header");
        let text = std::str::from_utf8(text).expect("text");
        assert_eq!(text.lines().count() as u64, truth.accounting.records);
        let mut classes = std::collections::BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with(',')) {
            let class = line.split(',').next().unwrap_or_default().to_owned();
            *classes.entry(class).or_insert(0_u64) += 1;
        }
        assert_eq!(classes, truth.classes);
    }
}

#[test]
fn counts_agree_with_another_parser() {
    let (bytes, truth) = made(&everything());
    let (mut tcp, mut udp, mut ipv6, mut not_ip, mut broken, mut sources) =
        (0, 0, 0, 0, 0, std::collections::HashSet::new());
    for (_, frame) in records(&bytes) {
        let Ok(packet) = SlicedPacket::from_ethernet(frame) else {
            broken += 1;
            continue;
        };
        match &packet.net {
            Some(NetSlice::Ipv4(ip)) => {
                let destination = ip.header().destination_addr().octets();
                let dark = destination[..2] == [198, 18] && destination[2] < 16
                    || destination[..3] == [192, 88, 99];
                if !dark {
                    continue;
                }
                sources.insert(u128::from(u32::from(ip.header().source_addr())));
            }
            Some(NetSlice::Ipv6(ip)) => {
                ipv6 += 1;
                sources.insert(u128::from(ip.header().source_addr()));
            }
            _ => not_ip += 1,
        }
        match packet.transport {
            Some(TransportSlice::Tcp(_)) => tcp += 1,
            Some(TransportSlice::Udp(_)) => udp += 1,
            _ => {}
        }
    }
    let of = |protocol: &str| truth.protocols.get(protocol).copied().unwrap_or(0);
    let malformed = truth.classes["malformed"];
    let fragments = truth.traffic_types["fragment"];
    assert_eq!(not_ip, truth.accounting.not_ip);
    assert_eq!(ipv6, truth.families["ipv6"]);
    assert!(broken >= malformed && broken <= malformed + truth.accounting.malformed.ipv4 + 20);
    // The other parser does not look into first fragments.
    let first_fragments = 40;
    let hidden = of("6") + of("17") - tcp - udp;
    assert!(
        hidden >= malformed && hidden <= malformed + fragments + first_fragments,
        "{hidden}"
    );
    // Sources that sent nothing but damaged transport are in the truth, not here.
    let seen = sources.len() as u64;
    assert!(seen <= truth.sources.total && seen + malformed >= truth.sources.total);
}

#[test]
fn times_ascend_and_lie_in_their_hours() {
    let scenario = Scenario {
        outages: vec![(
            Scenario::default().start_us + HOUR_US,
            Scenario::default().start_us + 2 * HOUR_US,
        )],
        ..small()
    };
    let (bytes, truth) = made(&scenario);
    let times: Vec<i64> = records(&bytes).iter().map(|record| record.0).collect();
    assert!(times.is_sorted());
    assert_eq!(times.len() as u64, scenario.packets);
    assert!(
        times[0] >= scenario.start_us
            && times[times.len() - 1] < scenario.start_us + scenario.span_us
    );
    assert_eq!(
        truth.hours.keys().collect::<Vec<_>>(),
        ["2026-11-05T00", "2026-11-05T02"]
    );
}

#[test]
fn frames_and_formats_change_nothing_but_their_own_bytes() {
    let (_, plain) = made(&small());
    for (format, link, vlan) in [
        (Format::Pcapng, Link::Ethernet, None),
        (Format::Pcap, Link::Raw, None),
        (Format::Pcap, Link::Sll, None),
        (Format::Pcap, Link::Ethernet, Some(7)),
    ] {
        let (bytes, truth) = made(&Scenario {
            format,
            link,
            vlan,
            ..small()
        });
        assert_eq!((&truth.kinds, &truth.hours), (&plain.kinds, &plain.hours));
        assert!(bytes.len() as u64 > truth.bytes);
    }
}

#[test]
fn the_model_keeps_its_shares() {
    let (bytes, truth) = made(&Scenario {
        packets: 300_000,
        sources: 30_000,
        ..small()
    });
    let share = |count: u64| count as f64 / truth.packets as f64;
    assert!((share(truth.protocols["6"]) - 0.96).abs() < 0.005);
    assert!((share(truth.tools["mirai"]) - 0.013).abs() < 0.002);
    assert!((share(truth.countries["US"]) - 0.25).abs() < 0.08);
    assert!((bytes.len() as f64 / 300_000.0 - 16.0 - 75.0).abs() < 3.0);
    assert!(truth.ports.len() > 40_000);
}

#[test]
fn every_packet_of_a_flood_has_a_source_of_its_own() {
    let (bytes, truth) = made(&Scenario {
        shape: Shape::Flood,
        ..small()
    });
    let mut sources: Vec<&[u8]> = records(&bytes)
        .iter()
        .map(|record| &record.1[26..30])
        .collect();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len() as u64, truth.packets);
    assert_eq!(truth.sources.total, truth.packets);
}

#[test]
fn families_come_as_their_rows_say() {
    let scenario = Scenario {
        packets: 100_000,
        span_us: 6 * 24 * HOUR_US,
        family_share: 0.3,
        ..small()
    };
    let (_, truth) = made(&scenario);
    check_sums(&truth);
    let again = made(&Scenario {
        threads: 3,
        ..scenario
    });
    assert!(again.1 == truth);
    assert_eq!(truth.planted.len(), FAMILIES.len());
    let mut packets = 0;
    for (found, family) in truth.planted.iter().zip(FAMILIES) {
        assert_eq!(found.name, family.name);
        let expected: Vec<i64> = (0..6).filter(|day| family.ports(*day).is_some()).collect();
        assert_eq!(found.days.len(), expected.len());
        for (found, day) in found.days.iter().zip(expected) {
            let ports = family.ports(day).unwrap_or_default();
            assert_eq!(
                found.ports,
                ports.iter().map(|(_, port)| *port).collect::<Vec<_>>()
            );
            // Of so many packets every member sends some.
            assert_eq!(found.members.len(), family.members as usize);
            packets += found.members.values().sum::<u64>();
        }
    }
    let share = packets as f64 / truth.packets as f64;
    assert!((share - 0.3).abs() < 0.01, "{share}");
    assert_eq!(made(&small()).1.planted, []);
}

#[test]
fn contradictions_are_refused() {
    let contradictions = [
        Scenario {
            ipv6_share: 0.5,
            ..small()
        },
        Scenario {
            vlan: Some(1),
            link: Link::Raw,
            ..small()
        },
        Scenario {
            outside_share: 1.5,
            ..small()
        },
        Scenario {
            span_us: 0,
            ..small()
        },
        Scenario {
            outages: vec![(0, i64::MAX)],
            ..small()
        },
    ];
    for scenario in contradictions {
        assert!(matches!(
            write(&scenario, &mut Vec::new()),
            Err(Error::Contradiction(_))
        ));
    }
}
