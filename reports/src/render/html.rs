//! The report as one self-contained page: style, charts and a small script inside, no request to anywhere but the files beside it.

use std::fmt::Write as _;

use crate::chart::{STYLE, escaped};
use crate::document::{Document, Placed};
use crate::table::{Cell, Table};
use crate::text::{Language, Text, fill, number};

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Rows of a table in the page; the CSV file has all of them.
const TABLE_ROWS_MAX: usize = 800;

/// File name of the page in a language.
#[must_use]
pub fn file_name(language: Language) -> String {
    format!("report.{}.html", language.tag())
}

/// File name of a figure's numbers, beside the page.
#[must_use]
pub fn csv_name(figure: &str, language: Language) -> String {
    format!("figures/{figure}.{}.csv", language.tag())
}

/// File name of a figure's drawing, beside the page.
#[must_use]
pub fn svg_name(figure: &str, language: Language) -> String {
    format!("figures/{figure}.{}.svg", language.tag())
}

/// The page.
#[must_use]
pub fn render(document: &Document) -> String {
    let text = document.language.text();
    let mut page = String::with_capacity(1 << 18);
    let title = format!("{} {}", text.report_title, document.period);
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"generator\" content=\"teiten-report {}\">\n<title>{}</title>\n<style>{STYLE}{PAGE_STYLE}</style>\n</head>\n<body>",
        document.language.tag(),
        env!("CARGO_PKG_VERSION"),
        escaped(&title)
    );
    head(&mut page, document, text);
    page.push_str("<main>\n");
    key_numbers(&mut page, document, text);
    contents(&mut page, document, text);
    let mut section_id = 0;
    for (title, figures) in &document.sections {
        section_id += 1;
        let _ = writeln!(
            page,
            "<section id=\"s{section_id}\"><h2>{}</h2>",
            escaped(title)
        );
        for placed in figures {
            figure(&mut page, placed, document, text);
        }
        page.push_str("</section>\n");
    }
    definitions(&mut page, document, text);
    page.push_str("</main>\n");
    let _ = writeln!(
        page,
        "<footer>{}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>",
        escaped(text.made_by)
    );
    page
}

fn head(page: &mut String, document: &Document, text: &Text) {
    let _ = write!(
        page,
        "<header><div class=\"brand\">{}</div>",
        escaped(text.made_by)
    );
    for language in document
        .languages
        .iter()
        .filter(|language| **language != document.language)
    {
        let _ = write!(
            page,
            "<a class=\"language\" hreflang=\"{}\" lang=\"{0}\" href=\"{}\">{}</a>",
            language.tag(),
            file_name(*language),
            language.own_name()
        );
    }
    let _ = write!(
        page,
        "<h1>{}<span>{}</span></h1><dl class=\"facts\">",
        escaped(text.report_title),
        escaped(&document.period)
    );
    for (label, value) in &document.facts {
        let _ = write!(
            page,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escaped(label),
            escaped(value)
        );
    }
    page.push_str("</dl>");
    let class = if document.warns {
        "notice warns"
    } else {
        "notice"
    };
    let _ = write!(page, "<div class=\"{class}\">");
    if document.warns {
        let _ = write!(page, "<strong>{}</strong>", escaped(text.notice_title));
    }
    page.push_str("<ul>");
    for notice in &document.notices {
        let _ = write!(page, "<li>{}</li>", escaped(notice));
    }
    page.push_str("</ul></div></header>\n");
}

fn key_numbers(page: &mut String, document: &Document, text: &Text) {
    let _ = write!(
        page,
        "<section><h2>{}</h2><dl class=\"numbers\">",
        escaped(text.key_numbers)
    );
    for key in &document.numbers {
        let _ = write!(
            page,
            "<div><dt>{}</dt><dd><b>{}</b><small>{}</small></dd></div>",
            escaped(&key.label),
            escaped(&key.value),
            escaped(&key.note)
        );
    }
    page.push_str("</dl></section>\n");
}

fn contents(page: &mut String, document: &Document, text: &Text) {
    let _ = write!(page, "<nav aria-label=\"{}\"><ol>", escaped(text.contents));
    for (index, (title, _)) in document.sections.iter().enumerate() {
        let _ = write!(
            page,
            "<li><a href=\"#s{}\">{}</a></li>",
            index + 1,
            escaped(title)
        );
    }
    let _ = writeln!(
        page,
        "<li><a href=\"#definitions\">{}</a></li></ol></nav>",
        escaped(text.definitions)
    );
}

fn figure(page: &mut String, placed: &Placed, document: &Document, text: &Text) {
    let (name, language) = (placed.figure.name, document.language);
    let separator = if language == Language::Ja { "" } else { " " };
    let _ = writeln!(
        page,
        "<figure id=\"{name}\"><figcaption><h3><span>{}{separator}{}</span>{}</h3><p>{}</p></figcaption>",
        escaped(text.figure),
        placed.number,
        escaped(placed.figure.title.of(language)),
        escaped(placed.figure.question.of(language))
    );
    if let Some(reason) = placed.drawn.empty {
        let _ = writeln!(page, "<p class=\"empty\">{}</p></figure>", escaped(reason));
        return;
    }
    if let Some(chart) = &placed.drawn.chart {
        let _ = write!(page, "<div class=\"plot\">{}</div>", chart.inline());
    }
    if placed.drawn.table_shown {
        table(page, &placed.drawn.table, language, text);
    }
    let _ = write!(
        page,
        "<p class=\"notes\">{}</p><p class=\"files\">",
        escaped(&placed.drawn.notes.join(" "))
    );
    let _ = write!(
        page,
        "<a href=\"{}\" download>{}</a>",
        csv_name(name, language),
        escaped(text.csv)
    );
    if placed.drawn.chart.is_some() {
        let _ = write!(
            page,
            "<a href=\"{}\">{}</a>",
            svg_name(name, language),
            escaped(text.svg)
        );
    }
    page.push_str("</p>");
    if !placed.drawn.table_shown {
        let _ = write!(
            page,
            "<details><summary>{}</summary><div class=\"scroll\">",
            escaped(text.data_table)
        );
        table(page, &placed.drawn.table, language, text);
        page.push_str("</div></details>");
    }
    page.push_str("</figure>\n");
}

fn table(page: &mut String, table: &Table, language: Language, text: &Text) {
    let shown: Vec<usize> = (0..table.columns.len())
        .filter(|&column| !table.columns[column].label.is_empty())
        .collect();
    page.push_str("<table><thead><tr>");
    for &column in &shown {
        let numeric = table
            .rows
            .first()
            .is_some_and(|row| row[column].is_number());
        let _ = write!(
            page,
            "<th scope=\"col\"{}>{}</th>",
            if numeric { " class=\"n\"" } else { "" },
            escaped(&table.columns[column].label)
        );
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in table.rows.iter().take(TABLE_ROWS_MAX) {
        page.push_str("<tr>");
        for &column in &shown {
            cell(page, &row[column], language);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table>");
    if table.rows.len() > TABLE_ROWS_MAX {
        let _ = write!(
            page,
            "<p class=\"notes\">{}</p>",
            escaped(&fill(text.note_table_cut, &[("n", &TABLE_ROWS_MAX)]))
        );
    }
}

fn cell(page: &mut String, cell: &Cell, language: Language) {
    let class = if cell.is_number() { " class=\"n\"" } else { "" };
    let _ = write!(
        page,
        "<td{class}>{}</td>",
        escaped(&cell.readable(language))
    );
}

fn definitions(page: &mut String, document: &Document, text: &Text) {
    let _ = write!(
        page,
        "<section id=\"definitions\"><h2>{}</h2><h3>{}</h3><ul>",
        escaped(text.definitions),
        escaped(text.caveats_title)
    );
    for caveat in text.caveats {
        let _ = write!(page, "<li>{}</li>", escaped(caveat));
    }
    page.push_str("</ul>");
    for block in &document.definitions {
        let _ = write!(
            page,
            "<h3>{}</h3><dl class=\"terms\">",
            escaped(block.title)
        );
        for term in &block.terms {
            let _ = write!(
                page,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                escaped(term.name),
                escaped(term.meaning)
            );
        }
        page.push_str("</dl>");
    }
    let _ = write!(
        page,
        "<h3>{}</h3><div class=\"scroll\"><table class=\"slim\"><tbody>",
        escaped(text.accounting_title)
    );
    for (label, count) in &document.accounting {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td></tr>",
            escaped(label),
            number::count(*count)
        );
    }
    let _ = write!(
        page,
        "</tbody></table></div><p class=\"notes\">{}</p>",
        escaped(text.accounting_note)
    );
    let _ = write!(
        page,
        "<h3>{}</h3><ul class=\"provenance\">",
        escaped(text.provenance_title)
    );
    for line in &document.provenance {
        let _ = write!(page, "<li>{}</li>", escaped(line));
    }
    page.push_str("</ul></section>\n");
}
