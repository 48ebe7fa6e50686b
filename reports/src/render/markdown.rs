//! The report as Markdown: the same facts, tables and notes as the page, for writers who continue with their own text.

use std::fmt::Write as _;

use super::html::{csv_name, svg_name};
use crate::document::{Document, Placed};
use crate::table::DataTable;
use crate::text::{Language, fill, number};

/// Rows of a table here; the CSV file has all of them.
const TABLE_ROWS_MAX: usize = 20;

/// File name of the Markdown text in a language.
#[must_use]
pub fn file_name(language: Language) -> String {
    format!("report.{}.md", language.tag())
}

/// The document as Markdown.
#[must_use]
pub fn render(document: &Document) -> String {
    let text = document.language.text();
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "# {} {}\n",
        escaped(&document.title),
        escaped(&document.period)
    );
    if let Some(organisation) = &document.organisation {
        let _ = writeln!(page, "{}\n", escaped(organisation));
    }
    for (label, value) in &document.facts {
        let _ = writeln!(page, "- {}: {}", escaped(label), escaped(value));
    }
    page.push('\n');
    for notice in &document.notices {
        let _ = writeln!(page, "> {}", escaped(notice));
    }
    page.push('\n');
    for sentence in &document.summary {
        let _ = writeln!(page, "{}\n", escaped(sentence));
    }
    let _ = writeln!(page, "## {}\n", text.key_numbers);
    for key in &document.numbers {
        let _ = writeln!(
            page,
            "- {}: **{}** {}",
            escaped(&key.label),
            escaped(&key.value),
            escaped(&key.note)
        );
    }
    for section in &document.sections {
        let _ = writeln!(page, "\n## {}\n", escaped(section.title));
        if let Some(note) = &section.note {
            let _ = writeln!(page, "{}\n", note.trim_end());
        }
        for placed in section.drawn() {
            figure(&mut page, placed, document.language);
        }
        for (reason, figures) in section.undrawn() {
            for placed in figures {
                let mark = placed.mark(document.language);
                let title = escaped(placed.title(document.language));
                let _ = writeln!(page, "- {mark} {title}");
            }
            let _ = writeln!(page, "\n{}\n", escaped(reason));
        }
    }
    let _ = writeln!(page, "## {}\n", text.definitions);
    for caveat in text.caveats {
        let _ = writeln!(page, "- {}", escaped(caveat));
    }
    for line in &document.provenance {
        let _ = writeln!(page, "- {}", escaped(line));
    }
    page
}

fn figure(page: &mut String, placed: &Placed, language: Language) {
    let title = placed.title(language);
    let mark = placed.mark(language);
    let _ = writeln!(page, "### {mark} {}\n", escaped(title));
    if placed.drawn.chart.is_some() {
        let _ = writeln!(
            page,
            "![{}]({})\n",
            escaped(title),
            svg_name(placed.figure.name, language)
        );
    }
    for card in &placed.drawn.cards {
        let _ = writeln!(page, "**{}**\n", escaped(&card.title));
        for line in &card.lines {
            let _ = writeln!(page, "{}\n", escaped(line));
        }
    }
    if placed.drawn.table_shown {
        table(page, &placed.drawn.table, language);
    }
    for note in &placed.drawn.notes {
        let _ = writeln!(page, "{}  ", escaped(note));
    }
    let _ = writeln!(page, "[CSV]({})\n", csv_name(placed.figure.name, language));
}

fn table(page: &mut String, table: &DataTable, language: Language) {
    let shown = table.columns_shown();
    let row = |page: &mut String, cells: Vec<String>| {
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    };
    row(
        page,
        shown
            .iter()
            .map(|&column| escaped(&table.columns[column].label))
            .collect(),
    );
    row(page, shown.iter().map(|_| "---".to_owned()).collect());
    for cells in table.rows.iter().take(TABLE_ROWS_MAX) {
        row(
            page,
            shown
                .iter()
                .map(|&column| escaped(&cells[column].readable(language)))
                .collect(),
        );
    }
    page.push('\n');
    if table.rows.len() > TABLE_ROWS_MAX {
        let n = number::count(TABLE_ROWS_MAX as i64);
        let _ = writeln!(
            page,
            "{}  ",
            fill(language.text().note_table_cut, &[("n", &n)])
        );
    }
}

/// Text that Markdown takes as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(
            character,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#'
        ) {
            safe.push('\\');
        }
        safe.push(if character == '\n' { ' ' } else { character });
    }
    safe
}
