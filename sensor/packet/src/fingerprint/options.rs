//! TCP options of a SYN: zmap's lists, and how a list goes into a stack signature.

use teiten_observation::{OptionKind, StackSignature};

use super::Probe;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SELECTIVE_ACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;

/// The list of Windows: zmap's default since 4.1.
pub(super) fn is_zmap_windows(probe: &Probe) -> bool {
    const LIST: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
    probe.ip_length_bytes == 52 && probe.options == Some(LIST)
}

/// The list of Linux. The timestamps differ from packet to packet; all else is fixed.
pub(super) fn is_zmap_linux(probe: &Probe) -> bool {
    let options = probe.options.unwrap_or_default();
    probe.ip_length_bytes == 60
        && options.len() == 20
        && options.starts_with(&[2, 4, 5, 0xb4, 4, 2, 8, 10])
        && options.ends_with(&[1, 3, 3, 7])
}

/// The list of BSD and macOS.
pub(super) fn is_zmap_bsd(probe: &Probe) -> bool {
    let options = probe.options.unwrap_or_default();
    probe.ip_length_bytes == 64
        && options.len() == 24
        && options.starts_with(&[2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10])
        && options.ends_with(&[4, 2, 0, 0])
}

/// The shortest list that hosts answer.
pub(super) fn is_zmap_smallest(probe: &Probe) -> bool {
    const LIST: &[u8] = &[2, 4, 5, 0xb4];
    probe.ip_length_bytes == 44 && probe.options == Some(LIST)
}

/// The signature with these options, the commonest lists without a walk.
#[inline(always)]
pub(super) fn with_options(bare: StackSignature, options: &[u8]) -> StackSignature {
    match options {
        [] => bare,
        &[MAXIMUM_SEGMENT_SIZE, 4, high, low] => bare
            .with(0, OptionKind::SegmentSize)
            .with_segment_size(u16::from_be_bytes([high, low])),
        _ => walked(bare, options),
    }
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
        // The end of the list, or a length that lies: what follows means nothing.
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
