//! Reads `attacks`: denial-of-service events that ended in the period. Victims are known here by a hash alone, because no report names them.

use std::cmp::Ordering;
use std::path::Path;

use arrow::array::Array as _;
use teiten_aggregator::schema::names;

use crate::query::Answer;
use crate::query::rows::{self, Columns, unknown};

/// What the replies show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AttackKind {
    /// SYN-ACK, or RST with ACK.
    Syn,
    /// RST alone.
    Ack,
    /// ICMP errors about TCP alone.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// SCTP.
    Sctp,
    /// Another protocol.
    Other,
    /// Many addresses of a prefix, each too weakly attacked for an event of its own.
    Carpet,
}

impl AttackKind {
    /// Every kind, in the order of `Text::attack_kinds`.
    pub const ALL: [AttackKind; 8] = [
        AttackKind::Syn,
        AttackKind::Ack,
        AttackKind::Tcp,
        AttackKind::Udp,
        AttackKind::Icmp,
        AttackKind::Sctp,
        AttackKind::Other,
        AttackKind::Carpet,
    ];

    /// The word of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AttackKind::Syn => "syn-flood",
            AttackKind::Ack => "ack-flood",
            AttackKind::Tcp => "tcp-flood",
            AttackKind::Udp => "udp-flood",
            AttackKind::Icmp => "icmp-flood",
            AttackKind::Sctp => "sctp-flood",
            AttackKind::Other => "other-flood",
            AttackKind::Carpet => "carpet",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        AttackKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The service that was attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttackedService {
    /// IANA protocol number.
    pub protocol: u8,
    /// Its ports.
    pub ports: AttackedPorts,
}

/// How many ports were attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttackedPorts {
    /// The protocol has none.
    None,
    /// This one.
    One(u16),
    /// More than one.
    Several,
}

/// A denial-of-service event.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackEvent {
    /// Its name in the table.
    pub id: String,
    /// Flood or carpet.
    pub kind: AttackKind,
    /// The sensor that saw it.
    pub sensor: String,
    /// Hash of the victim's address; `None` for a carpet.
    pub victim: Option<u64>,
    /// Victims: 1, or the addresses of a carpet.
    pub victims: i64,
    /// What was attacked.
    pub service: AttackedService,
    /// Number of attacked ports.
    pub port_count: i64,
    /// Country of the victim.
    pub country: [u8; 2],
    /// Network of the victim, if it is known.
    pub asn: Option<i64>,
    /// First reply, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// Last reply, microseconds since 1970-01-01 UTC.
    pub end_us: i64,
    /// Replies.
    pub packets: i64,
    /// Most replies in a minute.
    pub per_minute_max: i64,
    /// Packets a second that the victim was sent in that minute, an estimate.
    pub estimated_pps: Option<f64>,
    /// The weakest attack that the telescope shows, packets a second.
    pub floor_pps: Option<f64>,
    /// Whether it may go on.
    pub ongoing: bool,
}

impl AttackEvent {
    /// From the first reply to the last, whole seconds.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        (self.end_us - self.start_us) / 1_000_000
    }
}

/// The order of the table of attacks.
pub(super) fn densest_first(left: &AttackEvent, right: &AttackEvent) -> Ordering {
    (right.per_minute_max, right.packets)
        .cmp(&(left.per_minute_max, left.packets))
        .then_with(|| (left.start_us, &left.id).cmp(&(right.start_us, &right.id)))
}

const COLUMNS: &[&str] = &[
    names::ID,
    names::KIND,
    names::SENSOR,
    names::VICTIM_IP,
    names::VICTIMS,
    names::PROTOCOL,
    names::PORTS,
    names::PORT_COUNT,
    names::COUNTRY,
    names::ASN,
    names::START,
    names::END,
    names::PACKETS,
    names::PACKETS_PER_MINUTE_MAX,
    names::ESTIMATED_PPS,
    names::FLOOR_PPS,
    names::ONGOING,
];

/// Reads a part into `found`.
///
/// # Errors
/// The reason as text, when the file is damaged, lacks a column or holds a word that is not known.
pub(super) fn read(
    path: &Path,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<AttackEvent>,
) -> Result<(), String> {
    rows::read(path, COLUMNS, answer, |batch, _| add(batch, wants, found))
}

fn add(
    batch: &Columns<'_>,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<AttackEvent>,
) -> Result<(), String> {
    let owned = |text: &str| Ok(text.to_owned());
    let (ids, sensors) = (
        batch.text(names::ID, owned)?,
        batch.text(names::SENSOR, owned)?,
    );
    let kinds = batch.text(names::KIND, |name| {
        AttackKind::from_name(name).ok_or_else(|| unknown(names::KIND, name))
    })?;
    let victims = batch.text(names::VICTIM_IP, |text| Ok(hash(text)))?;
    // The table lists several ports with commas; only a single one is a service.
    let ports = batch.text(names::PORTS, |text| Ok(text.parse::<u16>().ok()))?;
    let countries = batch.countries()?;
    let (protocols, asns) = (batch.int32(names::PROTOCOL)?, batch.int64(names::ASN)?);
    let (starts, ends) = (
        batch.timestamps(names::START)?,
        batch.timestamps(names::END)?,
    );
    let (counts, port_counts) = (
        batch.int64(names::VICTIMS)?,
        batch.int64(names::PORT_COUNT)?,
    );
    let (packets, densest) = (
        batch.int64(names::PACKETS)?,
        batch.int64(names::PACKETS_PER_MINUTE_MAX)?,
    );
    let (estimates, floors) = (
        batch.float64(names::ESTIMATED_PPS)?,
        batch.float64(names::FLOOR_PPS)?,
    );
    let ongoing = batch.booleans(names::ONGOING)?;
    for row in 0..batch.rows() {
        if !wants(sensors.at(row)) {
            continue;
        }
        let port_count = port_counts.value(row);
        let ports = match (port_count, ports.at(row)) {
            (0, _) => AttackedPorts::None,
            (1, Some(port)) => AttackedPorts::One(*port),
            _ => AttackedPorts::Several,
        };
        found.push(AttackEvent {
            id: ids.at(row).clone(),
            kind: *kinds.at(row),
            sensor: sensors.at(row).clone(),
            victim: *victims.at(row),
            victims: counts.value(row),
            service: AttackedService {
                protocol: protocols.value(row) as u8,
                ports,
            },
            port_count,
            country: *countries.at(row),
            asn: asns.is_valid(row).then(|| asns.value(row)),
            start_us: starts[row],
            end_us: ends[row],
            packets: packets.value(row),
            per_minute_max: densest.value(row),
            estimated_pps: estimates.is_valid(row).then(|| estimates.value(row)),
            floor_pps: floors.is_valid(row).then(|| floors.value(row)),
            ongoing: ongoing.value(row),
        });
    }
    Ok(())
}

/// The same for the same address within one run of the program; none for no address.
fn hash(address: &str) -> Option<u64> {
    use std::hash::BuildHasher as _;
    let fixed = foldhash::fast::FixedState::default();
    (!address.is_empty()).then(|| fixed.hash_one(address))
}
