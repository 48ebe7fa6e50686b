//! Every sentence of a report, in both languages: one struct of fields that both languages fill, so that none can be forgotten.
//!
//! Sentences with numbers are templates, `{name}` filled by [`fill`]. Code elsewhere holds no prose of the report.

use std::fmt::Write as _;

use jiff::civil::Weekday;
use teiten_aggregator::counter::Counts;
use teiten_observation::{Tool, ToolTerm};

pub mod country;
mod en;
mod ja;
pub mod number;
pub mod service;
pub mod time;

/// A language of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Japanese
    Ja,
    /// English
    En,
}

impl Language {
    /// Both, Japanese first.
    pub const ALL: [Language; 2] = [Language::Ja, Language::En];

    /// Its BCP 47 tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Language::Ja => "ja",
            Language::En => "en",
        }
    }

    /// Its name in itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Language::Ja => "日本語",
            Language::En => "English",
        }
    }

    /// Its sentences.
    #[must_use]
    pub const fn text(self) -> &'static Text {
        match self {
            Language::Ja => &ja::TEXT,
            Language::En => &en::TEXT,
        }
    }
}

/// A short text in both languages, for tables whose rows hold their texts.
#[derive(Clone, Copy, Debug)]
pub struct Both {
    /// Japanese
    pub ja: &'static str,
    /// English
    pub en: &'static str,
}

impl Both {
    /// The text in a language.
    #[must_use]
    pub const fn of(self, language: Language) -> &'static str {
        match language {
            Language::Ja => self.ja,
            Language::En => self.en,
        }
    }
}

/// A name and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// The name as printed.
    pub name: &'static str,
    /// What it means, a sentence or two.
    pub meaning: &'static str,
}

impl From<ToolTerm> for Term {
    fn from(term: ToolTerm) -> Term {
        Term {
            name: term.name,
            meaning: term.meaning,
        }
    }
}

/// The name of a tool, from its row of TOOLS.
#[must_use]
pub fn tool_term(language: Language, tool: Tool) -> Term {
    match language {
        Language::Ja => tool.row().japanese.into(),
        Language::En => tool.row().english.into(),
    }
}

/// Replaces each `{name}` of a template by its value; a name without a value is kept.
#[must_use]
pub fn fill(template: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let close = after.find('}').map_or(after.len(), |index| index + 1);
        let (slot, tail) = after.split_at(close);
        match values
            .iter()
            .find(|(name, _)| slot == format!("{{{name}}}"))
        {
            Some((_, value)) => {
                // Writing to a String cannot fail.
                let _ = write!(filled, "{value}");
            }
            None => filled.push_str(slot),
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// The days of a week from Monday.
pub const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

macro_rules! text {
    ($($(#[$meta:meta])* $field:ident),+ $(,)?) => {
        /// The sentences of one language. Templates name their slots in braces.
        #[allow(missing_docs)] // The fields are named after the sentences they hold.
        pub struct Text {
            /// One term per class, in the order of the codes.
            pub classes: [Term; 8],
            /// One term per traffic type, in the order of the codes.
            pub traffic_types: [Term; 33],
            /// One term per state: complete, partial, lossy, missing, not yet.
            pub states: [Term; 5],
            /// One term per number of the head of the report.
            pub numbers: &'static [Term],
            /// Caveats for readers who quote a number.
            pub caveats: &'static [&'static str],
            /// Titles of the sections, in the order of `figure::Section`.
            pub sections: [&'static str; 8],
            /// One per rule of `query::survey::RULES`.
            pub survey_rules: [&'static str; 4],
            /// One per kind of `AttackKind::ALL`.
            pub attack_kinds: [&'static str; 8],
            /// Kinds of attacks as a chart groups them.
            pub attack_groups: [&'static str; 5],
            /// Classes of the length of attacks.
            pub attack_lengths: [&'static str; 5],
            /// Classes of the replies in an attack's densest minute.
            pub attack_sizes: [&'static str; 4],
            /// How a campaign came, by `Came::ALL`.
            pub campaign_states: [&'static str; 3],
            /// What may be new, by `NoveltyWhat::ALL`.
            pub novelty_whats: [&'static str; 4],
            /// Weekdays from Monday, short.
            pub weekdays: [&'static str; 7],
            /// Names of the counters of `coverage`.
            pub counters: Counts<&'static str>,
            $($(#[$meta])* pub $field: &'static str),+
        }
    };
}

text! {
    report_title, report_for, sensors, telescope, telescope_addresses, telescope_ipv6, telescope_unknown, telescope_range, as_of, observed_until, timezone,
    whole_span, off_hours, contents, figure, key_numbers, other_language, made_by,
    key_packets, key_bytes, key_per_address, key_per_address_unknown, key_per_address_note, key_hosts, key_hosts_note, key_victims,
    key_hours, key_hours_value, key_ipv6, key_ipv6_note, key_home, key_home_note, key_rate, key_class, key_bytes_note, key_mean,
    notice_title, notice_gaps, notice_partial, notice_lossy, notice_damaged, notice_uncovered, notice_disagree, notice_loss_count,
    notice_complete,
    note_both_versions, note_gaps, note_lossy, note_partial, note_error, note_no_geo, note_denominator_packets, note_denominator_hosts, note_denominator_victims,
    note_icmp_victim, note_tools, note_top, note_scan_only, note_reflector_only, note_attacked_only, note_home, note_equal_ranks, note_means, note_change,
    note_days_partial, note_exploded, note_table_cut,
    unchanged, new, key_nothing_before, note_nothing_before, key_survey, key_survey_note,
    note_not_yet, note_measure, note_ipv6, hollow_mark, not_yet_mark, axis_rate, axis_rate_sensor, address_hours, observed_share,
    notice_unfinished, unfinished, key_ipv4, key_rate_day, key_rate_ipv6, key_rate_sensor, key_previous, key_year_before, key_not_compared, key_hosts_day, key_hosts_day_none,
    finding_untested, finding_no_event, finding_events, median, outside, event_short_spike, event_short_new, events_untested,
    events_rule, events_scope, events_more, event_spike, event_new, event_size, event_countries, event_network, event_tools, event_no_tool,
    event_sensors, event_sensors_all, event_judgement, days, kind, hosts_of_peak, dispersion, kind_spike, kind_new, rank_previous,
    rank_year_before, rank_without_survey, difference, change_previous, daily, monthly, note_outside, note_iana, finding_entered,
    finding_leads, device_mark, no_sources_table, without_survey, all_packets, survey_share, note_survey_rule, rule,
    sources_per_day, survey_named, survey_either, finding_survey, note_survey, mirai_world, devices_world, mirai_home,
    devices_home, axis_sources_day_exact, note_infected, hosts_a_day, largest_network, several_packets, note_days, rank_shared,
    rank_alone, rank_by_packets, rank_by_hosts, and_word, finding_countries, finding_countries_same, note_unknown, note_map,
    map_packets, map_hosts, map_credit, no_home, abroad, finding_abroad, no_actors, organisation, finding_organisations,
    top_packets, top_share, axis_share, finding_concentration, no_years, series, year, axis_per_address_year, note_series,
    note_no_own_year, own_series, summary_rate, summary_rate_change, summary_rate_both, summary_sensor_rate, summary_ipv6_alone, summary_events,
    summary_no_event, summary_without_events, summary_untested, summary_coverage, summary_coverage_survey, change_up, change_down,
    rate_short, revised, revised_nothing, nothing_here, too_short_week, too_short_days, one_sensor,
    no_data, partial_mark, lossy_mark, data_table, csv, svg, about, unknown_value,
    axis_packets_hour, axis_packets_day, axis_packets_month, axis_sources_hour, axis_sources_day, axis_sources_month, axis_packets,
    axis_hosts, axis_victims, axis_change, axis_hour_of_day, axis_mean_packets, axis_time,
    hosts, victims, packets, bytes, share, sources_about, sources_about_ipv4, others, other_ports, other_countries, time, state, rate, service, port, protocol,
    country, class, tool, traffic_type, sensor, addresses, hours, dropped, total, change, weekday, hour, code, seconds, rank, evidence,
    icmp_name, via_icmp, no_port, legend_low, legend_high,
    definitions, classes_title, types_title, tools_title, states_title, numbers_title, caveats_title, accounting_title, provenance_title,
    provenance_geo, provenance_geo_none, provenance_schema, provenance_program, provenance_configuration, provenance_telescope,
    provenance_report, accounting_note,
    not_rolled_up, note_days_rolled_up, note_other_zone, measure, value, several_ports, every_port, gone,
    attacks_none, finding_attacks, attack_events, attack_victims, attack_carpets, attack_carpet_addresses, attack_ongoing, attack_replies,
    attack_densest, attack_length_median, attack_length_longest, attack_estimated, attack_floor, attack_start, attack_length, attack_addresses,
    attack_goes_on, axis_attacks, axis_attacks_hour, axis_attacks_day, axis_attacks_month, axis_attacks_grid, note_attacks, note_attack_floor,
    note_attack_no_floor, note_attack_sensors, note_attack_names, note_denominator_attacks,
    campaigns_none, finding_campaigns, finding_campaigns_first, campaign_first_day, campaign_gone, axis_campaigns_day, note_campaigns,
    infected_campaigns_none, finding_infected_campaigns, note_infected_campaigns,
    novelties_none, finding_novelties, novelty_which, novelty_sources, novelty_usual, novelty_score, novelty_never_seen, novelty_unusual,
    note_novelties, scans_none, finding_scans, scan_events, scans_large, scans_large_packets, note_scans,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_and_unknown_ones_stay() {
        let text = fill("{a} of {b}, {c}", &[("a", &3), ("b", &"7")]);
        assert_eq!(text, "3 of 7, {c}");
        assert_eq!(fill("no slot {", &[]), "no slot {");
    }

    #[test]
    fn both_languages_name_every_class_differently_from_each_other_class() {
        for language in Language::ALL {
            let mut names: Vec<_> = language
                .text()
                .classes
                .iter()
                .map(|term| term.name)
                .collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 8);
        }
    }
}
