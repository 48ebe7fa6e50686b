//! Denial-of-service events: replies to packets with forged sources, as long as no silence is longer than the rules allow, where they are
//! many enough, for long enough, and dense enough (Moore et al. 2006; corsaro `corsaro_dos.c`).
//!
//! Replies are followed in three steps, and what is an event in one step is in none of the others: those of one port of a victim
//! ([`AttackScope::Service`]); those of all its other ports together, as a flood to random ports makes them ([`AttackScope::Victim`]); and
//! those of all other victims of a prefix together, a carpet ([`AttackScope::Prefix`]). A reply goes on to the next step once it is certain
//! that no event of the step before has it: when the silence behind it is over. What is not certain yet waits as rows of a minute, so that
//! the same replies give the same events, wherever a day ends.

mod flow;
mod minute;
mod rule;
mod stored;

use super::rule::DarkAddresses;
use super::silence::Silence;
use crate::schema::AttackRow;
use crate::text::hexadecimal;
use flow::{AttackFlow, Built, flows};
use teiten_observation::{Address, Family};
use twox_hash::XxHash64;

pub(crate) use minute::{ReplyMinute, ReplyTally, reply_number};
pub use rule::{ATTACK_SILENCE_SECONDS_MAX, ATTACK_SILENCE_SECONDS_MIN, AttackRules};
pub(crate) use stored::{UndecidedHead, UndecidedReader, UndecidedWriter};

/// Minutes of a prefix that may wait: some weeks of a carpet. With more, everything of the prefix ends where it is, and is counted.
const WAITING_MAX: usize = 1 << 16;
/// Ports that a row names.
const PORTS_SHOWN: usize = 20;

/// A prefix in which carpets are looked for: its family, and its bits as a number.
pub(crate) type VictimPrefix = (Family, u128);

/// Whose replies are one event, and how far a reply has been followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum AttackScope {
    /// Of one port of a victim.
    Service,
    /// Of several ports of a victim.
    Victim,
    /// Of several victims of a prefix.
    Prefix,
}

impl AttackScope {
    pub(crate) const ALL: [AttackScope; 3] = [
        AttackScope::Service,
        AttackScope::Victim,
        AttackScope::Prefix,
    ];
}

/// What waits of a prefix: minutes of which it is not certain yet what they belong to, and events under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Undecided {
    /// Minutes, each as far as it has been followed.
    pub minutes: Vec<ReplyMinute>,
    /// Events of single ports, which are such for certain and go on.
    pub flows: Vec<AttackFlow>,
}

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Attack {
    scope: AttackScope,
    prefix: VictimPrefix,
    flow: AttackFlow,
}

/// What became of the replies of a prefix.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Events that are over.
    pub ended: Vec<Attack>,
    /// Events that go on.
    pub ongoing: Vec<Attack>,
    /// What is not certain yet.
    pub undecided: Undecided,
    /// Minutes that ended where they are, because too many waited.
    pub cut: u64,
}

/// Follows the replies of a prefix: `waiting` of the time before, and `minutes`.
pub(crate) fn settle(
    prefix: VictimPrefix,
    waiting: Undecided,
    minutes: Vec<ReplyMinute>,
    rules: &AttackRules,
    silence: &Silence<'_>,
) -> Settled {
    let mut all = waiting;
    all.minutes.extend(minutes);
    if is_nothing(&all, rules, silence) {
        return Settled::default();
    }
    let mut settled = follow(prefix, all, rules, silence);
    let count = settled.undecided.minutes.len();
    if count > WAITING_MAX {
        let all = std::mem::take(&mut settled.undecided);
        let ended = follow(prefix, all, rules, &silence.at(i64::MAX)).ended;
        settled.ended.extend(ended);
        settled.ongoing.clear();
        settled.cut = count as u64;
    }
    settled
}

/// Whether replies are too few for an event of any kind, and silent for long enough: what most prefixes of a flood with forged sources are.
fn is_nothing(all: &Undecided, rules: &AttackRules, silence: &Silence<'_>) -> bool {
    let minutes = || all.minutes.iter().map(|minute| &minute.tally);
    let packets = minutes().fold(0_u64, |sum, tally| sum.saturating_add(tally.packets));
    all.flows.is_empty()
        && packets < rules.packets_min.max(rules.per_minute_min)
        && minutes().all(|tally| silence.has_ended(tally.last_us))
}

/// A minute on its way through the steps.
#[derive(Clone, Debug)]
struct Followed {
    minute: ReplyMinute,
    /// It may still belong to an event of a step before.
    is_undecided: bool,
    /// It belongs to an event of a step before that goes on, as far as is known.
    is_claimed: bool,
}

fn follow(
    prefix: VictimPrefix,
    waiting: Undecided,
    rules: &AttackRules,
    silence: &Silence<'_>,
) -> Settled {
    let mut settled = Settled::default();
    let attack = |scope, flow| Attack {
        scope,
        prefix,
        flow,
    };
    let mut open = waiting.flows;
    let mut rest: Vec<Followed> = waiting.minutes.into_iter().map(Followed::certain).collect();
    for scope in AttackScope::ALL {
        let (here, later): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|it| it.minute.scope == scope || it.is_undecided);
        rest = later;
        for built in flows(scope, here, std::mem::take(&mut open), silence) {
            let Built { flow, minutes } = built;
            let is_over = silence.has_ended(flow.end_us());
            let is_certain = minutes.iter().all(|it| !it.is_undecided);
            let is_attack = flow.is_attack(scope, rules);
            if is_over && is_certain {
                if is_attack {
                    settled.ended.push(attack(scope, flow));
                } else if let Some(next) = next_scope(scope) {
                    rest.extend(minutes.into_iter().map(|it| it.passed_to(next)));
                }
                continue;
            }
            if is_attack && scope == AttackScope::Service {
                // Whatever else comes, it stays an event.
                settled.ongoing.push(attack(scope, flow.clone()));
                settled.undecided.flows.push(flow);
                continue;
            }
            let unclaimed = minutes.iter().filter(|it| !it.is_claimed).cloned();
            let shown = flows(scope, unclaimed.collect(), Vec::new(), silence).into_iter();
            let shown = shown.map(|built| built.flow);
            let before = settled.ongoing.len();
            let shown = shown.filter(|flow| flow.is_attack(scope, rules));
            settled
                .ongoing
                .extend(shown.map(|flow| attack(scope, flow)));
            let is_shown = settled.ongoing.len() > before;
            for mut it in minutes {
                if !it.is_undecided {
                    settled.undecided.minutes.push(it.minute.clone());
                }
                it.is_undecided = true;
                it.is_claimed |= is_shown;
                rest.push(it);
            }
        }
    }
    settled.undecided.minutes = minute::merged(settled.undecided.minutes);
    settled
}

impl Followed {
    fn certain(minute: ReplyMinute) -> Self {
        Followed {
            minute,
            is_undecided: false,
            is_claimed: false,
        }
    }

    fn passed_to(mut self, scope: AttackScope) -> Self {
        self.minute.scope = scope;
        self
    }
}

const fn next_scope(scope: AttackScope) -> Option<AttackScope> {
    match scope {
        AttackScope::Service => Some(AttackScope::Victim),
        AttackScope::Victim => Some(AttackScope::Prefix),
        AttackScope::Prefix => None,
    }
}

impl Attack {
    /// Last reply, microseconds since 1970-01-01 UTC.
    pub(crate) const fn end_us(&self) -> i64 {
        self.flow.end_us()
    }

    /// The event as a row.
    pub(crate) fn row(
        &self,
        sensor: &str,
        rules: &AttackRules,
        telescope: &DarkAddresses,
        ongoing: bool,
    ) -> AttackRow {
        let tally = &self.flow.tally;
        let (family, _) = self.prefix;
        let prefix = prefix_text(self.prefix);
        let victim = match (self.scope, &tally.victims[..]) {
            (AttackScope::Service | AttackScope::Victim, [victim, ..]) => {
                address_text(family, *victim)
            }
            _ => String::new(),
        };
        let ip_version = family as u8;
        let per_minute = self.flow.per_minute_max();
        let (ports, port_count) = (ports_text(&tally.ports), tally.ports.len() as u64);
        let service = match self.scope {
            AttackScope::Service => &ports[..],
            _ => "",
        };
        let whose = if victim.is_empty() { &prefix } else { &victim };
        let (scope, protocol) = (self.scope as u8, tally.protocol);
        let text = format!(
            "{sensor} {scope} {whose} {protocol} {service} {}",
            tally.first_us
        );
        AttackRow {
            id: hexadecimal(&XxHash64::oneshot(0, text.as_bytes()).to_be_bytes()),
            kind: match self.scope {
                AttackScope::Prefix => "carpet",
                _ => tally.flood(),
            },
            victim,
            prefix,
            victims: tally.victims.len() as u64,
            ip_version,
            protocol,
            ports,
            port_count,
            country: tally.country,
            asn: tally.asn,
            start_us: tally.first_us,
            end_us: tally.last_us,
            packets: tally.packets,
            bytes: tally.bytes,
            destinations: tally.set.count(),
            packets_per_minute_max: per_minute,
            estimated_pps: AttackRules::attack_pps(per_minute, ip_version, telescope),
            floor_pps: AttackRules::attack_pps(rules.per_minute_min, ip_version, telescope),
            ongoing,
        }
    }
}

fn address_text(family: Family, address: u128) -> String {
    let mut text = Vec::new();
    match family {
        Family::Ipv4 => (address as u32).write_text(&mut text),
        Family::Ipv6 => address.write_text(&mut text),
    }
    String::from_utf8(text).unwrap_or_default()
}

fn prefix_text((family, prefix): VictimPrefix) -> String {
    let host_bits = crate::reply_table::host_bits(family);
    let bits = match family {
        Family::Ipv4 => u32::BITS,
        Family::Ipv6 => u128::BITS,
    };
    let first = address_text(family, prefix << host_bits);
    format!("{first}/{}", bits - host_bits)
}

/// Ports, ascending; of many those with most replies.
fn ports_text(ports: &[(u16, u64)]) -> String {
    let mut shown = ports.to_vec();
    shown.sort_by_key(|(port, packets)| (std::cmp::Reverse(*packets), *port));
    shown.truncate(PORTS_SHOWN);
    shown.sort_unstable();
    let texts: Vec<String> = shown.iter().map(|(port, _)| port.to_string()).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests;
