//! The report as a document, before any markup: head, notices, key numbers, figures by section, definitions. One per language.
//!
//! Sentences come from `text`, figures from `figure::FIGURES`; the renderers decide how it looks.

use std::collections::BTreeSet;

use teiten_aggregator::parallel;
use teiten_observation::Tool;

use crate::chart::Chart;
use crate::figure::{Drawn, FIGURES, Figure, Section};
use crate::query::Answer;
use crate::series::CoverageState;
use crate::text::{Language, Term, fill, number, time, tool_term};

mod numbers;
mod summary;

use numbers::numbers;
use summary::summary;

/// The inputs of a report besides the answer.
#[derive(Clone, Debug)]
pub struct Setting {
    /// When the report is made, microseconds since 1970-01-01 UTC: the as-of date of every number.
    pub as_of_us: i64,
    /// Home country, two capital letters, if one is given.
    pub home: Option<String>,
    /// Languages of the report, for links between them.
    pub languages: Vec<Language>,
    /// A title instead of the default one.
    pub title: Option<String>,
    /// Who publishes the report.
    pub organisation: Option<String>,
    /// When the earlier report of this period was made, and the lines that differ from it; `None` for the first report.
    pub revised: Option<(String, Vec<String>)>,
    /// Whether PNG files are written, which needs fonts.
    pub pictures: bool,
    /// Whether there are pages as PDF beside it.
    pub pdf: bool,
    /// Names of the figures whose numbers have their SQL in a file.
    pub stated: BTreeSet<&'static str>,
    /// The analyst's notes by section and language, Markdown.
    pub notes: Vec<(&'static str, Language, String)>,
}

/// Revised numbers that a page lists; `teiten-report diff` has them all.
const REVISIONS_MAX: usize = 8;

/// A number of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyNumber {
    /// Its label.
    pub label: String,
    /// The number as written.
    pub value: String,
    /// A note after it; may be empty.
    pub note: String,
    /// Name of the fact with its SQL.
    pub fact: Option<&'static str>,
}

/// A figure with its place in the report.
pub struct Placed {
    /// Its number, from 1.
    pub number: usize,
    /// Its row.
    pub figure: &'static Figure,
    /// The drawn figure.
    pub drawn: Drawn,
    /// Its drawing for a phone, and those of its cards.
    pub narrow: (Option<Chart>, Vec<Chart>),
    /// The same for a page of A4, where there are pages.
    pub paper: (Option<Chart>, Vec<Chart>),
}

impl Placed {
    /// Its heading: the finding, if there is one, else its title.
    #[must_use]
    pub fn title(&self, language: Language) -> &str {
        self.drawn
            .finding
            .as_deref()
            .unwrap_or_else(|| self.figure.title.of(language))
    }

    /// `図1` or `Figure 1`.
    #[must_use]
    pub fn mark(&self, language: Language) -> String {
        let separator = if language == Language::Ja { "" } else { " " };
        format!("{}{separator}{}", language.text().figure, self.number)
    }
}

/// A section with its figures.
pub struct Chapter {
    /// Name in file names.
    pub name: &'static str,
    /// Title.
    pub title: &'static str,
    /// The analyst's own words, Markdown.
    pub note: Option<String>,
    /// Figures.
    pub figures: Vec<Placed>,
}

impl Chapter {
    /// The figures that have something to show.
    pub fn drawn(&self) -> impl Iterator<Item = &Placed> {
        let figures = self.figures.iter();
        figures.filter(|placed| placed.drawn.empty.is_none())
    }

    /// The reasons why the others have nothing to show, each with its figures.
    #[must_use]
    pub fn undrawn(&self) -> Vec<(&'static str, Vec<&Placed>)> {
        let mut undrawn: Vec<(&'static str, Vec<&Placed>)> = Vec::new();
        for placed in &self.figures {
            let Some(reason) = placed.drawn.empty else {
                continue;
            };
            match undrawn.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, figures)) => figures.push(placed),
                None => undrawn.push((reason, vec![placed])),
            }
        }
        undrawn
    }
}

/// A block of definitions.
pub struct Definitions {
    /// Heading.
    pub title: &'static str,
    /// Terms.
    pub terms: Vec<Term>,
}

/// The whole report in one language.
pub struct Document {
    /// Language.
    pub language: Language,
    /// Languages of the report.
    pub languages: Vec<Language>,
    /// When it is made, microseconds since 1970-01-01 UTC.
    pub as_of_us: i64,
    /// The period as a title.
    pub period: String,
    /// Label and value: sensors, telescope, as-of and the like.
    pub facts: Vec<(&'static str, String)>,
    /// Notices for the reader: gaps, loss, damage. A single sentence if there are none.
    pub notices: Vec<String>,
    /// Whether the notices warn.
    pub warns: bool,
    /// Key numbers.
    pub numbers: Vec<KeyNumber>,
    /// Title of the report.
    pub title: String,
    /// Who publishes it.
    pub organisation: Option<String>,
    /// Whether there are PNG files beside the SVG files.
    pub pictures: bool,
    /// Whether there are pages as PDF beside it.
    pub pdf: bool,
    /// Names of the figures whose numbers have their SQL in a file.
    pub stated: BTreeSet<&'static str>,
    /// The period in three sentences.
    pub summary: Vec<String>,
    /// Figures by section.
    pub sections: Vec<Chapter>,
    /// Definitions.
    pub definitions: Vec<Definitions>,
    /// What became of the received packets: label and count.
    pub accounting: Vec<(&'static str, i64)>,
    /// Where the data comes from.
    pub provenance: Vec<String>,
}

impl Document {
    /// Composes the report in a language.
    #[must_use]
    pub fn new(answer: &Answer, setting: &Setting, language: Language) -> Self {
        let figures = FIGURES.iter().map(|figure| {
            let task = DrawTask { figure, language };
            task.draw(answer, setting)
        });
        Self::of_figures(
            answer,
            setting,
            language,
            &mut figures.collect::<Vec<_>>().into_iter(),
        )
    }

    /// Composes the report in every language of the setting, with as many figures at once as there are `workers`.
    #[must_use]
    pub fn all(answer: &Answer, setting: &Setting, workers: usize) -> Vec<Self> {
        let languages = setting.languages.iter();
        let tasks = languages.flat_map(|&language| {
            let figures = FIGURES.iter();
            figures.map(move |figure| DrawTask { figure, language })
        });
        let tasks: Vec<DrawTask> = tasks.collect();
        let draw = |task: &DrawTask| task.draw(answer, setting);
        let mut drawn = parallel::map(workers, &tasks, DrawTask::cost, draw).into_iter();
        let languages = setting.languages.iter();
        languages
            .map(|&language| Self::of_figures(answer, setting, language, &mut drawn))
            .collect()
    }

    /// Composes the report of the next figures of `drawn`, which are in the order of [`FIGURES`].
    fn of_figures(
        answer: &Answer,
        setting: &Setting,
        language: Language,
        drawn: &mut dyn Iterator<Item = DrawnWidths>,
    ) -> Self {
        Self {
            language,
            languages: setting.languages.clone(),
            as_of_us: setting.as_of_us,
            period: title(answer, language),
            facts: facts(answer, setting, language),
            notices: notices(answer, language),
            warns: !answer.is_complete() || answer.is_unfinished(),
            numbers: numbers(answer, setting, language),
            title: setting
                .title
                .clone()
                .unwrap_or_else(|| language.text().report_title.to_owned()),
            organisation: setting.organisation.clone(),
            pictures: setting.pictures,
            pdf: setting.pdf,
            stated: setting.stated.clone(),
            summary: summary(answer, language),
            sections: sections(setting, language, drawn),
            definitions: definitions(language),
            accounting: accounting(answer, language),
            provenance: provenance(answer, setting, language),
        }
    }
}

/// The period, marked if it is not over yet.
fn title(answer: &Answer, language: Language) -> String {
    let period = time::period(&answer.period, language);
    match (answer.is_unfinished(), language) {
        (false, _) => period,
        (true, Language::Ja) => format!("{period}（{}）", language.text().unfinished),
        (true, Language::En) => format!("{period} ({})", language.text().unfinished),
    }
}

fn facts(answer: &Answer, setting: &Setting, language: Language) -> Vec<(&'static str, String)> {
    let text = language.text();
    let timezone = &answer.period.timezone;
    let names: Vec<&str> = answer.sensors.keys().map(String::as_str).collect();
    let last = answer
        .hours
        .iter()
        .rposition(|hour| hour.state.is_observed())
        .unwrap_or(0);
    let last_us = (answer.period.hours().start + last as i64 + 1) * crate::period::HOUR_US;
    vec![
        (text.sensors, names.join(", ")),
        (text.telescope, telescope(answer, language)),
        (
            text.observed_until,
            time::instant(last_us.min(answer.period.end_us), timezone, language),
        ),
        (
            text.as_of,
            time::instant(setting.as_of_us, timezone, language),
        ),
        (
            text.timezone,
            timezone.iana_name().unwrap_or("UTC").to_owned(),
        ),
    ]
}

fn telescope(answer: &Answer, language: Language) -> String {
    let text = language.text();
    let sizes: Option<Vec<(i64, i64)>> = answer
        .sensors
        .values()
        .map(|sensor| sensor.addresses)
        .collect();
    let Some(sizes) = sizes.filter(|sizes| !sizes.is_empty()) else {
        return text.telescope_unknown.to_owned();
    };
    let (low, high) = sizes
        .iter()
        .fold((0, 0), |total, size| (total.0 + size.0, total.1 + size.1));
    let ipv6: f64 = answer.sensors.values().map(|it| it.addresses_ipv6).sum();
    let ipv6 = (ipv6 > 0.0).then(|| fill(text.telescope_ipv6, &[("n", &number::size(ipv6))]));
    let ipv4 = if low == high {
        fill(text.telescope_addresses, &[("n", &number::count(low))])
    } else {
        fill(
            text.telescope_range,
            &[("low", &number::count(low)), ("high", &number::count(high))],
        )
    };
    match ipv6 {
        None => ipv4,
        Some(ipv6) if high == 0 => ipv6,
        Some(ipv6) => format!("{ipv4}, {ipv6}"),
    }
}

fn notices(answer: &Answer, language: Language) -> Vec<String> {
    let text = language.text();
    let accounting = answer.accounting();
    let rows = [
        (
            answer.hours_in(CoverageState::Missing) as i64,
            text.notice_gaps,
        ),
        (
            answer.hours_in(CoverageState::Partial) as i64,
            text.notice_partial,
        ),
        (
            answer.hours_in(CoverageState::Lossy) as i64,
            text.notice_lossy,
        ),
        (answer.disagreeing_hours as i64, text.notice_disagree),
        (answer.damaged.len() as i64, text.notice_damaged),
        (answer.uncovered_packets, text.notice_uncovered),
    ];
    let mut notices: Vec<String> = rows
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, note)| fill(note, &[("n", &number::count(count))]))
        .collect();
    if accounting.dropped_kernel + accounting.dropped_interface > 0 {
        let (kernel, interface) = (
            number::count(accounting.dropped_kernel),
            number::count(accounting.dropped_interface),
        );
        notices.push(fill(
            text.notice_loss_count,
            &[("kernel", &kernel), ("interface", &interface)],
        ));
    }
    if notices.is_empty() {
        notices.push(fill(
            text.notice_complete,
            &[("n", &number::count(answer.hours.len() as i64))],
        ));
    }
    if answer.is_unfinished() {
        let n = number::count(answer.hours_in(CoverageState::NotYet) as i64);
        notices.insert(0, fill(text.notice_unfinished, &[("n", &n)]));
    }
    if answer.period.kind == crate::period::PeriodKind::Span {
        notices.push(text.whole_span.to_owned());
    }
    if !answer.period.is_aligned() {
        notices.push(text.off_hours.to_owned());
    }
    notices
}

/// Draws a figure in another width.
type Redraw = fn(&Figure, &Answer, Language, Option<&str>) -> (Option<Chart>, Vec<Chart>);

/// A figure to draw.
struct DrawTask {
    figure: &'static Figure,
    language: Language,
}

/// A figure in all widths.
struct DrawnWidths {
    drawn: Drawn,
    narrow: (Option<Chart>, Vec<Chart>),
    paper: (Option<Chart>, Vec<Chart>),
}

impl DrawTask {
    /// How long it takes, roughly: figures of all ports have the longest tables.
    fn cost(&self) -> usize {
        usize::from(self.figure.section == Section::Ports)
    }

    fn draw(&self, answer: &Answer, setting: &Setting) -> DrawnWidths {
        let (figure, language) = (self.figure, self.language);
        let home = setting.home.as_deref();
        let drawn = figure.drawn(answer, language, home);
        // A table alone is the same in any width.
        let is_drawing = drawn.chart.is_some() || !drawn.cards.is_empty();
        let redrawn = |wanted: bool, draw: Redraw| match wanted && is_drawing {
            true => draw(figure, answer, language, home),
            false => (None, Vec::new()),
        };
        DrawnWidths {
            narrow: redrawn(true, Figure::narrow),
            paper: redrawn(setting.pdf, Figure::paper),
            drawn,
        }
    }
}

fn sections(
    setting: &Setting,
    language: Language,
    drawn: &mut dyn Iterator<Item = DrawnWidths>,
) -> Vec<Chapter> {
    let mut count = 0;
    let mut figures: Vec<(&'static Figure, DrawnWidths)> = FIGURES.iter().zip(drawn).collect();
    Section::ALL
        .iter()
        .map(|&section| {
            let of_section = figures.extract_if(.., |(figure, _)| figure.section == section);
            let of_section = of_section.map(|(figure, widths)| {
                count += 1;
                let DrawnWidths {
                    drawn,
                    narrow,
                    paper,
                } = widths;
                Placed {
                    number: count,
                    figure,
                    drawn,
                    narrow,
                    paper,
                }
            });
            let of_section: Vec<Placed> = of_section.collect();
            let note = setting
                .notes
                .iter()
                .find(|(name, known, _)| *name == section.name() && *known == language);
            Chapter {
                name: section.name(),
                title: language.text().sections[section as usize],
                note: note.map(|(.., text)| text.clone()),
                figures: of_section,
            }
        })
        .collect()
}

fn definitions(language: Language) -> Vec<Definitions> {
    let text = language.text();
    vec![
        Definitions {
            title: text.numbers_title,
            terms: text.numbers.to_vec(),
        },
        Definitions {
            title: text.classes_title,
            terms: text.classes.to_vec(),
        },
        Definitions {
            title: text.tools_title,
            terms: Tool::ALL
                .iter()
                .map(|tool| tool_term(language, *tool))
                .collect(),
        },
        Definitions {
            title: text.states_title,
            terms: text.states.to_vec(),
        },
        Definitions {
            title: text.types_title,
            terms: text.traffic_types.to_vec(),
        },
    ]
}

fn accounting(answer: &Answer, language: Language) -> Vec<(&'static str, i64)> {
    let text = language.text();
    text.counters
        .numbers()
        .into_iter()
        .zip(answer.accounting().rows())
        .map(|(label, (_, count))| (*label, count))
        .collect()
}

fn provenance(answer: &Answer, setting: &Setting, language: Language) -> Vec<String> {
    let text = language.text();
    let known = |value: &str| match value {
        "" => text.unknown_value.to_owned(),
        known => known.to_owned(),
    };
    let mut lines: Vec<String> = answer
        .geolocation
        .iter()
        .map(|[name, date, hash]| {
            let (date, hash) = (known(date), known(hash));
            fill(
                text.provenance_geo,
                &[("name", name), ("date", &date), ("hash", &hash)],
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push(text.provenance_geo_none.to_owned());
    }
    let rows = [
        ("schema_version", text.provenance_schema),
        ("program_version", text.provenance_program),
        ("configuration_sha256", text.provenance_configuration),
        ("telescope_addresses", text.provenance_telescope),
    ];
    lines.extend(
        rows.into_iter()
            .filter_map(|(key, line)| Some(fill(line, &[("v", &answer.metadata_value(key)?)]))),
    );
    if let Some((as_of, changes)) = &setting.revised {
        let line = if changes.is_empty() {
            fill(text.revised_nothing, &[("as_of", as_of)])
        } else {
            let n = number::count(changes.len() as i64);
            let few = changes.iter().take(REVISIONS_MAX).cloned();
            let list = few.collect::<Vec<_>>().join("; ");
            fill(
                text.revised,
                &[("as_of", as_of), ("n", &n), ("list", &list)],
            )
        };
        lines.push(line);
    }
    lines.push(fill(
        text.provenance_report,
        &[("v", &env!("CARGO_PKG_VERSION"))],
    ));
    lines
}
