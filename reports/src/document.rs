//! The report as a document, before any markup: head, notices, key numbers, figures by section, definitions. One per language.
//!
//! Sentences come from `text`, figures from `figure::FIGURES`; how it looks is the renderers' business.

use teiten_observation::Class;

use crate::figure::{Drawn, FIGURES, Figure, Section};
use crate::query::distinct::ERROR_PERCENT;
use crate::query::{Answer, Group};
use crate::series::State;
use crate::text::{Language, Term, country, fill, number, time};

/// What a report needs beside the answer.
#[derive(Clone, Debug)]
pub struct Setting {
    /// When the report is made, microseconds since 1970-01-01 UTC: the as-of date of every number.
    pub as_of_us: i64,
    /// Home country, two capital letters, if one was named.
    pub home: Option<String>,
    /// Languages of the report, for links between them.
    pub languages: Vec<Language>,
}

/// A number of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyNumber {
    /// What it is.
    pub label: String,
    /// The number as written.
    pub value: String,
    /// What stands behind it; may be empty.
    pub note: String,
}

/// A figure with the place where it stands.
pub struct Placed {
    /// Its number, from 1.
    pub number: usize,
    /// Its row.
    pub figure: &'static Figure,
    /// What was drawn.
    pub drawn: Drawn,
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
    /// The period as a title.
    pub period: String,
    /// Label and value: sensors, telescope, as-of and the like.
    pub facts: Vec<(&'static str, String)>,
    /// What to know before reading: gaps, loss, damage. A single sentence when all is well.
    pub notices: Vec<String>,
    /// Whether the notices warn.
    pub warns: bool,
    /// Key numbers.
    pub numbers: Vec<KeyNumber>,
    /// Figures by section.
    pub sections: Vec<(&'static str, Vec<Placed>)>,
    /// Definitions.
    pub definitions: Vec<Definitions>,
    /// Where the packets received went: label and count.
    pub accounting: Vec<(&'static str, i64)>,
    /// Where the data comes from.
    pub provenance: Vec<String>,
}

impl Document {
    /// Composes the report.
    #[must_use]
    pub fn new(answer: &Answer, setting: &Setting, language: Language) -> Self {
        Self {
            language,
            languages: setting.languages.clone(),
            period: time::period(&answer.period, language),
            facts: facts(answer, setting, language),
            notices: notices(answer, language),
            warns: !answer.is_complete(),
            numbers: numbers(answer, setting, language),
            sections: sections(answer, setting, language),
            definitions: definitions(language),
            accounting: accounting(answer, language),
            provenance: provenance(answer, language),
        }
    }
}

fn facts(answer: &Answer, setting: &Setting, language: Language) -> Vec<(&'static str, String)> {
    let text = language.text();
    let timezone = &answer.period.timezone;
    let names: Vec<&str> = answer.sensors.keys().map(String::as_str).collect();
    let last = answer
        .hours
        .iter()
        .rposition(|hour| hour.state != State::Missing)
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
    if low == high {
        fill(text.telescope_addresses, &[("n", &number::count(low))])
    } else {
        fill(
            text.telescope_range,
            &[("low", &number::count(low)), ("high", &number::count(high))],
        )
    }
}

fn notices(answer: &Answer, language: Language) -> Vec<String> {
    let text = language.text();
    let accounting = answer.accounting();
    let rows = [
        (answer.hours_in(State::Missing) as i64, text.notice_gaps),
        (answer.hours_in(State::Partial) as i64, text.notice_partial),
        (answer.hours_in(State::Lossy) as i64, text.notice_lossy),
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
    if answer.period.kind == crate::period::PeriodKind::Span {
        notices.push(text.whole_span.to_owned());
    }
    if !answer.period.is_aligned() {
        notices.push(text.off_hours.to_owned());
    }
    notices
}

/// Seconds in which at least one sensor observed.
fn seconds_covered(answer: &Answer) -> i64 {
    answer
        .hours
        .iter()
        .map(crate::query::Hour::seconds_covered)
        .sum()
}

fn numbers(answer: &Answer, setting: &Setting, language: Language) -> Vec<KeyNumber> {
    let text = language.text();
    let packets = answer.packets();
    let percent_sign = if language == Language::En { " %" } else { "%" };
    let share = |part: i64| {
        format!(
            "{}{percent_sign}",
            number::percent(part as f64, packets as f64)
        )
    };
    let key = |label: &str, value: String, note: String| KeyNumber {
        label: label.to_owned(),
        value,
        note,
    };
    let rate = number::rate(packets as f64 / seconds_covered(answer).max(1) as f64);
    let mean = number::rate(answer.bytes() as f64 / packets.max(1) as f64);
    let victims = answer.group(Group::Victim).sources.estimate();
    let hosts = fill(
        text.about,
        &[(
            "n",
            &number::estimate(answer.group(Group::Host).sources.estimate()),
        )],
    );
    let mut hosts_note = fill(text.key_hosts_note, &[("error", &ERROR_PERCENT)]);
    if victims > 0.0 {
        let separator = if language == Language::Ja {
            "。"
        } else {
            "; "
        };
        hosts_note =
            hosts_note + separator + &fill(text.key_victims, &[("n", &number::estimate(victims))]);
    }
    let covered = answer.hours.len() - answer.hours_in(State::Missing);
    let hours = [
        ("covered", number::count(covered as i64)),
        ("total", number::count(answer.hours.len() as i64)),
    ];
    let states: Vec<String> = State::ALL
        .iter()
        .zip(text.states)
        .filter(|(state, _)| answer.hours_in(**state) > 0)
        .map(|(state, term)| {
            format!(
                "{} {}",
                term.name,
                number::count(answer.hours_in(*state) as i64)
            )
        })
        .collect();
    let (class, tally) = (0..Class::ALL.len())
        .map(|class| (class, answer.classes[class].packets))
        .max_by_key(|&(class, packets)| (packets, std::cmp::Reverse(class)))
        .unwrap_or((0, 0));
    let class_name = match language {
        Language::Ja => text.classes[class].name.to_owned(),
        Language::En => text.classes[class].name.to_lowercase(),
    };
    let mut found = vec![
        key(
            text.key_packets,
            number::count(packets),
            fill(text.key_rate, &[("rate", &rate)]),
        ),
        per_address(answer, language),
        key(text.key_hosts, hosts, hosts_note),
        key(
            text.key_hours,
            fill(
                text.key_hours_value,
                &[("covered", &hours[0].1), ("total", &hours[1].1)],
            ),
            states.join(", "),
        ),
        key(
            &fill(text.key_class, &[("class", &class_name)]),
            share(tally),
            fill(text.key_ipv6_note, &[("n", &number::count(tally))]),
        ),
        key(
            text.key_bytes,
            number::bytes(answer.bytes()),
            fill(text.key_bytes_note, &[("mean", &mean)]),
        ),
        key(
            text.key_ipv6,
            share(answer.families[1].packets),
            fill(
                text.key_ipv6_note,
                &[("n", &number::count(answer.families[1].packets))],
            ),
        ),
    ];
    if let Some(home) = &setting.home {
        found.push(home_number(answer, home, language, percent_sign));
    }
    found
}

/// Packets per dark address, by the address-hours really observed, scaled to the length of the period.
fn per_address(answer: &Answer, language: Language) -> KeyNumber {
    let text = language.text();
    let label = text.key_per_address.to_owned();
    match answer.address_hours() {
        Some(address_hours) => KeyNumber {
            label,
            value: number::rate(
                answer.packets() as f64 / address_hours * answer.hours.len() as f64,
            ),
            note: fill(
                text.key_per_address_note,
                &[("n", &number::decimal(address_hours, 0))],
            ),
        },
        None => KeyNumber {
            label,
            value: text.key_per_address_unknown.to_owned(),
            note: text.telescope_unknown.to_owned(),
        },
    }
}

fn home_number(answer: &Answer, home: &str, language: Language, percent_sign: &str) -> KeyNumber {
    let text = language.text();
    let hosts = || {
        answer
            .countries
            .iter()
            .filter(|((group, _), _)| *group == Group::Host)
    };
    let total: i64 = hosts().map(|(_, tally)| tally.packets).sum();
    let of = |code: &[u8]| -> i64 {
        hosts()
            .filter(|((_, known), _)| known == code)
            .map(|(_, tally)| tally.packets)
            .sum()
    };
    let (at_home, unknown) = (of(home.as_bytes()), of(b"ZZ"));
    let abroad = number::percent((total - at_home - unknown) as f64, total as f64);
    KeyNumber {
        label: fill(
            text.key_home,
            &[("country", &country::name(home, language))],
        ),
        value: format!(
            "{}{percent_sign}",
            number::percent(at_home as f64, total as f64)
        ),
        note: fill(text.key_home_note, &[("abroad", &abroad)]),
    }
}

fn sections(
    answer: &Answer,
    setting: &Setting,
    language: Language,
) -> Vec<(&'static str, Vec<Placed>)> {
    let mut count = 0;
    Section::ALL
        .iter()
        .map(|&section| {
            let figures = FIGURES
                .iter()
                .filter(|figure| figure.section == section)
                .map(|figure| {
                    count += 1;
                    Placed {
                        number: count,
                        figure,
                        drawn: figure.drawn(answer, language, setting.home.as_deref()),
                    }
                });
            (
                language.text().sections[section as usize],
                figures.collect(),
            )
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
            terms: text.tools.to_vec(),
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

fn provenance(answer: &Answer, language: Language) -> Vec<String> {
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
    lines.push(fill(
        text.provenance_report,
        &[("v", &env!("CARGO_PKG_VERSION"))],
    ));
    lines
}
