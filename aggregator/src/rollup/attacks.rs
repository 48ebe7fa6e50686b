//! `attacks` of the days: the events that ended in each, made of `backscatter`, and the file of what waits for the next day.
//!
//! As with scans, a day writes its ended events into the hours of their last packets, under its own name (`SENSOR-dYYYYMMDD-0000`), and events
//! that go on behind the last day stand under `SENSOR-ongoing-0000`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::error::{RollupError, file_error};
use super::making::{INPUTS, MakingNotes, NotedParts, PARTS_KEY};
use super::noted::{note_of, other_zone};
use super::publish::replacing;
use super::replies::each_prefix;
use super::scans::{ONGOING, run_of};
use super::sources::{file_hash, known_until, telescope_of};
use super::unobserved::{CoverageGaps, are_inputs, inputs_with};
use super::waiting::WaitingDays;
use super::{HourLists, Inputs, Rolled, RollupSettings, waiting};
use crate::calendar::{AS_OF_KEY, TIMEZONE_KEY, instant_text};
use crate::close::encode_with;
use crate::event::attack::{
    Attack, Settled, Undecided, UndecidedHead, UndecidedReader, UndecidedWriter, VictimPrefix,
    settle,
};
use crate::event::silence::{Silence, UNOBSERVED_MAX_US};
use crate::event::{AttackRules, DarkAddresses};
use crate::hour::{HOUR_US, Hour};
use crate::pruned::PrunedHours;
use crate::schema::{
    ATTACKS, ATTACKS_ROWS, AttackRow, AttackRows, BACKSCATTER, COVERAGE, SCHEMA_VERSION,
    encode_group,
};
use crate::store::{Part, Period, Publication, Store};
use crate::whole_day::PartOfHour;
use crate::writer::PartWriter;

/// Events of a day, at most; more are counted.
const ATTACKS_MAX: usize = 1 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;
/// Raised when the same parts become other rows.
const LAYOUT: &str = "attacks 1";
/// Ending of the file of what waits.
const ENDING: &str = "attacks";

/// Parts of `attacks` by sensor and run.
type AttackParts = BTreeMap<(String, String), Vec<Part>>;

/// The hash of the parts of `backscatter` that the attacks of a day were made of; none where they were not made.
pub(crate) fn attacks_made_of(
    store: &Store,
    sensor: &str,
    zone: &str,
    day: Period,
) -> Option<String> {
    let path = waiting::path(sensor, zone, day, ENDING);
    let head = head_of(&store.directory().join(path))?;
    Some(head.parts)
}

fn head_of(path: &Path) -> Option<UndecidedHead> {
    let reader = File::open(path).and_then(UndecidedReader::new).ok()?;
    Some(reader.head().clone())
}

/// Rolls up days.
pub(super) fn roll_days(
    (store, lists): (&Store, &HourLists<'_>),
    settings: &RollupSettings,
    gaps: &CoverageGaps,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let days = days_of(lists, settings)?;
    let mut replies = super::days_of(lists, &BACKSCATTER, settings)?;
    let mut said = said_before(store)?;
    take_back(store, &days, settings, &said)?;
    let known_until = known_until(lists)?;
    let zone = settings.calendar.name();
    let mut waiting_days = WaitingDays::of(store, zone);
    for ((period, sensor), coverage) in &days {
        let key = (*period, sensor.clone());
        let parts = replies.remove(&key).unwrap_or_default();
        let end_us = settings.end_us(*period)?;
        let until_us = known_until.get(sensor).copied().unwrap_or(end_us);
        let horizon_us = end_us.min(until_us);
        let before = waiting_days.latest(sensor, ENDING, *period)?;
        let before = before.map(|day| {
            let within = waiting::path(sensor, zone, day, ENDING);
            store.directory().join(within)
        });
        let hash_before = before.as_deref().map(file_hash).transpose()?;
        let rules = settings.attacks.text();
        let (horizon, hash_before) = (horizon_us.to_string(), hash_before.unwrap_or_default());
        let reach_us = reach_us(settings, *period, horizon_us)?;
        let unobserved = gaps.within(sensor, reach_us.clone())?;
        let was_pruned = gaps.was_pruned(sensor, reach_us);
        let else_of = [zone, LAYOUT, &rules, &horizon, &hash_before];
        let noted = NotedParts::read(&parts)?;
        let head = UndecidedHead {
            inputs: inputs_with(noted.sha256(&else_of), &unobserved),
            parts: noted.sha256(&[]),
            horizon_us,
        };
        let within = waiting::path(sensor, zone, *period, ENDING);
        let known = head_of(&store.directory().join(&within));
        let said = said.remove(&(sensor.clone(), run_of(*period)));
        let is_known = known.is_some_and(|known| {
            let is_same = are_inputs(&known.inputs, &head.inputs, was_pruned);
            is_same && (known.parts, known.horizon_us) == (head.parts.clone(), head.horizon_us)
        });
        if is_known {
            continue;
        }
        let mut notes = notes_of(coverage, zone)?;
        notes.set(AS_OF_KEY, &instant_text(horizon_us));
        let day = AttackDay {
            store,
            sensor,
            rules: &settings.attacks,
            telescope: telescope_of(&notes),
            silence: Silence {
                longest_us: settings.attacks.silence_us(),
                horizon_us,
                unobserved: &unobserved,
            },
        };
        let made = AttackNotes { head, notes };
        let said = said.unwrap_or_default();
        rolled.rows += day.write(
            &parts,
            before.as_deref(),
            &within,
            (&run_of(*period), &said),
            made,
        )?;
        waiting_days.add(sensor, ENDING, *period);
    }
    let sensors: BTreeSet<&String> = days.keys().map(|(_, sensor)| sensor).collect();
    for sensor in sensors {
        let said = said.get(&(sensor.clone(), ONGOING.to_owned()));
        roll_ongoing(store, sensor, settings, (&days, gaps), said, rolled)?;
    }
    Ok(())
}

/// The time until the end of a day, from as far before it as a silence can reach.
fn reach_us(
    settings: &RollupSettings,
    day: Period,
    horizon_us: i64,
) -> Result<Range<i64>, RollupError> {
    let first_hour = settings.calendar.hours(day.first_hour().day())?.start;
    let reach_us = settings.attacks.silence_us() + UNOBSERVED_MAX_US;
    Ok(Hour(first_hour).start_us() - reach_us..horizon_us)
}

/// The days of which a sensor has hours, with the coverage of each; a day of which replies were pruned is made for good.
fn days_of(lists: &HourLists<'_>, settings: &RollupSettings) -> Result<Inputs, RollupError> {
    let mut days = super::days_of(lists, &COVERAGE, settings)?;
    let pruned = lists.pruned()?;
    let mut for_good = BTreeSet::new();
    for (day, sensor) in days.keys() {
        let mut hours = settings.calendar.hours(day.first_hour().day())?;
        if hours.any(|hour| pruned.contains(BACKSCATTER.name, sensor, Hour(hour))) {
            for_good.insert((*day, sensor.clone()));
        }
    }
    days.retain(|day, _| !for_good.contains(day));
    Ok(days)
}

fn notes_of(coverage: &BTreeSet<PartOfHour>, zone: &str) -> Result<MakingNotes, RollupError> {
    let mut notes = NotedParts::read(coverage)?.notes();
    notes.set(TIMEZONE_KEY, zone);
    notes.set("schema_version", &SCHEMA_VERSION.to_string());
    Ok(notes)
}

fn said_before(store: &Store) -> Result<AttackParts, RollupError> {
    let parts = store.parts_within(ATTACKS.name, &(i64::MIN..i64::MAX));
    let mut said = AttackParts::new();
    for part in parts.map_err(file_error(&store.directory().join(ATTACKS.name)))? {
        if let Some((name, _)) = part.name() {
            said.entry((name.sensor, name.run)).or_default().push(part);
        }
    }
    Ok(said)
}

/// Takes back what was said of another time zone, all days of which are made anew where no day is picked, and of days that have no hours any
/// more.
fn take_back(
    store: &Store,
    days: &Inputs,
    settings: &RollupSettings,
    said: &AttackParts,
) -> Result<(), RollupError> {
    let failed = file_error(store.directory());
    let zone = settings.calendar.name();
    let mut publication = store.publication();
    let pruned = PrunedHours::read(store).map_err(&failed)?;
    for ((_, run), parts) in said {
        let is_other = |part: &Part| other_zone(part, zone).is_some();
        let is_of_day = run != ONGOING;
        if is_of_day && settings.wants_all() && parts.first().is_some_and(is_other) {
            parts
                .iter()
                .for_each(|part| publication.remove(&part.within()));
        }
    }
    let sensors: BTreeSet<&String> = said.keys().map(|(sensor, _)| sensor).collect();
    let sensors = sensors.into_iter().chain(days.keys().map(|(_, it)| it));
    for sensor in sensors.collect::<BTreeSet<_>>() {
        if settings.wants_all() {
            let others = waiting::of_other_zones(store, (sensor, zone), ENDING)?;
            others.iter().for_each(|within| publication.remove(within));
        }
        let mut last = waiting::latest(store, (sensor, zone), ENDING, None)?;
        while let Some(day) = last {
            let mut hours = settings.calendar.hours(day.first_hour().day())?;
            let was_pruned =
                hours.any(|hour| pruned.contains(BACKSCATTER.name, sensor, Hour(hour)));
            let is_gone = !days.contains_key(&(day, sensor.clone()));
            if is_gone && !was_pruned && settings.wants(day) {
                publication.remove(&waiting::path(sensor, zone, day, ENDING));
                let parts = said.get(&(sensor.clone(), run_of(day)));
                for part in parts.into_iter().flatten() {
                    publication.remove(&part.within());
                }
            }
            last = waiting::latest(store, (sensor, zone), ENDING, Some(day))?;
        }
    }
    publication.commit().map(drop).map_err(failed)
}

/// What is noted of a day's making.
struct AttackNotes {
    head: UndecidedHead,
    notes: MakingNotes,
}

/// Whose events, by which rules.
#[derive(Clone, Copy)]
struct AttackDay<'d> {
    store: &'d Store,
    sensor: &'d str,
    rules: &'d AttackRules,
    telescope: DarkAddresses,
    silence: Silence<'d>,
}

/// Rows of events by the hours of their last packets.
#[derive(Default)]
struct AttackHours {
    hours: BTreeMap<Hour, Vec<AttackRow>>,
    count: usize,
    left_out: u64,
}

impl AttackHours {
    fn add(&mut self, attack: &Attack, day: &AttackDay<'_>, ongoing: bool) {
        if self.count == ATTACKS_MAX {
            self.left_out += 1;
            return;
        }
        self.count += 1;
        let hour = Hour(attack.end_us().div_euclid(HOUR_US));
        let row = attack.row(day.sensor, day.rules, &day.telescope, ongoing);
        self.hours.entry(hour).or_default().push(row);
    }
}

impl AttackDay<'_> {
    /// Writes and publishes the events of a day in place of what it said before, and what waits behind it; how many rows there are.
    fn write(
        &self,
        parts: &BTreeSet<PartOfHour>,
        before: Option<&Path>,
        within: &Path,
        (run, said_before): (&str, &[Part]),
        AttackNotes { head, mut notes }: AttackNotes,
    ) -> Result<u64, RollupError> {
        let failed = file_error(within);
        let mut before = match before {
            Some(path) => {
                let opened = File::open(path).and_then(UndecidedReader::new);
                Some(opened.map_err(file_error(path))?)
            }
            None => None,
        };
        let file = self.store.stage(within).map_err(&failed)?;
        let mut file = UndecidedWriter::new(file, &head).map_err(&failed)?;
        let mut rows = AttackHours::default();
        let mut cut = 0;
        let mut follow = |prefix, waiting: Undecided, minutes| {
            let Settled {
                ended,
                undecided,
                cut: cut_here,
                ..
            } = settle(prefix, waiting, minutes, self.rules, &self.silence);
            ended
                .iter()
                .for_each(|attack| rows.add(attack, self, false));
            cut += cut_here;
            file.push(prefix, &undecided).map_err(&failed)
        };
        let mut pass_before = |until: Option<VictimPrefix>| {
            let mut waiting = Vec::new();
            while let Some(before) = &mut before
                && let Some(next) = before.next_prefix()
                && until.is_none_or(|until| next <= until)
            {
                let undecided = before.take(next).map_err(file_error(within))?;
                waiting.push((next, undecided));
            }
            Ok::<_, RollupError>(waiting)
        };
        // Hours of replies are in parts of their own.
        let parts: Vec<Part> = parts.iter().map(|part| part.part.clone()).collect();
        let replies_left_out = each_prefix(&parts, |prefix, minutes| {
            let mut minutes = Some(minutes);
            for (next, undecided) in pass_before(Some(prefix))? {
                let here = minutes.take_if(|_| next == prefix);
                follow(next, undecided, here.unwrap_or_default())?;
            }
            match minutes {
                Some(minutes) => follow(prefix, Undecided::default(), minutes),
                None => Ok(()),
            }
        })?;
        for (next, undecided) in pass_before(None)? {
            follow(next, undecided, Vec::new())?;
        }
        let file = file.finish().map_err(&failed)?;
        let mut publication = self.store.publication();
        publication.put(file).map_err(&failed)?;
        notes.set(INPUTS, &head.inputs);
        notes.set(PARTS_KEY, &head.parts);
        notes.set("attacks_left_out", &rows.left_out.to_string());
        notes.set("attacks_cut_minutes", &cut.to_string());
        notes.set("attack_replies_left_out", &replies_left_out.to_string());
        let count = rows.count as u64;
        self.publish_rows(run, rows, said_before, &notes, &mut publication)?;
        let failed = file_error(self.store.directory());
        publication.commit().map_err(failed)?;
        Ok(count)
    }

    /// Puts rows into their hours, in place of what the run said before.
    fn publish_rows(
        &self,
        run: &str,
        rows: AttackHours,
        said_before: &[Part],
        notes: &MakingNotes,
        publication: &mut Publication,
    ) -> Result<(), RollupError> {
        let path_of = replacing(publication, said_before, &ATTACKS, (self.sensor, run));
        for (hour, mut rows) in rows.hours {
            let within = path_of(hour);
            rows.sort_by_cached_key(AttackRow::order);
            let mut file = PartWriter::create(self.store, &within, &ATTACKS, notes.metadata())?;
            for rows in rows.chunks(GROUP_ROWS) {
                let (sensor, schema) = (self.sensor, file.schema());
                let group = AttackRows { sensor, rows };
                file.append(encode_with(&within, |encoder| {
                    encode_group(ATTACKS_ROWS, &schema, rows.len(), &group, encoder)
                })?)?;
            }
            let failed = file_error(&within);
            publication.put(file.finish()?).map_err(failed)?;
        }
        Ok(())
    }
}

/// Publishes the events that go on behind the last day of a sensor.
fn roll_ongoing(
    store: &Store,
    sensor: &str,
    settings: &RollupSettings,
    (days, gaps): (&Inputs, &CoverageGaps),
    said: Option<&Vec<Part>>,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let zone = settings.calendar.name();
    let Some(day) = waiting::latest(store, (sensor, zone), ENDING, None)? else {
        return Ok(());
    };
    let Some(coverage) = days.get(&(day, sensor.to_owned())) else {
        return Ok(());
    };
    let within = waiting::path(sensor, zone, day, ENDING);
    let path = store.directory().join(&within);
    let failed = file_error(&path);
    let mut reader = File::open(&path)
        .and_then(UndecidedReader::new)
        .map_err(&failed)?;
    let head = reader.head().clone();
    let said = said.map_or(&[][..], |said| said);
    let is_said = |part: &Part| note_of(part.place(), INPUTS).as_ref() == Some(&head.inputs);
    if said.iter().any(is_said) {
        return Ok(());
    }
    let mut notes = notes_of(coverage, zone)?;
    notes.set(INPUTS, &head.inputs);
    notes.set(PARTS_KEY, &head.parts);
    let horizon_us = head.horizon_us;
    let unobserved = gaps.within(sensor, reach_us(settings, day, horizon_us)?)?;
    let day = AttackDay {
        store,
        sensor,
        rules: &settings.attacks,
        telescope: telescope_of(&notes),
        silence: Silence {
            longest_us: settings.attacks.silence_us(),
            horizon_us,
            unobserved: &unobserved,
        },
    };
    let mut rows = AttackHours::default();
    while let Some(prefix) = reader.next_prefix() {
        let waiting = reader.take(prefix).map_err(&failed)?;
        let settled = settle(prefix, waiting, Vec::new(), day.rules, &day.silence);
        settled
            .ongoing
            .iter()
            .for_each(|attack| rows.add(attack, &day, true));
    }
    notes.set("attacks_left_out", &rows.left_out.to_string());
    let count = rows.count as u64;
    let mut publication = store.publication();
    day.publish_rows(ONGOING, rows, said, &notes, &mut publication)?;
    publication
        .commit()
        .map_err(file_error(store.directory()))?;
    rolled.rows += count;
    Ok(())
}
