//! The figures of a report: one row of [`FIGURES`] and one file each. The document, `list`, `figure NAME` and the tests read this table.

use teiten_aggregator::schema::names;

use crate::chart::axis::TimeAxis;
use crate::chart::ranked::Bar;
use crate::chart::timeline::{self, TimeBuckets};
use crate::chart::{Chart, NARROW, PAPER, Sheet, WIDTH};
use crate::measure::{Completeness, RateUnit};
use crate::period::HOUR_US;
use crate::query::distinct::ERROR_PERCENT;
use crate::query::rolled_up;
use crate::query::{Answer, SourceGroup};
use crate::series::{BucketWidth, Buckets, CoverageState, combined};
use crate::table::{DataTable, TableColumn};
use crate::text::{Both, Language, Text, fill, number, time};

pub(crate) mod attacks;
mod campaigns;
mod changes;
mod classes;
mod concentration;
mod countries;
mod coverage;
mod events;
mod infected;
mod novelties;
mod origins;
mod packets;
mod ports;
mod ranking;
mod scans;
mod sensors;
mod sources;
mod tools;
mod traffic_types;
mod trend;
mod weekday;
mod years;

pub use events::{event_label, when};
pub use ports::port_label;

/// The section of a figure, in the order of `Text::sections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Section {
    /// The period as a whole.
    Overview,
    /// Ports and services.
    Ports,
    /// Spikes and new ports.
    Events,
    /// Hosts that look infected.
    Infected,
    /// Countries, networks, organisations.
    Sources,
    /// Victims of denial of service.
    Attacks,
    /// Years beside published series.
    Years,
    /// What was observed, and how.
    Conditions,
}

impl Section {
    /// Every section, in the order of the report.
    pub const ALL: [Section; 8] = [
        Section::Overview,
        Section::Ports,
        Section::Events,
        Section::Infected,
        Section::Sources,
        Section::Attacks,
        Section::Years,
        Section::Conditions,
    ];

    /// Its name in file names: `notes/NAME.ja.md`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Section::Overview => "overview",
            Section::Ports => "ports",
            Section::Events => "events",
            Section::Infected => "infected",
            Section::Sources => "sources",
            Section::Attacks => "attacks",
            Section::Years => "years",
            Section::Conditions => "conditions",
        }
    }
}

/// A figure of the report.
pub struct Figure {
    /// Name on the command line and of its files.
    pub name: &'static str,
    /// Title.
    pub title: Both,
    /// The question it answers.
    pub question: Both,
    /// Its section.
    pub section: Section,
    /// Draws it.
    pub draw: fn(&Answer, &Context<'_>) -> Drawn,
}

/// How a figure is drawn.
pub struct Context<'a> {
    /// Name of the drawing, for identifiers within a page.
    pub name: &'a str,
    /// Width of the drawing.
    pub width: f64,
    /// Title in the language.
    pub title: &'static str,
    /// Language.
    pub language: Language,
    /// Home country, two capital letters, if one is given.
    pub home: Option<&'a str>,
}

/// A figure, drawn.
#[derive(Default)]
pub struct Drawn {
    /// The chart; `None` if the table is enough or there is nothing to draw.
    pub chart: Option<Chart>,
    /// The numbers.
    pub table: DataTable,
    /// The finding: a title made from the numbers, if there is one.
    pub finding: Option<String>,
    /// Drawings with their own text, one for each event found.
    pub cards: Vec<Card>,
    /// Whether the table itself is the figure and is shown unfolded.
    pub table_shown: bool,
    /// Rows that the page shows at first; the rest is folded. The CSV has all rows.
    pub rows_shown: Option<usize>,
    /// What to know when reading it.
    pub notes: Vec<String>,
    /// Why there is no chart, if there is none.
    pub empty: Option<&'static str>,
}

impl Drawn {
    /// An empty figure with the reason.
    #[must_use]
    pub fn nothing(reason: &'static str) -> Self {
        Self {
            empty: Some(reason),
            ..Self::default()
        }
    }
}

/// One event: a drawing beside its sentences.
pub struct Card {
    /// What it is.
    pub title: String,
    /// Its drawing.
    pub chart: Chart,
    /// Sentences.
    pub lines: Vec<String>,
}

/// Every figure, in the order of the report.
pub const FIGURES: &[Figure] = &[
    trend::FIGURE,
    packets::FIGURE,
    packets::IPV6,
    sources::FIGURE,
    classes::FIGURE,
    traffic_types::FIGURE,
    tools::FIGURE,
    changes::FIGURE,
    weekday::FIGURE,
    ranking::RANKS,
    ports::PORTS,
    ranking::WITHOUT_SURVEY,
    ranking::SURVEY,
    ranking::TRENDS,
    ports::REFLECTORS,
    scans::FIGURE,
    events::FIGURE,
    novelties::FIGURE,
    campaigns::FIGURE,
    campaigns::BY_DAY,
    infected::FIGURE,
    infected::TABLE,
    campaigns::INFECTED,
    origins::SLOPE,
    origins::MAP,
    countries::BY_PACKETS,
    countries::BY_SOURCES,
    origins::HOME,
    concentration::ORGANISATIONS,
    concentration::FIGURE,
    attacks::NUMBERS,
    attacks::OVER_TIME,
    attacks::SERVICES,
    attacks::COUNTRIES,
    attacks::SIZES,
    attacks::EVENTS,
    ports::BACKSCATTER,
    countries::VICTIMS,
    years::FIGURE,
    coverage::FIGURE,
    sensors::FIGURE,
];

/// Columns of hosts that count both IP versions, which a figure then says.
const COUNTS_OF_BOTH: [&str; 3] = [
    "hosts_estimate",
    names::SOURCES_ESTIMATE,
    "victims_estimate",
];

impl Figure {
    /// Draws the figure in a language, with the notes that every figure needs: gaps, loss, partial hours.
    #[must_use]
    pub fn drawn(&self, answer: &Answer, language: Language, home: Option<&str>) -> Drawn {
        let mut drawn = self.of_width(answer, language, home, self.name, WIDTH);
        let counts_both = |column: &TableColumn| COUNTS_OF_BOTH.contains(&column.csv);
        if answer.packets_ipv6() > 0 && drawn.table.columns.iter().any(counts_both) {
            drawn
                .notes
                .push(language.text().note_both_versions.to_owned());
        }
        drawn.notes.extend(standing_notes(answer, language.text()));
        drawn
    }

    /// The same drawings for a phone: the figure's own, and those of its cards.
    #[must_use]
    pub fn narrow(
        &self,
        answer: &Answer,
        language: Language,
        home: Option<&str>,
    ) -> (Option<Chart>, Vec<Chart>) {
        self.redrawn(answer, language, home, "narrow", NARROW)
    }

    /// The same drawings for a page of A4.
    #[must_use]
    pub fn paper(
        &self,
        answer: &Answer,
        language: Language,
        home: Option<&str>,
    ) -> (Option<Chart>, Vec<Chart>) {
        self.redrawn(answer, language, home, "paper", PAPER)
    }

    fn redrawn(
        &self,
        answer: &Answer,
        language: Language,
        home: Option<&str>,
        purpose: &str,
        width: f64,
    ) -> (Option<Chart>, Vec<Chart>) {
        let name = format!("{}-{purpose}", self.name);
        let drawn = self.of_width(answer, language, home, &name, width);
        let cards = drawn.cards.into_iter().map(|card| card.chart);
        (drawn.chart, cards.collect())
    }

    fn of_width(
        &self,
        answer: &Answer,
        language: Language,
        home: Option<&str>,
        name: &str,
        width: f64,
    ) -> Drawn {
        let context = Context {
            name,
            width,
            title: self.title.of(language),
            language,
            home,
        };
        (self.draw)(answer, &context)
    }
}

/// The figure of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.name == name)
}

fn standing_notes(answer: &Answer, text: &Text) -> Vec<String> {
    let rows = [
        (CoverageState::Missing, text.note_gaps),
        (CoverageState::Lossy, text.note_lossy),
        (CoverageState::Partial, text.note_partial),
        (CoverageState::NotYet, text.note_not_yet),
    ];
    rows.into_iter()
        .map(|(state, note)| (answer.hours_in(state) as i64, note))
        .filter(|(hours, _)| *hours > 0)
        .map(|(hours, note)| fill(note, &[("n", &number::count(hours))]))
        .collect()
}

impl Context<'_> {
    fn text(&self) -> &'static Text {
        self.language.text()
    }

    /// Rows of a table that are needed: the same drawing in another width has no table.
    fn rows_max(&self) -> usize {
        if self.width < WIDTH { 0 } else { usize::MAX }
    }

    fn sheet(&self) -> Sheet<'_> {
        Sheet {
            name: self.name,
            width: self.width,
        }
    }

    fn labels(&self, unit: &str, description: String) -> timeline::Labels {
        let text = self.text();
        timeline::Labels {
            name: self.name.to_owned(),
            width: self.width,
            title: self.title.to_owned(),
            description,
            unit: unit.to_owned(),
            no_data: text.no_data.to_owned(),
            partial: text.partial_mark.to_owned(),
            lossy: text.lossy_mark.to_owned(),
            hollow: text.hollow_mark.to_owned(),
            not_yet: text.not_yet_mark.to_owned(),
            total: None,
            left_text: String::new(),
            digits: 0,
        }
    }

    /// The unit of the compared values of an answer.
    fn unit(&self, answer: &Answer) -> &'static str {
        match answer.unit() {
            RateUnit::AddressDay => self.text().axis_rate,
            RateUnit::SensorDay => self.text().axis_rate_sensor,
        }
    }

    fn error_note(&self) -> String {
        fill(self.text().note_error, &[("error", &ERROR_PERCENT)])
    }

    fn about(&self, estimate: f64) -> String {
        fill(self.text().about, &[("n", &number::estimate(estimate))])
    }
}

/// The buckets of an answer as charts and tables show them.
struct Timeline {
    buckets: TimeBuckets,
    /// The share of each bucket's address-hours that was observed.
    shares: Vec<f64>,
}

impl Timeline {
    fn of(answer: &Answer, buckets: &Buckets, language: Language) -> Self {
        let timezone = &answer.period.timezone;
        let first = answer.period.hours().start;
        let starts: Vec<i64> = buckets
            .ranges
            .iter()
            .map(|range| (first + range.start as i64) * HOUR_US)
            .collect();
        let bucket_labels = starts
            .iter()
            .map(|&us| time::bucket(us, buckets.step, timezone, language));
        let states = buckets
            .ranges
            .iter()
            .map(|range| combined(answer.hours[range.clone()].iter().map(|hour| hour.state)));
        let all = 0..buckets.ranges.len();
        let is_hollow =
            |bucket: usize| answer.completeness(buckets, bucket) == Completeness::Hollow;
        Self {
            buckets: TimeBuckets {
                labels: bucket_labels.collect(),
                states: states.collect(),
                hollow: all.clone().map(is_hollow).collect(),
                axis: TimeAxis {
                    starts_us: starts,
                    step: buckets.step,
                    timezone: timezone.clone(),
                    language,
                },
            },
            shares: all.map(|bucket| answer.share(buckets, bucket)).collect(),
        }
    }

    fn iso(&self, bucket: usize) -> String {
        let axis = &self.buckets.axis;
        time::iso(axis.starts_us[bucket], &axis.timezone)
    }
}

/// The one of three texts that fits the width of the buckets.
const fn by_step(
    step: BucketWidth,
    hour: &'static str,
    day: &'static str,
    month: &'static str,
) -> &'static str {
    match step {
        BucketWidth::Hour => hour,
        BucketWidth::Day => day,
        BucketWidth::Month => month,
    }
}

/// Why a table of a rollup has nothing for the period, if that is so: it was not rolled up, or there is `none` of its rows.
fn in_table(answer: &Answer, is_empty: bool, none: &'static str, text: &Text) -> Option<Drawn> {
    match is_empty {
        _ if !answer.rolled_up.is_known() => Some(Drawn::nothing(text.not_rolled_up)),
        true => Some(Drawn::nothing(none)),
        false => None,
    }
}

/// The notes of every figure of rolled-up tables: how many days they are of, and whose days.
fn rollup_notes(answer: &Answer, context: &Context<'_>) -> Vec<String> {
    let text = context.text();
    let days = rolled_up::civil_days(&answer.period);
    let (known, all) = (answer.rolled_up.days.len() as i64, days.end - days.start);
    let mut notes = Vec::new();
    if known < all {
        let (known, all) = (number::count(known), number::count(all));
        let values: [(&str, &dyn std::fmt::Display); 2] = [("known", &known), ("all", &all)];
        notes.push(fill(text.note_days_rolled_up, &values));
    }
    for zone in &answer.rolled_up.other_zones {
        let own = answer.period.timezone.iana_name().unwrap_or("UTC");
        notes.push(fill(text.note_other_zone, &[("zone", zone), ("own", &own)]));
    }
    notes
}

/// The name of the state in a language.
fn state_name(state: CoverageState, text: &Text) -> &'static str {
    let place = CoverageState::ALL
        .iter()
        .position(|known| *known == state)
        .unwrap_or(0);
    text.states[place].name
}

/// Whether there was no geolocation data, so that every country is unknown.
fn without_geolocation(answer: &Answer) -> bool {
    !answer.countries.is_empty() && answer.countries.keys().all(|(_, code)| code == b"ZZ")
}

/// Packets that share a country with this group of sources.
fn group_packets(answer: &Answer, group: SourceGroup) -> i64 {
    let tallies = answer
        .countries
        .iter()
        .filter(|((known, _), _)| *known == group);
    tallies.map(|(_, tally)| tally.packets).sum()
}

/// A bar of packets, labelled with their share of all; it has no rank.
fn share_bar(label: &str, packets: i64, all: i64, class: &str) -> Bar {
    let (count, percent) = (
        number::count(packets),
        number::percent(packets as f64, all as f64),
    );
    Bar {
        label: label.to_owned(),
        detail: String::new(),
        value: packets as f64,
        text: format!("{count} ({percent}%)"),
        class: class.to_owned(),
        rank: None,
    }
}
