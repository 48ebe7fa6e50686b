//! TCP options of a SYN: zmap's lists, and the compact shape of any stack.

use super::{Probe, initial_time_to_live};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;

/// Whether the options are one of the lists that zmap 4.1 can be told to send: windows (its default), linux, bsd, smallest-probes.
/// The timestamps differ from packet to packet; all else is fixed.
#[inline(never)]
pub(super) fn is_zmap_list(probe: &Probe) -> bool {
    let Some(options) = probe.options else {
        return false;
    };
    match (probe.ip_length_bytes, options) {
        (52, _) => *options == [2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2],
        (
            60,
            [
                2,
                4,
                5,
                0xb4,
                4,
                2,
                8,
                10,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                1,
                3,
                3,
                7,
            ],
        ) => true,
        (64, [2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, rest @ ..]) => {
            rest.len() == 12 && rest[8..] == [4, 2, 0, 0]
        }
        (44, [2, 4, 5, 0xb4]) => true,
        _ => false,
    }
}

/// Options of which the kinds are kept in a [`StackShape`].
pub const KINDS_MAX: usize = 12;

/// What a SYN shows of the stack that sent it. Equal shapes mean the same stack or tool, so unknown tools can be found by grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackShape {
    /// Window.
    pub window: u16,
    /// Kinds of the options in their order; the first `KINDS_MAX`.
    pub kinds: [u8; KINDS_MAX],
    /// How many kinds there are.
    pub kinds_count: u8,
    /// Maximum segment size, 0 where not sent.
    pub segment_size_max: u16,
    /// Window scale, 255 where not sent.
    pub window_scale: u8,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
    /// The time to live it most likely started with.
    pub initial_time_to_live: u8,
}

/// The shape of a SYN whose options were all captured.
#[must_use]
pub fn stack_shape(probe: &Probe) -> Option<StackShape> {
    let mut rest = probe.options?;
    let mut shape = StackShape {
        window: probe.window,
        kinds: [0; KINDS_MAX],
        kinds_count: 0,
        segment_size_max: 0,
        window_scale: u8::MAX,
        dont_fragment: probe.dont_fragment,
        initial_time_to_live: initial_time_to_live(probe.time_to_live),
    };
    while let [kind, behind @ ..] = rest {
        if usize::from(shape.kinds_count) < KINDS_MAX {
            shape.kinds[usize::from(shape.kinds_count)] = *kind;
            shape.kinds_count += 1;
        }
        if *kind == END {
            break;
        }
        if *kind == NO_OPERATION {
            rest = behind;
            continue;
        }
        let length = behind.first().map_or(0, |&length| usize::from(length));
        let Some(value) = rest.get(2..length) else {
            break;
        };
        match (*kind, value) {
            (MAXIMUM_SEGMENT_SIZE, &[high, low]) => {
                shape.segment_size_max = u16::from_be_bytes([high, low]);
            }
            (WINDOW_SCALE, &[scale]) => shape.window_scale = scale,
            _ => {}
        }
        rest = &rest[length..];
    }
    Some(shape)
}
