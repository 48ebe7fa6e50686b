//! The columns of `novelties`: a row is a thing that was not seen before, or never in such numbers, in the hour of its first packet of the day.

use super::ColumnType::{Double, Int64, Text, TimestampMicros};
use super::campaigns_daily::COUNTRIES;
use super::rows::columns_of_rows;
use super::{COUNTED, Column, ColumnRow, Filled, HOUR_START, Holds, PACKETS, SENSOR, Slot};

/// What may be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoveltyWhat {
    /// A protocol and port that is asked for.
    Port,
    /// A payload.
    Payload,
    /// A stack signature.
    Stack,
    /// A campaign.
    Campaign,
}

impl NoveltyWhat {
    /// Everything that may be new, in the order of its code.
    pub const ALL: [NoveltyWhat; 4] = [
        NoveltyWhat::Port,
        NoveltyWhat::Payload,
        NoveltyWhat::Stack,
        NoveltyWhat::Campaign,
    ];

    /// The word of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NoveltyWhat::Port => "port",
            NoveltyWhat::Payload => "payload",
            NoveltyWhat::Stack => "stack",
            NoveltyWhat::Campaign => "campaign",
        }
    }

    /// What a word names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NoveltyWhat::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// By which rule something is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoveltyRule {
    /// On no day before, and by too many sources for a chance.
    NeverSeen,
    /// On days before, and by more sources than a chance lets come.
    Unusual,
    /// Both conditions of GreyNoise.
    GreyNoise,
}

impl NoveltyRule {
    /// Every rule, in the order of its code.
    pub const ALL: [NoveltyRule; 3] = [
        NoveltyRule::NeverSeen,
        NoveltyRule::Unusual,
        NoveltyRule::GreyNoise,
    ];

    /// The word of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NoveltyRule::NeverSeen => "never-seen",
            NoveltyRule::Unusual => "unusual",
            NoveltyRule::GreyNoise => "greynoise",
        }
    }

    /// The rule of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NoveltyRule::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// A thing that is new or unusually high.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NoveltyRow {
    pub what: NoveltyWhat,
    pub value: String,
    pub first_us: i64,
    pub is_first_exact: bool,
    pub sources: u64,
    pub packets: u64,
    pub countries: String,
    pub usual: f64,
    pub rule: NoveltyRule,
    pub score: f64,
}

/// The rows of a row group: all of one hour.
#[derive(Debug)]
pub(crate) struct NoveltyRows<'r> {
    /// Microseconds since 1970-01-01 UTC.
    pub hour_start_us: i64,
    pub sensor: &'r str,
    pub rows: &'r [NoveltyRow],
}

pub(super) const WHAT: Column = Column::new("what", Text, "port, payload, stack or campaign.")
    .holding(Holds::Word(|word| {
        NoveltyWhat::from_name(word).map(|it| it as u16)
    }));
pub(super) const VALUE: Column = Column::new(
    "value",
    Text,
    "Which: tcp/23 of a port; the signature of a payload, or the hash of an unknown one and its first bytes, hexadecimal, behind a colon; the stack signature; the id of a campaign.",
);

/// Fills one column from the rows of a group.
type NoveltyFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g NoveltyRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<NoveltyFill>] = columns_of_rows![group, row:
    HOUR_START => every(group.hour_start_us),
    SENSOR => every_text(group.sensor),
    WHAT => text(row.what.name().as_bytes()),
    VALUE => text(row.value.as_bytes()),
    Column::new(
        "first_seen",
        TimestampMicros,
        "Time of the day's first packet in UTC, microseconds since 1970-01-01; null for payloads, of which only the hour is known.",
    )
    .holding(Holds::Inside)
    .or_null() => sparse(row.is_first_exact.then_some(row.first_us)),
    Column::new(
        "sources",
        Int64,
        "Sources of the day: for a port those that are no survey scanners; for a payload those of its largest hour and port, an estimate.",
    )
    .holding(COUNTED) => count(row.sources),
    PACKETS => count(row.packets),
    COUNTRIES => text(row.countries.as_bytes()),
    Column::new(
        "usual_sources",
        Double,
        "Median of the sources on the days before that the metadata counts.",
    )
    .or_null() => double(Some(row.usual)),
    Column::new(
        "rule",
        Text,
        "never-seen on the days before, or unusual: so many sources would be a chance, after a correction for all things tested; greynoise: both conditions of GreyNoise, where that rule is asked for.",
    )
    .holding(Holds::Word(|word| {
        NoveltyRule::from_name(word).map(|it| it as u16)
    })) => text(row.rule.name().as_bytes()),
    Column::new(
        "score",
        Double,
        "How unlikely it is: minus the decimal logarithm of the probability, 300 at most; of greynoise how many standard deviations the sources are above the mean.",
    )
    .or_null() => double(Some(row.score)),
];
