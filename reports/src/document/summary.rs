//! The period in three sentences, made from its numbers.

use teiten_observation::Family;

use crate::figure::{event_label, when};
use crate::measure::{Change, RateUnit};
use crate::query::Answer;
use crate::query::event::Event;
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
    let hosts = |event: &&Event| event.hosts;
    let largest = answer
        .events
        .iter()
        .max_by(|a, b| hosts(a).total_cmp(&hosts(b)));
    sentences.push(match largest {
        _ if !answer.tested.any() => text.summary_untested.to_owned(),
        None => text.summary_no_event.to_owned(),
        Some(event) => {
            let events = fill(
                text.summary_events,
                &[
                    ("n", &number::count(answer.events.len() as i64)),
                    ("port", &event_label(event)),
                    ("when", &when(answer, event, language)),
                    ("hosts", &number::estimate(event.hosts)),
                ],
            );
            let joint = if language == Language::Ja { "" } else { " " };
            match without_events(answer, language) {
                Some(without) => format!("{events}{joint}{without}"),
                None => events,
            }
        }
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
    let in_words = |other| change_in_words(other, rate, language);
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

/// The change from another period to `rate` in words: up, down or unchanged.
fn change_in_words(other: Option<&Answer>, rate: f64, language: Language) -> Option<String> {
    let text = language.text();
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
}

/// What is left without the packets to the ports of events on their days, and how that compares with the period before: whether the events
/// explain the change. The events are of IPv4, as the rate is.
fn without_events(answer: &Answer, language: Language) -> Option<String> {
    let text = language.text();
    let over_ipv4 = |event: &&Event| event.family == Family::Ipv4;
    let of_event = |event: &Event| -> i64 {
        let days = &answer.port_days[event.days.clone()];
        days.iter().map(|day| day.get(event.port).packets).sum()
    };
    let events = answer.events.iter().filter(over_ipv4);
    let packets: i64 = events.map(of_event).sum();
    if packets == 0 || answer.unit() == RateUnit::SensorDay {
        return None;
    }
    let rate = answer.rate(answer.packets_ipv4() - packets)?;
    let change = change_in_words(answer.previous(), rate, language)?;
    let rate = number::measure(rate);
    Some(fill(
        text.summary_without_events,
        &[("rate", &rate), ("change", &change)],
    ))
}
