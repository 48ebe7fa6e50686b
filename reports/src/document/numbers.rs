//! The key numbers of a report, each beside its value in the periods that it can be compared with.

use super::{KeyNumber, Setting};
use crate::measure::{Change, RateUnit};
use crate::query::distinct::ERROR_PERCENT;
use crate::query::{Answer, SourceGroup};
use crate::series::CoverageState;
use crate::text::{Language, country, fill, number};

/// The key numbers, each with the name of its fact.
pub(super) fn numbers(answer: &Answer, setting: &Setting, language: Language) -> Vec<KeyNumber> {
    let text = language.text();
    let mut found = rows(answer, setting, language);
    for key in &mut found {
        key.fact = [
            (text.key_rate_day, "packets-per-address-day"),
            (text.key_packets, "packets"),
            (text.key_survey, "packets-survey"),
            (text.key_bytes, "bytes"),
            (text.key_ipv6, "packets-ipv6"),
        ]
        .into_iter()
        .find(|(label, _)| *label == key.label)
        .map(|(_, fact)| fact);
        // Rates per address need known sizes, and survey numbers need `sources`.
        let known = match key.fact {
            Some("packets-per-address-day") => answer.unit() == RateUnit::AddressDay,
            Some("packets-survey") => answer.survey.is_known(),
            _ => true,
        };
        key.fact = key.fact.filter(|_| known);
    }
    found
}

fn key(label: &str, value: String, note: String) -> KeyNumber {
    KeyNumber {
        label: label.to_owned(),
        value,
        note,
        fact: None,
    }
}

fn rows(answer: &Answer, setting: &Setting, language: Language) -> Vec<KeyNumber> {
    let text = language.text();
    let packets = answer.packets();
    let percent_sign = percent_sign(language);
    let share = |part: i64| {
        format!(
            "{}{percent_sign}",
            number::percent(part as f64, packets as f64)
        )
    };
    let mean = number::rate(answer.bytes() as f64 / packets.max(1) as f64);
    let (v4, v6) = (
        number::count(answer.packets_ipv4()),
        number::count(answer.packets_ipv6()),
    );
    let covered = answer
        .hours
        .iter()
        .filter(|hour| hour.state.is_observed())
        .count();
    let hours = [
        ("covered", number::count(covered as i64)),
        ("total", number::count(answer.hours.len() as i64)),
    ];
    let states: Vec<String> = CoverageState::ALL
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
    let mut found = vec![
        per_address(answer, language),
        key(
            text.key_packets,
            number::count(packets),
            fill(text.key_ipv4, &[("v4", &v4), ("v6", &v6)]),
        ),
        hosts_a_day(answer, language),
    ];
    found.extend(survey_share(answer, language));
    found.extend([
        key(
            text.key_hours,
            fill(
                text.key_hours_value,
                &[("covered", &hours[0].1), ("total", &hours[1].1)],
            ),
            states.join(", "),
        ),
        key(
            text.key_bytes,
            number::bytes(answer.bytes()),
            fill(text.key_bytes_note, &[("mean", &mean)]),
        ),
    ]);
    // Where nobody observes IPv6, its share would only look like a finding.
    if answer.sensors_of_ipv6().next().is_some() {
        found.push(key(
            text.key_ipv6,
            share(answer.packets_ipv6()),
            fill(text.key_ipv6_note, &[("n", &v6)]),
        ));
    }
    if let Some(home) = &setting.home {
        found.push(home_number(answer, home, language, percent_sign));
    }
    found
}

/// `%` as the language sets it.
#[must_use]
pub(super) fn percent_sign(language: Language) -> &'static str {
    match language {
        Language::En => " %",
        Language::Ja => "%",
    }
}

/// A change as text: its percent, or that there is none.
#[must_use]
pub(super) fn change(change: &Change, language: Language) -> String {
    let text = language.text();
    match change.percent {
        _ if change.unchanged => text.unchanged.to_owned(),
        None => text.new.to_owned(),
        Some(percent) => format!(
            "{}{}",
            number::signed_percent(percent),
            percent_sign(language)
        ),
    }
}

/// A value in the periods that it is compared with, and the change since; or why there is no comparison.
fn comparisons(
    answer: &Answer,
    language: Language,
    error_percent: f64,
    written: fn(f64) -> String,
    of: impl Fn(&Answer) -> Option<f64>,
) -> String {
    let text = language.text();
    if !answer.is_comparable() {
        let share = number::percent(answer.share_of_period(), 1.0);
        return fill(text.key_not_compared, &[("share", &share)]);
    }
    let Some(now) = of(answer) else {
        return String::new();
    };
    let sides = [
        (answer.previous(), text.key_previous),
        (answer.year_before(), text.key_year_before),
    ];
    let parts: Vec<String> = sides
        .into_iter()
        .filter_map(|(other, template)| {
            let before = of(other?)?;
            let change = change(&Change::between(before, now, error_percent), language);
            Some(fill(
                template,
                &[("value", &written(before)), ("change", &change)],
            ))
        })
        .collect();
    if parts.is_empty() {
        text.key_nothing_before.to_owned()
    } else {
        parts.join(if language == Language::Ja {
            "、"
        } else {
            "; "
        })
    }
}

/// The rate over the whole period.
fn per_address(answer: &Answer, language: Language) -> KeyNumber {
    let text = language.text();
    let label = match answer.unit() {
        RateUnit::AddressDay => text.key_rate_day,
        RateUnit::SensorDay if answer.is_ipv6_alone() => text.key_rate_ipv6,
        RateUnit::SensorDay => text.key_rate_sensor,
    };
    let of = |answer: &Answer| {
        answer.rate(match answer.is_ipv6_alone() {
            true => answer.packets_ipv6(),
            false => answer.packets_ipv4(),
        })
    };
    let value = of(answer).map_or_else(|| "–".to_owned(), number::measure);
    key(
        label,
        value,
        comparisons(answer, language, 0.0, number::measure, of),
    )
}

fn hosts_a_day(answer: &Answer, language: Language) -> KeyNumber {
    let text = language.text();
    let Some(hosts) = answer.hosts_per_day() else {
        return key(
            text.key_hosts_day,
            "–".to_owned(),
            text.key_hosts_day_none.to_owned(),
        );
    };
    let value = fill(text.about, &[("n", &number::estimate(hosts))]);
    let note = comparisons(
        answer,
        language,
        ERROR_PERCENT,
        number::estimate,
        Answer::hosts_per_day,
    );
    let error = fill(text.key_hosts_note, &[("error", &ERROR_PERCENT)]);
    let separator = if language == Language::Ja {
        "、"
    } else {
        "; "
    };
    key(text.key_hosts_day, value, note + separator + &error)
}

/// The share of survey scans, and how it depends on the threshold; `None` without the table `sources`.
fn survey_share(answer: &Answer, language: Language) -> Option<KeyNumber> {
    let text = language.text();
    let survey = &answer.survey;
    let total = survey.sum(|day| day.packets);
    if total == 0 {
        return None;
    }
    let of = |part: i64| {
        format!(
            "{}{}",
            number::percent(part as f64, total as f64),
            percent_sign(language)
        )
    };
    let rule = |place: usize| of(survey.sum(|day| day.rule_packets[place]));
    Some(key(
        text.key_survey,
        of(survey.sum(|day| day.survey_packets)),
        fill(
            text.key_survey_note,
            &[
                ("jpcert", &rule(0)),
                ("nicter", &rule(1)),
                ("police", &rule(2)),
                ("named", &of(survey.sum(|day| day.named_packets))),
            ],
        ),
    ))
}

fn home_number(answer: &Answer, home: &str, language: Language, percent_sign: &str) -> KeyNumber {
    let text = language.text();
    let hosts = || {
        answer
            .countries
            .iter()
            .filter(|((group, _), _)| *group == SourceGroup::Host)
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
        fact: None,
    }
}
