//! The columns of `campaigns_daily`: a row is a group of sources that act alike on a day.

use std::sync::Arc;

use super::ColumnType::{Boolean, Date, Int32, Int64, Text};
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows};
use super::scans::ID;
use super::sources::STACK_SIGNATURE;
use super::{
    ACTOR, COUNTED, Column, ColumnRow, Holds, IP_VERSION, PROTOCOL, SENSOR, SOURCES_SKETCH, TOOL,
    TRAFFIC_TYPE,
};
use teiten_observation::{Tool, TrafficType};

/// The columns that name a campaign, and count its sources.
pub(crate) const CAMPAIGN_ID: &str = ID.name;
pub(crate) const CAMPAIGN_SOURCES: &str = "sources";

/// Whether a campaign was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CampaignState {
    /// Never, as far as is remembered.
    New,
    /// On the day before.
    Continues,
    /// Before, and not on the day before.
    Returned,
}

impl CampaignState {
    /// Every state, in the order of its code.
    pub(crate) const ALL: [CampaignState; 3] = [
        CampaignState::New,
        CampaignState::Continues,
        CampaignState::Returned,
    ];

    /// The word of the table.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            CampaignState::New => "new",
            CampaignState::Continues => "continues",
            CampaignState::Returned => "returned",
        }
    }

    /// The state of a word.
    #[must_use]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        CampaignState::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// A campaign of a day.
#[derive(Clone, Debug)]
pub(crate) struct CampaignRow {
    pub id: String,
    pub state: CampaignState,
    pub ip_version: u8,
    pub protocol: u8,
    pub traffic_type: TrafficType,
    pub ports: String,
    pub tool: Tool,
    pub stack: String,
    pub payload: String,
    pub actor: Arc<str>,
    pub sources: u64,
    pub sketch: Vec<u8>,
    pub packets: u64,
    pub countries: String,
    pub networks: u64,
    /// Days since 1970-01-01.
    pub first_day: i64,
    pub infected: bool,
    pub why: String,
}

/// The rows of a row group.
pub(crate) type CampaignRows<'r> = DayRows<'r, CampaignRow>;

pub(super) const COUNTRIES: Column = Column::new(
    "countries",
    Text,
    "Countries with their sources, the most first, 10 at most, as in CN:120,US:30.",
);

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<DayFill<CampaignRow>>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    Column {
        meaning: "Name of the campaign, 16 hexadecimal digits: the same on every day that it comes. It has gone on the day behind its last row.",
        ..ID
    } => string(row.id.as_bytes()),
    Column::new(
        "state",
        Text,
        "new, continues (from the day before that is known) or returned (from an earlier day, 90 days back at most).",
    )
    .holding(Holds::Word(|word| {
        CampaignState::from_name(word).map(|it| it as u16)
    })) => text(row.state.name().as_bytes()),
    IP_VERSION => few(row.ip_version.into()),
    PROTOCOL => few(row.protocol.into()),
    TRAFFIC_TYPE => text(row.traffic_type.name().as_bytes()),
    Column::new(
        "ports",
        Text,
        "Ports with at least 5 % of what the sources ask for, the heaviest first, 16 at most, as in 23,2323; empty where they go for every port, or the protocol has none.",
    ) => text(row.ports.as_bytes()),
    TOOL => text(row.tool.name().as_bytes()),
    Column {
        meaning: "Stack signature of the sources' SYNs, as in 65535:M1460,N,W8,N,N,S:df0:64; with * in place of a window that varies; empty without SYNs.",
        ..STACK_SIGNATURE
    } => text(row.stack.as_bytes()),
    Column::new(
        "payload",
        Text,
        "Signature, or hash and first bytes, of the payload that at least half of the packets to the first port must have carried, by the counts of all packets and payloads of that port; empty where none must.",
    ) => text(row.payload.as_bytes()),
    Column {
        meaning: "Organisation that is known to be behind at least half of the sources; empty where none is.",
        ..ACTOR
    } => text(row.actor.as_bytes()),
    Column::new(CAMPAIGN_SOURCES, Int64, "Sources of the campaign in the day, exact.")
        .holding(COUNTED) => count(row.sources),
    SOURCES_SKETCH => string(&row.sketch[..]),
    Column::new(
        "packets",
        Int64,
        "Packets of the sources that ask for a service: of the classes scan, reflector-scan and exploit.",
    )
    .holding(COUNTED) => count(row.packets),
    COUNTRIES => text(row.countries.as_bytes()),
    Column::new(
        "networks",
        Int32,
        "Distinct networks of the sources: /16 of IPv4, /32 of IPv6; counted up to 65536.",
    )
    .holding(COUNTED) => count(row.networks),
    Column::new(
        "first_day",
        Date,
        "The first day on which the campaign was one, of the time zone that the metadata's timezone names.",
    ) => integer(row.first_day),
    Column::new(
        "infected",
        Boolean,
        "Whether these are most likely infected hosts that are not Mirai: SYN scans of no known tool or organisation for a few ports, from at least half as many networks as sources, or from 100.",
    ) => boolean(row.infected),
    Column::new(
        "why",
        Text,
        "The traits that the sources share, in words: type and class, services with their shares, stack, tool, networks, hours, and what links them to the days before.",
    ) => text(row.why.as_bytes()),
];
