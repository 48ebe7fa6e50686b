//! The numbers of a figure as JSON: columns with their headings, and rows as objects under the names that the CSV has.

use serde_json::{Map, Value, json};

use crate::table::{Cell, DataTable};

/// The table as one JSON object, `{"columns": [{"name", "label"}…], "rows": [{…}…]}`; a gap is null.
#[must_use]
pub fn render(table: &DataTable) -> String {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({"name": column.csv, "label": column.label}))
        .collect();
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let pairs = table.columns.iter().zip(row);
            Value::Object(
                pairs
                    .map(|(column, cell)| (column.csv.to_owned(), value(cell)))
                    .collect::<Map<_, _>>(),
            )
        })
        .collect();
    let mut text = json!({"columns": columns, "rows": rows}).to_string();
    text.push('\n');
    text
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => json!(text),
        Cell::Count(count) => json!(count),
        Cell::Estimate(value)
        | Cell::Percent(value)
        | Cell::Measure(value)
        | Cell::Rate(value)
        | Cell::Change(value)
        | Cell::Difference(value) => json!(value),
        Cell::Spark(values) => json!(values),
        Cell::Gap => Value::Null,
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
}
