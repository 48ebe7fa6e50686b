//! Unknown payloads: on each port the ones with the smallest ranks, and one count for the others.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Count, FirstBytes, PAYLOADS_MAX, PER_PORT_MAX, ServiceKey, mixed};

/// A payload with its own row.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Its place in the order by which payloads are kept, different on every port.
    rank: u64,
    hash: u64,
    /// The index of its count in [`Unknown::details`].
    detail: u32,
}

#[derive(Clone, Debug)]
struct Detail {
    count: Count,
    first_bytes: FirstBytes,
}

/// Capacity that a vector gets with its first element.
const KEPT_MIN: usize = 4;

/// The unknown payloads of one port.
#[derive(Clone, Debug, Default)]
struct UnknownPort {
    /// By rank, at most [`PER_PORT_MAX`].
    kept: Vec<Kept>,
    others: Option<Count>,
}

/// Unknown payloads of an hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Unknown {
    ports: HashMap<ServiceKey, UnknownPort, RandomState>,
    details: Vec<Detail>,
    /// Places of `details` that are free.
    free: Vec<u32>,
    /// Payloads whose rank is above this have no row of their own.
    rank_max: Option<u64>,
    /// Memory of the counts beyond their own places, bytes.
    sets_bytes: usize,
}

/// The values of a row.
pub(super) struct UnknownRow<'t> {
    pub service: ServiceKey,
    /// `None` for the row of the port's other payloads.
    pub payload: Option<(u64, &'t [u8])>,
    pub count: &'t Count,
}

impl Unknown {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// An empty table whose payloads are limited as those of this one.
    pub(super) fn with_limit(&self) -> Self {
        Unknown {
            rank_max: self.rank_max,
            ..Unknown::default()
        }
    }

    /// Counts packets with the payload of this hash: in its own row, or with the others of its port.
    pub(super) fn count(
        &mut self,
        service: ServiceKey,
        hash: u64,
        payload: &[u8],
        add: impl FnOnce(&mut Count),
    ) {
        let count = self.count_of(service, hash, payload);
        let before = count.memory_bytes();
        add(count);
        let grown = count.memory_bytes() - before;
        self.sets_bytes += grown;
    }

    /// Where packets with the payload of this hash are counted.
    fn count_of(&mut self, service: ServiceKey, hash: u64, payload: &[u8]) -> &mut Count {
        if self.kept() == 2 * PAYLOADS_MAX {
            self.trim();
        }
        let rank = mixed(hash ^ mixed(u64::from(service.0)));
        let port = self.ports.entry(service).or_default();
        let at = match port.kept.binary_search_by_key(&rank, |kept| kept.rank) {
            Ok(at) => return &mut self.details[port.kept[at].detail as usize].count,
            Err(at) => at,
        };
        if at == PER_PORT_MAX || self.rank_max.is_some_and(|rank_max| rank > rank_max) {
            return port.others();
        }
        if port.kept.len() == PER_PORT_MAX {
            port.drop_last(&mut self.details, &mut self.free, &mut self.sets_bytes);
        }
        let detail = Detail {
            count: Count::default(),
            first_bytes: FirstBytes::of(payload),
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.details[place as usize] = detail;
                place
            }
            None => {
                self.details.push(detail);
                self.details.len() as u32 - 1
            }
        };
        let kept = Kept {
            rank,
            hash,
            detail: place,
        };
        port.kept.insert(at, kept);
        &mut self.details[place as usize].count
    }

    /// Adds packets of a port whose payload has no own row.
    pub(super) fn count_others(&mut self, service: ServiceKey, count: &Count) {
        let others = self.ports.entry(service).or_default().others();
        let before = others.memory_bytes();
        others.add(count);
        self.sets_bytes += others.memory_bytes() - before;
    }

    pub(super) fn merge(&mut self, other: &Unknown) {
        for (&service, port) in &other.ports {
            for kept in &port.kept {
                let detail = &other.details[kept.detail as usize];
                let first_bytes = detail.first_bytes.as_slice();
                self.count(service, kept.hash, first_bytes, |count| {
                    count.add(&detail.count);
                });
            }
            if let Some(others) = &port.others {
                self.count_others(service, others);
            }
        }
    }

    /// Leaves the [`PAYLOADS_MAX`] payloads with the smallest ranks.
    pub(super) fn trim(&mut self) {
        if self.kept() <= PAYLOADS_MAX {
            return;
        }
        let kept = self.ports.values().flat_map(|port| &port.kept);
        let mut ranks: Vec<u64> = kept.map(|kept| kept.rank).collect();
        let (_, &mut rank_max, _) = ranks.select_nth_unstable(PAYLOADS_MAX - 1);
        self.rank_max = Some(rank_max);
        for port in self.ports.values_mut() {
            while port.kept.last().is_some_and(|kept| kept.rank > rank_max) {
                port.drop_last(&mut self.details, &mut self.free, &mut self.sets_bytes);
            }
        }
    }

    /// Rows of every port, in no order.
    pub(super) fn rows(&self) -> impl Iterator<Item = UnknownRow<'_>> {
        self.ports.iter().flat_map(move |(&service, port)| {
            let own = port.kept.iter().map(move |kept| {
                let detail = &self.details[kept.detail as usize];
                UnknownRow {
                    service,
                    payload: Some((kept.hash, detail.first_bytes.as_slice())),
                    count: &detail.count,
                }
            });
            let others = port.others.iter().map(move |count| UnknownRow {
                service,
                payload: None,
                count,
            });
            own.chain(others)
        })
    }

    /// Upper bound of the bytes held: the exact size of every port's vectors is too slow to sum.
    pub(super) fn memory_bytes(&self) -> usize {
        let ports = self.ports.capacity() * size_of::<(ServiceKey, UnknownPort)>()
            + self.ports.len().min(self.kept()) * KEPT_MIN * size_of::<Kept>();
        ports
            + self.sets_bytes
            + 2 * self.kept() * size_of::<Kept>()
            + self.details.capacity() * size_of::<Detail>()
            + self.free.capacity() * size_of::<u32>()
    }

    fn kept(&self) -> usize {
        self.details.len() - self.free.len()
    }
}

impl UnknownPort {
    fn others(&mut self) -> &mut Count {
        self.others.get_or_insert_default()
    }

    /// Moves the payload with the largest rank to the count of the others.
    fn drop_last(&mut self, details: &mut [Detail], free: &mut Vec<u32>, sets_bytes: &mut usize) {
        let Some(kept) = self.kept.pop() else {
            return;
        };
        free.push(kept.detail);
        let count = std::mem::take(&mut details[kept.detail as usize].count);
        if self.kept.is_empty() {
            // In a flood over all ports most have no payload of their own in the end.
            self.kept = Vec::new();
        }
        let others = self.others();
        let before = others.memory_bytes() + count.memory_bytes();
        others.add(&count);
        *sets_bytes += others.memory_bytes();
        *sets_bytes -= before;
    }
}
