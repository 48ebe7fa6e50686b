//! The period in three sentences, made from its numbers.

use crate::figure::{port_label, when};
use crate::measure::{Change, RateUnit};
use crate::query::Answer;
use crate::text::{Language, fill, number};

/// The period in three sentences: the rate with its changes, the events, and the coverage behind both.
pub(super) fn summary(answer: &Answer, language: Language) -> Vec<String> {
    let text = language.text();
    let mut sentences = Vec::new();
    if answer.is_ipv6_alone() {
        let packets = number::count(answer.packets_ipv6());
        sentences.push(fill(text.summary_ipv6_alone, &[("n", &packets)]));
    } else if let Some(rate) = answer.rate(answer.packets_ipv4()) {
        sentences.push(rate_sentence(answer, rate, language));
    }
    let hosts = |event: &&crate::query::event::Event| event.hosts;
    let largest = answer
        .events
        .iter()
        .max_by(|a, b| hosts(a).total_cmp(&hosts(b)));
    sentences.push(match largest {
        _ if answer.tested.days == 0 => text.summary_untested.to_owned(),
        None => text.summary_no_event.to_owned(),
        Some(event) => fill(
            text.summary_events,
            &[
                ("n", &number::count(answer.events.len() as i64)),
                ("port", &port_label(event.port)),
                ("when", &when(answer, event, language)),
                ("hosts", &number::estimate(event.hosts)),
            ],
        ),
    });
    let share = number::percent(answer.share_of_period(), 1.0);
    let scans = answer.survey.sum(|day| day.packets);
    let survey = answer.survey.sum(|day| day.survey_packets);
    sentences.push(if scans > 0 {
        let survey = number::percent(survey as f64, scans as f64);
        fill(
            text.summary_coverage_survey,
            &[("share", &share), ("survey", &survey)],
        )
    } else {
        fill(text.summary_coverage, &[("share", &share)])
    });
    sentences
}

fn rate_sentence(answer: &Answer, rate: f64, language: Language) -> String {
    let text = language.text();
    let written = number::measure(rate);
    if answer.unit() == RateUnit::SensorDay {
        return fill(text.summary_sensor_rate, &[("rate", &written)]);
    }
    let in_words = |other: Option<&Answer>| {
        let before = other.and_then(|other| other.rate(other.packets_ipv4()))?;
        let change = Change::between(before, rate, 0.0);
        let percent = change.percent.filter(|_| !change.unchanged);
        Some(percent.map_or_else(
            || text.unchanged.to_owned(),
            |percent| {
                let template = if percent > 0.0 {
                    text.change_up
                } else {
                    text.change_down
                };
                let percent = number::percent(percent.abs(), 100.0);
                fill(template, &[("percent", &percent)])
            },
        ))
    };
    match (in_words(answer.previous()), in_words(answer.year_before())) {
        (Some(previous), Some(year)) => fill(
            text.summary_rate_both,
            &[("rate", &written), ("previous", &previous), ("year", &year)],
        ),
        (Some(previous), None) => fill(
            text.summary_rate_change,
            &[("rate", &written), ("previous", &previous)],
        ),
        _ => fill(text.summary_rate, &[("rate", &written)]),
    }
}
