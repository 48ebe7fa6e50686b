//! Denial-of-service events that ended in the period, of the table `attacks`. Victims are known here by a hash alone, because no report names them.

use std::cmp::Ordering;

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

    pub(in crate::query) fn from_name(name: &str) -> Option<Self> {
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
pub(in crate::query) fn densest_first(left: &AttackEvent, right: &AttackEvent) -> Ordering {
    (right.per_minute_max, right.packets)
        .cmp(&(left.per_minute_max, left.packets))
        .then_with(|| (left.start_us, &left.id).cmp(&(right.start_us, &right.id)))
}
