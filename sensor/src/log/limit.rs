//! How often a kind of message may be written: a few at once, then a count of those that were suppressed. A kind is a place in the code, so
//! their number is limited.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

/// Messages of a kind that are written within a [`WINDOW`].
pub(super) const BURST: u32 = 10;
/// How long a kind is suppressed after its [`BURST`].
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogDecision {
    /// Write it, and say how many of its kind were suppressed before.
    Write {
        /// How many.
        held_back: u64,
    },
    /// Count it only.
    HoldBack,
}

/// The kinds seen so far.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    kinds: HashMap<Identifier, MessageKind>,
}

#[derive(Debug)]
struct MessageKind {
    since: Instant,
    written: u32,
    held_back: u64,
    /// The last suppressed message, as an example.
    example: String,
}

impl Limiter {
    /// Decides about one message.
    pub(super) fn admit(&mut self, kind: Identifier, message: &str, now: Instant) -> LogDecision {
        let kind = self.kinds.entry(kind).or_insert_with(|| MessageKind {
            since: now,
            written: 0,
            held_back: 0,
            example: String::new(),
        });
        if now.duration_since(kind.since) >= WINDOW {
            kind.since = now;
            kind.written = 0;
        }
        if kind.written < BURST {
            kind.written += 1;
            let held_back = std::mem::take(&mut kind.held_back);
            return LogDecision::Write { held_back };
        }
        if kind.held_back == 0 {
            message.clone_into(&mut kind.example);
        }
        kind.held_back += 1;
        LogDecision::HoldBack
    }

    /// Kinds whose window is over with suppressed messages: an example of each and their number. Their windows restart.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(String, u64)> {
        let over = self
            .kinds
            .values_mut()
            .filter(|kind| kind.held_back > 0 && now.duration_since(kind.since) >= WINDOW);
        over.map(|kind| {
            (kind.since, kind.written) = (now, 0);
            (kind.example.clone(), std::mem::take(&mut kind.held_back))
        })
        .collect()
    }
}
