//! `novelties` of a day: its things against those of the days before. Each day left its things in a file, so a day is judged again without a
//! look at its hours when one of the days before it has changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::{RollupError, file_error};
use super::making::{INPUTS, MakingNotes};
use super::noted::{note_of, other_zone};
use super::publish::Publisher;
use super::scans::run_of;
use super::{Rolled, RollupSettings, waiting};
use crate::close::encode_with;
use crate::event::novelty::judge;
use crate::event::novelty::tally::{Thing, read_things};
use crate::hour::{HOUR_US, Hour};
use crate::schema::{
    NOVELTIES, NOVELTIES_ROWS, NoveltyRow, NoveltyRows, NoveltyWhat, SOURCES_DAILY, encode_group,
};
use crate::store::{PART_ENDING, Part, PartName, Period, Publication, Store};
use crate::text::hexadecimal;
use crate::writer::PartWriter;

/// Ending of the file with the ports, stacks and campaigns of a day.
pub(super) const THINGS_ENDING: &str = "things";
/// Ending of the file with its payloads, which are kept longer than their hours.
pub(super) const PAYLOADS_ENDING: &str = "payloads";
/// Ending of the note that a day has been judged.
const JUDGED_ENDING: &str = "judged";
/// Raised when the same things become other rows.
const LAYOUT: &str = "layout 1";
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;
/// Numbers of things that are kept, at least: of more, twice as many as the days in memory have things.
const NUMBERS_MIN: usize = 1 << 16;

/// The things of a day.
#[derive(Debug)]
struct DayFiles {
    things: Vec<Thing>,
    /// The number of each of them among all that were read.
    numbers: Vec<u32>,
    has_payloads: bool,
}

/// Things with a number each: a day is compared with many, by numbers in place of texts.
#[derive(Debug, Default)]
struct ThingNumbers {
    numbers: HashMap<NoveltyWhat, HashMap<String, u32, RandomState>, RandomState>,
    count: usize,
}

impl ThingNumbers {
    fn of(&mut self, thing: &Thing) -> u32 {
        let of_what = self.numbers.entry(thing.what).or_default();
        if let Some(known) = of_what.get(&thing.value) {
            return *known;
        }
        let number = self.count as u32;
        of_what.insert(thing.value.clone(), number);
        self.count += 1;
        number
    }
}

/// Days that are in memory, and the hashes of their files.
struct KnownDays<'s> {
    store: &'s Store,
    sensor: &'s str,
    zone: &'s str,
    days: BTreeSet<Period>,
    read: BTreeMap<Period, Arc<DayFiles>>,
    numbers: ThingNumbers,
    hashes: BTreeMap<Period, String>,
}

impl KnownDays<'_> {
    fn path(&self, day: Period, ending: &str) -> PathBuf {
        let within = waiting::path(self.sensor, self.zone, day, ending);
        self.store.directory().join(within)
    }

    /// The days before `day` that are compared with.
    fn before(&self, day: Period, days: u32) -> Vec<Period> {
        let first = Period::Day(Hour(day.first_hour().0 - i64::from(days) * 24));
        self.days.range(first..day).copied().collect()
    }

    fn hash(&mut self, day: Period) -> Result<String, RollupError> {
        if let Some(known) = self.hashes.get(&day) {
            return Ok(known.clone());
        }
        let mut sum = Sha256::new();
        for ending in [THINGS_ENDING, PAYLOADS_ENDING] {
            let path = self.path(day, ending);
            match std::fs::read(&path) {
                Ok(bytes) => sum.update(&bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(file_error(&path)(error)),
            }
            sum.update(ending.as_bytes());
        }
        let hash = hexadecimal(&sum.finalize());
        self.hashes.insert(day, hash.clone());
        Ok(hash)
    }

    /// Forgets the days before `first`, and things that only these had once they are most of all.
    fn forget_before(&mut self, first: Period) {
        self.read.retain(|day, _| *day >= first);
        let things: usize = self.read.values().map(|files| files.things.len()).sum();
        if self.numbers.count > NUMBERS_MIN.max(2 * things) {
            (self.numbers, self.read) = (ThingNumbers::default(), BTreeMap::new());
        }
    }

    fn read(&mut self, day: Period) -> Result<Arc<DayFiles>, RollupError> {
        if let Some(known) = self.read.get(&day) {
            return Ok(Arc::clone(known));
        }
        let read = |path: &Path| {
            File::open(path)
                .and_then(read_things)
                .map_err(file_error(path))
        };
        let mut things = read(&self.path(day, THINGS_ENDING))?;
        let payloads = self.path(day, PAYLOADS_ENDING);
        let has_payloads = payloads.is_file();
        if has_payloads {
            things.extend(read(&payloads)?);
        }
        let files = Arc::new(DayFiles {
            numbers: things.iter().map(|thing| self.numbers.of(thing)).collect(),
            things,
            has_payloads,
        });
        self.read.insert(day, Arc::clone(&files));
        Ok(files)
    }
}

/// Parts of `novelties` by sensor and run.
type SaidNovelties = BTreeMap<(String, String), Vec<Part>>;

/// Judges every day that has things, of all sensors.
pub(super) fn judge_days(
    store: &Store,
    settings: &RollupSettings,
    sensors: &BTreeSet<String>,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let failed = file_error(&store.directory().join(NOVELTIES.name));
    let mut said = SaidNovelties::new();
    let parts = store.parts_within(NOVELTIES.name, &(i64::MIN..i64::MAX));
    for part in parts.map_err(failed)? {
        if let Some((name, _)) = part.name() {
            said.entry((name.sensor, name.run)).or_default().push(part);
        }
    }
    let zone = settings.calendar.name();
    let mut publisher = Publisher::new(store)?;
    for sensor in sensors {
        let mut known = KnownDays {
            store,
            sensor,
            zone,
            days: waiting::days(store, (sensor, zone), THINGS_ENDING)?,
            read: BTreeMap::new(),
            numbers: ThingNumbers::default(),
            hashes: BTreeMap::new(),
        };
        take_back(store, &known, settings, &said)?;
        for day in known.days.clone() {
            if settings.wants(day) {
                let said = said.get(&(sensor.clone(), run_of(day)));
                let said = said.map_or(&[][..], Vec::as_slice);
                if let Some(judged) = judge_day(&mut known, day, settings, said)? {
                    rolled.rows += judged.rows;
                    publisher.publish(judged.publication)?;
                }
            }
        }
    }
    publisher.finish()
}

/// A day that is judged, and not published yet: no other day asks for what it says.
struct JudgedRows {
    rows: u64,
    publication: Publication,
}

/// Takes back what was said of days that are none any more: of this time zone, or, where no day is picked, of another.
fn take_back(
    store: &Store,
    known: &KnownDays<'_>,
    settings: &RollupSettings,
    said: &SaidNovelties,
) -> Result<(), RollupError> {
    let runs: BTreeSet<String> = known.days.iter().map(|day| run_of(*day)).collect();
    let judged = waiting::days(store, (known.sensor, known.zone), JUDGED_ENDING)?;
    let left: BTreeSet<String> = judged.iter().map(|day| run_of(*day)).collect();
    let mut publication = store.publication();
    for ((sensor, run), parts) in said {
        if sensor != known.sensor || runs.contains(run) {
            continue;
        }
        let is_other = parts
            .first()
            .is_some_and(|part| other_zone(part, known.zone).is_some());
        if is_other && settings.wants_all() || !is_other && left.contains(run) {
            parts
                .iter()
                .for_each(|part| publication.remove(&part.within()));
        }
    }
    for day in judged.difference(&known.days) {
        publication.remove(&waiting::path(
            known.sensor,
            known.zone,
            *day,
            JUDGED_ENDING,
        ));
    }
    let failed = file_error(store.directory());
    publication.commit().map(drop).map_err(failed)
}

/// Judges a day where it or one before it has changed; none where neither has.
fn judge_day(
    known: &mut KnownDays<'_>,
    day: Period,
    settings: &RollupSettings,
    said: &[Part],
) -> Result<Option<JudgedRows>, RollupError> {
    let rules = &settings.novelties;
    let before = known.before(day, rules.days);
    let mut sum = Sha256::new();
    for day in before.iter().chain([&day]) {
        let hash = known.hash(*day)?;
        sum.update(format!("{} {hash}\n", day.text()).as_bytes());
    }
    let campaigns = settings.campaigns.text();
    let text = format!("{} {} {campaigns} {LAYOUT}", known.zone, rules.text());
    sum.update(text.as_bytes());
    let inputs = hexadecimal(&sum.finalize());
    let within = waiting::path(known.sensor, known.zone, day, JUDGED_ENDING);
    let judged = JudgedDay::read(&known.store.directory().join(&within));
    // Days of another time zone may have said something else since; what was pruned stays away.
    let is_of_these = |part: &Part| note_of(part.place(), INPUTS).is_some_and(|it| it == inputs);
    if judged.is_some_and(|judged| judged.inputs == inputs) && said.iter().all(is_of_these) {
        return Ok(None);
    }
    let is_judged = before.len() as u64 >= u64::from(rules.days_min.max(1));
    let rows = match is_judged {
        true => new_things(known, day, &before, settings)?,
        false => Vec::new(),
    };
    // Days behind need none that lie further back.
    let first = before.first().copied().unwrap_or(day);
    known.forget_before(first);
    let mut hours = BTreeMap::<Hour, Vec<NoveltyRow>>::new();
    let count = rows.len() as u64;
    for row in rows {
        let hour = Hour(row.first_us.div_euclid(HOUR_US));
        hours.entry(hour).or_default().push(row);
    }
    let mut notes = MakingNotes::default();
    let file_name = format!("{}.{PART_ENDING}", known.sensor);
    notes.add_file(&known.store.path(SOURCES_DAILY.name, day, &file_name))?;
    notes.set(INPUTS, &inputs);
    notes.set("novelty_days", &before.len().to_string());
    notes.set("novelty_rules", &rules.text());
    let mut publication = known.store.publication();
    said.iter()
        .for_each(|part| publication.remove(&part.within()));
    publish_rows(known, day, hours, &notes, &mut publication)?;
    let judged = JudgedDay {
        inputs,
        days: before.len() as u64,
        days_min: rules.days_min.into(),
    };
    let failed = file_error(&within);
    let mut note = known.store.stage(&within).map_err(&failed)?;
    writeln!(note, "{}", judged.to_json()).map_err(&failed)?;
    publication.put(note).map_err(&failed)?;
    Ok(Some(JudgedRows {
        rows: count,
        publication,
    }))
}

/// The rows of a day.
fn new_things(
    known: &mut KnownDays<'_>,
    day: Period,
    before: &[Period],
    settings: &RollupSettings,
) -> Result<Vec<NoveltyRow>, RollupError> {
    let today = known.read(day)?;
    let days: Result<Vec<_>, _> = before.iter().map(|day| known.read(*day)).collect();
    let days = days?;
    let mut places = vec![None; known.numbers.count];
    for (place, number) in today.numbers.iter().enumerate() {
        places[*number as usize] = Some(place);
    }
    // Of a day whose payloads nobody noted nothing is known.
    let with_payloads = days.iter().filter(|files| files.has_payloads).count();
    let known_days = |what: NoveltyWhat| match what {
        NoveltyWhat::Payload => with_payloads,
        _ => days.len(),
    };
    let mut counts: Vec<(u64, Vec<u32>)> = today
        .things
        .iter()
        .map(|thing| (thing.sources, vec![0; known_days(thing.what)]))
        .collect();
    let mut of_payloads = 0;
    for (of_others, files) in days.iter().enumerate() {
        for (thing, number) in files.things.iter().zip(&files.numbers) {
            if let Some(place) = places[*number as usize] {
                let of_day = match thing.what {
                    NoveltyWhat::Payload => of_payloads,
                    _ => of_others,
                };
                if let Some(count) = counts[place].1.get_mut(of_day) {
                    *count = u32::try_from(thing.sources).unwrap_or(u32::MAX);
                }
            }
        }
        of_payloads += usize::from(files.has_payloads);
    }
    // What is not known for days enough is not judged.
    let days_min = settings.novelties.days_min.max(1) as usize;
    let judged: Vec<usize> = (0..counts.len())
        .filter(|place| counts[*place].1.len() >= days_min)
        .collect();
    let of_judged: Vec<(u64, Vec<u32>)> = judged
        .iter()
        .map(|place| std::mem::take(&mut counts[*place]))
        .collect();
    let verdicts = judge(&of_judged, &settings.novelties);
    let mut rows = Vec::new();
    for (place, verdict) in judged.iter().zip(verdicts) {
        let (Some(verdict), thing) = (verdict, &today.things[*place]) else {
            continue;
        };
        // Groups that are too small for a campaign are there for the days behind.
        if thing.what == NoveltyWhat::Campaign && thing.sources < settings.campaigns.sources_min {
            continue;
        }
        rows.push(NoveltyRow {
            what: thing.what,
            value: thing.value.clone(),
            first_us: thing.first_us,
            is_first_exact: thing.what != NoveltyWhat::Payload,
            sources: thing.sources,
            packets: thing.packets,
            countries: thing.countries.clone(),
            usual: verdict.usual,
            rule: verdict.rule,
            score: verdict.score,
        });
    }
    rows.sort_by(|left, right| (left.what, &left.value).cmp(&(right.what, &right.value)));
    Ok(rows)
}

fn publish_rows(
    known: &KnownDays<'_>,
    day: Period,
    hours: BTreeMap<Hour, Vec<NoveltyRow>>,
    notes: &MakingNotes,
    publication: &mut Publication,
) -> Result<(), RollupError> {
    let name = PartName {
        sensor: known.sensor.to_owned(),
        run: run_of(day),
    };
    for (hour, rows) in hours {
        let folder = Period::Hour(hour).folder();
        let within = Path::new(NOVELTIES.name)
            .join(folder)
            .join(name.file_name(0));
        let mut file = PartWriter::create(known.store, &within, &NOVELTIES, notes.metadata())?;
        let schema = file.schema();
        for rows in rows.chunks(GROUP_ROWS) {
            let group = NoveltyRows {
                hour_start_us: hour.start_us(),
                sensor: known.sensor,
                rows,
            };
            file.append(encode_with(&within, |encoder| {
                encode_group(NOVELTIES_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        publication
            .put(file.finish()?)
            .map_err(file_error(&within))?;
    }
    Ok(())
}

/// What is noted of a day that has been judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JudgedDay {
    inputs: String,
    /// Days before that were compared with.
    pub days: u64,
    /// Days that would have been enough.
    pub days_min: u64,
}

impl JudgedDay {
    fn to_json(&self) -> Value {
        json!({"inputs_sha256": self.inputs, "days": self.days, "days_min": self.days_min})
    }

    /// The note in a file; none where there is no such.
    fn read(path: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        Some(JudgedDay {
            inputs: value["inputs_sha256"].as_str()?.to_owned(),
            days: value["days"].as_u64()?,
            days_min: value["days_min"].as_u64()?,
        })
    }

    /// The note of a day of a sensor; none where the day was not judged.
    #[must_use]
    pub(crate) fn of(store: &Store, sensor: &str, zone: &str, day: Period) -> Option<Self> {
        let within = waiting::path(sensor, zone, day, JUDGED_ENDING);
        JudgedDay::read(&store.directory().join(within))
    }
}
