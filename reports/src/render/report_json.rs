//! The whole report as JSON: its sentences, numbers and tables in their order, and the names of its drawings. `teiten-pdf` makes pages of it.

use serde_json::{Value, json};

use super::html::{caption, svg_name};
use crate::chart::{Chart, spark};
use crate::document::{Document, Placed};
use crate::table::{Cell, DataTable};
use crate::text::{Language, fill, number};

/// Rows of a table whose figure does not say how many; the CSV file has all of them.
const TABLE_ROWS_MAX: usize = 25;

/// File name of the report's data in a language.
#[must_use]
pub fn file_name(language: Language) -> String {
    format!("report.{}.json", language.tag())
}

/// The report as one JSON object.
#[must_use]
pub fn render(document: &Document) -> String {
    let (text, language) = (document.language.text(), document.language);
    let sections: Vec<Value> = document
        .sections
        .iter()
        .map(|section| {
            let figures = section.figures.iter();
            json!({
                "name": section.name,
                "title": section.title,
                "note": section.note,
                "figures": figures.map(|placed| figure(placed, language)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let numbers = document.numbers.iter();
    let definitions = document.definitions.iter();
    let as_of = crate::period::timestamp(document.as_of_us).to_zoned(jiff::tz::TimeZone::UTC);
    let value = json!({
        "as_of": {
            "year": as_of.year(), "month": as_of.month(), "day": as_of.day(),
            "hour": as_of.hour(), "minute": as_of.minute(), "second": as_of.second(),
        },
        "language": language.tag(),
        "title": document.title,
        "period": document.period,
        "organisation": document.organisation,
        "made_by": text.made_by,
        "words": {"contents": text.contents, "figure": text.figure, "key_numbers": text.key_numbers},
        "facts": pairs(document.facts.iter().map(|(label, value)| (*label, value.clone()))),
        "notice": {"title": text.notice_title, "warns": document.warns, "lines": document.notices},
        "summary": document.summary,
        "numbers": numbers.map(|key| json!({"label": key.label, "value": key.value, "note": key.note})).collect::<Vec<_>>(),
        "sections": sections,
        "definitions": {
            "title": text.definitions,
            "caveats_title": text.caveats_title,
            "caveats": text.caveats,
            "blocks": definitions.map(|block| json!({
                "title": block.title,
                "terms": pairs(block.terms.iter().map(|term| (term.name, term.meaning.to_owned()))),
            })).collect::<Vec<_>>(),
            "accounting_title": text.accounting_title,
            "accounting": pairs(document.accounting.iter().map(|(label, count)| (*label, number::count(*count)))),
            "accounting_note": text.accounting_note,
            "provenance_title": text.provenance_title,
            "provenance": document.provenance,
        },
    });
    let mut text = serde_json::to_string(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Vec<[String; 2]> {
    pairs
        .map(|(label, value)| [label.to_owned(), value])
        .collect()
}

fn figure(placed: &Placed, language: Language) -> Value {
    let drawn = &placed.drawn;
    let drawing = |chart: &Chart| {
        json!({
            "file": svg_name(&chart.name, language),
            "alternative": format!("{}: {}", chart.title, chart.description),
        })
    };
    // Drawn for paper where that was done.
    let chart = placed.paper.0.as_ref().or(drawn.chart.as_ref());
    let cards: Vec<Value> = drawn
        .cards
        .iter()
        .enumerate()
        .map(|(place, card)| {
            let chart = placed.paper.1.get(place).unwrap_or(&card.chart);
            json!({"title": card.title, "drawing": drawing(chart), "lines": card.lines})
        })
        .collect();
    json!({
        "name": placed.figure.name,
        "number": placed.number,
        "title": placed.title(language),
        "caption": caption(placed, language),
        "empty": drawn.empty,
        "chart": chart.map(drawing),
        "cards": cards,
        "table": drawn.table_shown.then(|| table(&drawn.table, drawn.rows_shown, language)),
        "notes": drawn.notes,
    })
}

/// The columns that readers see, and the rows that the page shows.
fn table(table: &DataTable, rows_shown: Option<usize>, language: Language) -> Value {
    let shown = table.columns_shown();
    let most = rows_shown.unwrap_or(TABLE_ROWS_MAX);
    let columns: Vec<Value> = shown
        .iter()
        .map(|&column| {
            let mut cells = table.rows.iter().map(|row| &row[column]);
            let is_number = cells.any(|cell| cell.is_number() && *cell != Cell::Gap);
            json!({"label": table.columns[column].label, "number": is_number})
        })
        .collect();
    let rows: Vec<Vec<Value>> = table
        .rows
        .iter()
        .take(most)
        .map(|row| {
            shown
                .iter()
                .map(|&column| cell(&row[column], language))
                .collect()
        })
        .collect();
    let n = number::count(most as i64);
    let cut = (table.rows.len() > most).then(|| fill(language.text().note_table_cut, &[("n", &n)]));
    json!({"columns": columns, "rows": rows, "cut": cut})
}

fn cell(cell: &Cell, language: Language) -> Value {
    match cell {
        Cell::Spark(values) => json!({"spark": spark::standalone(values)}),
        other => json!(other.readable(language)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_and_rows_of_the_page() {
        let mut planted = DataTable::new(&[("id", ""), ("packets", "Packets"), ("days", "Days")]);
        for row in 0..3 {
            planted.push(vec![
                Cell::text("x"),
                Cell::Count(1000 * row),
                Cell::Spark(vec![Some(1.0), Some(2.0)]),
            ]);
        }
        let value = table(&planted, Some(2), Language::En);
        assert_eq!(
            value["columns"][0],
            json!({"label": "Packets", "number": true})
        );
        assert_eq!(value["rows"].as_array().map(Vec::len), Some(2));
        assert_eq!(value["rows"][1][0], "1,000");
        assert!(
            value["rows"][0][1]["spark"]
                .as_str()
                .unwrap()
                .starts_with("<svg xmlns")
        );
        assert!(value["cut"].as_str().unwrap().contains('2'));
    }
}
