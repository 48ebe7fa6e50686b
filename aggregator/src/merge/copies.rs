//! Captures that two datasets counted in different runs, and which of the runs contains the other. A capture that has grown since the last
//! merge arrives under a new run; the parts of its shorter copy are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::edition::RunParts;
use super::error::MergeError;
use crate::inputs::Capture;

/// What a merge does about shared captures in an hour; runs by the names of their editions.
#[derive(Debug, Default)]
pub(super) struct SharedCaptures {
    /// Runs in the target whose packets are all in incoming runs.
    pub replaced: BTreeSet<String>,
    /// Incoming runs whose packets are all in runs of the target.
    pub counted: BTreeSet<String>,
}

/// The parts of an hour by sensor and run.
pub(super) type HourRunParts = BTreeMap<String, RunParts>;

/// Finds what `theirs` and `ours` share under different runs.
///
/// # Errors
/// When two runs share a capture and neither contains the other, or both are in one dataset.
pub(super) fn relate(
    theirs: &HourRunParts,
    ours: &HourRunParts,
) -> Result<SharedCaptures, MergeError> {
    let mut copies = SharedCaptures::default();
    for (name, edition) in theirs {
        if let Some((_, other)) = sharing(edition, name, theirs).next() {
            return Err(conflict(edition, other));
        }
    }
    for (name, edition) in ours {
        if !theirs.contains_key(name) && is_covered(edition, name, theirs) {
            copies.replaced.insert(name.clone());
        }
    }
    for (name, edition) in theirs {
        if ours.contains_key(name) {
            continue;
        }
        if is_covered(edition, name, ours) && !is_mutual(edition, name, ours, &copies) {
            copies.counted.insert(name.clone());
            continue;
        }
        let mut shared = sharing(edition, name, ours);
        let left = shared.find(|(other, _)| !copies.replaced.contains(*other));
        if let Some((_, other)) = left {
            return Err(conflict(edition, other));
        }
    }
    Ok(copies)
}

/// Whether `edition` also replaces the runs that contain it: the same captures were counted again.
fn is_mutual(edition: &RunParts, name: &str, ours: &HourRunParts, copies: &SharedCaptures) -> bool {
    let mut shared = sharing(edition, name, ours);
    shared.all(|(other, _)| copies.replaced.contains(other))
}

/// The editions of the same sensor and other runs that share a capture with this one.
fn sharing<'e>(
    edition: &'e RunParts,
    name: &'e str,
    among: &'e HourRunParts,
) -> impl Iterator<Item = (&'e String, &'e RunParts)> {
    others(edition, name, among).filter(|(_, other)| {
        let theirs = || other.captures.iter().flatten();
        let mut ours = edition.captures.iter().flatten();
        ours.any(|our| theirs().any(|their| overlap(our, their)))
    })
}

fn others<'e>(
    edition: &'e RunParts,
    name: &'e str,
    among: &'e HourRunParts,
) -> impl Iterator<Item = (&'e String, &'e RunParts)> {
    among.iter().filter(move |(other, found)| {
        other.as_str() != name && edition.sensor.is_some() && found.sensor == edition.sensor
    })
}

/// Whether the others together contain an edition.
fn is_covered(edition: &RunParts, name: &str, among: &HourRunParts) -> bool {
    let captures = edition.captures.as_deref().unwrap_or_default();
    !captures.is_empty()
        && captures.iter().all(|capture| {
            others(edition, name, among)
                .flat_map(|(_, other)| other.captures.iter().flatten())
                .any(|other| covers(other, capture))
        })
}

/// Whether every byte counted in `shorter` was also counted in `longer`.
fn covers(longer: &Capture, shorter: &Capture) -> bool {
    let is_copy = longer.is_same(shorter)
        || shorter.is_beginning_of(longer)
        || (longer.is_whole() && !shorter.is_whole() && shorter.begins_as(longer));
    is_copy && longer.from_bytes <= shorter.from_bytes
}

/// Whether the counted bytes of both overlap.
fn overlap(one: &Capture, other: &Capture) -> bool {
    let is_copy = if one.is_whole() && other.is_whole() {
        one.is_same(other) || one.is_beginning_of(other) || other.is_beginning_of(one)
    } else {
        one.begins_as(other)
    };
    let end = |capture: &Capture| capture.bytes.unwrap_or(u64::MAX);
    is_copy && one.from_bytes < end(other) && other.from_bytes < end(one)
}

fn conflict(theirs: &RunParts, ours: &RunParts) -> MergeError {
    let path = |edition: &RunParts| {
        let part = edition.parts.values().next();
        part.map_or_else(PathBuf::new, |part| part.open.part.path.clone())
    };
    MergeError::CountedTwice {
        theirs: path(theirs),
        ours: path(ours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(bytes: u64, from_bytes: u64, marks: &str) -> Capture {
        Capture {
            bytes: Some(bytes),
            hash: Some(format!("{bytes}")),
            from_bytes,
            marks: marks.to_owned(),
            ..Capture::default()
        }
    }

    fn run(captures: &[Capture]) -> RunParts {
        RunParts {
            sensor: Some("tokyo".to_owned()),
            captures: Some(captures.to_vec()),
            ..RunParts::default()
        }
    }

    fn editions(runs: &[(&str, RunParts)]) -> HourRunParts {
        let of = |(name, edition): &(&str, RunParts)| {
            let captures = edition.captures.clone().unwrap_or_default();
            ((*name).to_owned(), run(&captures))
        };
        runs.iter().map(of).collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_longer_self_replaces_its_shorter_one_and_never_the_other_way_round() {
        let short = editions(&[("1", run(&[capture(100, 0, "aa")]))]);
        let long = editions(&[("2", run(&[capture(200, 0, "aabb")]))]);
        let copies = relate(&long, &short).expect("a longer self");
        assert_eq!(
            (copies.replaced, copies.counted),
            (names(&["1"]), names(&[]))
        );
        let copies = relate(&short, &long).expect("a shorter self");
        assert_eq!(
            (copies.replaced, copies.counted),
            (names(&[]), names(&["1"]))
        );
    }

    #[test]
    fn what_was_counted_from_a_byte_on_stands_beside_what_came_before() {
        let short = editions(&[("1", run(&[capture(100, 0, "aa")]))]);
        let rest = editions(&[("2", run(&[capture(200, 100, "aabb")]))]);
        let copies = relate(&rest, &short).expect("side by side");
        assert!(copies.replaced.is_empty() && copies.counted.is_empty());
    }

    #[test]
    fn a_run_with_a_capture_more_and_one_less_is_refused() {
        let one = editions(&[("1", run(&[capture(100, 0, "aa"), capture(100, 0, "cc")]))]);
        let other = editions(&[("2", run(&[capture(200, 0, "aabb")]))]);
        assert!(matches!(
            relate(&other, &one),
            Err(MergeError::CountedTwice { .. })
        ));
        let twice = editions(&[
            ("1", run(&[capture(100, 0, "aa")])),
            ("2", run(&[capture(100, 0, "aa")])),
        ]);
        assert!(relate(&twice, &HourRunParts::new()).is_err());
    }

    #[test]
    fn the_same_capture_of_another_run_is_counted_again_and_not_beside_it() {
        let one = editions(&[("1", run(&[capture(100, 0, "aa")]))]);
        let other = editions(&[("2", run(&[capture(100, 0, "aa")]))]);
        let copies = relate(&other, &one).expect("the same");
        assert_eq!(
            (copies.replaced, copies.counted),
            (names(&["1"]), names(&[]))
        );
    }
}
