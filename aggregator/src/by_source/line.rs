//! A row of `sources`, and all rows of one source.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::BinaryArray;
use foldhash::fast::RandomState;

use crate::destinations::{NoSet, union_of_packed};
use teiten_observation::{Class, Tool, TrafficType};

/// Texts of columns by number: organisations and stack signatures, each once. The empty text is number 0.
#[derive(Clone, Debug)]
pub struct LineNames {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32, RandomState>,
}

impl Default for LineNames {
    fn default() -> Self {
        let mut names = LineNames {
            texts: Vec::new(),
            numbers: HashMap::default(),
        };
        names.number("");
        names
    }
}

impl LineNames {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = text.into();
        let number = self.texts.len() as u32;
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// The text of a number.
    #[must_use]
    pub fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }
}

/// A row of `sources`.
#[derive(Clone, Debug)]
pub struct SourceLine {
    /// Hours since 1970-01-01 UTC.
    pub hour: i64,
    /// By the headers.
    pub traffic_type: TrafficType,
    /// The class of the packets.
    pub class: Class,
    /// What sent them.
    pub tool: Tool,
    /// IANA protocol number.
    pub protocol: u8,
    /// The service.
    pub port: Option<u16>,
    /// Two letters.
    pub country: [u8; 2],
    /// Number of the organisation's name.
    pub actor: u32,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Distinct dark addresses.
    pub destinations: u64,
    /// First packet, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Last packet.
    pub last_us: i64,
    /// Packets that show the tool.
    pub tool_packets: u64,
    /// Number of the stack signature.
    pub stack: u32,
    /// Range of its packed destinations among the bytes of its source; empty where they are not known.
    pub set: Range<usize>,
}

impl SourceLine {
    /// Whether the packets ask for a service: what survey rules and rankings of ports count.
    #[must_use]
    pub const fn asks(&self) -> bool {
        asks(self.class)
    }
}

/// Whether packets of a class ask for a service.
#[must_use]
pub(crate) const fn asks(class: Class) -> bool {
    matches!(class, Class::Scan | Class::ReflectorScan | Class::Exploit)
}

/// All rows of a source, in the order in which its parts were given.
#[derive(Clone, Debug, Default)]
pub struct SourceLines {
    /// The rows.
    pub lines: Vec<SourceLine>,
    /// Their destinations, packed.
    pub sets: Vec<u8>,
}

impl SourceLines {
    /// Packed destinations of a row.
    #[must_use]
    pub fn set(&self, line: &SourceLine) -> &[u8] {
        &self.sets[line.set.clone()]
    }

    /// Distinct destinations of these rows together: exact or estimated as in `sources`. If they are not known for some row, the count of the
    /// largest row is the lower bound.
    ///
    /// # Errors
    /// When a set is damaged.
    pub fn destinations<'l>(
        &self,
        lines: impl IntoIterator<Item = &'l SourceLine, IntoIter: Clone>,
    ) -> Result<u64, NoSet> {
        let lines = lines.into_iter();
        let least = lines.clone().map(|line| line.destinations).max();
        let least = least.unwrap_or(0);
        if lines.clone().nth(1).is_none() {
            return Ok(least);
        }
        let union = union_of_packed(lines.map(|line| self.set(line)))?;
        Ok(least.max(union.count()))
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.sets.clear();
    }

    /// Appends the sets of these rows of a batch; where the set of a row is then.
    pub(super) fn take_sets<'b>(
        &mut self,
        sets: Option<&'b BinaryArray>,
        rows: Range<usize>,
    ) -> impl Fn(usize) -> Range<usize> + use<'b> {
        let offsets = sets.map_or(&[][..], |sets| sets.value_offsets());
        let at = move |row: usize| offsets.get(row).map_or(0, |offset| *offset as usize);
        let (first, start) = (at(rows.start), self.sets.len());
        if let Some(sets) = sets {
            let bytes = &sets.value_data()[first..at(rows.end)];
            self.sets.extend_from_slice(bytes);
        }
        move |row| start + at(row) - first..start + at(row + 1) - first
    }
}
