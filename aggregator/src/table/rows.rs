//! A row, and the memory of a table's rows: nothing moves when there are more, and rows of like sources lie together.
//!
//! The first rows of an hour lie in the order of their first packet. Once there are many, each new row goes to a run of places that
//! belongs to the bucket of its source, so that sorting begins where hashing ends: a bucket's rows fit the second-level cache.

use crate::destinations::{SetNumber, SetStore, View};
use crate::pieces::{Pieces, Spare};
use teiten_observation::{Address, BUCKETS, Kind};

/// Destinations that a row keeps itself.
pub(super) const OWN_DESTINATIONS: usize = 3;

/// What one source did of one kind in one hour: one cache line for IPv4, two for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Row<A> {
    /// Source address.
    pub source: A,
    /// Without a set: the distinct destinations, free places repeating the first. With a set: the first, how many the set holds, and
    /// nothing.
    pub(crate) destinations: [A; OWN_DESTINATIONS],
    /// Kind of the packets.
    pub kind: Kind,
    /// Where further destinations lie.
    pub(crate) set: SetNumber,
    /// Packets; a row that is full is followed by another of the same source and kind.
    pub packets: u32,
    /// First packet, microseconds after the hour's start.
    pub first_us: u32,
    /// Last packet, microseconds after the hour's start.
    pub last_us: u32,
    /// Compatibility flags of all packets together.
    pub flags: u32,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Stack signature of the first packet; of those at the same time the smallest.
    pub stack: u64,
    /// The smallest pair value of all packets.
    pub pair: u32,
    /// Packets that have it.
    pub pair_packets: u32,
}

const _: () = assert!(size_of::<Row<u32>>() == 64);
const _: () = assert!(size_of::<Row<u128>>() == 128);

impl<A: Address> Row<A> {
    /// The row's destinations, whose further ones lie in `sets`.
    #[must_use]
    #[inline]
    pub fn destinations<'a>(&'a self, sets: &'a SetStore<A>) -> View<'a, A> {
        let [first, second, third] = self.destinations;
        if !self.set.is_none() {
            return sets.view(self.set, first, second.number() as u32);
        }
        let count = 1 + usize::from(second != first) + usize::from(third != first);
        View::Few(&self.destinations[..count])
    }

    /// Adds a destination.
    #[inline(always)]
    pub(super) fn touch(&mut self, sets: &mut SetStore<A>, destination: A) {
        let [first, second, third] = self.destinations;
        if destination == first {
            return;
        }
        if !self.set.is_none() {
            let count = second.number() as u32;
            let (set, count) = sets.insert(self.set, first, count, destination);
            self.set = set;
            self.destinations[1] = A::from_number(u128::from(count));
        } else if second == first {
            self.destinations[1] = destination;
        } else if destination != second && third == first {
            self.destinations[2] = destination;
        } else if destination != second && destination != third {
            self.set = sets.begin(first, &[second, third, destination]);
            self.destinations[1] = A::from_number(3);
        }
    }
}

/// Rows that lie in the order of their first packet: as many as sort within the second-level cache.
pub(super) const FIRST_ROWS: usize = 1 << 14;
/// Rows in a run of places of one bucket.
const RUN_ROWS: usize = 1 << 6;

/// The rows of a table.
#[derive(Debug)]
pub struct Rows<A> {
    first: Pieces<Row<A>>,
    /// Behind the first rows: runs of places, each of one bucket.
    by_bucket: Pieces<Row<A>>,
    /// Bucket of each run.
    run_buckets: Vec<u8>,
    /// For each bucket the next free place of its run; a multiple of [`RUN_ROWS`] where it has none.
    tails: Vec<u32>,
    count: usize,
}

impl<A> Default for Rows<A> {
    fn default() -> Self {
        Rows {
            first: Pieces::default(),
            by_bucket: Pieces::default(),
            run_buckets: Vec::new(),
            tails: Vec::new(),
            count: 0,
        }
    }
}

impl<A: Address> Rows<A> {
    /// No row yet; memory comes from and goes back to `spare`.
    pub(super) fn sparing(spare: Spare<Row<A>>) -> Self {
        Rows {
            by_bucket: Pieces::sparing(spare),
            ..Rows::default()
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.first.memory_bytes() + self.by_bucket.memory_bytes() + self.run_buckets.capacity()
    }

    /// The row of this number.
    #[must_use]
    #[inline(always)]
    pub fn row(&self, number: u32) -> &Row<A> {
        match (number as usize).checked_sub(FIRST_ROWS) {
            None => self.first.at(number as usize),
            Some(place) => self.by_bucket.at(place),
        }
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, number: u32) -> &mut Row<A> {
        match (number as usize).checked_sub(FIRST_ROWS) {
            None => self.first.at_mut(number as usize),
            Some(place) => self.by_bucket.at_mut(place),
        }
    }

    /// Asks for the memory of a row. Only a hint: the row need not exist.
    #[inline(always)]
    pub fn prefetch(&self, number: u32) {
        match (number as usize).checked_sub(FIRST_ROWS) {
            None => self.first.prefetch(number as usize),
            Some(place) => self.by_bucket.prefetch(place),
        }
    }

    /// The row of this number, if there is one.
    #[inline(always)]
    pub(super) fn get(&self, number: u32) -> Option<&Row<A>> {
        match (number as usize).checked_sub(FIRST_ROWS) {
            None => self.first.get(number as usize),
            Some(place) => self.by_bucket.get(place),
        }
    }

    /// Adds a row; gives its number.
    #[inline]
    pub(super) fn push(&mut self, row: Row<A>) -> u32 {
        let number = if self.count < FIRST_ROWS {
            self.first.extend(1, row) as u32
        } else {
            self.push_by_bucket(row)
        };
        self.count += 1;
        number
    }

    #[inline]
    fn push_by_bucket(&mut self, row: Row<A>) -> u32 {
        if self.tails.is_empty() {
            self.tails = vec![0; BUCKETS];
        }
        let bucket = row.source.bucket();
        let mut place = self.tails[bucket];
        if (place as usize).is_multiple_of(RUN_ROWS) {
            self.run_buckets.push(bucket as u8);
            place = self.by_bucket.extend(RUN_ROWS, row) as u32;
        }
        *self.by_bucket.at_mut(place as usize) = row;
        self.tails[bucket] = place + 1;
        place + FIRST_ROWS as u32
    }

    /// The rows that lie by bucket: (bucket, first number, how many), a run each.
    fn runs(&self) -> impl Iterator<Item = (usize, u32, u32)> + '_ {
        self.run_buckets.iter().enumerate().map(|(run, &bucket)| {
            let start = (run * RUN_ROWS) as u32;
            // Only a bucket's last run can have free places.
            let tail = self.tails[usize::from(bucket)];
            let is_open = (start + 1..start + RUN_ROWS as u32).contains(&tail);
            let used = if is_open {
                tail - start
            } else {
                RUN_ROWS as u32
            };
            (usize::from(bucket), start + FIRST_ROWS as u32, used)
        })
    }

    /// The numbers of the rows, bucket by bucket, and where each bucket begins among them, with the end behind the last.
    #[must_use]
    pub fn by_bucket(&self) -> (Vec<u32>, Vec<usize>) {
        let first = || (0..self.first.len()).map(|number| self.first.at(number));
        let mut starts = vec![0; BUCKETS + 1];
        for row in first() {
            starts[row.source.bucket() + 1] += 1;
        }
        for (bucket, _, used) in self.runs() {
            starts[bucket + 1] += used as usize;
        }
        for bucket in 0..BUCKETS {
            starts[bucket + 1] += starts[bucket];
        }
        let mut next = starts.clone();
        let mut numbers = vec![0; self.count];
        for (number, row) in first().enumerate() {
            let place = &mut next[row.source.bucket()];
            numbers[*place] = number as u32;
            *place += 1;
        }
        for (bucket, start, used) in self.runs() {
            for number in start..start + used {
                numbers[next[bucket]] = number;
                next[bucket] += 1;
            }
        }
        (numbers, starts)
    }
}
