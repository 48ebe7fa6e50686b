//! The numbers of a figure as JSON: columns with their headings, and rows as objects under the names that the CSV has.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{PIECE_BYTES, text_of};
use crate::decimal::push_integer;
use crate::table::{Cell, DataTable};

/// The table as one JSON object, `{"columns": [{"name", "label"}…], "rows": [{…}…]}`; a gap is null.
#[must_use]
pub fn render(table: &DataTable) -> String {
    text_of(|out| write(table, out))
}

/// Writes the table as [`render`] gives it, in pieces: a table of ports has a hundred thousand rows.
///
/// # Errors
/// Those of `out`.
pub fn write(table: &DataTable, out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({"name": column.csv, "label": column.label}))
        .collect();
    // Names in the order that objects have.
    let mut names: Vec<(String, usize)> = table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| (json!(column.csv).to_string(), place))
        .collect();
    names.sort();
    let mut text = format!("{{\"columns\":{},\"rows\":[", Value::Array(columns)).into_bytes();
    for (number, row) in table.rows.iter().enumerate() {
        if number > 0 {
            text.push(b',');
        }
        text.push(b'{');
        for (index, (name, place)) in names.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            push(&row[*place], &mut text)?;
        }
        text.push(b'}');
        if text.len() >= PIECE_BYTES {
            out.write_all(&text)?;
            text.clear();
        }
    }
    text.extend_from_slice(b"]}\n");
    out.write_all(&text)
}

fn push(cell: &Cell, text: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Text(words) => return push_value(words, text),
        Cell::Count(count) => push_integer(*count, text),
        Cell::Estimate(value)
        | Cell::Percent(value)
        | Cell::Measure(value)
        | Cell::Rate(value)
        | Cell::Change(value)
        | Cell::Difference(value) => return push_number(Some(*value), text),
        Cell::Spark(values) => {
            text.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                push_number(*value, text)?;
            }
            text.push(b']');
        }
        Cell::Gap => text.extend_from_slice(b"null"),
    }
    Ok(())
}

/// A number as the values of `serde_json` are written; what JSON has no number for is null.
fn push_number(value: Option<f64>, text: &mut Vec<u8>) -> io::Result<()> {
    match value {
        // Most values of rare ports.
        Some(0.0) => {
            if value.is_some_and(f64::is_sign_negative) {
                text.push(b'-');
            }
            text.extend_from_slice(b"0.0");
        }
        Some(value) => push_value(&value, text)?,
        None => text.extend_from_slice(b"null"),
    }
    Ok(())
}

fn push_value<T: Serialize + ?Sized>(value: &T, text: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(text, value).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_null_and_a_count_a_number() {
        let mut table = DataTable::new(&[("country", "Country"), ("packets", "Packets")]);
        table.push(vec![Cell::text("NA"), Cell::Count(3)]);
        table.push(vec![Cell::text("JP"), Cell::Gap]);
        let parsed: Value = serde_json::from_str(&render(&table)).unwrap();
        assert_eq!(parsed["rows"][0]["packets"], 3);
        assert_eq!(parsed["rows"][1]["packets"], Value::Null);
    }

    #[test]
    fn rows_are_written_as_values_are() {
        let columns = [("z", "last"), ("a \"b\"", "first"), ("m", "middle")];
        let mut table = DataTable::new(&columns);
        table.push(vec![
            Cell::text("say \"no\"\n定点"),
            Cell::Rate(1.0 / 3.0),
            Cell::Spark(vec![None, Some(0.0), Some(-0.0), Some(1e21), Some(2.0)]),
        ]);
        table.push(vec![
            Cell::Gap,
            Cell::Estimate(f64::NAN),
            Cell::Change(-12.5),
        ]);
        let text = render(&table);
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed.to_string() + "\n", text);
        assert_eq!(parsed["rows"][0]["z"], "say \"no\"\n定点");
    }
}
