//! Sums by kind and country that are in memory: what a row is summed by, with numbers in place of its texts, and what its sums are.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::error::RollupError;
use crate::schema::RolledKey;
use crate::sketch::{NoSketch, SketchUnion};

/// What a row takes beside its sketch: in the list, in the index (which doubles when it grows), and for the first members of the sketch.
const ROW_BYTES: usize = size_of::<(NumberedKey, Sum)>() + 3 * size_of::<(NumberedKey, u32)>() + 32;

/// What is asked for: by this, tables of days are sorted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RolledService {
    pub ip_version: i32,
    pub protocol: i32,
    pub port: Option<i32>,
}

/// What a row is summed by, with the numbers of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumberedKey {
    pub service: RolledService,
    /// Traffic type, class, tool, actor and country, as [`KindTexts::number`] gives them.
    pub texts: [u32; 5],
}

/// Packets, bytes and sources of a row.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub packets: i64,
    pub bytes: i64,
    pub sources: SketchUnion,
}

/// The few texts that columns hold, with a number each.
#[derive(Debug, Default)]
pub(super) struct KindTexts {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32, RandomState>,
}

impl KindTexts {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let text: Arc<str> = text.into();
        let number = self.texts.len() as u32;
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// A row's key with its texts.
    pub(super) fn key(&self, key: NumberedKey) -> RolledKey {
        let NumberedKey { service, texts } = key;
        RolledKey {
            ip_version: service.ip_version.into(),
            protocol: service.protocol.into(),
            port: service.port.map(i64::from),
            texts: texts.map(|number| Arc::clone(&self.texts[number as usize])),
        }
    }

    /// The order of the table.
    fn order(&self, left: &NumberedKey, right: &NumberedKey) -> Ordering {
        left.service.cmp(&right.service).then_with(|| {
            let pairs = left.texts.iter().zip(&right.texts);
            let mut differing = pairs.filter(|(left, right)| left != right);
            differing.next().map_or(Ordering::Equal, |(left, right)| {
                self.texts[*left as usize].cmp(&self.texts[*right as usize])
            })
        })
    }
}

/// Sums that are in memory.
#[derive(Debug, Default)]
pub(super) struct HeldSums {
    places: HashMap<NumberedKey, u32, RandomState>,
    rows: Vec<(NumberedKey, Sum)>,
    sketch_bytes: usize,
}

impl HeldSums {
    /// Adds a row.
    ///
    /// # Errors
    /// When its sketch is none.
    pub(super) fn add(
        &mut self,
        key: NumberedKey,
        [packets, bytes]: [i64; 2],
        sketch: &[u8],
    ) -> Result<(), NoSketch> {
        let next = self.rows.len() as u32;
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.rows.push((key, Sum::default()));
        }
        let (_, sum) = &mut self.rows[place as usize];
        let before = sum.sources.held_bytes();
        sum.sources.add(sketch)?;
        self.sketch_bytes = self.sketch_bytes + sum.sources.held_bytes() - before;
        sum.packets += packets;
        sum.bytes += bytes;
        Ok(())
    }

    /// Memory that they take, about.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * ROW_BYTES + self.sketch_bytes
    }

    /// Takes all of them, in the order of the table.
    pub(super) fn take_sorted(
        &mut self,
        texts: &KindTexts,
    ) -> std::vec::Drain<'_, (NumberedKey, Sum)> {
        self.places.clear();
        self.sketch_bytes = 0;
        self.rows
            .sort_unstable_by(|(left, _), (right, _)| texts.order(left, right));
        self.rows.drain(..)
    }
}

/// Rows in the order of their services, from which those of one at a time are taken.
pub(super) trait SortedSums {
    /// The service that is next; none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn next_service(&mut self, texts: &mut KindTexts)
    -> Result<Option<RolledService>, RollupError>;

    /// Adds the rows of the service that is next.
    ///
    /// # Errors
    /// When they cannot be read.
    fn take_service(
        &mut self,
        service: RolledService,
        texts: &mut KindTexts,
        into: &mut HeldSums,
    ) -> Result<(), RollupError>;
}
