//! Replies of a minute, as far as they have been followed, and the sums that minutes and events have alike.

use std::collections::BTreeMap;

use super::AttackScope;
use crate::destinations::DestinationSet;
use crate::reply_table::MINUTE_SLOTS;
use teiten_observation::TrafficType;

/// Kinds of replies that tell floods apart.
const REPLIES: usize = 4;
const SYN_ACK: usize = 0;
const RST_ACK: usize = 1;
const RST: usize = 2;
const OTHER: usize = 3;

/// The number of a kind of replies.
pub(crate) const fn reply_number(traffic_type: TrafficType) -> usize {
    match traffic_type {
        TrafficType::TcpSynAck => SYN_ACK,
        TrafficType::TcpRstAck => RST_ACK,
        TrafficType::TcpRst => RST,
        _ => OTHER,
    }
}

/// Sums of replies to packets of one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyTally {
    /// IANA protocol number of the forged packets.
    pub protocol: u8,
    /// Who was attacked, ascending; never nobody.
    pub victims: Vec<u128>,
    /// Attacked ports with their replies, ascending.
    pub ports: Vec<(u16, u64)>,
    /// First reply, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Last reply.
    pub last_us: i64,
    /// Replies.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Replies by kind.
    pub replies: [u64; REPLIES],
    /// Dark addresses.
    pub set: DestinationSet<u128>,
    /// Country of the victim with the latest reply.
    pub country: [u8; 2],
    /// Network of the same.
    pub asn: Option<u32>,
}

impl ReplyTally {
    /// Adds other replies to packets of the same protocol.
    pub(super) fn add(&mut self, other: &ReplyTally) {
        for victim in &other.victims {
            if let Err(place) = self.victims.binary_search(victim) {
                self.victims.insert(place, *victim);
            }
        }
        for (port, packets) in &other.ports {
            match self.ports.binary_search_by_key(port, |known| known.0) {
                Ok(place) => self.ports[place].1 = self.ports[place].1.saturating_add(*packets),
                Err(place) => self.ports.insert(place, (*port, *packets)),
            }
        }
        let latest = |it: &ReplyTally| (it.last_us, it.country, it.asn);
        if latest(other) > latest(self) {
            (self.country, self.asn) = (other.country, other.asn);
        }
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (ours, theirs) in self.replies.iter_mut().zip(other.replies) {
            *ours = ours.saturating_add(theirs);
        }
        self.set.merge(other.set.view());
    }

    /// The flood that these replies show. RST has ACK unless what it answers had (RFC 9293, 3.10.7.1), so RST alone answers no SYN.
    pub(super) fn flood(&self) -> &'static str {
        match self.protocol {
            1 | 58 => "icmp-flood",
            6 => {
                let syn = self.replies[SYN_ACK].saturating_add(self.replies[RST_ACK]);
                match (syn, self.replies[RST]) {
                    (0, 0) => "tcp-flood",
                    (syn, ack) if syn >= ack => "syn-flood",
                    _ => "ack-flood",
                }
            }
            17 => "udp-flood",
            132 => "sctp-flood",
            _ => "other-flood",
        }
    }
}

/// What replies are followed together: victim, protocol and port, as far as the scope tells them apart.
pub(super) type FollowedKey = (u128, u8, Option<u16>);

/// Replies of a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyMinute {
    /// The step that they have reached.
    pub scope: AttackScope,
    /// Minutes since 1970-01-01 UTC.
    pub minute: i64,
    /// Replies of each ten seconds.
    pub slots: [u64; MINUTE_SLOTS],
    /// Their sums.
    pub tally: ReplyTally,
}

impl ReplyMinute {
    /// What they belong to in a step.
    pub(super) fn key(&self, scope: AttackScope) -> FollowedKey {
        key_of(&self.tally, scope)
    }

    fn add(&mut self, other: &ReplyMinute) {
        for (ours, theirs) in self.slots.iter_mut().zip(other.slots) {
            *ours = ours.saturating_add(theirs);
        }
        self.tally.add(&other.tally);
    }
}

/// What sums belong to in a step.
pub(super) fn key_of(tally: &ReplyTally, scope: AttackScope) -> FollowedKey {
    let victim = tally.victims.first().copied().unwrap_or_default();
    let port = tally.ports.first().map(|(port, _)| *port);
    match scope {
        AttackScope::Service => (victim, tally.protocol, port),
        AttackScope::Victim => (victim, tally.protocol, None),
        AttackScope::Prefix => (0, tally.protocol, None),
    }
}

/// Minutes of one step and key together, in their order.
pub(super) fn merged(minutes: Vec<ReplyMinute>) -> Vec<ReplyMinute> {
    let mut all: BTreeMap<(AttackScope, FollowedKey, i64), ReplyMinute> = BTreeMap::new();
    for minute in minutes {
        let key = (minute.scope, minute.key(minute.scope), minute.minute);
        match all.get_mut(&key) {
            Some(known) => known.add(&minute),
            None => {
                all.insert(key, minute);
            }
        }
    }
    all.into_values().collect()
}
