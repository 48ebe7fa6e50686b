//! What the columns of `traffic` and `sources` have in common: text that stands for small codes.

use parquet::errors::Result;
use parquet::schema::types::SchemaDescPtr;

use crate::encode::{EncodedColumn, Encoder};
use crate::origin::Country;
use teiten_observation::{Class, Kind, Tool, TrafficType};

/// Columns of a row group under way, in the order of the schema.
pub struct Columns<'e> {
    encoder: &'e mut Encoder,
    schema: SchemaDescPtr,
    rows: usize,
    encoded: Vec<EncodedColumn>,
}

impl<'e> Columns<'e> {
    /// None yet of a group of so many rows.
    pub fn new(encoder: &'e mut Encoder, schema: &SchemaDescPtr, rows: usize) -> Self {
        Columns {
            encoder,
            schema: SchemaDescPtr::clone(schema),
            rows,
            encoded: Vec::with_capacity(schema.num_columns()),
        }
    }

    /// All columns.
    pub fn finish(self) -> Vec<EncodedColumn> {
        self.encoded
    }

    fn add(
        &mut self,
        encode: impl FnOnce(
            &mut Encoder,
            &parquet::schema::types::ColumnDescPtr,
        ) -> Result<EncodedColumn>,
    ) -> Result<()> {
        let column = self.schema.column(self.encoded.len());
        self.encoded.push(encode(self.encoder, &column)?);
        Ok(())
    }

    /// The same text in every row.
    pub fn constant_text(&mut self, text: &str) -> Result<()> {
        let rows = self.rows;
        self.add(|encoder, column| encoder.constant_text(column, text, rows))
    }

    /// The same integer in every row.
    pub fn constant_integer(&mut self, value: i64) -> Result<()> {
        let rows = self.rows;
        self.add(|encoder, column| encoder.constant_integer(column, value, rows))
    }

    /// Integers.
    pub fn integers(&mut self, values: impl Iterator<Item = i64>) -> Result<()> {
        self.add(|encoder, column| encoder.integers(column, values))
    }

    /// Integers of which some are missing.
    pub fn sparse(&mut self, values: impl Iterator<Item = Option<i64>>) -> Result<()> {
        self.add(|encoder, column| encoder.sparse(column, values))
    }

    /// Byte strings.
    pub fn strings<'s>(&mut self, strings: impl Iterator<Item = &'s [u8]>) -> Result<()> {
        self.add(|encoder, column| encoder.strings(column, strings))
    }

    /// Text by number.
    pub fn numbered<'t>(
        &mut self,
        texts: impl Iterator<Item = &'t [u8]>,
        numbers: impl Iterator<Item = u32>,
    ) -> Result<()> {
        self.add(|encoder, column| encoder.numbered_texts(column, texts, numbers))
    }

    /// Text from codes below 2^16: each code that occurs is named once, in the order of the codes.
    pub fn named<'t>(
        &mut self,
        codes: impl Iterator<Item = u16> + Clone,
        name: impl Fn(u16) -> &'t str,
    ) -> Result<()> {
        let (occurring, numbers) = number(codes.clone());
        let texts = occurring.iter().map(|&code| name(code).as_bytes());
        self.numbered(texts, codes.map(|code| numbers[usize::from(code)]))
    }

    /// Small integers from codes below 2^16: each that occurs stands once in the dictionary.
    pub fn small_integers(&mut self, codes: impl Iterator<Item = u16> + Clone) -> Result<()> {
        let (occurring, numbers) = number(codes.clone());
        let values: Vec<i64> = occurring.into_iter().map(i64::from).collect();
        let numbers = codes.map(|code| numbers[usize::from(code)]);
        self.add(|encoder, column| encoder.numbered_integers(column, &values, numbers))
    }

    /// `traffic_type`, `class` and `tool`.
    pub fn kinds(&mut self, kinds: &(impl Iterator<Item = Kind> + Clone)) -> Result<()> {
        let codes = |code: fn(Kind) -> u16| kinds.clone().map(code);
        self.named(codes(|kind| kind.traffic_type() as u16), |code| {
            TrafficType::ALL[usize::from(code)].name()
        })?;
        self.named(codes(|kind| kind.class() as u16), |code| {
            Class::ALL[usize::from(code)].name()
        })?;
        self.named(codes(|kind| kind.tool() as u16), |code| {
            Tool::ALL[usize::from(code)].name()
        })
    }

    /// `country` from codes.
    pub fn countries(&mut self, codes: impl Iterator<Item = u16> + Clone) -> Result<()> {
        let (occurring, numbers) = number(codes.clone());
        let countries: Vec<Country> = occurring.into_iter().map(Country::from_code).collect();
        let texts = countries.iter().map(|country| country.as_str().as_bytes());
        self.numbered(texts, codes.map(|code| numbers[usize::from(code)]))
    }
}

/// The codes that occur, ascending, and for each code its number among them.
fn number(codes: impl Iterator<Item = u16>) -> (Vec<u16>, Vec<u32>) {
    let mut numbers = vec![0; 1 << u16::BITS];
    codes.for_each(|code| numbers[usize::from(code)] = 1);
    let mut occurring = Vec::new();
    for (code, number) in numbers.iter_mut().enumerate() {
        if *number == 1 {
            *number = occurring.len() as u32;
            occurring.push(code as u16);
        }
    }
    (occurring, numbers)
}
