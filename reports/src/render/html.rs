//! The report as one self-contained page: style, charts and a small script inside, it loads nothing but the files beside it.

use std::fmt::Write as _;

use crate::chart::{Chart, STYLE, escaped, spark};
use crate::document::{Chapter, Document, Placed};
use crate::table::{Cell, DataTable};
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

/// File name of the pages for print, beside the page.
#[must_use]
pub fn pdf_name(language: Language) -> String {
    format!("report.{}.pdf", language.tag())
}

/// File name of a figure's numbers, beside the page.
#[must_use]
pub fn csv_name(figure: &str, language: Language) -> String {
    format!("data/{figure}.{}.csv", language.tag())
}

/// File name of a figure's numbers as JSON, beside the page.
#[must_use]
pub fn json_name(figure: &str, language: Language) -> String {
    format!("data/{figure}.{}.json", language.tag())
}

/// File name of a fact's SQL, beside the page.
#[must_use]
pub fn sql_name(fact: &str) -> String {
    format!("sql/{fact}.sql")
}

/// File name of the SQL of a figure's numbers, beside the page.
#[must_use]
pub fn figure_sql_name(figure: &str) -> String {
    format!("sql/figure-{figure}.sql")
}

/// File name of a figure's picture, beside the page.
#[must_use]
pub fn png_name(figure: &str, language: Language) -> String {
    format!("figures/{figure}.{}.png", language.tag())
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
    let title = format!("{} {}", document.title, document.period);
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
    for section in &document.sections {
        let _ = writeln!(
            page,
            "<section id=\"section-{}\"><h2>{}</h2>",
            section.name,
            escaped(section.title)
        );
        if let Some(note) = &section.note {
            analyst_note(&mut page, note);
        }
        for placed in section.drawn() {
            figure(&mut page, placed, document, text);
        }
        undrawn(&mut page, section, document.language);
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
        escaped(document.organisation.as_deref().unwrap_or(text.made_by))
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
    if document.pdf {
        let name = pdf_name(document.language);
        let _ = write!(page, "<a class=\"language\" href=\"{name}\">PDF</a>");
    }
    let _ = write!(
        page,
        "<h1>{}<span>{}</span></h1>",
        escaped(&document.title),
        escaped(&document.period)
    );
    for sentence in &document.summary {
        let _ = write!(page, "<p class=\"lead\">{}</p>", escaped(sentence));
    }
    page.push_str("<dl class=\"facts\">");
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
            "<div><dt>{}{}</dt><dd><b>{}</b><small>{}</small></dd></div>",
            escaped(&key.label),
            key.fact.map_or_else(String::new, |fact| {
                format!(" <a class=\"sql\" href=\"{}\">SQL</a>", sql_name(fact))
            }),
            escaped(&key.value),
            escaped(&key.note)
        );
    }
    page.push_str("</dl></section>\n");
}

fn contents(page: &mut String, document: &Document, text: &Text) {
    let _ = write!(page, "<nav aria-label=\"{}\"><ol>", escaped(text.contents));
    for section in &document.sections {
        let _ = write!(
            page,
            "<li><a href=\"#section-{}\">{}</a></li>",
            section.name,
            escaped(section.title)
        );
    }
    let _ = writeln!(
        page,
        "<li><a href=\"#definitions\">{}</a></li></ol></nav>",
        escaped(text.definitions)
    );
}

/// The figures of a section that have nothing to show, with the reasons: they keep their numbers and anchors.
fn undrawn(page: &mut String, section: &Chapter, language: Language) {
    let undrawn = section.undrawn();
    if undrawn.is_empty() {
        return;
    }
    page.push_str("<dl class=\"undrawn\">");
    for (reason, figures) in undrawn {
        page.push_str("<dt>");
        for placed in figures {
            let _ = write!(
                page,
                "<span id=\"{}\">{} {}</span>",
                placed.figure.name,
                placed.mark(language),
                escaped(placed.title(language))
            );
        }
        let _ = write!(page, "</dt><dd>{}</dd>", escaped(reason));
    }
    page.push_str("</dl>\n");
}

fn figure(page: &mut String, placed: &Placed, document: &Document, text: &Text) {
    let (name, language) = (placed.figure.name, document.language);
    let _ = writeln!(
        page,
        "<figure id=\"{name}\"><figcaption><h3><span>{}</span>{}</h3><p>{}</p></figcaption>",
        placed.mark(language),
        escaped(placed.title(language)),
        escaped(&caption(placed, language))
    );
    if let Some(chart) = &placed.drawn.chart {
        plot(page, chart, placed.narrow.0.as_ref());
    }
    for (card, narrow) in placed.drawn.cards.iter().zip(&placed.narrow.1) {
        let _ = write!(
            page,
            "<div class=\"card\"><h4>{}</h4>",
            escaped(&card.title)
        );
        plot(page, &card.chart, Some(narrow));
        for line in &card.lines {
            let _ = write!(page, "<p>{}</p>", escaped(line));
        }
        page.push_str("</div>");
    }
    if placed.drawn.table_shown {
        let rows = placed.drawn.rows_shown.unwrap_or(TABLE_ROWS_MAX);
        scrolling(page, "plot", placed.title(language));
        table(page, &placed.drawn.table, language, text, rows);
        page.push_str("</div>");
    }
    let _ = write!(
        page,
        "<p class=\"notes\">{}</p><p class=\"files\">",
        escaped(
            &placed
                .drawn
                .notes
                .join(if language == Language::Ja { "" } else { " " })
        )
    );
    let _ = write!(
        page,
        "<a href=\"{}\" download>{}</a>",
        csv_name(name, language),
        escaped(text.csv)
    );
    let _ = write!(
        page,
        "<a href=\"{}\" download>JSON</a>",
        json_name(name, language)
    );
    if placed.drawn.chart.is_some() {
        let _ = write!(
            page,
            "<a href=\"{}\">{}</a>",
            svg_name(name, language),
            escaped(text.svg)
        );
    }
    if document.pictures && placed.drawn.chart.is_some() {
        let _ = write!(page, "<a href=\"{}\">PNG</a>", png_name(name, language));
    }
    if document.stated.contains(name) {
        let _ = write!(page, "<a href=\"{}\">SQL</a>", figure_sql_name(name));
    }
    page.push_str("</p>");
    let rows = placed.drawn.table.rows.len();
    let cut = placed.drawn.rows_shown.is_some_and(|shown| rows > shown);
    if !placed.drawn.table_shown || cut {
        let _ = write!(
            page,
            "<details><summary>{}</summary>",
            escaped(text.data_table)
        );
        scrolling(page, "scroll", text.data_table);
        table(page, &placed.drawn.table, language, text, TABLE_ROWS_MAX);
        page.push_str("</div></details>");
    }
    page.push_str("</figure>\n");
}

/// Begins a box that scrolls where its table is too wide or long, also by keys.
fn scrolling(page: &mut String, class: &str, name: &str) {
    let name = escaped(name);
    let _ = write!(
        page,
        "<div class=\"{class}\" tabindex=\"0\" role=\"group\" aria-label=\"{name}\">"
    );
}

/// A drawing, and the one that phones show instead.
fn plot(page: &mut String, chart: &Chart, narrow: Option<&Chart>) {
    let wide = if narrow.is_some() { " wide" } else { "" };
    let _ = write!(page, "<div class=\"plot{wide}\">{}</div>", chart.inline());
    if let Some(narrow) = narrow {
        let _ = write!(page, "<div class=\"plot narrow\">{}</div>", narrow.inline());
    }
}

/// The question of a figure; under a finding it follows the figure's title.
pub(super) fn caption(placed: &Placed, language: Language) -> String {
    let question = placed.figure.question.of(language);
    if placed.drawn.finding.is_none() {
        return question.to_owned();
    }
    let title = placed.figure.title.of(language);
    match language {
        Language::Ja => format!("{title}。{question}"),
        Language::En => format!("{title}. {question}"),
    }
}

/// The analyst's notes: paragraphs, and list items that begin with a hyphen. Markup is escaped.
fn analyst_note(page: &mut String, note: &str) {
    page.push_str("<div class=\"note\">");
    for block in note
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty())
    {
        let items: Option<Vec<&str>> = block
            .lines()
            .map(|line| line.trim().strip_prefix("- "))
            .collect();
        match items {
            Some(items) => {
                page.push_str("<ul>");
                for item in items {
                    let _ = write!(page, "<li>{}</li>", escaped(item));
                }
                page.push_str("</ul>");
            }
            None => {
                let heading = block.trim_start_matches('#').trim();
                let tag = if block.starts_with('#') { "h4" } else { "p" };
                let _ = write!(page, "<{tag}>{}</{tag}>", escaped(heading));
            }
        }
    }
    page.push_str("</div>");
}

fn table(page: &mut String, table: &DataTable, language: Language, text: &Text, rows_max: usize) {
    let shown = table.columns_shown();
    // A column of numbers stays right-aligned if a row has a word instead.
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|column| {
            let mut cells = table.rows.iter().map(|row| &row[column]);
            cells.any(|cell| cell.is_number() && *cell != Cell::Gap)
        })
        .collect();
    page.push_str("<table><thead><tr>");
    for &column in &shown {
        let _ = write!(
            page,
            "<th scope=\"col\"{}>{}</th>",
            if numeric[column] { " class=\"n\"" } else { "" },
            escaped(&table.columns[column].label)
        );
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in table.rows.iter().take(rows_max) {
        page.push_str("<tr>");
        for &column in &shown {
            cell(page, &row[column], language, numeric[column]);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table>");
    if rows_max == TABLE_ROWS_MAX && table.rows.len() > TABLE_ROWS_MAX {
        let _ = write!(
            page,
            "<p class=\"notes\">{}</p>",
            escaped(&fill(text.note_table_cut, &[("n", &TABLE_ROWS_MAX)]))
        );
    }
}

fn cell(page: &mut String, cell: &Cell, language: Language, numeric: bool) {
    if let Cell::Spark(values) = cell {
        let _ = write!(page, "<td>{}</td>", spark::draw(values));
        return;
    }
    let class = if numeric || cell.is_number() {
        " class=\"n\""
    } else {
        ""
    };
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
    let _ = write!(page, "<h3>{}</h3>", escaped(text.accounting_title));
    scrolling(page, "scroll", text.accounting_title);
    page.push_str("<table class=\"slim\"><tbody>");
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
