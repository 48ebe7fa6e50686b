//! The programs run by an interpreter of the few instructions they use, and compared with the telescope.

use super::*;
use teiten_packet::telescope::{Place, Telescope};

const KEEP: u32 = 2048;

/// What a program returns for a packet; a load beyond its end gives 0, as in the kernel.
fn run(program: &[Instruction], packet: &[u8]) -> u32 {
    let load = |at: usize, width: usize| -> Option<u32> {
        let bytes = packet.get(at..at + width)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte)),
        )
    };
    let (mut at, mut accumulator, mut index) = (0, 0u32, 0u32);
    loop {
        let one = program[at];
        at += 1;
        let loaded = match one.code {
            LOAD_WORD => load(one.value as usize, 4),
            LOAD_HALF => load(one.value as usize, 2),
            LOAD_WORD_INDEXED => load((one.value + index) as usize, 4),
            _ => Some(accumulator),
        };
        let Some(loaded) = loaded else { return 0 };
        accumulator = loaded;
        let holds = match one.code {
            JUMP_EQUAL => accumulator == one.value,
            JUMP_GREATER => accumulator > one.value,
            JUMP_GREATER_OR_EQUAL => accumulator >= one.value,
            LOAD_INDEX => {
                index = one.value;
                continue;
            }
            AND => {
                accumulator &= one.value;
                continue;
            }
            JUMP => {
                at += one.value as usize;
                continue;
            }
            RETURN => return one.value,
            LOAD_WORD | LOAD_HALF | LOAD_WORD_INDEXED => continue,
            other => panic!("an instruction that filters do not use: {other:#x}"),
        };
        at += usize::from(if holds { one.if_true } else { one.if_false });
    }
}

fn frame(tags: &[u16], ethertype: u16, header: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0, 7]);
    }
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(header);
    bytes
}

fn ipv4_to(destination: u32) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 1, 1, 1, 1];
    header.extend(destination.to_be_bytes());
    header
}

fn ipv6_to(destination: u128) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 0, 59, 64];
    header.extend([0x20; 16]);
    header.extend(destination.to_be_bytes());
    header
}

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts
        .iter()
        .map(|text| text.parse().expect("a prefix"))
        .collect()
}

/// Deterministic numbers (a linear congruence of Knuth's).
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    }
}

fn random_prefixes(count: usize, next: &mut impl FnMut() -> u64) -> Vec<Prefix> {
    (0..count)
        .map(|index| {
            if index % 3 == 0 {
                let length = 16 + (next() % 113) as u32;
                let number =
                    u128::from(next()) << 80 | u128::from(next()) << 40 | u128::from(next());
                Prefix::Ipv6(number >> (128 - length) << (128 - length), length as u8)
            } else {
                let length = 8 + (next() % 25) as u32;
                Prefix::Ipv4(
                    (next() as u32) >> (32 - length) << (32 - length),
                    length as u8,
                )
            }
        })
        .collect()
}

/// Asserts that every wanted packet passes; returns how many of the unwanted ones pass, and how many were tried.
fn check(dark: &[Prefix], seed: u64) -> (usize, usize) {
    let telescope = Telescope::new(dark, &[]);
    let program = telescope_filter(dark, KEEP, &[]);
    assert!(program.len() <= INSTRUCTIONS_MAX);
    let mut next = numbers(seed);
    let (mut unwanted, mut passed) = (0, 0);
    for round in 0..4_000 {
        let tags: &[u16] = [
            &[][..],
            &[0x8100],
            &[0x88a8, 0x8100],
            &[0x88a8, 0x8100, 0x8100],
        ][round % 4];
        let near = &dark[next() as usize % dark.len()];
        let jitter = if round % 8 < 4 {
            0
        } else {
            next() >> (next() % 48)
        };
        let (packet, place) = match *near {
            Prefix::Ipv4(first, _) => {
                let to = first.wrapping_add(jitter as u32);
                (frame(tags, 0x0800, &ipv4_to(to)), telescope.place(1u32, to))
            }
            Prefix::Ipv6(first, _) => {
                let to = first.wrapping_add(u128::from(jitter) << 64);
                (
                    frame(tags, 0x86dd, &ipv6_to(to)),
                    telescope.place(1u128, to),
                )
            }
        };
        let kept = run(&program, &packet);
        if place == Place::Observed {
            assert_eq!(kept, KEEP, "{near} was dropped");
        } else if tags.len() <= TAGS_MAX as usize {
            unwanted += 1;
            passed += usize::from(kept > 0);
        }
    }
    (unwanted, passed)
}

#[test]
fn a_filter_passes_the_telescope_alone_behind_up_to_two_tags() {
    for (seed, count) in [(1, 1), (2, 2), (3, 7), (4, 60), (5, 150)] {
        let dark = random_prefixes(count, &mut numbers(seed));
        let (unwanted, passed) = check(&dark, seed);
        assert!(unwanted > 100, "{unwanted} packets were outside");
        assert_eq!(passed, 0, "of {unwanted} packets outside {count} prefixes");
    }
}

#[test]
fn too_many_prefixes_make_a_coarser_filter_that_drops_nothing_wanted() {
    for (seed, count) in [(6, 2_000), (7, 30_000)] {
        check(&random_prefixes(count, &mut numbers(seed)), seed);
    }
}

#[test]
fn what_is_not_plain_ip_passes_except_for_arp() {
    let program = telescope_filter(&prefixes(&["192.0.2.0/24"]), KEEP, &[]);
    for (ethertype, kept) in [
        (0x0806, 0),
        (0x8847, KEEP),
        (0x8864, KEEP),
        (60, KEEP),
        (0x86dd, 0),
    ] {
        assert_eq!(
            run(&program, &frame(&[], ethertype, &[0; 64])),
            kept,
            "{ethertype:#x}"
        );
    }
}

#[test]
fn without_prefixes_everything_passes() {
    assert_eq!(telescope_filter(&[], 96, &[]), [Instruction::returns(96)]);
}

#[test]
fn an_expression_and_the_prefixes_must_both_let_a_packet_through() {
    // `tcp` over IPv4, as tcpdump -d prints it.
    let tcp = [
        Instruction::of(LOAD_HALF, 12),
        Instruction::test(JUMP_EQUAL, 0x0800, 0, 3),
        Instruction::of(LOAD_WORD, 20),
        Instruction::of(AND, 0xff),
        Instruction::test(JUMP_EQUAL, 6, 0, 1),
        Instruction::returns(262_144),
        Instruction::returns(0),
    ];
    let program = telescope_filter(&prefixes(&["192.0.2.0/24"]), KEEP, &tcp);
    let mut udp = frame(&[], 0x0800, &ipv4_to(0xc000_0201));
    assert_eq!(run(&program, &udp), KEEP);
    udp[23] = 17;
    assert_eq!(run(&program, &udp), 0);
    assert_eq!(run(&program, &frame(&[], 0x0800, &ipv4_to(0xc000_0301))), 0);
}
