//! Describes the tables as text, Markdown or JSON, from the rows of `schema.rs`.

use std::io::{Result, Write};

use serde_json::{Value, json};

use crate::schema::{Column, ColumnType, EVENTS, ROLLUPS, SCHEMA_VERSION, TABLES, Table};

/// Every table, those of hours first.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(ROLLUPS).chain(EVENTS)
}

/// A type as SQL engines call it.
#[must_use]
pub const fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Int32 => "int32",
        ColumnType::Int64 => "int64",
        ColumnType::Double => "double",
        ColumnType::TimestampMicros => "timestamp",
        ColumnType::Bytes => "bytes",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
    }
}

fn may_be_null(column: &Column) -> &'static str {
    if column.nullable { " or null" } else { "" }
}

/// Writes tables in columns for a terminal.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text(tables: &[&Table], out: &mut dyn Write) -> Result<()> {
    for (index, table) in tables.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(out, "{gap}{}: a row is {}", table.name, table.row)?;
        for column in table.columns {
            let kind = type_name(column.column_type).to_owned() + may_be_null(column);
            writeln!(out, "  {:<24}{kind:<19}{}", column.name, column.meaning)?;
        }
    }
    Ok(())
}

/// Writes a heading and a table of columns for each table.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_markdown(tables: &[&Table], out: &mut dyn Write) -> Result<()> {
    for (index, table) in tables.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(out, "{gap}## {}\n\nA row is {}.\n", table.name, table.row)?;
        writeln!(out, "| column | type | meaning |\n|---|---|---|")?;
        for column in table.columns {
            let (name, kind) = (column.name, type_name(column.column_type));
            let meaning = column.meaning.replace('|', "\\|");
            writeln!(
                out,
                "| `{name}` | {kind}{} | {meaning} |",
                may_be_null(column)
            )?;
        }
    }
    Ok(())
}

/// One object: the version, and the tables with their columns.
#[must_use]
pub fn json(tables: &[&Table]) -> Value {
    let column = |column: &Column| {
        json!({
            "name": column.name,
            "type": type_name(column.column_type),
            "nullable": column.nullable,
            "meaning": column.meaning,
        })
    };
    let table = |table: &&Table| {
        let columns: Vec<Value> = table.columns.iter().map(column).collect();
        json!({"name": table.name, "row": table.row, "columns": columns})
    };
    let tables: Vec<Value> = tables.iter().map(table).collect();
    json!({"schema_version": SCHEMA_VERSION, "tables": tables})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_in_every_form_with_its_meaning() {
        let all: Vec<&Table> = tables().collect();
        let (mut text, mut markdown) = (Vec::new(), Vec::new());
        write_text(&all, &mut text).expect("a Vec takes all");
        write_markdown(&all, &mut markdown).expect("a Vec takes all");
        let text = String::from_utf8(text).expect("text");
        let markdown = String::from_utf8(markdown).expect("text");
        let object = json(&all);
        for (index, table) in all.iter().enumerate() {
            assert_eq!(object["tables"][index]["name"], table.name);
            for (place, column) in table.columns.iter().enumerate() {
                assert!(!column.meaning.is_empty(), "{}.{}", table.name, column.name);
                assert!(text.contains(&format!("\n  {:<24}", column.name)));
                assert!(markdown.contains(&format!("| `{}` | ", column.name)));
                assert_eq!(
                    object["tables"][index]["columns"][place]["meaning"],
                    column.meaning
                );
            }
        }
    }
}
