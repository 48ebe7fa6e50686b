//! The rows of a source by what they have in common, found once for everything that is made of them: events, services, and their classes.

use super::scan::ScanKey;
use crate::by_source::{SourceLine, SourceLines, asks};
use crate::event::service::AskedService;
use teiten_observation::{Class, Tool};

/// Bits of a row's place below its key.
const PLACE_BITS: u32 = 31;

/// Rows of a source to one service, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassGroup {
    /// The service.
    pub service: AskedService,
    /// The class.
    pub class: Class,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Packets with the fingerprint of Mirai.
    pub mirai_packets: u64,
    /// First packet, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
}

impl ClassGroup {
    fn of(line: &SourceLine) -> Self {
        ClassGroup {
            service: AskedService::new(line.protocol, line.port),
            class: line.class,
            packets: line.packets,
            bytes: line.bytes,
            mirai_packets: mirai_packets(line),
            first_us: line.first_us,
        }
    }

    fn key(&self) -> (AskedService, Class) {
        (self.service, self.class)
    }

    fn add(&mut self, other: &Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.mirai_packets = self.mirai_packets.saturating_add(other.mirai_packets);
        self.first_us = self.first_us.min(other.first_us);
    }
}

fn mirai_packets(line: &SourceLine) -> u64 {
    match line.tool {
        Tool::Mirai => line.packets,
        _ => 0,
    }
}

/// A service that a source asked for: in packets of the classes scan, reflector-scan and exploit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceGroup {
    /// The service.
    pub service: AskedService,
    /// Packets that asked.
    pub packets: u64,
    /// The first of them, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
}

/// The groups of one source after the other. Buffers stay.
#[derive(Debug, Default)]
pub(crate) struct SourceGroups {
    keys: Vec<u64>,
    /// Places of the rows in the order of their events: key by key, and by time.
    pub order: Vec<u32>,
    /// By service and class, ascending.
    pub classes: Vec<ClassGroup>,
    /// Services that were asked for, ascending.
    pub services: Vec<ServiceGroup>,
}

impl SourceGroups {
    /// Groups the rows of a source, which may be in any order.
    pub(crate) fn group(&mut self, source: &SourceLines) {
        let lines = &source.lines[..];
        self.keys.clear();
        let keys = (0_u64..)
            .zip(lines)
            .map(|(place, line)| ScanKey::of(line).bits() << PLACE_BITS | place);
        self.keys.extend(keys);
        // Rows come hour by hour, each hour in its order: a stable sort makes use of that.
        self.keys.sort();
        self.order.clear();
        self.classes.clear();
        for of_key in self
            .keys
            .chunk_by(|left, right| left >> PLACE_BITS == right >> PLACE_BITS)
        {
            let start = self.order.len();
            let places = of_key.iter();
            self.order
                .extend(places.map(|key| *key as u32 & ((1 << PLACE_BITS) - 1)));
            let order = &mut self.order[start..];
            let in_time = |place: &u32| {
                let line = &lines[*place as usize];
                (line.first_us, line.last_us, line.class, line.tool, *place)
            };
            if !order.is_sorted_by_key(in_time) {
                order.sort_unstable_by_key(in_time);
            }
            let start = self.classes.len();
            for place in order {
                let next = ClassGroup::of(&lines[*place as usize]);
                let known = self.classes[start..].iter_mut().rev();
                match known.into_iter().find(|it| it.class == next.class) {
                    Some(known) => known.add(&next),
                    None => self.classes.push(next),
                }
            }
        }
        // Packets of one service have several traffic types only where a source does more than ask.
        if !self.classes.is_sorted_by_key(ClassGroup::key) {
            self.classes.sort_unstable_by_key(ClassGroup::key);
        }
        self.classes.dedup_by(|next, kept| {
            let is_same = next.key() == kept.key();
            if is_same {
                kept.add(next);
            }
            is_same
        });
        self.services.clear();
        for group in self.classes.iter().filter(|it| asks(it.class)) {
            match self.services.last_mut() {
                Some(last) if last.service == group.service => {
                    last.packets = last.packets.saturating_add(group.packets);
                    last.first_us = last.first_us.min(group.first_us);
                }
                _ => self.services.push(ServiceGroup {
                    service: group.service,
                    packets: group.packets,
                    first_us: group.first_us,
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use teiten_observation::TrafficType;

    fn line() -> impl Strategy<Value = SourceLine> {
        let few_types = [
            TrafficType::TcpSyn,
            TrafficType::TcpSynAck,
            TrafficType::Udp,
        ];
        let of_what = (
            prop::sample::select(few_types.to_vec()),
            prop::sample::select(Class::ALL.to_vec()),
            prop::sample::select(vec![Tool::None, Tool::Mirai, Tool::Zmap]),
            prop::sample::select(vec![1_u8, 6, 17]),
            prop::sample::select(vec![None, Some(0), Some(23), Some(65_535)]),
        );
        let counts = (0_u64..5, 0_i64..6, 0_i64..3, 0_i64..3);
        (of_what, counts).prop_map(|((traffic_type, class, tool, protocol, port), counts)| {
            let (packets, first_us, lasts, hour) = counts;
            SourceLine {
                hour,
                traffic_type,
                class,
                tool,
                protocol,
                port,
                country: *b"ZZ",
                actor: 0,
                asn: None,
                packets,
                bytes: packets * 60,
                destinations: 1,
                first_us,
                last_us: first_us + lasts,
                tool_packets: 0,
                stack: 0,
                set: 0..0,
            }
        })
    }

    proptest! {
        #[test]
        fn groups_are_what_every_row_says(lines in prop::collection::vec(line(), 0..60)) {
            let source = SourceLines { lines, sets: Vec::new() };
            let mut groups = SourceGroups::default();
            // What was there before is gone.
            groups.classes.push(ClassGroup {
                service: AskedService::new(6, None),
                class: Class::Scan,
                packets: 1,
                bytes: 1,
                mirai_packets: 1,
                first_us: 1,
            });
            groups.group(&source);
            let lines = &source.lines;
            let mut order: Vec<u32> = (0..lines.len() as u32).collect();
            order.sort_by_key(|place| {
                let line = &lines[*place as usize];
                let times = (line.first_us, line.last_us);
                (ScanKey::of(line), times, line.class, line.tool, *place)
            });
            prop_assert_eq!(&groups.order, &order);
            let mut classes = BTreeMap::<_, [u64; 4]>::new();
            let mut services = BTreeMap::<_, (u64, i64)>::new();
            for line in lines {
                let service = AskedService::new(line.protocol, line.port);
                let sums = classes.entry((service, line.class)).or_default();
                sums[0] += line.packets;
                sums[1] += line.bytes;
                sums[2] += if line.tool == Tool::Mirai { line.packets } else { 0 };
                if line.asks() {
                    let sums = services.entry(service).or_insert((0, i64::MAX));
                    sums.0 += line.packets;
                    sums.1 = sums.1.min(line.first_us);
                }
            }
            let found: Vec<_> = groups
                .classes
                .iter()
                .map(|it| (it.key(), [it.packets, it.bytes, it.mirai_packets]))
                .collect();
            let expected: Vec<_> = classes
                .into_iter()
                .map(|(key, sums)| (key, [sums[0], sums[1], sums[2]]))
                .collect();
            prop_assert_eq!(found, expected);
            let found: Vec<_> = groups
                .services
                .iter()
                .map(|it| (it.service, (it.packets, it.first_us)))
                .collect();
            prop_assert_eq!(found, services.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_bits_of_keys_are_in_the_order_of_keys() {
        let mut keys = BTreeSet::new();
        for traffic_type in TrafficType::ALL {
            for port in [None, Some(0), Some(1), Some(65_535)] {
                for protocol in [0, 1, 6, 255] {
                    keys.insert(ScanKey {
                        traffic_type: *traffic_type,
                        port,
                        protocol,
                    });
                }
            }
        }
        let bits: Vec<u64> = keys.iter().map(|key| key.bits()).collect();
        assert!(bits.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(bits.iter().all(|bits| bits.leading_zeros() >= PLACE_BITS));
    }
}
