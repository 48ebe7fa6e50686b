//! What the SYN of an operating system looks like: option layout, window, initial TTL, DF. Scan tools shape their SYNs in `send/`.

use crate::random::Random;

/// Options of a SYN, with the place of the timestamp that has to be filled in.
#[derive(Debug)]
pub struct Layout {
    bytes: &'static [u8],
    timestamp_at: Option<usize>,
}

/// Longest option list of a TCP header.
pub const OPTION_BYTES_MAX: usize = 40;

impl Layout {
    /// The option bytes in `buffer`, the timestamp drawn.
    pub fn write<'a>(
        &self,
        buffer: &'a mut [u8; OPTION_BYTES_MAX],
        random: &mut Random,
    ) -> &'a [u8] {
        buffer[..self.bytes.len()].copy_from_slice(self.bytes);
        if let Some(place) = self.timestamp_at {
            buffer[place..place + 4].copy_from_slice(&random.next_u32().to_be_bytes());
        }
        &buffer[..self.bytes.len()]
    }

    const fn plain(bytes: &'static [u8]) -> Self {
        Layout {
            bytes,
            timestamp_at: None,
        }
    }

    const fn stamped(bytes: &'static [u8], place: usize) -> Self {
        Layout {
            bytes,
            timestamp_at: Some(place),
        }
    }
}

/// No options: IP length 40.
pub const BARE: Layout = Layout::plain(&[]);
/// MSS 1460 alone: IP length 44.
pub const MSS_ONLY: Layout = Layout::plain(&[2, 4, 5, 0xb4]);
/// MSS, NOP, WS 8, NOP, NOP, SACKOK: IP length 52.
pub const WINDOWS: Layout = Layout::plain(&[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2]);
/// MSS, NOP, NOP, SACKOK: IP length 48.
pub const OLD_WINDOWS: Layout = Layout::plain(&[2, 4, 5, 0xb4, 1, 1, 4, 2]);
/// MSS, SACKOK, TS, NOP, WS 7: IP length 60.
pub const LINUX: Layout = Layout::stamped(
    &[
        2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7,
    ],
    8,
);
/// MSS, NOP, WS 6, NOP, NOP, TS, SACKOK, EOL: IP length 64.
pub const BSD: Layout = Layout::stamped(
    &[
        2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2, 0, 0,
    ],
    12,
);

/// How an operating system opens a connection.
#[derive(Debug)]
pub struct Stack {
    /// Options in order.
    pub layout: &'static Layout,
    /// Window of the SYN.
    pub window: u16,
    /// TTL at the sender.
    pub initial_ttl: u8,
    /// Whether DF is set.
    pub dont_fragment: bool,
    /// Weight among hosts.
    weight: u32,
}

const fn stack(
    layout: &'static Layout,
    window: u16,
    initial_ttl: u8,
    dont_fragment: bool,
    weight: u32,
) -> Stack {
    Stack {
        layout,
        window,
        initial_ttl,
        dont_fragment,
        weight,
    }
}

/// Hosts that open connections: Linux of several ages, Windows, BSD and macOS, raw sockets of small devices.
const STACKS: &[Stack] = &[
    stack(&LINUX, 64240, 64, true, 40),
    stack(&LINUX, 29200, 64, true, 16),
    stack(&LINUX, 14600, 64, true, 6),
    stack(&LINUX, 5840, 64, true, 6),
    stack(&WINDOWS, 64240, 128, true, 8),
    stack(&WINDOWS, 8192, 128, true, 6),
    stack(&OLD_WINDOWS, 65535, 128, true, 3),
    stack(&BSD, 65535, 64, true, 4),
    stack(&MSS_ONLY, 5840, 64, false, 3),
    stack(&BARE, 14600, 64, false, 8),
];

/// The stack at `choice` of 100.
#[must_use]
pub fn stack_of(choice: u32) -> &'static Stack {
    let mut left = choice;
    for stack in STACKS {
        if left < stack.weight {
            return stack;
        }
        left -= stack.weight;
    }
    &STACKS[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_percent_and_options_whole_words() {
        assert_eq!(STACKS.iter().map(|stack| stack.weight).sum::<u32>(), 100);
        for stack in STACKS {
            assert_eq!(stack.layout.bytes.len() % 4, 0);
        }
    }
}
