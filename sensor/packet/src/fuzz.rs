//! For fuzzing and for tests over captures: judges a frame in every way that there is, and compares the ways.

use teiten_observation::{Address, Observation};

use crate::LinkType;
use crate::decode::{Decoded, Packet, decode_record};
use crate::judge::{Frame, Judgement, Observed, is_observed, judge};
use crate::quick::PlainSyn;
use crate::telescope::Telescope;

/// The first two bytes choose the link type and whether the frame was cut, the rest is the frame. It must neither panic nor read beyond the
/// frame.
///
/// # Panics
/// As [`check_frame`].
pub fn fuzz_judge(data: &[u8]) {
    let Some((&[link_type, cut], captured)) = data.split_first_chunk::<2>() else {
        return;
    };
    check_frame(Frame {
        link_type: LinkType(u16::from(link_type) | u16::from(cut & 2) << 7),
        captured,
        wire_bytes: captured.len() as u32 + u32::from(cut & 1) * 1000,
    });
}

/// Judges a frame, and reads what an ICMP error quotes.
///
/// # Panics
/// When [`judge()`], its parts and the quick way disagree.
pub fn check_frame(frame: Frame<'_>) {
    let everything = Telescope::new(&[], &[]);
    let judged = judge(&everything, frame);
    let decoded = decode_record(frame.link_type, frame.captured, frame.wire_bytes);
    match (&judged, &decoded) {
        (Judgement::Ipv4(observed), Decoded::Ipv4(packet)) => check_packet(observed, packet),
        (Judgement::Ipv6(observed), Decoded::Ipv6(packet)) => check_packet(observed, packet),
        (Judgement::NotIp, Decoded::NotIp) => {}
        (Judgement::Malformed(layer, reason), Decoded::Malformed(its_layer, its_reason)) => {
            assert_eq!((layer, reason), (its_layer, its_reason));
        }
        other => panic!("a telescope of everything observes every packet: {other:?}"),
    }
    let is_packet = matches!(judged, Judgement::Ipv4(_) | Judgement::Ipv6(_));
    assert_eq!(is_observed(&everything, frame), is_packet);
    if let Some(syn) = PlainSyn::read(frame) {
        let Judgement::Ipv4(slow) = &judged else {
            panic!("a plain SYN is an IPv4 packet: {judged:?}");
        };
        assert_eq!(all_of(&syn.observed()), all_of(slow));
    }
}

fn check_packet<A: Address>(observed: &Observed<'_, A>, packet: &Packet<'_, A>) {
    assert_eq!(observed.kind, crate::classify::kind(packet));
    assert_eq!(observed.kind.protocol(A::FAMILY), packet.protocol);
    assert_eq!(observed.ports, packet.ports());
    assert!(!observed.rule.name.is_empty());
    assert_eq!(observed.quoted(), packet.quoted());
}

/// Everything that is known of a packet, to compare.
#[derive(Debug, PartialEq)]
struct All<'a> {
    observation: Observation<u32>,
    protocol: u8,
    ports: Option<(u16, u16)>,
    rule: &'static str,
    signature: Option<&'static str>,
    payload: &'a [u8],
    quotation: &'a [u8],
}

fn all_of<'a>(observed: &Observed<'a, u32>) -> All<'a> {
    All {
        observation: observed.at(0, 0),
        protocol: observed.protocol,
        ports: observed.ports,
        rule: observed.rule.name,
        signature: observed.signature.map(|row| row.name),
        payload: observed.payload,
        quotation: observed.quotation,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{ethernet, ipv4_packet, ipv6_packet, tcp_segment};

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let starts = prop_oneof![
            Just(Vec::new()),
            Just(ethernet(0x0800, &[0x45, 0, 0, 40])),
            Just(ethernet(
                0x0800,
                &ipv4_packet(6, &tcp_segment(2, 1, 2, &[], b""))
            )),
            Just(ethernet(0x86dd, &ipv6_packet(0, &[6, 0, 0, 0, 0, 0, 0, 0]))),
            Just(ethernet(0x8100, &[0, 1, 0x88, 0x47, 0, 0, 0, 0])),
        ];
        (starts, prop::collection::vec(any::<u8>(), 0..96)).prop_map(|(mut start, end)| {
            start.extend(end);
            start
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_of_any_link_type_are_judged_without_panic(
            link_type in 0_u16..300,
            bytes in frames(),
            cut in 0_usize..200,
            missing in 0_u32..3,
        ) {
            let captured = &bytes[..bytes.len().min(cut)];
            check_frame(Frame {
                link_type: LinkType(link_type),
                captured,
                wire_bytes: captured.len() as u32 + missing * 40,
            });
        }

        #[test]
        fn the_fuzz_entry_takes_anything(data in prop::collection::vec(any::<u8>(), 0..128)) {
            fuzz_judge(&data);
        }
    }
}
