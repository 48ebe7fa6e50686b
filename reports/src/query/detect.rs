//! Finds the events of a period by a stated rule, and reads what their cards show.
//!
//! The rule counts hosts and not packets, so that one loud source is no event. It is tested over every port and day, with the false
//! discovery rate bounded; see [`crate::trend`]. The cards are read again from the tables of the event's days only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::Array as _;
use teiten_aggregator::parallel;
use teiten_aggregator::schema::names;
use teiten_aggregator::whole_day::PartOfHour;
use teiten_observation::{Family, Tool};

use super::distinct::SourceSketch;
use super::event::{CARDS_MAX, Event, EventDetail, EventKind, Tested};
use super::layout::HourFiles;
use super::port_days::DayPorts;
use super::rows::{self, Columns};
use super::tally::{Port, family_of};
use super::{Answer, Job};
use crate::measure::{Completeness, SHARE_MIN};
use crate::trend::{
    self, BASELINE_DAYS, BASELINE_DAYS_MIN, FALSE_DISCOVERY_RATE, HOSTS_MIN, MEDIANS_MIN,
};

/// A finding of one port on one day.
struct PortFinding {
    family: Family,
    port: Port,
    day: usize,
    hosts: f64,
    expected: trend::ExpectedCount,
    tail_ln: f64,
    recent_mean: f64,
}

/// Finds the events of a period; `before` are the days before it. Hosts of IPv4 and of IPv6 are tested apart, each at its own exposure.
pub(crate) fn find(
    answer: &Answer,
    before: Option<&Answer>,
    workers: usize,
) -> (Vec<Event>, Tested) {
    let [(mut candidates, days_ipv4), (over_ipv6, days_ipv6)] =
        [Family::Ipv4, Family::Ipv6].map(|family| candidates(answer, before, family, workers));
    candidates.extend(over_ipv6);
    let tested = Tested {
        days_ipv4,
        days_ipv6,
        findings: 0,
    };
    let tails: Vec<f64> = candidates.iter().map(|found| found.tail_ln).collect();
    let held = trend::discoveries(&tails, tested.tests(), FALSE_DISCOVERY_RATE);
    let mut findings: Vec<PortFinding> = candidates
        .into_iter()
        .zip(held)
        .filter_map(|(finding, held)| held.then_some(finding))
        .collect();
    findings.sort_by_key(|finding| (finding.family, finding.port, finding.day));
    let tested = Tested {
        findings: findings.len(),
        ..tested
    };
    (joined(findings, answer), tested)
}

/// The ports and days that may be findings over an IP version, and how many days could be tested.
fn candidates(
    answer: &Answer,
    before: Option<&Answer>,
    family: Family,
    workers: usize,
) -> (Vec<PortFinding>, usize) {
    let timeline = DayExposures::of(answer, before, family);
    let testable: Vec<usize> = (0..answer.days.len())
        .filter(|&day| timeline.is_testable(day))
        .collect();
    let columns = timeline.columns(answer, before);
    let test = |day: &usize| timeline.test_day(*day, &columns);
    let found = parallel::map(workers, &testable, |_| 1, test);
    (found.into_iter().flatten().collect(), testable.len())
}

/// Consecutive days of one port are one event, also across a day that could not be tested.
fn joined(findings: Vec<PortFinding>, answer: &Answer) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for finding in findings {
        let completeness = |day: usize| answer.completeness(&answer.day_buckets, day);
        let follows = |event: &Event| {
            (event.family, event.port) == (finding.family, finding.port)
                && (event.days.end..finding.day).all(|day| completeness(day) != Completeness::Whole)
        };
        match events.last_mut().filter(|event| follows(event)) {
            Some(event) => {
                event.days.end = finding.day + 1;
                if finding.hosts > event.hosts {
                    event.peak = finding.day;
                    event.hosts = finding.hosts;
                }
                event.tail_ln = event.tail_ln.min(finding.tail_ln);
            }
            None => events.push(Event {
                family: finding.family,
                port: finding.port,
                kind: if finding.recent_mean < 1.0 {
                    EventKind::New
                } else {
                    EventKind::Spike
                },
                days: finding.day..finding.day + 1,
                peak: finding.day,
                hosts: finding.hosts,
                median: finding.expected.median,
                dispersion: finding.expected.dispersion,
                tail_ln: finding.tail_ln,
                detail: EventDetail::default(),
            }),
        }
    }
    events.sort_by(|a, b| {
        let key = |event: &Event| (event.days.start, event.family, event.port);
        key(a).cmp(&key(b))
    });
    events
}

/// Exposure of each day over an IP version, those before the period first.
struct DayExposures {
    family: Family,
    before: usize,
    exposures: Vec<f64>,
    whole: Vec<bool>,
}

impl DayExposures {
    fn of(answer: &Answer, before: Option<&Answer>, family: Family) -> Self {
        let (mut exposures, mut whole) = (Vec::new(), Vec::new());
        // Earlier days with another unit cannot be compared.
        let before = before.filter(|before| before.unit() == answer.unit());
        let answers = || before.into_iter().chain([answer]);
        // A sensor that sees IPv6 at any time is exposed to it at all times.
        let sensors: BTreeSet<&str> = answers().flat_map(Answer::sensors_of_ipv6).collect();
        for answer in answers() {
            for (day, range) in answer.day_buckets.ranges.iter().enumerate() {
                let is_whole = answer.completeness(&answer.day_buckets, day) == Completeness::Whole;
                let (exposure, is_observed) = match family {
                    Family::Ipv4 => (answer.exposure(range), !answer.is_ipv6_alone()),
                    Family::Ipv6 => {
                        let (observed, due) = answer.sensor_days(&sensors, day);
                        (observed, observed > 0.0 && observed >= SHARE_MIN * due)
                    }
                };
                exposures.push(exposure);
                whole.push(is_whole && is_observed);
            }
        }
        Self {
            family,
            before: exposures.len() - answer.days.len(),
            exposures,
            whole,
        }
    }

    fn baseline(&self, day: usize) -> impl Iterator<Item = usize> + '_ {
        let place = self.before + day;
        (place.saturating_sub(BASELINE_DAYS)..place).filter(|&place| self.whole[place])
    }

    fn is_testable(&self, day: usize) -> bool {
        self.whole[self.before + day] && self.baseline(day).count() >= BASELINE_DAYS_MIN
    }

    /// The ports of every day, those before the period first.
    fn columns<'a>(&self, answer: &'a Answer, before: Option<&'a Answer>) -> Vec<&'a DayPorts> {
        let before = before.filter(|_| self.before > 0);
        let before = before.into_iter().flat_map(|before| &before.port_days);
        before.chain(&answer.port_days).collect()
    }

    /// The ports of a day that more hosts probed than before.
    fn test_day(&self, day: usize, columns: &[&DayPorts]) -> Vec<PortFinding> {
        let hosts = columns[self.before + day].hosts(self.family);
        let baseline: Vec<usize> = self.baseline(day).collect();
        let exposure = self.exposures[self.before + day];
        // How many of the days before had less than the rise that is tested. If the median is below it, so is half of the days. A little more
        // is let through, as single precision is not exact.
        let mut below = vec![0_u8; hosts.len()];
        for &place in &baseline {
            let least = MEDIANS_MIN * (1.0 - 1e-4) * exposure / self.exposures[place];
            let least = least as f32;
            let earlier = columns[place].hosts(self.family);
            if earlier.is_empty() {
                below.iter_mut().for_each(|count| *count += 1);
            }
            for ((count, earlier), hosts) in below.iter_mut().zip(earlier).zip(hosts) {
                *count += u8::from(earlier * least <= *hosts);
            }
        }
        let may_rise = below.iter().zip(hosts).enumerate();
        let may_rise = may_rise.filter(|(_, (below, hosts))| {
            f64::from(**hosts) >= HOSTS_MIN && usize::from(**below) >= baseline.len() / 2
        });
        let of_place = |place: usize, column: usize| {
            let hosts = columns[column].hosts(self.family).get(place);
            f64::from(hosts.copied().unwrap_or(0.0))
        };
        may_rise
            .filter_map(|(place, (_, hosts))| {
                let rates = baseline
                    .iter()
                    .map(|&column| (column, of_place(place, column)));
                let rates = rates.map(|(column, hosts)| hosts / self.exposures[column]);
                let rates: Vec<f64> = rates.collect();
                let port = DayPorts::port_at(place);
                self.test(port, day, f64::from(*hosts), &rates)
            })
            .collect()
    }

    fn test(&self, port: Port, day: usize, hosts: f64, rates: &[f64]) -> Option<PortFinding> {
        let exposure = self.exposures[self.before + day];
        let expected = trend::expected(rates, exposure)?;
        let rises = hosts >= HOSTS_MIN && hosts >= MEDIANS_MIN * expected.median;
        rises.then(|| PortFinding {
            family: self.family,
            port,
            day,
            hosts,
            tail_ln: trend::tail_ln(hosts, &expected),
            recent_mean: rates.iter().sum::<f64>() / rates.len() as f64 * exposure,
            expected,
        })
    }
}

const TRAFFIC_COLUMNS: &[&str] = &[
    names::SENSOR,
    names::IP_VERSION,
    names::PROTOCOL,
    names::PORT,
    names::CLASS,
    names::TOOL,
    names::COUNTRY,
    names::PACKETS,
    names::SOURCES_SKETCH,
];
const SOURCE_COLUMNS: &[&str] = &[
    names::SENSOR,
    names::IP_VERSION,
    names::PROTOCOL,
    names::PORT,
    names::CLASS,
    names::ASN,
    names::PACKETS,
];

/// An event of which a card is shown, and the hours of its days.
struct CardEvent {
    place: usize,
    family: Family,
    port: Port,
    hours: Range<usize>,
}

/// Reads the cards of the first [`CARDS_MAX`] events, each file once for all of them; a file that cannot be read was reported when the period
/// was read.
pub(crate) fn read_details(job: &Job<'_>, workers: usize, answer: &mut Answer) {
    // The largest events, which are shown.
    let mut order: Vec<usize> = (0..answer.events.len()).collect();
    let hosts = |place: usize| answer.events[place].hosts;
    order.sort_by(|&a, &b| hosts(b).total_cmp(&hosts(a)));
    order.truncate(CARDS_MAX);
    let shown: Vec<CardEvent> = order
        .into_iter()
        .map(|place| {
            let event = &answer.events[place];
            let ranges = &answer.day_buckets.ranges;
            CardEvent {
                place,
                family: event.family,
                port: event.port,
                hours: ranges[event.days.start].start..ranges[event.days.end - 1].end,
            }
        })
        .collect();
    let files = card_files(job, &shown);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut details: Vec<EventDetail> = shown.iter().map(empty_detail).collect();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            // One that cannot be read was reported.
            let _ = file.read(job, &shown, &mut details);
        }
        details
    };
    let found: Vec<Vec<EventDetail>> = std::thread::scope(|scope| {
        let threads = 0..workers.clamp(1, files.len().max(1));
        let threads: Vec<_> = threads.map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    for (number, card) in shown.iter().enumerate() {
        let mut detail = empty_detail(card);
        for of_thread in &found {
            detail.merge(&of_thread[number]);
        }
        for hour in card.hours.clone() {
            for name in answer.hours[hour].seconds.keys() {
                detail.sensors.entry(name.clone()).or_default();
            }
        }
        answer.events[card.place].detail = detail;
    }
}

fn empty_detail(card: &CardEvent) -> EventDetail {
    EventDetail {
        hours: vec![0; card.hours.len()],
        ..EventDetail::default()
    }
}

type AddRows =
    fn(&Job<'_>, &Columns<'_>, &CardEvent, &mut EventDetail, usize) -> Result<(), String>;

/// A file with rows of hours of cards.
struct CardFile<'j> {
    part: &'j PartOfHour,
    /// Its hours that cards need, counted from the first of the period.
    hours: BTreeSet<usize>,
    columns: &'static [&'static str],
    add: AddRows,
}

/// The files of the hours of the cards.
fn card_files<'j>(job: &Job<'j>, shown: &[CardEvent]) -> Vec<CardFile<'j>> {
    let hours: BTreeSet<usize> = shown.iter().flat_map(|card| card.hours.clone()).collect();
    let tables: [(&HourFiles, &[&str], AddRows); 2] = [
        (job.traffic, TRAFFIC_COLUMNS, add_traffic),
        (job.sources, SOURCE_COLUMNS, add_sources),
    ];
    let mut files = Vec::new();
    for (table, columns, add) in tables {
        let mut of_table = BTreeMap::new();
        for hour in &hours {
            let absolute = job.first_hour + *hour as i64;
            for part in table.get(&absolute).into_iter().flatten() {
                let file = of_table.entry(&part.part).or_insert_with(|| CardFile {
                    part,
                    hours: BTreeSet::new(),
                    columns,
                    add,
                });
                file.hours.insert(*hour);
            }
        }
        files.extend(of_table.into_values());
    }
    files
}

impl CardFile<'_> {
    /// Adds its rows to the cards.
    ///
    /// # Errors
    /// The reason as text, when it is damaged.
    fn read(
        &self,
        job: &Job<'_>,
        shown: &[CardEvent],
        details: &mut [EventDetail],
    ) -> Result<(), String> {
        let of_file = |card: &&CardEvent| self.hours.range(card.hours.clone()).next().is_some();
        let ports = shown.iter().filter(of_file);
        let ports: Vec<u16> = ports.filter_map(|card| card.port.port).collect();
        let mut add_hour = |hour: usize, rows: &Columns<'_>| {
            let of_cards = shown.iter().zip(&mut *details);
            let mut of_cards = of_cards.filter(|(card, _)| card.hours.contains(&hour));
            of_cards.try_for_each(|(card, detail)| (self.add)(job, rows, card, detail, hour))
        };
        let is_whole_day = self.part.held.is_some();
        let mut columns = self.columns.to_vec();
        columns.extend(is_whole_day.then_some(names::HOUR_START));
        rows::read_ports(self.part.part.place(), &columns, &ports, |batch| {
            for hour in &self.hours {
                let absolute = job.first_hour + *hour as i64;
                match is_whole_day {
                    true => batch.of_hours(|it| it == absolute, |rows| add_hour(*hour, rows))?,
                    false => add_hour(*hour, batch)?,
                }
            }
            Ok(())
        })
    }
}

/// Rows of the event's port that ask for it over its IP version.
fn matching(job: &Job<'_>, batch: &Columns<'_>, card: &CardEvent) -> Result<Vec<usize>, String> {
    let port = card.port;
    let sensors = batch.text(names::SENSOR, |name| Ok(job.wants(name)))?;
    let asking = batch.asking()?;
    let versions = batch.int32(names::IP_VERSION)?;
    let (protocols, ports) = (batch.int32(names::PROTOCOL)?, batch.int32(names::PORT)?);
    let number = i32::from(port.port.unwrap_or(0));
    Ok((0..batch.rows())
        .filter(|&row| {
            !ports.is_null(row)
                && ports.value(row) == number
                && protocols.value(row) == i32::from(port.protocol)
                && family_of(versions.value(row)) == card.family
                && *sensors.at(row)
                && *asking.at(row)
        })
        .collect())
}

fn add_traffic(
    job: &Job<'_>,
    batch: &Columns<'_>,
    card: &CardEvent,
    detail: &mut EventDetail,
    hour: usize,
) -> Result<(), String> {
    let rows = matching(job, batch, card)?;
    let sensors = batch.text(names::SENSOR, |name| Ok(name.to_owned()))?;
    let tools = batch.text(names::TOOL, |name| {
        Tool::from_name(name).ok_or_else(|| rows::unknown(names::TOOL, name))
    })?;
    let countries = batch.countries()?;
    let (packets, sketches) = (
        batch.int64(names::PACKETS)?,
        batch.bytes(names::SOURCES_SKETCH)?,
    );
    for row in rows {
        let count = packets.value(row);
        let merged = |distinct: &mut SourceSketch| {
            distinct
                .merge_image(sketches.value(row))
                .map_err(|error| error.to_string())
        };
        detail.hours[hour - card.hours.start] += count;
        detail.packets += count;
        detail.tools[*tools.at(row) as usize] += count;
        *detail.sensors.entry(sensors.at(row).clone()).or_default() += count;
        merged(&mut detail.hosts)?;
        let country = detail.countries.entry(*countries.at(row)).or_default();
        country.0 += count;
        merged(&mut country.1)?;
    }
    Ok(())
}

fn add_sources(
    job: &Job<'_>,
    batch: &Columns<'_>,
    card: &CardEvent,
    detail: &mut EventDetail,
    _: usize,
) -> Result<(), String> {
    let asns = batch.int64(names::ASN)?;
    for row in matching(job, batch, card)? {
        if !asns.is_null(row) {
            *detail.networks.entry(asns.value(row)).or_default() += 1;
        }
    }
    Ok(())
}
