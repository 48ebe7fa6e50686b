//! The last minutes, by class, port, country and source, for `/live` and `teiten-sensor top`: one concurrent map to which all workers add
//! their samples; old and small entries are removed. The view is an approximation; the tables are exact.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use serde_json::{Value, json};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::{MINUTE_US, MINUTES};
use teiten_observation::{Class, Family};

use super::sample::{Sample, Sampled};

/// Minutes that are kept.
pub const MINUTES_KEPT: i64 = 15;
/// Most entries of the map; beyond that the smallest are removed. About 100 bytes each.
pub const ENTRIES_MAX: usize = 65_536;

/// What packets of a minute are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Item {
    Class(Class),
    Port(u8, Option<u16>),
    Country([u8; 2]),
    Source(IpAddr),
    /// Ports whose entries were removed.
    OtherPorts,
    /// Sources whose entries were removed.
    OtherSources,
}

/// The view.
#[derive(Debug, Default)]
pub(super) struct LiveView {
    counts: DashMap<(i64, Item), u64, foldhash::fast::RandomState>,
    entries: AtomicUsize,
    newest_minute: AtomicI64,
    /// Packets that samples represent besides themselves: 0 while the view is exact.
    estimated: AtomicU64,
    tidying: AtomicBool,
}

impl LiveView {
    /// Adds a worker's sample; `now_us` is the capture's clock, `country` names the country of a source. Only the clock decides which
    /// minutes are kept: one packet with a wrong time must not remove the others.
    pub(super) fn add(&self, sample: &Sample, now_us: i64, country: impl Fn(IpAddr) -> [u8; 2]) {
        let Some(last) = sample.sampled.last() else {
            return;
        };
        let minute = last.time_us.div_euclid(MINUTE_US);
        for (class, &packets) in Class::ALL.iter().zip(&sample.classes) {
            if packets > 0 {
                self.count(minute, Item::Class(*class), packets);
            }
        }
        for sampled in &sample.sampled {
            self.count_sampled(sampled, country(sampled.source));
        }
        let beside: u64 = sample
            .sampled
            .iter()
            .map(|sampled| u64::from(sampled.weight) - 1)
            .sum();
        if beside > 0 {
            self.estimated.fetch_add(beside, Ordering::Relaxed);
        }
        let now = now_us.div_euclid(MINUTE_US);
        let moved = self.newest_minute.swap(now, Ordering::Relaxed) != now;
        if moved || self.entries.load(Ordering::Relaxed) > ENTRIES_MAX {
            self.tidy();
        }
    }

    fn count_sampled(&self, sampled: &Sampled, country: [u8; 2]) {
        let minute = sampled.time_us.div_euclid(MINUTE_US);
        let packets = u64::from(sampled.weight);
        let family = match sampled.source {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        };
        let kind = sampled.kind;
        self.count(
            minute,
            Item::Port(kind.protocol(family), kind.port()),
            packets,
        );
        self.count(minute, Item::Country(country), packets);
        self.count(minute, Item::Source(sampled.source), packets);
    }

    fn count(&self, minute: i64, item: Item, packets: u64) {
        let mut is_new = false;
        *self.counts.entry((minute, item)).or_insert_with(|| {
            is_new = true;
            0
        }) += packets;
        if is_new {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes old minutes and, if there are still too many entries, the smallest ones; one thread at a time.
    fn tidy(&self) {
        if self.tidying.swap(true, Ordering::Acquire) {
            return;
        }
        let oldest = self.newest_minute.load(Ordering::Relaxed) - MINUTES_KEPT;
        // A clock that went back leaves minutes in the future; they are removed too.
        self.counts
            .retain(|(minute, _), _| (oldest + 1..=oldest + MINUTES_KEPT).contains(minute));
        let mut small = 1;
        while self.counts.len() > ENTRIES_MAX / 2 && small < u64::MAX / 2 {
            self.forget_small(small);
            small *= 2;
        }
        self.entries.store(self.counts.len(), Ordering::Relaxed);
        self.tidying.store(false, Ordering::Release);
    }

    fn forget_small(&self, small: u64) {
        let mut gone = HashMap::<(i64, Item), u64>::new();
        self.counts.retain(|&(minute, item), packets| {
            let into = match item {
                Item::Port(..) => Item::OtherPorts,
                Item::Source(_) => Item::OtherSources,
                _ => return true,
            };
            if *packets > small {
                return true;
            }
            *gone.entry((minute, into)).or_default() += *packets;
            false
        });
        for ((minute, item), packets) in gone {
            self.count(minute, item, packets);
        }
    }

    /// The last `minutes` as JSON, the `top` largest of each kind; `now_us` is the capture's clock.
    #[must_use]
    pub(super) fn json(
        &self,
        minutes: i64,
        top: usize,
        now_us: i64,
        country: impl Fn(IpAddr) -> [u8; 2],
    ) -> Value {
        let minutes = minutes.clamp(1, MINUTES_KEPT);
        let last = now_us.div_euclid(MINUTE_US);
        let mut by_minute = vec![HashMap::<&str, u64>::new(); minutes as usize];
        let mut sums = HashMap::<Item, u64>::new();
        for entry in &self.counts {
            let &(minute, item) = entry.key();
            let Ok(age) = usize::try_from(last - minute) else {
                continue;
            };
            let Some(of_minute) = by_minute.get_mut(age) else {
                continue;
            };
            if let Item::Class(class) = item {
                *of_minute.entry(class.name()).or_default() += *entry.value();
            }
            *sums.entry(item).or_default() += *entry.value();
        }
        let series: Vec<Value> = by_minute.iter().enumerate().rev().map(|(age, classes)| {
            json!({"minute_start": minute_text(last - age as i64), "packets": classes.values().sum::<u64>(), "classes": classes})
        }).collect();
        let list = |row: &dyn Fn(&Item, u64) -> Option<Value>| -> Vec<Value> {
            let mut rows: Vec<(u64, String, Value)> = sums
                .iter()
                .filter_map(|(item, &packets)| {
                    row(item, packets).map(|row| (packets, row.to_string(), row))
                })
                .collect();
            rows.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
            rows.into_iter().take(top).map(|(_, _, row)| row).collect()
        };
        json!({
            "now": minute_text(last),
            "minutes": series,
            "exact": self.estimated.load(Ordering::Relaxed) == 0,
            "classes": list(&|item, packets| match item {
                Item::Class(class) => Some(json!({"class": class.name(), "packets": packets})),
                _ => None,
            }),
            "ports": list(&|item, packets| match item {
                Item::Port(protocol, port) => Some(json!({"protocol": protocol, "port": port, "packets": packets})),
                _ => None,
            }),
            "countries": list(&|item, packets| match item {
                Item::Country(code) => Some(json!({"country": String::from_utf8_lossy(code), "packets": packets})),
                _ => None,
            }),
            "sources": list(&|item, packets| match item {
                Item::Source(source) => Some(json!({
                    "src_ip": source, "country": String::from_utf8_lossy(&country(*source)), "packets": packets,
                })),
                _ => None,
            }),
            "other_ports_packets": sums.get(&Item::OtherPorts).copied().unwrap_or(0),
            "other_sources_packets": sums.get(&Item::OtherSources).copied().unwrap_or(0),
        })
    }
}

/// `2026-11-05T08:04:00Z`
fn minute_text(minute: i64) -> String {
    let hour = Hour(minute.div_euclid(MINUTES as i64));
    format!("{hour}:{:02}:00Z", minute.rem_euclid(MINUTES as i64))
}

#[cfg(test)]
mod tests {
    use teiten_aggregator::window::Batch;

    use super::super::sample::tests::observation;
    use super::*;

    fn add(live: &LiveView, sources: impl Iterator<Item = u32>, minute: i64) {
        let mut sample = Sample::default();
        let ipv4 = sources
            .map(|source| observation(source, minute * MINUTE_US))
            .collect();
        sample.add(&Batch {
            ipv4,
            ipv6: Vec::new(),
        });
        live.add(&sample, minute * MINUTE_US, |_| *b"JP");
    }

    fn view(live: &LiveView, minutes: i64, minute: i64) -> Value {
        live.json(minutes, 3, minute * MINUTE_US, |_| *b"JP")
    }

    #[test]
    fn the_last_minutes_are_told_by_class_port_country_and_source() {
        let live = LiveView::default();
        add(&live, [7, 7, 7, 9].into_iter(), 100);
        add(&live, [9].into_iter(), 101);
        let view = view(&live, 2, 101);
        assert_eq!(view["minutes"][0]["packets"], 4);
        assert_eq!(view["minutes"][1]["classes"]["scan"], 1);
        assert_eq!(
            view["ports"][0],
            json!({"protocol": 6, "port": 23, "packets": 5})
        );
        assert_eq!(view["countries"][0], json!({"country": "JP", "packets": 5}));
        assert_eq!(
            view["sources"][0],
            json!({"src_ip": "0.0.0.7", "country": "JP", "packets": 3})
        );
        assert_eq!(view["exact"], true);
        assert_eq!(view["now"], "1970-01-01T01:41:00Z");
    }

    #[test]
    fn minutes_that_are_old_are_forgotten() {
        let live = LiveView::default();
        add(&live, 0..10, 100);
        add(&live, 10..11, 100 + MINUTES_KEPT);
        assert!(live.counts.iter().all(|entry| entry.key().0 > 100));
        assert_eq!(
            view(&live, 99, 100 + MINUTES_KEPT)["classes"][0]["packets"],
            1
        );
    }

    #[test]
    fn a_packet_from_tomorrow_removes_nothing() {
        let live = LiveView::default();
        add(&live, 0..10, 100);
        for (before, minute) in [(10, 100 + 26 * 60), (11, 3)] {
            let mut sample = Sample::default();
            let ipv4 = vec![observation(99, minute * MINUTE_US)];
            let ipv6 = Vec::new();
            sample.add(&Batch { ipv4, ipv6 });
            live.add(&sample, 100 * MINUTE_US, |_| *b"JP");
            add(&live, 0..1, 101);
            assert_eq!(view(&live, 2, 101)["minutes"][0]["packets"], before);
            add(&live, 0..1, 100);
            assert!(
                live.counts.iter().all(|entry| entry.key().0 <= 101),
                "what the clock never showed goes"
            );
        }
    }

    #[test]
    fn a_clock_that_went_back_is_followed() {
        let live = LiveView::default();
        add(&live, 0..10, 100);
        add(&live, 0..10, 40);
        add(&live, 0..10, 41);
        assert_eq!(view(&live, 2, 41)["classes"][0]["packets"], 20);
        assert!(live.counts.iter().all(|entry| entry.key().0 <= 41));
    }

    #[test]
    fn a_flood_of_forged_sources_stays_within_the_bound_and_keeps_the_large_and_the_sum() {
        let live = LiveView::default();
        let mut total = 0;
        for round in 0..2000_u32 {
            // One frequent source among a thousand that send one packet.
            add(
                &live,
                (0..200)
                    .map(|number| round * 200 + number + 1000)
                    .chain([7; 50]),
                100,
            );
            total += 250;
            assert!(
                live.counts.len() <= ENTRIES_MAX + 1000,
                "{}",
                live.counts.len()
            );
        }
        let view = view(&live, 1, 100);
        assert_eq!(view["sources"][0]["src_ip"], "0.0.0.7");
        assert_eq!(view["sources"][0]["packets"], 100_000);
        assert_eq!(view["classes"][0]["packets"], total);
        let kept: u64 = live
            .counts
            .iter()
            .filter(|entry| matches!(entry.key().1, Item::Source(_)))
            .map(|entry| *entry.value())
            .sum();
        assert_eq!(
            kept + view["other_sources_packets"].as_u64().expect("a number"),
            total
        );
    }
}
