//! The stack signature of a SYN: what its sender's TCP stack, or tool, shows of itself, in 64 bits and as text.
//!
//! Equal signatures mean the same stack or tool, so unknown tools can be found by grouping. The text is `65535:M1460,N,W8,N,N,S:df0:64`:
//! window, options in their order, whether routers must not fragment, initial time to live. The packet library reads the options of a
//! packet.

use std::fmt;

/// Options whose kinds are kept.
pub const KINDS_MAX: u32 = 8;
/// Largest window scale (RFC 7323, 2.3); larger ones count as this.
const SCALE_MAX: u8 = 14;
const NO_SCALE: u64 = 15;

/// Kinds of options in a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OptionKind {
    /// No operation, `N`.
    NoOperation = 1,
    /// Maximum segment size, `M` with its value.
    SegmentSize = 2,
    /// Window scale, `W` with its value.
    WindowScale = 3,
    /// Selective acknowledgments permitted, `S`.
    SelectiveAck = 4,
    /// Timestamps, `T`.
    Timestamps = 5,
    /// End of the list, `E`.
    End = 6,
    /// Any other option, and the rest of a list of more than [`KINDS_MAX`]. `?`.
    Other = 7,
}

/// From the lowest bit: options (8 of 3 bits, the first lowest), segment size 16, window 16, window scale 4, initial time to live 2,
/// do not fragment 1, and a bit that is always set, so that no signature is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackSignature(u64);

const KIND_BITS: u32 = 3;
const SIZE_AT: u32 = KINDS_MAX * KIND_BITS;
const WINDOW_AT: u32 = SIZE_AT + 16;
const SCALE_AT: u32 = WINDOW_AT + 16;
const INITIAL_AT: u32 = SCALE_AT + 4;
const DONT_FRAGMENT_AT: u32 = INITIAL_AT + 2;
const SET: u64 = 1 << 63;
const _: () = assert!(DONT_FRAGMENT_AT < 63);

impl StackSignature {
    /// The signature of a SYN without options.
    #[must_use]
    #[inline(always)]
    pub const fn new(window: u16, dont_fragment: bool, time_to_live: u8) -> Self {
        // The next of 32, 64, 128 and 255: how often the time to live doubles beyond 32.
        let initial =
            (time_to_live > 32) as u64 + (time_to_live > 64) as u64 + (time_to_live > 128) as u64;
        StackSignature(
            SET | (window as u64) << WINDOW_AT
                | NO_SCALE << SCALE_AT
                | initial << INITIAL_AT
                | (dont_fragment as u64) << DONT_FRAGMENT_AT,
        )
    }

    /// The same with an option more, the `number`th from 0. Beyond [`KINDS_MAX`] the last place becomes [`OptionKind::Other`].
    #[must_use]
    #[inline]
    pub const fn with(self, number: u32, kind: OptionKind) -> Self {
        if number < KINDS_MAX {
            StackSignature(self.0 | (kind as u64) << (number * KIND_BITS))
        } else {
            StackSignature(self.0 | (OptionKind::Other as u64) << ((KINDS_MAX - 1) * KIND_BITS))
        }
    }

    /// The same with this maximum segment size, bytes; the first one of a list counts.
    #[must_use]
    #[inline]
    pub const fn with_segment_size(self, bytes: u16) -> Self {
        if self.segment_size() == 0 {
            StackSignature(self.0 | (bytes as u64) << SIZE_AT)
        } else {
            self
        }
    }

    /// The same with this window scale; the first one of a list counts.
    #[must_use]
    #[inline]
    pub const fn with_window_scale(self, scale: u8) -> Self {
        if self.0 >> SCALE_AT & 15 != NO_SCALE {
            return self;
        }
        let scale = if scale > SCALE_MAX { SCALE_MAX } else { scale };
        StackSignature(self.0 & !(15 << SCALE_AT) | (scale as u64) << SCALE_AT)
    }

    /// The bits; never 0.
    #[must_use]
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The signature with these bits, where they are those of one: 0 is none.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & SET != 0 {
            Some(StackSignature(bits))
        } else {
            None
        }
    }

    /// Maximum segment size, bytes; 0 where it was not sent.
    #[must_use]
    pub const fn segment_size(self) -> u16 {
        (self.0 >> SIZE_AT) as u16
    }

    /// Window of the SYN.
    #[must_use]
    pub const fn window(self) -> u16 {
        (self.0 >> WINDOW_AT) as u16
    }

    /// Window scale, where it was sent.
    #[must_use]
    pub const fn window_scale(self) -> Option<u8> {
        match self.0 >> SCALE_AT & 15 {
            NO_SCALE => None,
            scale => Some(scale as u8),
        }
    }

    /// Whether routers must not fragment the SYN.
    #[must_use]
    pub const fn dont_fragment(self) -> bool {
        self.0 >> DONT_FRAGMENT_AT & 1 != 0
    }

    /// The time to live that the SYN most likely started with.
    #[must_use]
    pub const fn initial_time_to_live(self) -> u8 {
        [32, 64, 128, 255][(self.0 >> INITIAL_AT & 3) as usize]
    }

    /// As it is written, such as 65535:M1460,N,W8,N,N,S:df0:64. A flood has millions, so this does without the machinery of formats.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = String::with_capacity(TEXT_BYTES);
        push_number(&mut text, self.window());
        text.push(':');
        self.push_options(&mut text);
        text.push_str(if self.dont_fragment() {
            ":df1:"
        } else {
            ":df0:"
        });
        push_number(&mut text, self.initial_time_to_live().into());
        text
    }

    fn push_options(self, text: &mut String) {
        for number in 0..KINDS_MAX {
            let kind = self.0 >> (number * KIND_BITS) & 7;
            if kind == 0 {
                break;
            }
            if number > 0 {
                text.push(',');
            }
            match (kind, self.window_scale()) {
                (2, _) => {
                    text.push('M');
                    push_number(text, self.segment_size());
                }
                (3, Some(scale)) => {
                    text.push('W');
                    push_number(text, scale.into());
                }
                _ => text.push_str(["", "N", "M", "W", "S", "T", "E", "?"][kind as usize]),
            }
        }
    }
}

/// Bytes of a signature as text, at most: window, size and scale of five, five and two digits, eight options, and what stands between.
const TEXT_BYTES: usize = 48;

fn push_number(text: &mut String, number: u16) {
    let mut unit = 10_000;
    while unit > 1 && number < unit {
        unit /= 10;
    }
    while unit > 0 {
        text.push(char::from(b'0' + (number / unit % 10) as u8));
        unit /= 10;
    }
}

impl fmt::Display for StackSignature {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(&self.text())
    }
}

impl fmt::Debug for StackSignature {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "StackSignature({self})")
    }
}

#[cfg(test)]
mod tests {
    use OptionKind::{NoOperation, Other, SegmentSize, SelectiveAck, WindowScale};

    use super::*;

    fn listed(signature: StackSignature, kinds: &[OptionKind]) -> StackSignature {
        let numbered = (0..).zip(kinds);
        numbered.fold(signature, |signature, (number, &kind)| {
            signature.with(number, kind)
        })
    }

    #[test]
    fn a_signature_reads_as_its_parts() {
        let zmap = StackSignature::new(65535, false, 50)
            .with_segment_size(1460)
            .with_window_scale(8);
        let kinds = [
            SegmentSize,
            NoOperation,
            WindowScale,
            NoOperation,
            NoOperation,
            SelectiveAck,
        ];
        let text = listed(zmap, &kinds).to_string();
        assert_eq!(text, "65535:M1460,N,W8,N,N,S:df0:64");
        let bare = StackSignature::new(1024, true, 240);
        assert_eq!(bare.to_string(), "1024::df1:255");
    }

    #[test]
    fn numbers_are_written_as_others_write_them() {
        for number in 0..=u16::MAX {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }

    #[test]
    fn no_signature_is_zero_and_zero_is_none() {
        let least = StackSignature::new(0, false, 0);
        assert_ne!(least.bits(), 0);
        assert_eq!(StackSignature::from_bits(least.bits()), Some(least));
        assert_eq!(StackSignature::from_bits(0), None);
        assert_eq!(least.to_string(), "0::df0:32");
    }

    #[test]
    fn what_does_not_fit_shows_as_a_question_mark() {
        let many = listed(StackSignature::new(1, false, 1), &[NoOperation; 11]);
        assert_eq!(many.to_string(), "1:N,N,N,N,N,N,N,?:df0:32");
        let eight = listed(StackSignature::new(1, false, 1), &[NoOperation; 8]);
        assert_eq!(eight.to_string(), "1:N,N,N,N,N,N,N,N:df0:32");
        assert_eq!(
            StackSignature::new(1, false, 1).with(0, Other).to_string(),
            "1:?:df0:32"
        );
    }

    #[test]
    fn a_scale_beyond_the_largest_counts_as_the_largest() {
        let scaled = StackSignature::new(1, false, 1).with_window_scale(200);
        assert_eq!(scaled.window_scale(), Some(14));
        assert_eq!(scaled.with_window_scale(3).window_scale(), Some(14));
        assert_eq!(StackSignature::new(1, false, 1).window_scale(), None);
    }

    #[test]
    fn the_initial_time_to_live_is_the_next_of_four() {
        for (arrived, initial) in [
            (0, 32),
            (32, 32),
            (33, 64),
            (64, 64),
            (65, 128),
            (128, 128),
            (129, 255),
            (255, 255),
        ] {
            let signature = StackSignature::new(1, false, arrived);
            assert_eq!(signature.initial_time_to_live(), initial, "{arrived}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_part_is_given_back_whatever_the_others_are(
            window: u16,
            dont_fragment: bool,
            time_to_live: u8,
            size in 1_u16..,
            scale in 0_u8..15,
        ) {
            let signature = StackSignature::new(window, dont_fragment, time_to_live)
                .with(0, SegmentSize)
                .with_segment_size(size)
                .with_window_scale(scale);
            assert_eq!(signature.window(), window);
            assert_eq!(signature.dont_fragment(), dont_fragment);
            assert_eq!(signature.segment_size(), size);
            assert_eq!(signature.window_scale(), Some(scale));
            assert_eq!(StackSignature::from_bits(signature.bits()), Some(signature));
        }
    }
}
