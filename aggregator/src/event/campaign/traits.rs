//! What a source did in a day, in a few numbers that other sources can share: its services and how its packets are spread over them, traffic
//! type, class, tool and stack.
//!
//! Only packets that ask for a service count (classes scan, reflector-scan and exploit): who answers or goes astray acts as nobody's member.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use twox_hash::XxHash64;

use crate::by_source::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::event::groups::ServiceGroup;
use crate::event::service::AskedService;
use teiten_observation::{Class, Tool, TrafficType};

/// Services of a source that are kept.
pub(crate) const SERVICES_MAX: usize = 8;
/// A service counts from this share of the source's packets on, per mille.
pub(crate) const SHARE_MIN: u64 = 50;
/// Services that count and have less than this share together tell nothing: the source goes for every port.
const TOGETHER_MIN: u64 = 500;
/// A service is the first by far above this share.
const FIRST_ABOVE: u64 = 500;
/// Windows of one shape of SYN from which on a source draws them at random, as Mirai does.
const WINDOWS_VARIED: usize = 3;
/// Stack signatures of a source that are looked at.
const STACKS_MAX: usize = 64;
/// The whole of shares.
pub(crate) const WHOLE: u64 = 1000;

/// Window of a SYN as a trait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum WindowTrait {
    /// This one.
    Fixed(u16),
    /// Another in every SYN, or one that hardly any other source shares.
    Any,
}

/// The traits of a source that others share or not: sources of equal cores are one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Core {
    /// 4 or 6.
    pub ip_version: u8,
    /// Of most packets.
    pub traffic_type: TrafficType,
    /// Of most packets.
    pub class: Class,
    /// Of most packets.
    pub tool: Tool,
    /// Stack signature without its window, hashed; 0 without one.
    pub shape: u64,
    /// The window.
    pub window: WindowTrait,
    /// The network of a source that goes for every port, as those do not tell it apart: its number and 1; else 0.
    pub network: u32,
    /// Whether the source goes for every port: then no service is named.
    pub is_wide: bool,
    /// Which of the services is the first by far; none where no one is.
    pub first: Option<u8>,
    /// How many services there are.
    pub count: u8,
    /// The services, ascending; behind `count` zeros.
    pub services: [AskedService; SERVICES_MAX],
}

impl Core {
    /// The services.
    pub(crate) fn services(&self) -> &[AskedService] {
        &self.services[..usize::from(self.count)]
    }
}

/// What a source did in a day.
#[derive(Clone, Debug)]
pub(crate) struct SourceTraits {
    /// What others may share.
    pub core: Core,
    /// Shares of the services in its packets to them, per mille.
    pub shares: [u16; SERVICES_MAX],
    /// The service of most packets, and these.
    pub heaviest: (AskedService, u64),
    /// Packets that ask.
    pub packets: u64,
    /// A bit for each hour of the day in which it came.
    pub hours: u32,
    /// First packet that asks, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
}

/// A stack signature in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StackParts {
    shape: u64,
    window: u16,
}

/// Reads the traits of one source after the other. Buffers and what is known of stack signatures stay.
#[derive(Debug, Default)]
pub(crate) struct TraitReader {
    /// By the number of a stack signature's text.
    stacks: Vec<Option<StackParts>>,
    shapes: HashMap<u64, Arc<str>, RandomState>,
    services: Vec<(AskedService, u64)>,
}

impl TraitReader {
    /// The traits of a source with the services that it asked for; none where it asks for too little. `first_hour` is the first of the day.
    pub(crate) fn read(
        &mut self,
        key: SourceKey,
        (source, services): (&SourceLines, &[ServiceGroup]),
        names: &LineNames,
        packets_min: u64,
        first_hour: i64,
    ) -> Option<SourceTraits> {
        let asking = || source.lines.iter().filter(|line| line.asks());
        let packets = services.iter().map(|service| service.packets);
        let packets = packets.fold(0, u64::saturating_add);
        if key.is_folded() || packets < packets_min.max(1) {
            return None;
        }
        let hours = asking().fold(0, |hours, line| {
            hours | 1 << (line.hour - first_hour).clamp(0, 31)
        });
        let first_us = services.iter().map(|service| service.first_us).min();
        let (traffic_type, class) = most(asking(), |line| (line.traffic_type, line.class))?;
        let tool = most(asking(), |line| line.tool)?;
        let (shape, window) = self.stack(asking(), names);
        let of_packets = services.iter().map(|it| (it.service, it.packets));
        let heaviest = of_packets
            .clone()
            .max_by_key(|(service, of)| (*of, Reverse(*service)));
        self.services.clear();
        self.services.extend(of_packets);
        let (services, shares, count, first) = self.services(packets);
        let is_wide = count == 0;
        let latest = source.lines.last();
        let network = latest.and_then(|line| line.asn).filter(|_| is_wide);
        Some(SourceTraits {
            core: Core {
                ip_version: key.ip_version,
                traffic_type,
                class,
                tool,
                shape,
                window,
                network: network.map_or(0, |number| number.saturating_add(1)),
                is_wide,
                first,
                count,
                services,
            },
            shares,
            heaviest: heaviest.unwrap_or_default(),
            packets,
            hours,
            first_us: first_us.unwrap_or(i64::MAX),
        })
    }

    /// The text of a shape, which no window precedes; empty where there is none.
    pub(crate) fn shape_text(&self, shape: u64) -> Arc<str> {
        let known = self.shapes.get(&shape);
        known.map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// The shape of SYN with the most packets, and its window.
    fn stack<'l>(
        &mut self,
        lines: impl Iterator<Item = &'l SourceLine> + Clone,
        names: &LineNames,
    ) -> (u64, WindowTrait) {
        let with_stack = lines.filter(|line| line.stack != 0);
        let mut found: Vec<(StackParts, u64)> = Vec::new();
        for line in with_stack {
            let parts = self.parts(line.stack, names);
            match found.iter().position(|(known, _)| *known == parts) {
                Some(place) => found[place].1 = found[place].1.saturating_add(line.packets),
                // Of a source that has very many signatures, those that come late are no main ones.
                None if found.len() < STACKS_MAX => found.push((parts, line.packets)),
                None => {}
            }
        }
        let mut shapes: Vec<(u64, u64)> = Vec::new();
        for (parts, packets) in &found {
            match shapes.iter_mut().find(|(known, _)| *known == parts.shape) {
                Some((_, sum)) => *sum = sum.saturating_add(*packets),
                None => shapes.push((parts.shape, *packets)),
            }
        }
        let Some((shape, _)) = shapes.into_iter().max_by_key(|(shape, sum)| (*sum, *shape)) else {
            return (0, WindowTrait::Any);
        };
        let of_shape = || found.iter().filter(|(parts, _)| parts.shape == shape);
        if of_shape().count() >= WINDOWS_VARIED {
            return (shape, WindowTrait::Any);
        }
        let window = of_shape().max_by_key(|(parts, packets)| (*packets, parts.window));
        (
            shape,
            window.map_or(WindowTrait::Any, |(parts, _)| {
                WindowTrait::Fixed(parts.window)
            }),
        )
    }

    fn parts(&mut self, stack: u32, names: &LineNames) -> StackParts {
        let place = stack as usize;
        if self.stacks.len() <= place {
            self.stacks.resize(place + 1, None);
        }
        if let Some(known) = self.stacks[place] {
            return known;
        }
        let text = names.text(stack);
        let (window, shape) = text.split_once(':').unwrap_or(("", text));
        let parts = StackParts {
            // 0 means none.
            shape: XxHash64::oneshot(0, shape.as_bytes()).max(1),
            window: window.parse().unwrap_or(0),
        };
        let known = self.shapes.entry(parts.shape);
        known.or_insert_with(|| Arc::from(shape));
        self.stacks[place] = Some(parts);
        parts
    }

    /// Of the services that are listed those that count, ascending, with their shares, how many they are, and which is the first by far. None
    /// where the source goes for every port. Of more than are kept those stay that every source would keep.
    fn services(
        &mut self,
        packets: u64,
    ) -> (
        [AskedService; SERVICES_MAX],
        [u16; SERVICES_MAX],
        u8,
        Option<u8>,
    ) {
        let all = &mut self.services;
        let share = |of: u64| (u128::from(of) * u128::from(WHOLE) / u128::from(packets)) as u64;
        all.retain(|(_, of)| share(*of) >= SHARE_MIN);
        let sum = |all: &[(AskedService, u64)]| {
            all.iter().map(|(_, of)| *of).fold(0, u64::saturating_add)
        };
        let mut services = [AskedService::default(); SERVICES_MAX];
        let mut shares = [0; SERVICES_MAX];
        if share(sum(all)) < TOGETHER_MIN {
            return (services, shares, 0, None);
        }
        if all.len() > SERVICES_MAX {
            all.sort_unstable_by_key(|(service, _)| service.scattered());
            all.truncate(SERVICES_MAX);
            all.sort_unstable();
        }
        let kept = sum(all).max(1);
        let mut first = None;
        for (place, (service, of)) in all.iter().enumerate() {
            services[place] = *service;
            shares[place] = (u128::from(*of) * u128::from(WHOLE) / u128::from(kept)) as u16;
            // Two halves have no first.
            if share(*of) > FIRST_ABOVE {
                first = Some(place as u8);
            }
        }
        (services, shares, all.len() as u8, first)
    }
}

/// What most packets of these rows have; of equals the least.
fn most<'l, T: Copy + Ord>(
    lines: impl Iterator<Item = &'l SourceLine>,
    of: impl Fn(&SourceLine) -> T,
) -> Option<T> {
    let mut sums: Vec<(T, u64)> = Vec::new();
    for line in lines {
        let value = of(line);
        match sums.iter_mut().find(|(known, _)| *known == value) {
            Some((_, packets)) => *packets = packets.saturating_add(line.packets),
            None => sums.push((value, line.packets)),
        }
    }
    let best = sums
        .into_iter()
        .max_by(|left, right| left.1.cmp(&right.1).then(right.0.cmp(&left.0)));
    best.map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::groups::SourceGroups;

    fn line(port: u16, packets: u64, stack: u32) -> SourceLine {
        SourceLine {
            hour: 30,
            traffic_type: TrafficType::TcpSyn,
            class: Class::Scan,
            tool: Tool::None,
            protocol: 6,
            port: Some(port),
            country: *b"ZZ",
            actor: 0,
            asn: Some(64_500),
            packets,
            bytes: packets * 60,
            destinations: 1,
            first_us: 7,
            last_us: 9,
            tool_packets: 0,
            stack,
            set: 0..0,
        }
    }

    fn traits(lines: Vec<SourceLine>, names: &LineNames) -> Option<SourceTraits> {
        let key = SourceKey::parse("192.0.2.1").expect("an address");
        let source = SourceLines {
            lines,
            sets: Vec::new(),
        };
        let mut groups = SourceGroups::default();
        groups.group(&source);
        let rows = (&source, &groups.services[..]);
        TraitReader::default().read(key, rows, names, 3, 24)
    }

    #[test]
    fn services_count_from_their_share_on_and_a_first_has_more_than_half() {
        let names = LineNames::default();
        let found = traits(
            vec![line(23, 60, 0), line(2323, 37, 0), line(9, 3, 0)],
            &names,
        );
        let found = found.expect("enough packets");
        let services: Vec<String> = found.core.services().iter().map(|it| it.text()).collect();
        assert_eq!(services, ["tcp/23", "tcp/2323"]);
        assert_eq!((found.core.first, found.shares[0]), (Some(0), 618));
        assert_eq!((found.hours, found.packets), (1 << 6, 100));
        let halves = traits(vec![line(1, 5, 0), line(2, 5, 0)], &names).expect("enough");
        assert_eq!(halves.core.first, None);
        assert!(traits(vec![line(1, 2, 0)], &names).is_none());
    }

    #[test]
    fn who_goes_for_every_port_is_told_apart_by_its_network() {
        let names = LineNames::default();
        let found = traits((0..100).map(|port| line(port, 1, 0)).collect(), &names);
        let core = found.expect("enough packets").core;
        assert!(core.is_wide && core.services().is_empty());
        assert_eq!(core.network, 64_501);
        // Of a dozen ports every source keeps the same eight.
        let some = |factor: u64| {
            let lines = (0..12).map(|port| line(port, 9 + u64::from(port) % 2 * factor, 0));
            traits(lines.collect(), &names).expect("enough").core
        };
        assert_eq!(some(0).count, 8);
        assert_eq!(some(0).services, some(1).services);
        assert_eq!(some(0).network, 0);
    }

    #[test]
    fn windows_that_vary_are_no_trait() {
        let mut names = LineNames::default();
        let stacks: Vec<u32> = [11, 22, 33]
            .iter()
            .map(|window| names.number(&format!("{window}:M1460:df0:64")))
            .collect();
        let of = |stacks: &[u32]| {
            let lines = stacks.iter().map(|stack| line(23, 3, *stack));
            traits(lines.collect(), &names).expect("enough").core
        };
        assert_eq!(of(&stacks[..1]).window, WindowTrait::Fixed(11));
        assert_eq!(of(&stacks[..2]).window, WindowTrait::Fixed(22));
        assert_eq!(of(&stacks).window, WindowTrait::Any);
        assert_eq!(of(&stacks).shape, of(&stacks[..1]).shape);
    }
}
