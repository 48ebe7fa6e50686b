//! Compares one input with the captures in the dataset, and stores the decision about it.

use teiten_aggregator::inputs::Capture;

use super::super::candidate::Candidate;

/// An input and the decision about it.
pub(super) struct JudgedInput {
    pub candidate: Candidate,
    /// Hashes of its beginnings, at lengths of known captures.
    pub beginnings: Vec<(u64, String)>,
    pub fate: Fate,
}

#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    Counted,
    PassedOver(String),
    Refused(String),
}

impl JudgedInput {
    pub(super) fn new(candidate: Candidate) -> Self {
        JudgedInput {
            candidate,
            beginnings: Vec::new(),
            fate: Fate::Counted,
        }
    }

    /// Whether `shorter` is the beginning of this capture.
    pub(super) fn begins_with(&self, shorter: &Capture) -> bool {
        let hashed = self
            .beginnings
            .iter()
            .find(|(length, _)| Some(*length) == shorter.bytes);
        match hashed {
            Some((_, hash)) => Some(hash) == shorter.hash.as_ref(),
            // This was compared when the capture was counted.
            None => shorter.is_beginning_of(&self.candidate.capture),
        }
    }

    pub(super) fn relation(&self, known: &Capture) -> Relation {
        let ours = &self.candidate.capture;
        if !ours.begins_as(known) {
            Relation::None
        } else if !known.is_whole() {
            Relation::Unfinished
        } else if ours.is_same(known) {
            Relation::Same
        } else if ours.bytes > known.bytes && self.begins_with(known) {
            Relation::Longer
        } else if ours.is_beginning_of(known) {
            Relation::Shorter
        } else {
            Relation::None
        }
    }
}

/// The relation of an input to a counted capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    None,
    Same,
    Longer,
    Shorter,
    /// It begins like one whose replay was interrupted.
    Unfinished,
}
