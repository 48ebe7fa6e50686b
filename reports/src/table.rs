//! The numbers behind a figure: one table that the page shows to readers and a CSV file hands to programs.
//!
//! Cells keep their values; the renderer decides how to write a value. A gap is empty, never zero.

use crate::decimal::{push_fixed, push_integer};
use crate::text::{Language, number};

/// One column: its heading for readers, and its CSV name, which carries the unit.
#[derive(Clone, Debug)]
pub struct TableColumn {
    /// Name in the CSV file.
    pub csv: &'static str,
    /// Heading in the page; an empty one keeps the column out of the page.
    pub label: String,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A count.
    Count(i64),
    /// An estimated count.
    Estimate(f64),
    /// A share of the whole, percent.
    Percent(f64),
    /// Any other measure.
    Measure(f64),
    /// A rate: packets per address and day.
    Rate(f64),
    /// A change in percent.
    Change(f64),
    /// A difference of the one measure.
    Difference(f64),
    /// Values by day, drawn as a sparkline; a gap is none.
    Spark(Vec<Option<f64>>),
    /// No observation.
    Gap,
}

/// Columns and rows.
#[derive(Clone, Debug, Default)]
pub struct DataTable {
    /// The columns.
    pub columns: Vec<TableColumn>,
    /// The rows, each as long as the columns.
    pub rows: Vec<Vec<Cell>>,
}

impl DataTable {
    /// An empty table with these columns (CSV name, heading).
    #[must_use]
    pub fn new(columns: &[(&'static str, &str)]) -> Self {
        let columns = columns.iter().map(|(csv, label)| TableColumn {
            csv,
            label: (*label).to_owned(),
        });
        Self {
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    /// The columns that readers see: those with a heading in which some row has something to see. A CSV file has all.
    #[must_use]
    pub fn columns_shown(&self) -> Vec<usize> {
        let has_some = |column: usize| {
            self.rows.is_empty() || self.rows.iter().any(|row| !row[column].is_blank())
        };
        let columns = 0..self.columns.len();
        let shown = columns.filter(|&column| !self.columns[column].label.is_empty());
        shown.filter(|&column| has_some(column)).collect()
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }
}

impl Cell {
    /// Whether a reader sees nothing: a gap, or a line of a single value.
    fn is_blank(&self) -> bool {
        match self {
            Cell::Gap => true,
            Cell::Spark(values) => values.iter().flatten().count() < 2,
            _ => false,
        }
    }

    /// Words.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Cell::Text(text.into())
    }

    /// A share; a gap if the whole is zero.
    #[must_use]
    pub fn share(part: f64, whole: f64) -> Self {
        if whole > 0.0 {
            Cell::Percent(part / whole * 100.0)
        } else {
            Cell::Gap
        }
    }

    /// A measure, or a gap.
    #[must_use]
    pub fn measure(value: Option<f64>) -> Self {
        value.map_or(Cell::Gap, Cell::Measure)
    }

    /// A rate, or a gap.
    #[must_use]
    pub fn rate(value: Option<f64>) -> Self {
        value.map_or(Cell::Gap, Cell::Rate)
    }

    /// A change in percent, or a gap.
    #[must_use]
    pub fn change(value: Option<f64>) -> Self {
        value.map_or(Cell::Gap, Cell::Change)
    }

    /// Whether it is aligned to the right.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        !matches!(self, Cell::Text(_) | Cell::Spark(_))
    }

    /// As readers see it.
    #[must_use]
    pub fn readable(&self, language: Language) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Count(value) => number::count(*value),
            Cell::Estimate(value) => number::estimate(*value),
            Cell::Percent(value) => format!(
                "{}{}",
                number::percent(*value, 100.0),
                if language == Language::En { " %" } else { "%" }
            ),
            Cell::Measure(value) => number::rate(*value),
            Cell::Rate(value) => number::measure(*value),
            Cell::Difference(value) => number::signed_measure(*value),
            Cell::Spark(_) => String::new(),
            Cell::Change(value) => format!(
                "{}{}",
                number::signed_percent(*value),
                if language == Language::En { " %" } else { "%" }
            ),
            Cell::Gap => "–".to_owned(),
        }
    }

    /// Appends the cell as a CSV field: text quoted always (the country code NA is no missing value), numbers plain, gaps empty.
    pub(crate) fn push_csv(&self, text: &mut Vec<u8>) {
        match self {
            Cell::Text(words) => {
                text.push(b'"');
                for (place, part) in words.split('"').enumerate() {
                    if place > 0 {
                        text.extend_from_slice(b"\"\"");
                    }
                    text.extend_from_slice(part.as_bytes());
                }
                text.push(b'"');
            }
            Cell::Count(value) => push_integer(*value, text),
            Cell::Estimate(value) => push_fixed(value.round(), 0, text),
            Cell::Percent(value) | Cell::Measure(value) | Cell::Change(value) => {
                push_fixed(*value, 4, text);
            }
            Cell::Rate(value) | Cell::Difference(value) => push_fixed(*value, 6, text),
            Cell::Spark(values) => {
                text.push(b'"');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        text.push(b';');
                    }
                    if let Some(value) = value {
                        push_fixed(*value, 6, text);
                    }
                }
                text.push(b'"');
            }
            Cell::Gap => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_gaps_are_empty() {
        let csv = |cell: Cell| {
            let mut text = Vec::new();
            cell.push_csv(&mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(csv(Cell::text("NA")), "\"NA\"");
        assert_eq!(csv(Cell::text("a \"b\"")), "\"a \"\"b\"\"\"");
        assert_eq!(csv(Cell::Gap), "");
        assert_eq!(csv(Cell::Count(0)), "0");
        let spark = Cell::Spark(vec![None, Some(0.5), None, Some(-1.0)]);
        assert_eq!(csv(spark), "\";0.500000;;-1.000000\"");
        assert_eq!(Cell::share(1.0, 0.0), Cell::Gap);
    }
}
