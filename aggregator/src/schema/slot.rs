//! A column of a row group that is being written: it takes values in one of the forms below, and only those of its own type.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use parquet::basic::{Repetition, Type as PhysicalType};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr};

use super::Column;
use crate::encode::{EncodedColumn, Encoder};
use crate::origin::Country;
use teiten_observation::{Family, Kind};

/// Distinct texts of a column that are worth a dictionary in any case.
const DISTINCT_MIN: usize = 256;

/// Distinct integers of a row group that are still few.
const FEW_MAX: usize = 4096;

/// A column, and how it is filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnRow<F> {
    /// Name, type and meaning.
    pub column: Column,
    /// Fills it from the rows of a row group.
    pub fill: F,
}

/// The result of filling a column.
pub(crate) type Filled = Result<EncodedColumn>;

/// Fills a column from rows `G`.
pub(super) type Fill<G> = for<'e, 'g> fn(Slot<'e>, &'g G) -> Filled;

/// Encodes a row group of `count` rows: each column from its row of the schema.
pub(crate) fn encode_group<G>(
    rows: &[ColumnRow<Fill<G>>],
    schema: &SchemaDescPtr,
    count: usize,
    group: &G,
    encoder: &mut Encoder,
) -> Result<Vec<EncodedColumn>> {
    let mut encoded = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let slot = Slot::new(encoder, schema.column(index), count);
        let column = (row.fill)(slot, group)?;
        if column.close.rows_written != count as u64 {
            let (name, got) = (row.column.name, column.close.rows_written);
            let reason = format!("column {name} has {got} values in a group of {count} rows");
            return Err(ParquetError::General(reason));
        }
        encoded.push(column);
    }
    Ok(encoded)
}

/// The place of a column in a row group.
pub(crate) struct Slot<'e> {
    encoder: &'e mut Encoder,
    column: ColumnDescPtr,
    rows: usize,
}

impl<'e> Slot<'e> {
    /// The place of `column` in a row group of so many rows.
    pub(super) fn new(encoder: &'e mut Encoder, column: ColumnDescPtr, rows: usize) -> Self {
        Slot {
            encoder,
            column,
            rows,
        }
    }
}

impl Slot<'_> {
    /// Name of the column.
    pub(crate) fn name(&self) -> &str {
        self.column.name()
    }

    /// The same text in every row.
    pub(crate) fn constant_text(self, text: &str) -> Filled {
        self.takes_bytes()?;
        self.encoder.constant_text(&self.column, text, self.rows)
    }

    /// The same integer in every row.
    pub(crate) fn constant_integer(self, value: i64) -> Filled {
        self.takes_integers(Repetition::REQUIRED)?;
        self.encoder
            .constant_integer(&self.column, value, self.rows)
    }

    /// Integers.
    pub(crate) fn integers(self, values: impl Iterator<Item = i64>) -> Filled {
        self.takes_integers(Repetition::REQUIRED)?;
        self.encoder.integers(&self.column, values)
    }

    /// Integers that lie together, by what they mean.
    pub(crate) fn integers_of<'v, V: Copy + 'v>(
        self,
        pieces: impl Iterator<Item = &'v [V]>,
        meaning: impl Fn(V) -> i64 + Copy,
    ) -> Filled {
        self.takes_integers(Repetition::REQUIRED)?;
        self.encoder.integers_of(&self.column, pieces, meaning)
    }

    /// Integers of which some are missing.
    pub(crate) fn sparse(self, values: impl Iterator<Item = Option<i64>>) -> Filled {
        self.takes_integers(Repetition::OPTIONAL)?;
        self.encoder.some_integers(&self.column, values)
    }

    /// The same, each with how often it follows itself.
    pub(crate) fn sparse_runs(self, runs: impl Iterator<Item = (Option<i64>, usize)>) -> Filled {
        self.takes_integers(Repetition::OPTIONAL)?;
        self.encoder.sparse(&self.column, runs)
    }

    /// Numbers of which some are missing.
    pub(crate) fn doubles(self, values: impl Iterator<Item = Option<f64>>) -> Filled {
        let is_double = self.column.physical_type() == PhysicalType::DOUBLE;
        self.takes(is_double, Repetition::OPTIONAL)?;
        self.encoder.doubles(&self.column, values)
    }

    /// Truth values.
    pub(crate) fn booleans(self, values: impl Iterator<Item = bool>) -> Filled {
        let is_boolean = self.column.physical_type() == PhysicalType::BOOLEAN;
        self.takes(is_boolean, Repetition::REQUIRED)?;
        self.encoder.booleans(&self.column, values)
    }

    /// Text of which much repeats: each distinct one stands once, in the order in which they come; with shared beginnings where most stand
    /// alone.
    pub(crate) fn texts<'s>(self, texts: impl Iterator<Item = &'s [u8]> + Clone) -> Filled {
        self.takes_bytes()?;
        // Seeded, as senders choose some of the texts.
        let mut known: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let mut distinct = Vec::new();
        let mut numbers = self.encoder.take_numbers();
        let mut last: Option<(&[u8], u32)> = None;
        for text in texts.clone() {
            let number = match last {
                Some((same, number)) if same == text => number,
                _ => *known.entry(text).or_insert_with(|| {
                    distinct.push(text);
                    distinct.len() as u32 - 1
                }),
            };
            last = Some((text, number));
            numbers.push(number);
            if distinct.len() > DISTINCT_MIN && distinct.len() * 2 > self.rows {
                return self.encoder.prefixed(&self.column, texts);
            }
        }
        self.texts_by_number(distinct.into_iter(), numbers)
    }

    /// The same of texts that have numbers below `count`.
    pub(crate) fn known_texts<'t>(
        self,
        values: impl Iterator<Item = u32> + Clone,
        count: usize,
        text: impl Fn(u32) -> &'t [u8],
    ) -> Filled {
        self.takes_bytes()?;
        const UNKNOWN: u32 = u32::MAX;
        let mut known = vec![UNKNOWN; count];
        let mut distinct = Vec::new();
        let mut numbers = self.encoder.take_numbers();
        for value in values.clone() {
            let number = &mut known[value as usize];
            if *number == UNKNOWN {
                *number = distinct.len() as u32;
                distinct.push(value);
                if distinct.len() > DISTINCT_MIN && distinct.len() * 2 > self.rows {
                    return self.encoder.prefixed(&self.column, values.map(text));
                }
            }
            numbers.push(*number);
        }
        self.texts_by_number(distinct.into_iter().map(text), numbers)
    }

    /// Integers of which few are distinct: each is stored once, in the order in which they come; as deltas if they are many.
    pub(crate) fn few_integers(self, values: impl Iterator<Item = i64> + Clone) -> Filled {
        self.takes_integers(Repetition::REQUIRED)?;
        // Seeded, as senders choose some of the values.
        let mut known: HashMap<i64, u32, RandomState> = HashMap::default();
        let (mut distinct, mut last) = (Vec::new(), None);
        let mut numbers = self.encoder.take_numbers();
        for value in values.clone() {
            let number = match last {
                Some((same, number)) if same == value => number,
                _ => *known.entry(value).or_insert_with(|| {
                    distinct.push(value);
                    distinct.len() as u32 - 1
                }),
            };
            if distinct.len() > FEW_MAX {
                return self.encoder.integers(&self.column, values);
            }
            last = Some((value, number));
            numbers.push(number);
        }
        self.integers_by_number(&distinct, numbers)
    }

    /// Text of rows in its order, each with how often it follows itself: by number if most repeat, else with shared beginnings.
    pub(crate) fn in_order<'t>(
        self,
        texts: impl Iterator<Item = (&'t [u8], usize)> + Clone,
    ) -> Filled {
        let distinct = texts.clone().count();
        if distinct * 2 > self.rows {
            let each = texts.flat_map(|(text, rows)| std::iter::repeat_n(text, rows));
            return self.prefixed(each);
        }
        let numbers = (0..).zip(texts.clone().map(|(_, rows)| rows));
        self.numbered(texts.map(|(text, _)| text), numbers)
    }

    /// Byte strings of which neighbours begin alike.
    pub(crate) fn prefixed<'s>(self, strings: impl Iterator<Item = &'s [u8]>) -> Filled {
        self.takes_bytes()?;
        self.encoder.prefixed(&self.column, strings)
    }

    /// Byte strings.
    pub(crate) fn strings<'s>(self, strings: impl Iterator<Item = &'s [u8]>) -> Filled {
        self.takes_bytes()?;
        self.encoder.strings(&self.column, strings)
    }

    /// Text by number, each number with how often it follows itself.
    pub(crate) fn numbered<'t>(
        self,
        texts: impl Iterator<Item = &'t [u8]>,
        runs: impl Iterator<Item = (u32, usize)>,
    ) -> Filled {
        self.takes_bytes()?;
        self.encoder.numbered_texts(&self.column, texts, runs)
    }

    /// Text that each row's value stands for: each distinct one once, in the order in which they come.
    pub(crate) fn by_value<V, T>(
        self,
        values: impl Iterator<Item = V>,
        text: impl Fn(V) -> T,
    ) -> Filled
    where
        V: Copy + Eq + Hash,
        T: AsRef<[u8]>,
    {
        self.takes_bytes()?;
        // Seeded, as senders choose some of the values.
        let mut known: HashMap<V, u32, RandomState> = HashMap::default();
        let (mut distinct, mut last) = (Vec::new(), None);
        let mut numbers = self.encoder.take_numbers();
        for value in values {
            let number = match last {
                Some((same, number)) if same == value => number,
                _ => *known.entry(value).or_insert_with(|| {
                    distinct.push(text(value));
                    distinct.len() as u32 - 1
                }),
            };
            last = Some((value, number));
            numbers.push(number);
        }
        self.texts_by_number(distinct.iter().map(AsRef::as_ref), numbers)
    }

    /// Text from codes below 2^16 of values that lie together: each code that occurs is named once, in the order of the codes.
    pub(crate) fn named<'v, 't, V: 'v>(
        mut self,
        pieces: impl Iterator<Item = &'v [V]>,
        code: impl Fn(&V) -> u16,
        name: impl Fn(u16) -> &'t str,
    ) -> Filled {
        self.takes_bytes()?;
        let (numbers, occurring) = self.numbers_of(pieces, code);
        let texts = occurring.iter().map(|&code| name(code).as_bytes());
        self.texts_by_number(texts, numbers)
    }

    /// The same, each with how often it follows itself.
    pub(crate) fn named_runs<'t>(
        self,
        runs: impl Iterator<Item = (u16, usize)>,
        name: impl Fn(u16) -> &'t str,
    ) -> Filled {
        let codes = Codes::of(runs);
        let texts = codes.occurring.iter().map(|&code| name(code).as_bytes());
        self.numbered(texts, codes.numbers())
    }

    /// Protocol numbers of kinds: each that occurs is once in the dictionary.
    pub(crate) fn protocols<'v>(
        mut self,
        pieces: impl Iterator<Item = &'v [Kind]>,
        family: Family,
    ) -> Filled {
        self.takes_integers(Repetition::REQUIRED)?;
        let (numbers, occurring) = self.numbers_of(pieces, |kind| kind.protocol(family).into());
        let values: Vec<i64> = occurring.iter().copied().map(i64::from).collect();
        self.integers_by_number(&values, numbers)
    }

    /// Country codes from their packed form, of values that lie together.
    pub(crate) fn countries<'v, V: 'v>(
        mut self,
        pieces: impl Iterator<Item = &'v [V]>,
        code: impl Fn(&V) -> u16,
    ) -> Filled {
        self.takes_bytes()?;
        let (numbers, occurring) = self.numbers_of(pieces, code);
        let occurring = occurring.iter();
        let countries: Vec<Country> = occurring.map(|&code| Country::from_code(code)).collect();
        let texts = countries.iter().map(|country| country.as_str().as_bytes());
        self.texts_by_number(texts, numbers)
    }

    /// The same, each with how often it follows itself.
    pub(crate) fn country_runs(self, runs: impl Iterator<Item = (u16, usize)>) -> Filled {
        let codes = Codes::of(runs);
        let occurring = codes.occurring.iter();
        let countries: Vec<Country> = occurring.map(|&code| Country::from_code(code)).collect();
        let texts = countries.iter().map(|country| country.as_str().as_bytes());
        self.numbered(texts, codes.numbers())
    }

    /// Text by number, the number of each row.
    fn texts_by_number<'t>(
        self,
        texts: impl Iterator<Item = &'t [u8]>,
        numbers: Vec<u32>,
    ) -> Filled {
        let encoder = self.encoder;
        let filled = encoder.texts_by_number(&self.column, texts, &numbers);
        encoder.give_back_numbers(numbers);
        filled
    }

    /// Integers by number, the number of each row.
    fn integers_by_number(self, values: &[i64], numbers: Vec<u32>) -> Filled {
        let encoder = self.encoder;
        let filled = encoder.integers_by_number(&self.column, values, &numbers);
        encoder.give_back_numbers(numbers);
        filled
    }

    /// The codes of values as numbers among those that occur, which come ascending.
    fn numbers_of<'v, V: 'v>(
        &mut self,
        pieces: impl Iterator<Item = &'v [V]>,
        code: impl Fn(&V) -> u16,
    ) -> (Vec<u32>, Vec<u16>) {
        let mut numbers = self.encoder.take_numbers();
        for values in pieces {
            numbers.extend(values.iter().map(|value| u32::from(code(value))));
        }
        let largest = numbers.iter().fold(0, |largest, code| largest.max(*code));
        let mut number_of = vec![0; largest as usize + 1];
        for code in &numbers {
            number_of[*code as usize] = 1;
        }
        let occurring = number_occurring(&mut number_of);
        for number in &mut numbers {
            *number = number_of[*number as usize];
        }
        (numbers, occurring)
    }

    fn takes_bytes(&self) -> Result<()> {
        self.takes(
            self.column.physical_type() == PhysicalType::BYTE_ARRAY,
            Repetition::REQUIRED,
        )
    }

    fn takes_integers(&self, repetition: Repetition) -> Result<()> {
        let integers = [PhysicalType::INT32, PhysicalType::INT64];
        self.takes(integers.contains(&self.column.physical_type()), repetition)
    }

    /// Whether values of the form that the caller gives are those of the column.
    fn takes(&self, is_of_type: bool, repetition: Repetition) -> Result<()> {
        if is_of_type && self.column.self_type().get_basic_info().repetition() == repetition {
            return Ok(());
        }
        let name = self.column.name();
        let reason = format!("column {name} is filled with values that are not of its type");
        Err(ParquetError::General(reason))
    }
}

/// Gives the codes that are marked with a one their numbers; returns them, ascending.
fn number_occurring(marks: &mut [u32]) -> Vec<u16> {
    let mut occurring = Vec::new();
    for (code, number) in marks.iter_mut().enumerate() {
        if *number == 1 {
            *number = occurring.len() as u32;
            occurring.push(code as u16);
        }
    }
    occurring
}

/// The codes of a column.
struct Codes {
    /// Each code with how often it follows itself.
    runs: Vec<(u16, u32)>,
    /// Those that occur, ascending.
    occurring: Vec<u16>,
    /// For each code up to the largest its number among them.
    numbers: Vec<u32>,
}

impl Codes {
    fn of(codes: impl Iterator<Item = (u16, usize)>) -> Self {
        let mut runs: Vec<(u16, u32)> = Vec::new();
        let mut last = (0, 0);
        codes.for_each(|(code, rows)| {
            if code == last.0 {
                last.1 += rows as u32;
            } else {
                runs.push(last);
                last = (code, rows as u32);
            }
        });
        runs.push(last);
        runs.retain(|(_, rows)| *rows > 0);
        // Most columns have a few small codes, and a table for all codes would cost more than a small row group.
        let largest = runs.iter().map(|(code, _)| *code).max().unwrap_or(0);
        let mut numbers = vec![0; usize::from(largest) + 1];
        for (code, _) in &runs {
            numbers[usize::from(*code)] = 1;
        }
        let occurring = number_occurring(&mut numbers);
        Codes {
            runs,
            occurring,
            numbers,
        }
    }

    /// The number of each run's code.
    fn numbers(&self) -> impl Iterator<Item = (u32, usize)> {
        let runs = self.runs.iter();
        runs.map(|&(code, rows)| (self.numbers[usize::from(code)], rows as usize))
    }
}
