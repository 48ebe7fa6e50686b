//! The tests of TOOLS: what the probes of each tool look like.

use super::{Probe, options};

#[inline]
pub(super) fn is_mirai(probe: &Probe) -> bool {
    probe.sequence == probe.destination
}

#[inline]
pub(super) fn is_zmap(probe: &Probe) -> bool {
    probe.identification == 54321
}

#[inline]
pub(super) fn is_masscan(probe: &Probe) -> bool {
    let mark = probe.destination ^ u32::from(probe.destination_port) ^ probe.sequence;
    probe.identification == mark as u16
}

/// A probe of zmap before 4.1 as zmap builds it.
pub(super) fn is_zmap_with_shape(probe: &Probe) -> bool {
    is_zmap(probe)
        && !probe.dont_fragment
        && initial_time_to_live(probe.time_to_live) == 255
        && (probe.window == 65535 || !probe.is_syn)
}

/// A SYN of one of Masscan's two forms, or an SCTP INIT under its time to live.
pub(super) fn is_masscan_with_shape(probe: &Probe) -> bool {
    is_masscan(probe)
        && if probe.is_syn {
            masscan_shape(probe).is_some()
        } else {
            !probe.dont_fragment && initial_time_to_live(probe.time_to_live) == 255
        }
}

/// What zmap 4.1 sends whatever its options.
pub(super) fn has_zmap_stack(probe: &Probe) -> bool {
    probe.window == 65535
        && !probe.dont_fragment
        && matches!(initial_time_to_live(probe.time_to_live), 64 | 255)
}

pub(super) fn is_zmap_windows(probe: &Probe) -> bool {
    has_zmap_stack(probe) && options::is_zmap_windows(probe)
}

pub(super) fn is_zmap_linux(probe: &Probe) -> bool {
    has_zmap_stack(probe) && options::is_zmap_linux(probe)
}

pub(super) fn is_zmap_bsd(probe: &Probe) -> bool {
    has_zmap_stack(probe) && options::is_zmap_bsd(probe)
}

pub(super) fn is_zmap_smallest(probe: &Probe) -> bool {
    has_zmap_stack(probe) && options::is_zmap_smallest(probe)
}

/// The time to live that a packet most likely started with: the next of 32, 64, 128 and 255.
#[must_use]
pub const fn initial_time_to_live(time_to_live: u8) -> u8 {
    match time_to_live {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129.. => 255,
    }
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
pub(super) fn has_nmap_shape(probe: &Probe) -> bool {
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
