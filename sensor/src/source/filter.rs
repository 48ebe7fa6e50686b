//! Programs of classic BPF (Linux: `Documentation/networking/filter.rst`): one decides by the telescope's prefixes which packets reach the
//! capture, one chooses a ring by the packet's source.
//!
//! A filter may pass too much, but never too little: a packet that is neither plain IPv4 nor plain IPv6 passes and is judged by the
//! decoder. Nothing here talks to the kernel.

use super::prefix_ranges::{PrefixRanges, ranges_ipv4, ranges_ipv6_leading};
use teiten_packet::telescope::Prefix;

/// Most instructions the kernel takes (`BPF_MAXINSNS` of linux/bpf_common.h).
pub(super) const INSTRUCTIONS_MAX: usize = 4096;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions to skip when a test is true.
    pub if_true: u8,
    /// Instructions to skip when it is false.
    pub if_false: u8,
    /// The operand.
    pub value: u32,
}

// Of linux/bpf_common.h and linux/filter.h.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_WORD_INDEXED: u16 = 0x40;
const LOAD_INDEX: u16 = 0x01;
const AND: u16 = 0x54;
const SHIFT_RIGHT: u16 = 0x74;
const XOR_INDEX: u16 = 0xac;
const MULTIPLY: u16 = 0x24;
const TO_INDEX: u16 = 0x07;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;
const RETURN_ACCUMULATOR: u16 = 0x16;
/// Where loads find the network header (`SKF_NET_OFF`), and the packet's protocol (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
const NETWORK_OFFSET: u32 = -0x10_0000_i32 as u32;
const PROTOCOL_OFFSET: u32 = -0x1000_i32 as u32;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const ARP: u32 = 0x0806;
/// Tags that the decoder follows, as in `decode/link/ethernet.rs`.
const VLAN_TYPES: [u32; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
/// Tags that the filter follows; a packet with more passes.
const TAGS_MAX: u32 = 2;
/// Bytes of an Ethernet header, and the offset of its type.
const ETHERNET_BYTES: u32 = 14;
const TYPE_AT: u32 = 12;
/// Offsets of destination and source in an IP header (RFC 791, RFC 8200).
const IPV4_DESTINATION_AT: u32 = 16;
const IPV6_DESTINATION_AT: u32 = 24;
const IPV4_SOURCE_AT: u32 = 12;
const IPV6_SOURCE_AT: u32 = 8;

/// The precision of a filter: maximum ranges of IPv4, prefixes of IPv6, and ranges of leading words of IPv6 if there are more prefixes.
#[derive(Clone, Copy, Debug)]
struct FilterDetail {
    ipv4: usize,
    ipv6: usize,
    ipv6_leading: usize,
}

/// From fine to coarse. The first that fits is used; if none fits, every packet passes.
const DETAILS: &[FilterDetail] = &[
    FilterDetail {
        ipv4: 500,
        ipv6: 60,
        ipv6_leading: 150,
    },
    FilterDetail {
        ipv4: 100,
        ipv6: 20,
        ipv6_leading: 40,
    },
    FilterDetail {
        ipv4: 8,
        ipv6: 2,
        ipv6_leading: 8,
    },
];

impl Instruction {
    /// Ends the program; the value is how many bytes of the packet are kept, 0 drops it.
    #[must_use]
    pub(super) const fn returns(bytes: u32) -> Self {
        Instruction::of(RETURN, bytes)
    }

    /// An instruction that tests nothing.
    const fn of(code: u16, value: u32) -> Self {
        Instruction {
            code,
            if_true: 0,
            if_false: 0,
            value,
        }
    }

    const fn test(code: u16, value: u32, if_true: u8, if_false: u8) -> Self {
        Instruction {
            code,
            if_true,
            if_false,
            value,
        }
    }
}

/// Passes what may be sent to one of `dark` (everything if there is none) and keeps `snap_length_bytes` of it; `expression`, another
/// program, must pass it too.
#[must_use]
pub(super) fn telescope_filter(
    dark: &[Prefix],
    snap_length_bytes: u32,
    expression: &[Instruction],
) -> Vec<Instruction> {
    let everything = vec![Instruction::returns(snap_length_bytes)];
    let mut fitting = DETAILS
        .iter()
        .map(|&detail| prefixes_program(dark, snap_length_bytes, detail))
        .filter(|program| program.len() + expression.len() <= INSTRUCTIONS_MAX);
    let prefixes = match dark {
        [] => everything,
        _ => fitting.next().unwrap_or(everything),
    };
    both(expression, prefixes)
}

/// The ring of a packet: a hash of its source, so that a source stays with one ring.
#[must_use]
pub(super) fn spread_by_source() -> Vec<Instruction> {
    let mixed = |program: &mut Vec<Instruction>| {
        // Fibonacci hashing: the upper bits depend on all of the source.
        program.push(Instruction::of(MULTIPLY, 0x9e37_79b1));
        program.push(Instruction::of(SHIFT_RIGHT, 16));
        program.push(Instruction::of(RETURN_ACCUMULATOR, 0));
    };
    let mut ipv4 = vec![Instruction::of(
        LOAD_WORD,
        NETWORK_OFFSET.wrapping_add(IPV4_SOURCE_AT),
    )];
    mixed(&mut ipv4);
    let mut ipv6 = vec![Instruction::of(
        LOAD_WORD,
        NETWORK_OFFSET.wrapping_add(IPV6_SOURCE_AT),
    )];
    for word in 1..4 {
        ipv6.push(Instruction::of(TO_INDEX, 0));
        let at = NETWORK_OFFSET.wrapping_add(IPV6_SOURCE_AT + 4 * word);
        ipv6.push(Instruction::of(LOAD_WORD, at));
        ipv6.push(Instruction::of(XOR_INDEX, 0));
    }
    mixed(&mut ipv6);
    let mut program = vec![Instruction::of(LOAD_HALF, PROTOCOL_OFFSET)];
    program.extend(when_equal(IPV4, ipv4));
    program.extend(when_equal(IPV6, ipv6));
    program.push(Instruction::returns(0));
    program
}

/// A program that passes what both pass; the second decides how many bytes are kept.
fn both(first: &[Instruction], second: Vec<Instruction>) -> Vec<Instruction> {
    let length = first.len();
    let mut program: Vec<Instruction> = first
        .iter()
        .enumerate()
        .map(|(index, one)| match (one.code, one.value) {
            (RETURN, bytes) if bytes > 0 => Instruction::of(JUMP, (length - index - 1) as u32),
            _ => *one,
        })
        .collect();
    program.extend(second);
    program
}

/// Runs `block`, which ends the program, when the accumulator is `value`, and continues after it otherwise.
fn when_equal(value: u32, block: Vec<Instruction>) -> Vec<Instruction> {
    let mut program = vec![
        Instruction::test(JUMP_EQUAL, value, 1, 0),
        Instruction::of(JUMP, block.len() as u32),
    ];
    program.extend(block);
    program
}

fn prefixes_program(dark: &[Prefix], keep: u32, detail: FilterDetail) -> Vec<Instruction> {
    let ipv4 = ipv4_program(&ranges_ipv4(dark, detail.ipv4), keep);
    let ipv6 = ipv6_program(dark, keep, detail);
    // From the innermost tag outwards; each block knows the distance to the two programs after all of them.
    let mut tags: Vec<Vec<Instruction>> = Vec::new();
    let mut behind = 0;
    for depth in (0..=TAGS_MAX).rev() {
        let block = type_program(depth, keep, behind, ipv4.len());
        behind += block.len();
        tags.push(block);
    }
    let mut program: Vec<Instruction> = tags.into_iter().rev().flatten().collect();
    program.extend(ipv4);
    program.extend(ipv6);
    program
}

/// Tests the type after `depth` tags. `behind` instructions follow before the program of IPv4, which has `ipv4` of them and is followed by
/// that of IPv6. After a tag the next block continues.
fn type_program(depth: u32, keep: u32, behind: usize, ipv4: usize) -> Vec<Instruction> {
    let is_last = depth == TAGS_MAX;
    let mut program = vec![
        Instruction::of(LOAD_INDEX, 4 * depth),
        Instruction::of(LOAD_HALF, TYPE_AT + 4 * depth),
    ];
    // Positions count from the end of this block.
    let tests = 2 + 2 + 1 + if is_last { 0 } else { VLAN_TYPES.len() };
    let length = program.len() + tests + 2;
    let to_end = |index: usize| (length - index - 1) as u32;
    for (value, distance) in [(IPV4, behind), (IPV6, behind + ipv4)] {
        program.push(Instruction::test(JUMP_EQUAL, value, 0, 1));
        let index = program.len();
        program.push(Instruction::of(JUMP, to_end(index) + distance as u32));
    }
    if !is_last {
        for value in VLAN_TYPES {
            let index = program.len();
            program.push(Instruction::test(JUMP_EQUAL, value, to_end(index) as u8, 0));
        }
    }
    program.push(Instruction::test(JUMP_EQUAL, ARP, 1, 0));
    program.push(Instruction::returns(keep));
    program.push(Instruction::returns(0));
    debug_assert_eq!(program.len(), length);
    program
}

fn ipv4_program(ranges: &PrefixRanges, keep: u32) -> Vec<Instruction> {
    let destination = ETHERNET_BYTES + IPV4_DESTINATION_AT;
    let mut program = vec![Instruction::of(LOAD_WORD_INDEXED, destination)];
    program.extend(range_tree(ranges, keep));
    program
}

fn ipv6_program(dark: &[Prefix], keep: u32, detail: FilterDetail) -> Vec<Instruction> {
    let destination = ETHERNET_BYTES + IPV6_DESTINATION_AT;
    let prefixes: Vec<(u128, u8)> = dark
        .iter()
        .filter_map(|prefix| match *prefix {
            Prefix::Ipv6(first, length) => Some((first, length)),
            Prefix::Ipv4(..) => None,
        })
        .collect();
    if prefixes.len() > detail.ipv6 {
        let mut program = vec![Instruction::of(LOAD_WORD_INDEXED, destination)];
        program.extend(range_tree(
            &ranges_ipv6_leading(dark, detail.ipv6_leading),
            keep,
        ));
        return program;
    }
    let mut program = Vec::new();
    for (first, length) in prefixes {
        program.extend(prefix_test(first, u32::from(length), destination, keep));
    }
    program.push(Instruction::returns(0));
    program
}

/// Keeps a packet whose IPv6 destination has the prefix; continues otherwise.
fn prefix_test(first: u128, length: u32, destination: u32, keep: u32) -> Vec<Instruction> {
    let mut words = Vec::new();
    for word in 0..length.div_ceil(32) {
        let bits = (length - 32 * word).min(32);
        let value = (first >> (96 - 32 * word)) as u32;
        words.push(Instruction::of(LOAD_WORD_INDEXED, destination + 4 * word));
        if bits < 32 {
            words.push(Instruction::of(AND, !(u32::MAX >> bits)));
        }
        words.push(Instruction::test(JUMP_EQUAL, value, 0, 0));
    }
    words.push(Instruction::returns(keep));
    let end = words.len();
    for (index, one) in words.iter_mut().enumerate() {
        if one.code == JUMP_EQUAL {
            one.if_false = (end - index - 1) as u8;
        }
    }
    words
}

/// Keeps a packet if the accumulator is in one of the ranges, by binary search; drops it otherwise.
fn range_tree(ranges: &[(u32, u32)], keep: u32) -> Vec<Instruction> {
    match ranges {
        [] => vec![Instruction::returns(0)],
        [(first, last)] => vec![
            Instruction::test(JUMP_GREATER_OR_EQUAL, *first, 0, 1),
            Instruction::test(JUMP_GREATER, *last, 0, 1),
            Instruction::returns(0),
            Instruction::returns(keep),
        ],
        _ => {
            let (left, right) = ranges.split_at(ranges.len() / 2);
            let (left, right_program) = (range_tree(left, keep), range_tree(right, keep));
            let mut program = vec![
                Instruction::test(JUMP_GREATER_OR_EQUAL, right[0].0, 1, 0),
                Instruction::of(JUMP, right_program.len() as u32),
            ];
            program.extend(right_program);
            program.extend(left);
            program
        }
    }
}

#[cfg(test)]
#[path = "filter/tests.rs"]
mod tests;
