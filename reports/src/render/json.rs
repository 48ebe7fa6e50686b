//! The numbers of a figure as JSON: columns with their headings, and rows as objects under the names that the CSV has.

use serde_json::{Value, json};

use crate::table::{Cell, DataTable};

/// The table as one JSON object, `{"columns": [{"name", "label"}…], "rows": [{…}…]}`; a gap is null. A table of ports has a hundred thousand
/// rows, so they are written one by one and not held as values.
#[must_use]
pub fn render(table: &DataTable) -> String {
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
    let mut text = format!("{{\"columns\":{},\"rows\":[", Value::Array(columns));
    for (number, row) in table.rows.iter().enumerate() {
        text.push_str(if number == 0 { "{" } else { ",{" });
        for (index, (name, place)) in names.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "," });
            text.push_str(name);
            text.push(':');
            push(&row[*place], &mut text);
        }
        text.push('}');
    }
    text.push_str("]}\n");
    text
}

fn push(cell: &Cell, text: &mut String) {
    match cell {
        Cell::Text(words) => text.push_str(&json!(words).to_string()),
        Cell::Count(count) => text.push_str(&count.to_string()),
        Cell::Estimate(value)
        | Cell::Percent(value)
        | Cell::Measure(value)
        | Cell::Rate(value)
        | Cell::Change(value)
        | Cell::Difference(value) => push_number(Some(*value), text),
        Cell::Spark(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                push_number(*value, text);
            }
            text.push(']');
        }
        Cell::Gap => text.push_str("null"),
    }
}

/// A number as the values of `serde_json` are written; what JSON has no number for is null.
fn push_number(value: Option<f64>, text: &mut String) {
    match value {
        // Most values of rare ports.
        Some(0.0) => text.push_str(if value.is_some_and(f64::is_sign_negative) {
            "-0.0"
        } else {
            "0.0"
        }),
        Some(value) => text.push_str(&json!(value).to_string()),
        None => text.push_str("null"),
    }
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
