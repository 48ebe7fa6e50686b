//! `sources_daily`, `scanners_daily`, `ports_daily`, `campaigns_daily`, `survey_daily` and the scan events of a day: one reading of its `sources`, source by source.
//! They appear together. Days follow one another, for a day begins with the events that were open behind the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};

use parquet::file::metadata::KeyValue;
use twox_hash::XxHash64;

use super::campaigns::{CampaignDay, CampaignMembers, DayCampaigns};
use super::day_payloads::DayPayloads;
use super::day_things::DayThings;
use super::error::{RollupError, file_error};
use super::held::HeldGroups;
use super::hour_scans::ScanContext;
use super::making::{INPUTS, MakingNotes, NotedParts, PARTS_KEY};
use super::noted::{note_of, other_zone};
use super::novelties::{PAYLOADS_ENDING, THINGS_ENDING};
use super::port_tally::PortTally;
use super::publish::Publisher;
use super::scans::{self, ScanDay};
use super::source_day::source_day;
use super::survey::{SurveyGathering, SurveyRules};
use super::survey_day::SurveyTally;
use super::unobserved::{CoverageGaps, are_inputs, inputs_with};
use super::waiting::WaitingDays;
use super::{HourLists, Inputs, Rolled, RollupSettings, waiting};
use crate::by_source::{DecodedParts, LineNames, each_source};
use crate::calendar::{AS_OF_KEY, TIMEZONE_KEY, instant_text};
use crate::close::{STATE_KEY, State, encode_with};
use crate::event::campaign::follow::{FollowDay, KnownCampaign};
use crate::event::campaign::known::{read_known, write_known};
use crate::event::groups::SourceGroups;
use crate::event::hashed::HashedFile;
use crate::event::novelty::tally::write_things;
use crate::event::open::{OpenFile, OpenReader};
use crate::event::service::AskedService;
use crate::event::silence::{Silence, UNOBSERVED_MAX_US};
use crate::event::{CampaignRules, DarkAddresses, ScanRules};
use crate::hour::Hour;
use crate::parallel::{beside, joined};
use crate::pruned::PrunedHours;
use crate::schema::{
    CAMPAIGNS_DAILY, CAMPAIGNS_DAILY_ROWS, COVERAGE, CampaignRow, CampaignRows, LateSourceRows,
    PAYLOADS, PORTS_DAILY, PORTS_DAILY_ROWS, PortDayRows, SCANNERS_DAILY, SCANNERS_DAILY_ROWS,
    SCANS, SCHEMA_VERSION, SOURCES, SOURCES_DAILY, SOURCES_DAILY_LATE_ROWS, SOURCES_DAILY_ROWS,
    SURVEY_DAILY, SURVEY_DAILY_ROWS, ScannerDayRows, SourceDay, SourceDayRows, SurveyDayRow,
    SurveyDayRows, Table, encode_group, late_schema,
};
use crate::store::{PART_ENDING, Part, Period, Publication, Staged, Store};
use crate::whole_day::{PartOfHour, files_of};
use crate::writer::{PartWriter, WriteError};

/// The tables that are made here.
pub(super) const TABLES: [&Table; 5] = [
    &SOURCES_DAILY,
    &SCANNERS_DAILY,
    &PORTS_DAILY,
    &CAMPAIGNS_DAILY,
    &SURVEY_DAILY,
];
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;
/// Raised when the same parts become other rows.
const LAYOUT: &str = "layout 2";
/// Metadata key of the telescope's size.
const ADDRESSES_KEY: &str = "telescope_addresses";
/// Ending of the file of campaigns that are known behind a day.
const KNOWN_ENDING: &str = "campaigns";

/// Rolls up days.
pub(super) fn roll_days(
    (store, lists): (&Store, &HourLists<'_>),
    days: &Inputs,
    settings: &RollupSettings,
    coverage: &CoverageGaps,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let mut said = said_before(store)?;
    take_back((store, lists), days, settings, &said)?;
    let known_until = known_until(lists)?;
    let sensors: BTreeSet<&str> = days.keys().map(|(_, sensor)| sensor.as_str()).collect();
    // While a day is made, the next one is decoded: days follow one another, and what is read of one does not depend on the day before.
    std::thread::scope(|scope| {
        let mut ahead = None;
        let mut left = BTreeMap::<&str, LeftBehind>::new();
        let mut waiting_days = WaitingDays::of(store, settings.calendar.name());
        let mut publisher = Publisher::new(store)?;
        let mut following = days.values().skip(1);
        for ((period, sensor), parts) in days {
            let decoded = ahead.take();
            let next = following.next();
            let end_us = settings.end_us(*period)?;
            let until_us = known_until.get(sensor).copied().unwrap_or(end_us);
            let horizon_us = end_us.min(until_us);
            let open_day = waiting_days.latest(sensor, scans::OPEN_ENDING, *period)?;
            let known_day = waiting_days.latest(sensor, KNOWN_ENDING, *period)?;
            let mut last = left.remove(sensor.as_str());
            let both = [open_day, known_day];
            if last
                .take_if(|it| both != [Some(it.day); 2] || it.open.kept.is_none())
                .is_some()
            {
                // What it left is in its files alone, which may still wait.
                publisher.finish()?;
                publisher = Publisher::new(store)?;
            }
            let path = |day, ending| {
                let within = waiting::path(sensor, settings.calendar.name(), day, ending);
                store.directory().join(within)
            };
            let before = open_day.map(|day| path(day, scans::OPEN_ENDING));
            let campaigns_before = known_day.map(|day| (day, path(day, KNOWN_ENDING)));
            let (open_before, known_before) = match &last {
                Some(last) => (hash_text(last.open.hash), last.known_hash.clone()),
                None => (
                    before.as_deref().map_or(Ok(String::new()), file_hash)?,
                    campaigns_before
                        .as_ref()
                        .map_or(Ok(String::new()), |(_, path)| file_hash(path))?,
                ),
            };
            let file_name = format!("{sensor}.{PART_ENDING}");
            let zone = settings.calendar.name();
            let rules = settings.survey.text();
            let (scans, horizon) = (settings.scans.text(), horizon_us.to_string());
            let campaigns = settings.campaigns.text();
            let else_of = [
                zone,
                LAYOUT,
                &rules,
                &scans,
                &horizon,
                &open_before,
                &campaigns,
                &known_before,
            ];
            let noted = NotedParts::read(parts)?;
            let mut notes = noted.notes();
            let telescope = telescope_of(&notes);
            let longest_us = settings.scans.silence_us(&telescope);
            let first_hour = settings.calendar.hours(period.first_hour().day())?.start;
            let lookback_us = Hour(first_hour).start_us() - longest_us - UNOBSERVED_MAX_US;
            let lookback_us = lookback_us..horizon_us;
            let unobserved = coverage.within(sensor, lookback_us.clone())?;
            let was_pruned = coverage.was_pruned(sensor, lookback_us);
            let inputs = inputs_with(noted.sha256(&else_of), &unobserved);
            let is_known = |table: &&Table| {
                let path = store.path(table.name, *period, &file_name);
                note_of(&path, INPUTS).is_some_and(|known| are_inputs(&known, &inputs, was_pruned))
            };
            let run = scans::run_of(*period);
            let said = said.remove(&(sensor.clone(), run)).unwrap_or_default();
            let within = scans::open_path(sensor, zone, *period);
            let is_there = |within: &Path| store.directory().join(within).is_file();
            let of_day = [KNOWN_ENDING, THINGS_ENDING];
            let of_day = of_day.map(|ending| waiting::path(sensor, zone, *period, ending));
            let is_left = is_there(&within) && of_day.iter().all(|within| is_there(within));
            if TABLES.iter().all(is_known) && is_left {
                rolled.unchanged += TABLES.len() as u64;
                continue;
            }
            notes.set(INPUTS, &inputs);
            notes.set(PARTS_KEY, &noted.sha256(&[]));
            notes.set(TIMEZONE_KEY, zone);
            notes.set(AS_OF_KEY, &instant_text(horizon_us));
            notes.set("schema_version", &SCHEMA_VERSION.to_string());
            let day = SourcesDay {
                store,
                period: *period,
                sensor,
                parts,
                telescope,
                notes,
                rules: settings.survey,
                zone,
                scans: &settings.scans,
                silence: Silence {
                    longest_us,
                    horizon_us,
                    unobserved: &unobserved,
                },
                before,
                said,
                campaigns: settings.campaigns,
                campaigns_before,
                kept_max: scans::kept_max(sensors.len()),
                payloads: payloads_of(store, sensor, settings, *period)?,
                first_hour,
            };
            ahead = next.map(|parts| scope.spawn(move || DecodedParts::of(&files_of(parts))));
            let decoded = decoded.and_then(joined);
            let made = day.write(decoded, last)?;
            publisher.publish(made.publication)?;
            left.insert(sensor, made.left);
            waiting_days.add(sensor, scans::OPEN_ENDING, *period);
            waiting_days.add(sensor, KNOWN_ENDING, *period);
            rolled.rows += made.rows;
            rolled.written += TABLES.len() as u64;
        }
        publisher.finish()
    })?;
    let mut sensors = sensors.into_iter();
    sensors.try_for_each(|sensor| roll_ongoing(store, sensor, settings, &said, rolled))
}

/// Publishes the events that go on behind the last day of a sensor.
fn roll_ongoing(
    store: &Store,
    sensor: &str,
    settings: &RollupSettings,
    said: &SaidBefore,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let Some(open) = latest_open(store, sensor, settings)? else {
        return Ok(());
    };
    let said = said.get(&(sensor.to_owned(), scans::ONGOING.to_owned()));
    let said = said.map_or(&[][..], |said| said);
    let day = open.file_stem().and_then(|name| name.to_str());
    let mut notes = MakingNotes::default();
    let day = day.and_then(Hour::first_of).map(Period::Day);
    let path =
        day.map(|day| store.path(SOURCES_DAILY.name, day, &format!("{sensor}.{PART_ENDING}")));
    if let Some(path) = path {
        notes.add_file(&path)?;
    }
    let of_day = note_text(&notes, INPUTS);
    if said
        .iter()
        .any(|part| note_of(part.place(), INPUTS) == of_day)
    {
        return Ok(());
    }
    let context = ScanContext {
        store,
        sensor,
        rules: &settings.scans,
        telescope: telescope_of(&notes),
    };
    rolled.rows += scans::publish_ongoing(context, &open, said, &notes)?;
    Ok(())
}

fn note_text(notes: &MakingNotes, key: &str) -> Option<String> {
    let metadata = notes.metadata();
    metadata.into_iter().find(|note| note.key == key)?.value
}

/// Takes back what days said of events that are no days of the dataset any more.
fn take_back(
    (store, lists): (&Store, &HourLists<'_>),
    days: &Inputs,
    settings: &RollupSettings,
    said: &SaidBefore,
) -> Result<(), RollupError> {
    let observed = super::observed_days(lists, &SOURCES, settings)?;
    let mut publication = store.publication();
    for (day, sensor) in observed {
        let is_made = days.contains_key(&(day, sensor.clone()));
        if is_made || !settings.wants(day) {
            continue;
        }
        let run = scans::run_of(day);
        for part in said.get(&(sensor.clone(), run)).into_iter().flatten() {
            publication.remove(&part.within());
        }
        let zone = settings.calendar.name();
        let mut left = vec![scans::open_path(&sensor, zone, day)];
        for ending in [KNOWN_ENDING, THINGS_ENDING, PAYLOADS_ENDING] {
            left.push(waiting::path(&sensor, zone, day, ending));
        }
        for within in left {
            if store.directory().join(&within).is_file() {
                publication.remove(&within);
            }
        }
    }
    // Of days of another time zone, all of which are made anew where no day is picked.
    let is_of_days = |run: &str| run != scans::ONGOING;
    for ((_, run), parts) in said {
        let zone = settings.calendar.name();
        let is_other = |part: &Part| other_zone(part, zone).is_some();
        if is_of_days(run) && settings.wants_all() && parts.first().is_some_and(is_other) {
            parts
                .iter()
                .for_each(|part| publication.remove(&part.within()));
        }
    }
    let failed = file_error(store.directory());
    publication.commit().map(drop).map_err(failed)
}

/// Parts of `scans` by sensor and run.
type SaidBefore = BTreeMap<(String, String), Vec<Part>>;

fn said_before(store: &Store) -> Result<SaidBefore, RollupError> {
    let parts = store.parts_within(SCANS.name, &(i64::MIN..i64::MAX));
    let mut said = SaidBefore::new();
    for part in parts.map_err(file_error(&store.directory().join(SCANS.name)))? {
        if let Some((name, _)) = part.name() {
            said.entry((name.sensor, name.run)).or_default().push(part);
        }
    }
    Ok(said)
}

/// Until when each sensor's hours are known, microseconds since 1970-01-01 UTC: the end of its last hour, or the start where that goes on.
pub(super) fn known_until(lists: &HourLists<'_>) -> Result<BTreeMap<String, i64>, RollupError> {
    let last: BTreeMap<String, Part> = lists.files(&COVERAGE)?.into_iter().collect();
    let until = |(sensor, part): (String, Part)| {
        let hour = part.period.first_hour();
        let is_open =
            note_of(part.place(), STATE_KEY).is_some_and(|state| state == State::Open.word());
        let until = Hour(hour.0 + i64::from(!is_open));
        (sensor, until.start_us())
    };
    Ok(last.into_iter().map(until).collect())
}

/// The latest file of open events of a sensor.
fn latest_open(
    store: &Store,
    sensor: &str,
    settings: &RollupSettings,
) -> Result<Option<PathBuf>, RollupError> {
    let zone = settings.calendar.name();
    let latest = waiting::latest(store, (sensor, zone), scans::OPEN_ENDING, None)?;
    let of_day = |day| store.directory().join(scans::open_path(sensor, zone, day));
    Ok(latest.map(of_day))
}

/// The parts of `payloads` of a day; none where hours of them were pruned, as what was noted of these stays.
fn payloads_of(
    store: &Store,
    sensor: &str,
    settings: &RollupSettings,
    day: Period,
) -> Result<Option<Vec<Part>>, RollupError> {
    let hours = settings.calendar.hours(day.first_hour().day())?;
    let failed = file_error(&store.directory().join(PAYLOADS.name));
    let pruned = PrunedHours::read(store).map_err(&failed)?;
    let is_pruned = |hour: i64| pruned.contains(PAYLOADS.name, sensor, Hour(hour));
    if hours.clone().any(is_pruned) {
        return Ok(None);
    }
    let parts = store.parts_within(PAYLOADS.name, &hours).map_err(failed)?;
    let of_sensor = |part: &Part| part.sensor().as_deref() == Some(sensor);
    Ok(Some(parts.into_iter().filter(of_sensor).collect()))
}

pub(super) fn file_hash(path: &Path) -> Result<String, RollupError> {
    let failed = file_error(path);
    let mut file = std::fs::File::open(path).map_err(&failed)?;
    let (mut sum, mut bytes) = (XxHash64::with_seed(0), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes).map_err(&failed)? {
            0 => return Ok(hash_text(sum.finish())),
            count => Hasher::write(&mut sum, &bytes[..count]),
        }
    }
}

fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

pub(super) fn telescope_of(notes: &MakingNotes) -> DarkAddresses {
    DarkAddresses {
        ipv4: notes.largest("telescope_addresses_ipv4"),
        ipv6: notes.largest("telescope_addresses_ipv6"),
    }
}

/// What a day has left for the next one, which need not read it from files.
struct LeftBehind {
    day: Period,
    open: OpenFile<()>,
    known: Vec<KnownCampaign>,
    known_hash: String,
}

/// A day whose tables are written.
struct MadeDay {
    rows: u64,
    publication: Publication,
    left: LeftBehind,
}

/// What is known of a day once its sources have been read.
struct GatheredDay<'s> {
    names: LineNames,
    /// The part of `sources_daily`, of which the rows are held.
    sources: PartWriter,
    held: HeldGroups<'s>,
    survey: SurveyGathering,
    ports: PortTally,
    asked: SurveyTally,
    campaigns: CampaignDay<'s>,
    things: DayThings,
}

/// The tables of a day, but for its scan events.
struct WrittenTables {
    /// Those of `sources_daily` were counted before.
    rows: u64,
    publication: Publication,
    /// Campaigns that the next day goes on with, and the hash of their file.
    known: Vec<KnownCampaign>,
    known_hash: String,
}

/// A day of a sensor that is rolled up.
struct SourcesDay<'d> {
    store: &'d Store,
    period: Period,
    sensor: &'d str,
    parts: &'d BTreeSet<PartOfHour>,
    notes: MakingNotes,
    rules: SurveyRules,
    zone: &'d str,
    scans: &'d ScanRules,
    telescope: DarkAddresses,
    silence: Silence<'d>,
    before: Option<PathBuf>,
    /// What this day said of events before.
    said: Vec<Part>,
    campaigns: CampaignRules,
    campaigns_before: Option<(Period, PathBuf)>,
    kept_max: usize,
    /// None where they were pruned.
    payloads: Option<Vec<Part>>,
    first_hour: i64,
}

impl SourcesDay<'_> {
    /// Writes the tables; `last` is what the day before has left, where it was made just now.
    fn write(
        &self,
        decoded: Option<DecodedParts>,
        last: Option<LeftBehind>,
    ) -> Result<MadeDay, RollupError> {
        let (kept, known) = match last {
            Some(last) => (last.open.kept, Some(last.known)),
            None => (None, None),
        };
        let before = match (&self.before, kept) {
            (Some(_), Some(kept)) => Some(OpenReader::of_kept(kept)),
            (Some(path), None) => Some(scans::open_events(path)?),
            (None, _) => None,
        };
        let here = || file_error(self.store.directory());
        let sources = self.create(&SOURCES_DAILY, &[])?;
        let mut held = HeldGroups::new(self.store);
        let addresses = self.notes.largest(ADDRESSES_KEY);
        let files = files_of(self.parts);
        let decoded = decoded.filter(|decoded| decoded.are_of(&files));
        let sources_max = decoded.as_ref().and_then(DecodedParts::sources_max);
        let mut survey =
            SurveyGathering::new(self.rules, addresses, sources_max.unwrap_or(u64::MAX));
        let mut ports = PortTally::default();
        let mut asked = SurveyTally::default();
        let context = ScanContext {
            store: self.store,
            sensor: self.sensor,
            rules: self.scans,
            telescope: self.telescope,
        };
        let within = scans::open_path(self.sensor, self.zone, self.period);
        let mut events = ScanDay::new(context, self.silence, before, (&within, self.kept_max))?;
        let mut campaigns = CampaignDay::new(self.store, self.campaigns, self.first_hour);
        let mut things = DayThings::default();
        let mut names = LineNames::default();
        let mut groups = SourceGroups::default();
        let mut pending = Vec::new();
        let mut number = 0;
        each_source(&files, decoded, &mut names, |key, source, names| {
            groups.group(source);
            let groups = &groups;
            let day = source_day(key, (source, groups), names);
            let day = day.map_err(|source| RollupError::Destinations {
                day: self.period.text(),
                source,
            })?;
            let surveys = self.rules.surveys(&day);
            ports.add(key.ip_version, &groups.classes, surveys);
            asked.add(key, source, &groups.services);
            things.source(key, source, &groups.services, surveys);
            if !key.is_folded() {
                survey.add(number, &day, &groups.services);
            }
            events.source(key, (source, &groups.order), names)?;
            let noted = campaigns.source(number, key, (source, &groups.services), names, &day);
            noted.map_err(here())?;
            number += 1;
            pending.push(day);
            if pending.len() == GROUP_ROWS {
                self.hold_sources(&mut held, &sources, &pending)?;
                pending.clear();
            }
            Ok::<_, RollupError>(())
        })?;
        self.hold_sources(&mut held, &sources, &pending)?;
        let gathered = GatheredDay {
            names,
            sources,
            held,
            survey,
            ports,
            asked,
            campaigns,
            things,
        };
        // Events and tables are made of the same rows, and need nothing of each other any more.
        let finish_events = || {
            let mut publication = self.store.publication();
            let run = scans::run_of(self.period);
            let left = events.finish(&run, &self.said, &self.notes, &mut publication)?;
            Ok::<_, RollupError>((left, publication))
        };
        let write_tables = || self.write_tables(gathered, known);
        let (of_events, tables) = beside(2, finish_events, write_tables);
        let (scans, mut publication) = of_events?;
        let tables = tables?;
        publication.add(tables.publication);
        Ok(MadeDay {
            rows: number + scans.rows + tables.rows,
            publication,
            left: LeftBehind {
                day: self.period,
                open: scans.open,
                known: tables.known,
                known_hash: tables.known_hash,
            },
        })
    }

    /// Writes the tables of what was gathered.
    fn write_tables(
        &self,
        mut gathered: GatheredDay<'_>,
        known: Option<Vec<KnownCampaign>>,
    ) -> Result<WrittenTables, RollupError> {
        let mut publication = self.store.publication();
        let (scanners, notes) = gathered.survey.finish();
        let mut file = self.create(&SCANNERS_DAILY, &notes)?;
        let mut rows = scanners.len() as u64;
        for rows in scanners.chunks(GROUP_ROWS) {
            let (day, sensor) = (self.number(), self.sensor);
            let group = ScannerDayRows { day, sensor, rows };
            let (schema, path) = (file.schema(), self.within(&SCANNERS_DAILY));
            file.append(encode_with(&path, |encoder| {
                encode_group(SCANNERS_DAILY_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        let asked = gathered.asked.finish();
        rows += asked.len() as u64;
        let context = (&gathered.names, &gathered.ports);
        let mut campaigns =
            self.finish_campaigns(gathered.campaigns, known, context, &mut publication)?;
        let known_hash = self.leave(KNOWN_ENDING, &mut publication, |file| {
            write_known(file, &campaigns.known)
        })?;
        rows += campaigns.rows.len() as u64;
        let mut notes = campaigns.notes.clone();
        notes.push((
            "stacks_left_out".to_owned(),
            gathered.things.left_out().to_string(),
        ));
        let of_campaigns = self.write_campaigns(&campaigns.rows, &notes)?;
        let mut all = gathered.things.things(&gathered.names);
        all.append(&mut campaigns.things);
        self.leave(THINGS_ENDING, &mut publication, |file| {
            write_things(file, &all)
        })?;
        self.append_sources(&mut gathered.sources, gathered.held, campaigns.members)?;
        let staged = [
            gathered.sources.finish()?,
            file.finish()?,
            self.write_ports(gathered.ports, &mut rows)?,
            of_campaigns,
            self.write_survey(&asked)?,
        ];
        for file in staged {
            publication
                .put(file)
                .map_err(file_error(self.store.directory()))?;
        }
        Ok(WrittenTables {
            rows,
            publication,
            known: campaigns.known,
            known_hash: hash_text(known_hash),
        })
    }

    /// Groups the sources of the day, and leaves its payloads.
    fn finish_campaigns(
        &self,
        campaigns: CampaignDay<'_>,
        known: Option<Vec<KnownCampaign>>,
        (names, ports): (&LineNames, &PortTally),
        publication: &mut Publication,
    ) -> Result<DayCampaigns, RollupError> {
        let known = match (&self.campaigns_before, known) {
            (Some(_), Some(known)) => known,
            (Some((_, path)), None) => std::fs::File::open(path)
                .and_then(read_known)
                .map_err(file_error(path))?,
            (None, _) => Vec::new(),
        };
        let mut payloads = DayPayloads::default();
        for part in self.payloads.iter().flatten() {
            payloads.add(part).map_err(|source| RollupError::Part {
                path: part.path.clone(),
                source: source.into(),
            })?;
        }
        if self.payloads.is_some() {
            let things = payloads.things();
            self.leave(PAYLOADS_ENDING, publication, |file| {
                write_things(file, &things)
            })?;
        }
        let number = |day: Period| day.first_hour().0.div_euclid(24);
        let day = FollowDay {
            sensor: self.sensor,
            day: self.number(),
            day_before: self.campaigns_before.as_ref().map(|(day, _)| number(*day)),
            rules: &self.campaigns,
        };
        let packets = ports.packets_by_service();
        let packets_of = |service: AskedService| packets.get(&service).copied().unwrap_or(0);
        let found = campaigns.finish(known, day, names, &payloads, packets_of);
        found.map_err(file_error(self.store.directory()))
    }

    /// Puts a file for the days behind this one into `publication`; the hash of its bytes.
    fn leave(
        &self,
        ending: &str,
        publication: &mut Publication,
        write: impl FnOnce(HashedFile<Staged>) -> std::io::Result<HashedFile<Staged>>,
    ) -> Result<u64, RollupError> {
        let within = waiting::path(self.sensor, self.zone, self.period, ending);
        let failed = file_error(&within);
        let file = self.store.stage(&within).map(HashedFile::new);
        let (file, hash) = file.and_then(write).map_err(&failed)?.finish();
        publication.put(file).map_err(failed)?;
        Ok(hash)
    }

    fn write_campaigns(
        &self,
        rows: &[CampaignRow],
        notes: &[(String, String)],
    ) -> Result<Staged, RollupError> {
        let mut file = self.create(&CAMPAIGNS_DAILY, notes)?;
        for rows in rows.chunks(GROUP_ROWS) {
            let (day, sensor) = (self.number(), self.sensor);
            let group = CampaignRows { day, sensor, rows };
            let (schema, path) = (file.schema(), self.within(&CAMPAIGNS_DAILY));
            file.append(encode_with(&path, |encoder| {
                encode_group(CAMPAIGNS_DAILY_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        Ok(file.finish()?)
    }

    /// Encodes what is known of sources before their campaigns are.
    fn hold_sources(
        &self,
        held: &mut HeldGroups<'_>,
        file: &PartWriter,
        rows: &[SourceDay],
    ) -> Result<(), RollupError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (day, sensor) = (self.number(), self.sensor);
        let group = SourceDayRows { day, sensor, rows };
        let (schema, path) = (file.schema(), self.within(&SOURCES_DAILY));
        let early = &SOURCES_DAILY_ROWS[..SOURCES_DAILY_ROWS.len() - SOURCES_DAILY_LATE_ROWS.len()];
        let columns = encode_with(&path, |encoder| {
            encode_group(early, &schema, rows.len(), &group, encoder)
        })?;
        held.push(rows.len(), columns)
            .map_err(file_error(self.store.directory()))
    }

    /// Writes the sources, with their campaigns.
    fn append_sources(
        &self,
        file: &mut PartWriter,
        held: HeldGroups<'_>,
        mut members: CampaignMembers,
    ) -> Result<(), RollupError> {
        let path = self.within(&SOURCES_DAILY);
        let here = file_error(self.store.directory());
        let mut start = 0;
        held.take_all(&here, |count, mut columns| {
            let end = start + count as u64;
            let campaigns = members.of_rows(start..end).map_err(&here)?;
            let group = LateSourceRows {
                campaigns: &campaigns,
            };
            columns.extend(encode_with(&path, |encoder| {
                let schema = late_schema()?;
                encode_group(SOURCES_DAILY_LATE_ROWS, &schema, count, &group, encoder)
            })?);
            file.append(columns)?;
            start = end;
            Ok(())
        })
    }

    fn write_ports(&self, ports: PortTally, rows: &mut u64) -> Result<Staged, RollupError> {
        let least = self.rules.survey_ports.to_string();
        let mut file = self.create(&PORTS_DAILY, &[("survey_ports_min".to_owned(), least)])?;
        let sums = ports.finish();
        *rows += sums.len() as u64;
        for rows in sums.chunks(GROUP_ROWS) {
            let (day, sensor) = (self.number(), self.sensor);
            let group = PortDayRows { day, sensor, rows };
            let (schema, path) = (file.schema(), self.within(&PORTS_DAILY));
            file.append(encode_with(&path, |encoder| {
                encode_group(PORTS_DAILY_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        Ok(file.finish()?)
    }

    fn write_survey(&self, all: &[SurveyDayRow]) -> Result<Staged, RollupError> {
        let mut file = self.create(&SURVEY_DAILY, &[])?;
        for rows in all.chunks(GROUP_ROWS) {
            let (day, sensor) = (self.number(), self.sensor);
            let group = SurveyDayRows { day, sensor, rows };
            let (schema, path) = (file.schema(), self.within(&SURVEY_DAILY));
            file.append(encode_with(&path, |encoder| {
                encode_group(SURVEY_DAILY_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        Ok(file.finish()?)
    }

    fn create(&self, table: &Table, more: &[(String, String)]) -> Result<PartWriter, WriteError> {
        let mut metadata = self.notes.metadata();
        let more = more.iter();
        metadata.extend(more.map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
        PartWriter::create(self.store, &self.within(table), table, metadata)
    }

    fn within(&self, table: &Table) -> PathBuf {
        Path::new(table.name)
            .join(self.period.folder())
            .join(format!("{}.{PART_ENDING}", self.sensor))
    }

    /// Days since 1970-01-01.
    fn number(&self) -> i64 {
        self.period.first_hour().0.div_euclid(24)
    }
}
