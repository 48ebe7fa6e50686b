//! `new`: prints what is new in the last days.

use std::io::{BufWriter, Write, stderr, stdout};
use std::path::Path;

use crate::news::{News, news};
use crate::schema::NOVELTIES;
use serde_json::{Map, Value, json};

use super::INCOMPLETE;

/// Runs the command.
pub(crate) fn run(data: &Path, days: u64, as_json: bool) -> anyhow::Result<u8> {
    let news = news(data, usize::try_from(days).unwrap_or(usize::MAX))?;
    let mut code = 0;
    for problem in news.days.iter().filter_map(|day| day.problem()) {
        let _ = writeln!(stderr(), "teiten-aggregator: {problem}");
        code = INCOMPLETE;
    }
    let mut out = BufWriter::new(stdout().lock());
    if as_json {
        let days: Vec<Value> = news
            .days
            .iter()
            .map(|day| {
                json!({
                    "day": day.day,
                    "sensor": day.sensor,
                    "compared_days": day.days,
                    "compared_days_min": day.days_min,
                })
            })
            .collect();
        writeln!(out, "{}", json!({"days": days, "novelties": news.rows}))?;
    } else {
        write_table(&news, &mut out)?;
    }
    out.flush()?;
    Ok(code)
}

/// A column for each of the table but the hour, which the first packet says better where it is known.
fn write_table(news: &News, out: &mut dyn Write) -> std::io::Result<()> {
    let names: Vec<&str> = NOVELTIES.columns.iter().map(|column| column.name).collect();
    let cells = |row: &Map<String, Value>| -> Vec<String> {
        names.iter().map(|name| cell(&row[*name])).collect()
    };
    let rows: Vec<Vec<String>> = news.rows.iter().map(cells).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.chain([names[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let head: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{text:width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
