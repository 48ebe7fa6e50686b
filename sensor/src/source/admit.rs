//! Decides which captures of a replay are counted: each once in a dataset, regardless of its name, its compression and the other inputs.
//!
//! The rule: a capture that was counted before is skipped, and so is a shorter copy of it. A capture that has grown replaces its shorter
//! copy if all captures that share hours with that copy are among the inputs; otherwise only its new bytes are counted. A capture that was
//! counted with another configuration or by an interrupted replay, or that --recount names, replaces its earlier rows together with the
//! captures that share its hours. If one of these captures is not among the inputs, no part is replaced, and it is an error.

mod judged;
mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use teiten_aggregator::hour::Hour;
use teiten_aggregator::inputs::{Capture, Contributors, CountedHour, MARK_DIGITS};
use teiten_aggregator::store::PartName;
use twox_hash::XxHash3_128;

use super::candidate::Candidate;
use super::error::{CaptureError, SourceError};
use super::index::CaptureIndex;
use super::input::Terms;
use super::replay::{Replay, ReplaySettings};
use super::search::{FoundInputs, find};
use super::{FileReport, block::Block};
use judged::{Fate, JudgedInput, Relation};
use known::{KnownSensor, head};

/// The cache of files that were read before, in the dataset's private folder.
const INDEX_FILE: &str = "captures.json";

/// The captures found under some paths, before the decision which of them are counted.
pub struct Admission {
    found: FoundInputs,
    settings: ReplaySettings,
}

/// The captures to count.
pub struct Admitted {
    /// The captures to be read.
    pub replay: Replay,
    /// The name of their run; the same captures give the same name.
    pub run: String,
    /// Which captures contribute to which hour; filled while the replay reads.
    pub contributors: Arc<Contributors>,
    /// Parts that are replaced: they are removed after the replay, except those that it has written under `run`.
    pub replaced: Vec<(PartName, Hour)>,
}

/// The dataset into which captures are counted.
pub struct DatasetView<'a> {
    /// The folder beside its tables.
    pub scratch: &'a Path,
    /// The sensor's name.
    pub sensor: &'a str,
    /// Hash of the configuration.
    pub configuration_sha256: &'a str,
    /// Its contents.
    pub hours: Vec<CountedHour>,
    /// Whether captures that were counted before are counted again.
    pub recount: bool,
}

impl Admission {
    /// Finds the inputs, like [`Replay::open`].
    ///
    /// # Errors
    /// When no path is given, or none of them can be read.
    pub fn begin(paths: &[PathBuf], settings: ReplaySettings) -> Result<Self, SourceError> {
        if paths.is_empty() {
            return Err(SourceError::NothingGiven);
        }
        let found = find(paths);
        if found.candidates.is_empty() && found.has_errors() {
            return Err(SourceError::NothingToRead(found.reports));
        }
        Ok(Admission { found, settings })
    }

    /// Decides which captures are counted. A capture that resembles one that was counted, or another input, is read to its end first.
    ///
    /// # Errors
    /// When the private folder of the dataset cannot be written.
    pub fn admit(self, into: DatasetView<'_>) -> std::io::Result<Admitted> {
        let index_path = into.scratch.join(INDEX_FILE);
        let mut deciding = Deciding {
            settings: self.settings,
            known: KnownSensor::new(into.hours, into.sensor, into.configuration_sha256),
            reports: self.found.reports,
            index: CaptureIndex::load(&index_path),
            inputs: self
                .found
                .candidates
                .into_iter()
                .map(JudgedInput::new)
                .collect(),
            recount: into.recount,
        };
        deciding.identify(into.scratch)?;
        deciding.leave_out_copies();
        let units = deciding.decide();
        Ok(deciding.admitted(&units, into.sensor, index_path))
    }
}

struct Deciding {
    settings: ReplaySettings,
    known: KnownSensor,
    reports: Vec<FileReport>,
    index: CaptureIndex,
    inputs: Vec<JudgedInput>,
    recount: bool,
}

impl Deciding {
    /// Reads the inputs that may be in the dataset already, or twice among the inputs.
    fn identify(&mut self, scratch: &Path) -> std::io::Result<()> {
        let mut order: Vec<usize> = (0..self.inputs.len()).collect();
        order.sort_by(|&left, &right| {
            let marks = |input: usize| &self.inputs[input].candidate.capture.marks;
            marks(left).cmp(marks(right))
        });
        let mut alike = BTreeSet::<usize>::new();
        for pair in order.windows(2) {
            let capture = |input: usize| &self.inputs[input].candidate.capture;
            if capture(pair[0]).begins_as(capture(pair[1])) {
                alike.extend(pair);
            }
        }
        let mut lost = Vec::new();
        for place in 0..self.inputs.len() {
            let capture = &self.inputs[place].candidate.capture;
            let lengths: Vec<u64> = self
                .known
                .captures_like(capture)
                .filter_map(|(_, known)| known.bytes)
                .collect();
            let is_known = !self.known.like(capture).is_empty();
            if !is_known && !alike.contains(&place) {
                continue;
            }
            let is_proven = |cached: &Capture| {
                let mut like = self.known.captures_like(cached);
                !is_known
                    || like.any(|(_, known)| cached.is_same(known) || cached.is_beginning_of(known))
            };
            if let Some(cached) = self.cached(place).filter(is_proven) {
                self.inputs[place].candidate.capture = cached;
                continue;
            }
            self.inputs[place].candidate.spool(scratch)?;
            if let Err(error) = self.read_through(place, lengths) {
                lost.push((place, error));
            }
        }
        for (place, error) in lost {
            self.inputs[place].fate = Fate::Refused(error.to_string());
        }
        Ok(())
    }

    fn cached(&self, place: usize) -> Option<Capture> {
        let (path, stamp) = self.inputs[place].candidate.file.as_ref()?;
        self.index.capture(path, stamp).cloned()
    }

    fn read_through(&mut self, place: usize, lengths: Vec<u64>) -> Result<(), CaptureError> {
        let terms = Terms {
            implausible_days: self.settings.implausible_days,
            from_bytes: 0,
            identify: Some(lengths),
            walk_ahead: None,
        };
        let judged = &mut self.inputs[place];
        let mut input = judged.candidate.open(self.settings.reading, terms)?;
        let mut reuse = Block::empty();
        while let Some(block) = input.take(i64::MAX, reuse) {
            reuse = block.emptied();
        }
        if let Some(capture) = input.capture() {
            judged.candidate.capture = capture;
        }
        judged.beginnings = input.beginnings().to_vec();
        Ok(())
    }

    /// Skips inputs that are copies of others, or of their beginnings.
    fn leave_out_copies(&mut self) {
        let mut order: Vec<usize> = (0..self.inputs.len())
            .filter(|&place| {
                self.inputs[place].fate == Fate::Counted
                    && self.inputs[place].candidate.capture.is_whole()
            })
            .collect();
        order.sort_by(|&left, &right| {
            let key = |place: usize| {
                let candidate = &self.inputs[place].candidate;
                (std::cmp::Reverse(candidate.capture.bytes), &candidate.path)
            };
            key(left).cmp(&key(right))
        });
        let mut kept: Vec<usize> = Vec::new();
        let mut by_mark = BTreeMap::<String, Vec<usize>>::new();
        for place in order {
            let capture = self.inputs[place].candidate.capture.clone();
            let Some(first_mark) = capture.marks.get(..MARK_DIGITS).map(str::to_owned) else {
                continue;
            };
            let longer = by_mark.entry(first_mark).or_default();
            for other in longer.clone() {
                let other_capture = &self.inputs[other].candidate.capture;
                let relation = if capture.is_same(other_capture) {
                    "is the same capture as"
                } else if capture.is_beginning_of(other_capture)
                    && self.is_beginning(&capture, other)
                {
                    "is a shorter copy of"
                } else {
                    continue;
                };
                let path = self.inputs[other].candidate.path.display();
                self.inputs[place].fate =
                    Fate::PassedOver(format!("{relation} {path}, which is counted once"));
                break;
            }
            if self.inputs[place].fate == Fate::Counted {
                by_mark
                    .entry(capture.marks[..MARK_DIGITS].to_owned())
                    .or_default()
                    .push(place);
                kept.push(place);
            }
        }
    }

    /// Whether a capture is, byte for byte, the beginning of an input; if it cannot be read again, its fingerprint decides.
    fn is_beginning(&mut self, shorter: &Capture, longer: usize) -> bool {
        let length = shorter.bytes.unwrap_or(0);
        let is_hashed =
            |judged: &JudgedInput| judged.beginnings.iter().any(|(known, _)| *known == length);
        if !is_hashed(&self.inputs[longer]) {
            let mut lengths: Vec<u64> = self.inputs[longer]
                .beginnings
                .iter()
                .map(|(length, _)| *length)
                .collect();
            lengths.push(length);
            if self.read_through(longer, lengths).is_err() {
                return true;
            }
        }
        self.inputs[longer].begins_with(shorter)
    }

    /// Decides about every input; returns the units that are replaced.
    fn decide(&mut self) -> BTreeSet<usize> {
        let mut replaced = BTreeSet::new();
        let mut again = BTreeSet::new();
        let order: Vec<usize> = (0..self.inputs.len())
            .filter(|&place| self.inputs[place].fate == Fate::Counted)
            .collect();
        let mut verdicts = BTreeMap::new();
        for &place in &order {
            verdicts.insert(place, self.verdict(place));
        }
        for (&place, verdict) in &verdicts {
            if matches!(
                verdict,
                AdmissionDecision::Grown { .. } | AdmissionDecision::Replaces
            ) && !again.contains(&place)
                && let Ok((inputs, units)) = self.closure(place)
            {
                again.extend(inputs);
                replaced.extend(units);
            }
        }
        for (place, verdict) in verdicts {
            if again.contains(&place) {
                continue;
            }
            match verdict {
                AdmissionDecision::New => {}
                AdmissionDecision::Counted(words) => {
                    self.inputs[place].fate = Fate::PassedOver(words);
                }
                AdmissionDecision::Grown { from_bytes } => {
                    self.inputs[place].candidate.from_bytes = from_bytes;
                }
                AdmissionDecision::Replaces => {
                    let missing = self.closure(place).err().unwrap_or_default();
                    self.inputs[place].fate = Fate::Refused(format!(
                        "cannot replace what it gave: that shares hours with {missing} that {} not among the inputs; give all of them",
                        if missing.starts_with("1 ") {
                            "is"
                        } else {
                            "are"
                        }
                    ));
                }
                AdmissionDecision::Refused(words) => self.inputs[place].fate = Fate::Refused(words),
            }
        }
        replaced
    }

    fn verdict(&self, place: usize) -> AdmissionDecision {
        let judged = &self.inputs[place];
        let capture = &judged.candidate.capture;
        let (mut grown, mut counted, mut replaces, mut refused) = (None, None, false, None);
        for (unit, known) in self.known.captures_like(capture) {
            let unit = &self.known.units[unit];
            match (judged.relation(known), unit.is_ours && unit.is_whole()) {
                (Relation::None, _) => {}
                (Relation::Same, true) => counted = Some("was counted already"),
                (Relation::Shorter, true) => {
                    counted
                        .get_or_insert("is a shorter copy of a capture that was counted already");
                }
                (Relation::Longer, true) => grown = grown.max(known.bytes),
                (Relation::Same | Relation::Longer | Relation::Unfinished, false) => {
                    replaces = true;
                }
                (Relation::Unfinished, true) => {}
                (Relation::Shorter, false) => {
                    refused = Some(
                        "is a shorter copy of a capture that was counted with other settings: replay that one",
                    );
                }
            }
        }
        match (counted, grown, replaces, refused) {
            (_, _, true, _) => AdmissionDecision::Replaces,
            (Some("was counted already"), ..) if self.recount => AdmissionDecision::Replaces,
            (Some(words), ..) => AdmissionDecision::Counted(words.to_owned()),
            (None, _, _, Some(words)) => AdmissionDecision::Refused(words.to_owned()),
            (None, Some(from_bytes), ..) => AdmissionDecision::Grown { from_bytes },
            (None, None, ..) => AdmissionDecision::New,
        }
    }

    /// The inputs and units that have to be replaced together with an input; the error is the number of missing captures.
    fn closure(&self, place: usize) -> Result<(BTreeSet<usize>, BTreeSet<usize>), String> {
        let (mut inputs, mut units) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![place];
        let mut missing = 0;
        while let Some(place) = open.pop() {
            if !inputs.insert(place) {
                continue;
            }
            let judged = &self.inputs[place];
            let gave = self
                .known
                .captures_like(&judged.candidate.capture)
                .filter(|(_, known)| {
                    matches!(
                        judged.relation(known),
                        Relation::Same | Relation::Longer | Relation::Unfinished
                    )
                });
            let gave: BTreeSet<usize> = gave.map(|(unit, _)| unit).collect();
            for unit in gave {
                if !units.insert(unit) {
                    continue;
                }
                for known in &self.known.units[unit].captures {
                    match self.input_for(known) {
                        Some(input) => open.push(input),
                        None if self.is_whole_elsewhere(known, unit) => {}
                        None => missing += 1,
                    }
                }
            }
        }
        match missing {
            0 => Ok((inputs, units)),
            1 => Err("1 capture".to_owned()),
            _ => Err(format!("{missing} captures")),
        }
    }

    /// The input that contains all of a known capture.
    fn input_for(&self, known: &Capture) -> Option<usize> {
        (0..self.inputs.len()).find(|&place| {
            self.inputs[place].fate == Fate::Counted
                && matches!(
                    self.inputs[place].relation(known),
                    Relation::Same | Relation::Longer | Relation::Unfinished
                )
        })
    }

    fn is_whole_elsewhere(&self, known: &Capture, but: usize) -> bool {
        known.is_whole()
            && self.known.captures_like(known).any(|(unit, other)| {
                unit != but
                    && other.is_same(known)
                    && self.known.units[unit].is_ours
                    && self.known.units[unit].is_whole()
            })
    }

    fn admitted(mut self, units: &BTreeSet<usize>, sensor: &str, index_path: PathBuf) -> Admitted {
        let mut candidates = Vec::new();
        for judged in self.inputs {
            let JudgedInput {
                candidate, fate, ..
            } = judged;
            let path = candidate.path.display().to_string();
            match fate {
                Fate::Counted => candidates.push(candidate),
                Fate::PassedOver(note) => {
                    if let Some((path, stamp)) = candidate.file {
                        self.index.note(path, stamp, candidate.capture);
                    }
                    self.reports.push(FileReport {
                        path,
                        already_counted: true,
                        note: Some(note),
                        ..FileReport::default()
                    });
                }
                Fate::Refused(error) => self.reports.push(FileReport {
                    path,
                    error: Some(error),
                    ..FileReport::default()
                }),
            }
        }
        let replaced: Vec<(PartName, Hour)> = units
            .iter()
            .flat_map(|&unit| self.known.hours_of(&self.known.units[unit]))
            .collect();
        let is_taken = |run: &str| {
            let mut ours = self
                .known
                .hours
                .iter()
                .filter(|hour| hour.name.sensor == sensor && hour.name.run == run);
            ours.any(|hour| !replaced.contains(&(hour.name.clone(), hour.hour)))
        };
        let run = (0..)
            .map(|salt| run_name(&candidates, salt))
            .find(|run| !is_taken(run));
        let captures = candidates
            .iter()
            .map(|candidate| Capture {
                from_bytes: candidate.from_bytes,
                marks: head(&candidate.capture).to_owned(),
                ..Capture::default()
            })
            .collect();
        let contributors = Arc::new(Contributors::new(captures));
        let index = (self.index, index_path);
        Admitted {
            replay: Replay::counting(
                candidates,
                self.reports,
                self.settings,
                Arc::clone(&contributors),
                index,
            ),
            run: run.unwrap_or_default(),
            contributors,
            replaced,
        }
    }
}

enum AdmissionDecision {
    New,
    Counted(String),
    Grown { from_bytes: u64 },
    Replaces,
    Refused(String),
}

/// A name that depends only on the beginnings of the captures; another `salt` gives another name.
fn run_name(candidates: &[Candidate], salt: u64) -> String {
    let beginning =
        |candidate: &Candidate| (head(&candidate.capture).to_owned(), candidate.from_bytes);
    let mut beginnings: Vec<(String, u64)> = candidates.iter().map(beginning).collect();
    beginnings.sort();
    let mut hash = XxHash3_128::new();
    for (marks, from_bytes) in beginnings {
        hash.write(marks.as_bytes());
        hash.write(&from_bytes.to_le_bytes());
    }
    if salt > 0 {
        hash.write(&salt.to_le_bytes());
    }
    format!("{:016x}", hash.finish_128() as u64)
}
