//! Planted denial-of-service attacks: replies of victims whose number, length, density and silences lie just on either side of the usual
//! thresholds, so that what finds attacks can be compared with the truth. Their victims are addresses that no other source has. Writing the
//! packets is `send/attack.rs`'s work.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::clock::SECOND_US;
use crate::packet::protocol;
use crate::random::{Random, hash};
use crate::scenario::Scenario;
use crate::truth::{PlantedAttack, time_text};

/// Every victim, and every router that answers for one, is within this /8, of which the model has no source.
const VICTIMS: u32 = 9 << 24;

/// Thresholds of corsaro (`corsaro_dos.c`, after Moore et al. 2006) for what the truth calls an event.
const PACKETS_MIN: usize = 25;
const LENGTH_MIN_US: i64 = 60 * SECOND_US;
const PER_MINUTE_MIN: u64 = 30;
const SILENCE_MAX_US: i64 = 300 * SECOND_US;
/// Victims of a carpet, at least; no source says how many.
const CARPET_VICTIMS_MIN: usize = 10;

/// What a victim, or a router near it, replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// SYN-ACK of an open port.
    SynAck,
    /// RST with ACK of a closed port.
    RstAck,
    /// RST, to segments with ACK.
    Rst,
    /// Answer of a name server.
    Name,
    /// Echo reply.
    EchoReply,
    /// The victim's "port unreachable", which quotes a datagram.
    PortUnreachable,
    /// A router's "time exceeded", which quotes a segment.
    TimeExceeded,
    /// A router's "host unreachable", which quotes an echo request.
    HostUnreachable,
}

impl Answer {
    /// Protocol of the forged packets.
    #[must_use]
    pub const fn attacked_protocol(self) -> u8 {
        match self {
            Answer::SynAck | Answer::RstAck | Answer::Rst | Answer::TimeExceeded => protocol::TCP,
            Answer::Name | Answer::PortUnreachable => protocol::UDP,
            Answer::EchoReply | Answer::HostUnreachable => protocol::ICMP,
        }
    }

    /// Whether it comes from a router near the victim.
    const fn is_routers(self) -> bool {
        matches!(self, Answer::TimeExceeded | Answer::HostUnreachable)
    }

    const fn flood(self) -> &'static str {
        match self {
            Answer::SynAck | Answer::RstAck => "syn-flood",
            Answer::Rst => "ack-flood",
            Answer::TimeExceeded => "tcp-flood",
            Answer::Name | Answer::PortUnreachable => "udp-flood",
            Answer::EchoReply | Answer::HostUnreachable => "icmp-flood",
        }
    }
}

/// A packet of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedReply {
    /// When it comes, microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Who sends it.
    pub source: u32,
    /// Who was attacked.
    pub victim: u32,
    /// The dark address.
    pub destination: u32,
    /// The attacked port, where the protocol has one.
    pub port: Option<u16>,
    /// What it is.
    pub answer: Answer,
}

/// The packets of a plan, and what they are.
#[derive(Clone, Debug, Default)]
pub struct AttackPlan {
    /// By time.
    pub replies: Vec<PlannedReply>,
    /// Who sends them, ascending.
    pub sources: Vec<u32>,
    /// What was planted, in the order of the plan.
    pub attacks: Vec<PlantedAttack>,
}

/// A group of replies that is planted together: those that would be looked at as one.
struct Planting<'p> {
    scenario: &'p Scenario,
    random: Random,
    plan: AttackPlan,
    groups: u32,
}

/// Whose replies are looked at together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Service,
    Victim,
    Carpet,
}

impl AttackPlan {
    /// The plan of a scenario; nothing where it asks for none.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        if !scenario.attacks {
            return AttackPlan::default();
        }
        let mut planting = Planting {
            scenario,
            random: Random::new(hash(scenario.seed, 77), 0),
            plan: AttackPlan::default(),
            groups: 0,
        };
        planting.thresholds();
        planting.silences();
        planting.floods();
        planting.wide();
        let mut plan = planting.plan;
        plan.replies.sort_by_key(|reply| reply.time_us);
        let sources: BTreeSet<u32> = plan.replies.iter().map(|reply| reply.source).collect();
        plan.sources = sources.into_iter().collect();
        plan
    }
}

/// Times at even distances, the first at `start_us`.
fn even(start_us: i64, count: i64, apart_us: i64) -> Vec<i64> {
    (0..count)
        .map(|number| start_us + number * apart_us)
        .collect()
}

const fn seconds(seconds: i64) -> i64 {
    seconds * SECOND_US
}

impl Planting<'_> {
    /// Just below and just above each threshold.
    fn thresholds(&mut self) {
        let mut one = |name: &str, times: Vec<i64>| self.service(name, Answer::SynAck, 80, &times);
        one("plainly an attack", even(seconds(600), 400, 700_000));
        one("24 replies", even(seconds(660), 24, seconds(3)));
        one("25 replies", even(seconds(660), 25, seconds(3)));
        one("59.999999 s", even_over(seconds(720), 61, seconds(60) - 1));
        one("60 s", even_over(seconds(720), 61, seconds(60)));
        one("29 in a minute", even(seconds(780), 100, 2_069_000));
        one("30 in a minute", even(seconds(780), 100, seconds(2)));
        let mut burst = even(seconds(900), 30, 900_000);
        burst.extend(even(seconds(960), 6, seconds(100)));
        one("one dense minute", burst);
    }

    /// Silences of 299, 300, 300.000001 and 301 s between halves that are too short on their own, and between whole attacks.
    fn silences(&mut self) {
        for (name, gap_us) in [
            ("299 s", seconds(299)),
            ("300 s", seconds(300)),
            ("300.000001 s", seconds(300) + 1),
            ("301 s", seconds(301)),
        ] {
            for (what, length) in [("halves", 40), ("attacks", 90)] {
                let mut times = even(seconds(1_200), length, SECOND_US);
                let again_us = seconds(1_200 + length - 1) + gap_us;
                times.extend(even(again_us, length, SECOND_US));
                let name = format!("two {what} with a silence of {name}");
                self.service(&name, Answer::SynAck, 443, &times);
            }
        }
        // Over a full hour, and for most of the plan.
        self.service(
            "over an hour",
            Answer::SynAck,
            22,
            &even(seconds(3_300), 600, SECOND_US),
        );
        self.service(
            "two hours long",
            Answer::SynAck,
            25,
            &even(seconds(2_000), 4_000, 1_900_000),
        );
        self.service(
            "slow for two hours",
            Answer::SynAck,
            25,
            &even(seconds(2_000), 600, seconds(13)),
        );
    }

    /// One for each kind of replies.
    fn floods(&mut self) {
        for (name, answer, port) in [
            ("resets of a closed port", Answer::RstAck, 8_080),
            ("resets of segments with ACK", Answer::Rst, 80),
            ("names", Answer::Name, 53),
            ("echo replies", Answer::EchoReply, 0),
            ("closed UDP ports", Answer::PortUnreachable, 9_987),
            ("a router's time exceeded", Answer::TimeExceeded, 80),
            ("a router's host unreachable", Answer::HostUnreachable, 0),
        ] {
            self.service(name, answer, port, &even(seconds(5_400), 150, 800_000));
        }
    }

    /// Many ports of one victim, and many victims of one prefix.
    fn wide(&mut self) {
        let ports = |number: usize| 1_024 + number as u16 * 7;
        self.group(
            "random ports",
            Scope::Victim,
            Answer::RstAck,
            &even(seconds(6_600), 300, SECOND_US),
            |number| (1, ports(number)),
        );
        self.group(
            "few random ports",
            Scope::Victim,
            Answer::RstAck,
            &even(seconds(6_600), 50, SECOND_US),
            |number| (1, ports(number)),
        );
        for (name, victims, apart_us) in [
            ("carpet of 64", 64, 400_000),
            ("carpet of 10", 10, 1_500_000),
            ("carpet of 9", 9, 1_700_000),
            ("carpet with 29 in a minute", 64, 2_069_000),
            ("carpet with 30 in a minute", 64, seconds(2)),
        ] {
            let count = (victims * 12).min(200);
            let times = even(seconds(7_200), count, apart_us);
            let victim = |number: usize| 1 + (number as u32) % victims as u32;
            self.group(name, Scope::Carpet, Answer::SynAck, &times, |number| {
                (victim(number), 443)
            });
        }
    }

    fn service(&mut self, name: &str, answer: Answer, port: u16, times_us: &[i64]) {
        self.group(name, Scope::Service, answer, times_us, |_| (1, port));
    }

    /// Plants replies at these times, microseconds from the start: the address within the group's prefix and the port come from the place.
    fn group(
        &mut self,
        name: &str,
        scope: Scope,
        answer: Answer,
        times_us: &[i64],
        whose: impl Fn(usize) -> (u32, u16),
    ) {
        self.groups += 1;
        let prefix = VICTIMS | self.groups << 8;
        let mut replies = Vec::with_capacity(times_us.len());
        for (number, time_us) in times_us.iter().enumerate() {
            let (place, port) = whose(number);
            let victim = prefix | place;
            // Routers are in a /24 of their own.
            let source = if answer.is_routers() {
                victim | 0x0080_0000
            } else {
                victim
            };
            replies.push(PlannedReply {
                time_us: self.scenario.start_us + time_us,
                source,
                victim,
                destination: self.scenario.telescope.draw(&mut self.random),
                port: (answer.attacked_protocol() != protocol::ICMP).then_some(port),
                answer,
            });
        }
        let parted = |left: &PlannedReply, right: &PlannedReply| {
            right.time_us - left.time_us <= SILENCE_MAX_US
        };
        for flow in replies.chunk_by(parted) {
            self.plan.attacks.push(planted(name, scope, flow));
        }
        self.plan.replies.extend(replies);
    }
}

/// `count` times over exactly `length_us`.
fn even_over(start_us: i64, count: i64, length_us: i64) -> Vec<i64> {
    let times = (0..count).map(|number| start_us + length_us * number / (count - 1));
    times.collect()
}

/// What replies without a long silence are.
fn planted(name: &str, scope: Scope, flow: &[PlannedReply]) -> PlantedAttack {
    let (first, last) = (&flow[0], &flow[flow.len() - 1]);
    let distinct = |value: fn(&PlannedReply) -> Option<u32>| {
        flow.iter().filter_map(value).collect::<BTreeSet<u32>>()
    };
    let victims = distinct(|reply| Some(reply.victim)).len();
    let ports = distinct(|reply| reply.port.map(u32::from));
    let mut slots = BTreeMap::<i64, u64>::new();
    for reply in flow {
        *slots
            .entry(reply.time_us.div_euclid(10 * SECOND_US))
            .or_default() += 1;
    }
    let minute = |slot: &i64| {
        slots
            .range(slot..&(slot + 6))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let per_minute = slots.keys().map(minute).max().unwrap_or(0);
    let is_carpet = scope == Scope::Carpet;
    let victim = Ipv4Addr::from(first.victim).to_string();
    PlantedAttack {
        name: name.to_owned(),
        kind: if is_carpet {
            "carpet"
        } else {
            first.answer.flood()
        }
        .to_owned(),
        victim_ip: if is_carpet { String::new() } else { victim },
        victim_prefix: format!("{}/24", Ipv4Addr::from(first.victim >> 8 << 8)),
        victims: victims as u64,
        protocol: first.answer.attacked_protocol(),
        port_count: ports.len() as u64,
        port: match ports.first() {
            Some(port) if ports.len() == 1 => port.to_string(),
            _ => String::new(),
        },
        start: time_text(first.time_us),
        start_us: first.time_us,
        end_us: last.time_us,
        packets: flow.len() as u64,
        destinations: distinct(|reply| Some(reply.destination)).len() as u64,
        packets_per_minute_max: per_minute,
        event: flow.len() >= PACKETS_MIN
            && last.time_us - first.time_us >= LENGTH_MIN_US
            && per_minute >= PER_MINUTE_MIN
            && (!is_carpet || victims >= CARPET_VICTIMS_MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ATTACKS_SPAN_US;

    #[test]
    fn every_threshold_has_an_attack_on_either_side() {
        let scenario = Scenario {
            attacks: true,
            ..Scenario::default()
        };
        let plan = AttackPlan::new(&scenario);
        let is = |name: &str| {
            let named = plan.attacks.iter().filter(|attack| attack.name == name);
            named.map(|attack| attack.event).collect::<Vec<_>>()
        };
        for (below, above) in [
            ("59.999999 s", "60 s"),
            ("29 in a minute", "30 in a minute"),
            ("carpet of 9", "carpet of 10"),
            ("carpet with 29 in a minute", "carpet with 30 in a minute"),
            ("few random ports", "random ports"),
        ] {
            assert_eq!((is(below), is(above)), (vec![false], vec![true]), "{above}");
        }
        let silence = |what: &str, gap: &str| is(&format!("two {what} with a silence of {gap}"));
        for gap in ["299 s", "300 s"] {
            assert_eq!(
                (silence("halves", gap), silence("attacks", gap)),
                (vec![true], vec![true])
            );
        }
        for gap in ["300.000001 s", "301 s"] {
            assert_eq!(silence("halves", gap), [false, false]);
            assert_eq!(silence("attacks", gap), [true, true]);
        }
        let end_us = scenario.start_us + ATTACKS_SPAN_US;
        assert!(plan.replies.iter().all(|reply| reply.time_us < end_us));
        assert!(plan.replies.is_sorted_by_key(|reply| reply.time_us));
    }
}
