//! What `rollup` is told of days: their time zone, and the thresholds of the rules that call a source a survey scanner.

use super::time::DayArgument;
use crate::calendar::Calendar;
use crate::event::{
    ATTACK_SILENCE_SECONDS_MAX, ATTACK_SILENCE_SECONDS_MIN, AttackRules, CampaignRules,
    NoveltyRules, SILENCE_SECONDS_MAX, SILENCE_SECONDS_MIN, ScanRules,
};
use crate::rollup::{RollupSettings, SurveyRules};
use clap::{Args, ValueEnum};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct DayFlags {
    /// Whose days, an IANA name such as Asia/Tokyo; its midnight must be a full hour of UTC.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// NICTER's survey rule: ports of a day, at least.
    #[arg(long, value_name = "PORTS", default_value_t = 30)]
    survey_nicter_ports: u64,
    /// NICTER's survey rule: packets of a day, at least.
    #[arg(long, value_name = "PACKETS", default_value_t = 300_000)]
    survey_nicter_packets: u64,
    /// The National Police Agency's survey rule: ports of a day, at least.
    #[arg(long, value_name = "PORTS", default_value_t = 100)]
    survey_police_ports: u64,
    /// JPCERT/CC's survey rule: ports of a day, at least.
    #[arg(long, value_name = "PORTS", default_value_t = 11)]
    survey_jpcert_ports: u64,
    /// Ports of a day from which on `ports_daily` counts a source without a name as a survey scanner.
    #[arg(long, value_name = "PORTS", default_value_t = 30)]
    survey_ports: u64,
    /// Seconds of silence that end a scan event, 3600 at least [default: from the telescope's size, 4528 for a /16].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(SILENCE_SECONDS_MIN..=SILENCE_SECONDS_MAX))]
    scan_silence: Option<u64>,
    /// Distinct dark addresses that make a scan event, at least.
    #[arg(long, value_name = "ADDRESSES", default_value_t = 10)]
    scan_destinations: u64,
    /// Packets per second to the whole of IPv4 that make a scan event, at least, where the telescope's size is known.
    #[arg(long, value_name = "PPS", default_value_t = 10.0)]
    scan_rate: f64,
    /// Share of the dark addresses from which on a scan event is large.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    scan_large: f64,
    /// Replies that make a denial-of-service event, at least.
    #[arg(long, value_name = "PACKETS", default_value_t = 25)]
    attack_packets: u64,
    /// Seconds from the first reply of a denial-of-service event to the last, at least.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    attack_seconds: u64,
    /// Replies in the densest minute of a denial-of-service event, at least: what they mean for an attack depends on the telescope's size
    /// (column floor_pps).
    #[arg(long, value_name = "PACKETS", default_value_t = 30)]
    attack_per_minute: u64,
    /// Seconds of silence that a denial-of-service event survives, 60 at least.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(ATTACK_SILENCE_SECONDS_MIN..=ATTACK_SILENCE_SECONDS_MAX))]
    attack_silence: u64,
    /// Addresses of a /24 (IPv6: /48), each too weakly attacked for an event of its own, that make a carpet, at least.
    #[arg(long, value_name = "ADDRESSES", default_value_t = 10)]
    carpet_victims: u64,
    /// Sources of a campaign, at least; one that goes on from the day before is told down to half of them.
    #[arg(long, value_name = "SOURCES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    campaign_sources: u64,
    /// Packets of a day that ask for a service and let a source belong to a campaign, at least.
    #[arg(long, value_name = "PACKETS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    campaign_packets: u64,
    /// What decides that something is new: statistical (median and interquartile range, Poisson at low counts, corrected for the number of things
    /// tested) or greynoise (GreyNoise's two conditions).
    #[arg(long, value_name = "RULE", default_value = "statistical")]
    novelty_rule: NoveltyRuleName,
    /// Days before a day that it is compared with.
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=366))]
    novelty_days: u32,
    /// Days before a day that must be known: below, nothing is called new.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    novelty_days_min: u32,
    /// Sources of something new, at least.
    #[arg(long, value_name = "SOURCES", default_value_t = 5)]
    novelty_sources: u64,
    /// Share of false alarms among all that is called new, at most, by the procedure of Benjamini and Hochberg.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    novelty_false: f64,
    /// Sources over the median of the days before, at least.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.5)]
    novelty_ratio: f64,
}

/// What decides that something is new.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum NoveltyRuleName {
    Statistical,
    Greynoise,
}

impl DayFlags {
    /// What is rolled up of these days.
    pub(crate) fn settings(
        &self,
        (from, to): (Option<DayArgument>, Option<DayArgument>),
    ) -> anyhow::Result<RollupSettings> {
        anyhow::ensure!(
            self.novelty_false > 0.0 && self.novelty_false < 1.0,
            "--novelty-false {} is no share between 0 and 1",
            self.novelty_false
        );
        anyhow::ensure!(
            self.novelty_days_min <= self.novelty_days,
            "--novelty-days-min {} is more than --novelty-days {}: no day could ever be judged",
            self.novelty_days_min,
            self.novelty_days
        );
        Ok(RollupSettings {
            from: from.map(|day| day.0),
            to: to.map(|day| day.0),
            calendar: Calendar::of(&self.timezone)?,
            survey: SurveyRules {
                nicter_ports: self.survey_nicter_ports,
                nicter_packets: self.survey_nicter_packets,
                police_ports: self.survey_police_ports,
                jpcert_ports: self.survey_jpcert_ports,
                survey_ports: self.survey_ports,
            },
            scans: ScanRules {
                silence_seconds: self.scan_silence,
                destinations_min: self.scan_destinations,
                internet_rate_min: self.scan_rate,
                large_share: self.scan_large,
            },
            campaigns: CampaignRules {
                sources_min: self.campaign_sources,
                packets_min: self.campaign_packets,
            },
            novelties: NoveltyRules {
                days: self.novelty_days,
                days_min: self.novelty_days_min,
                sources_min: self.novelty_sources,
                false_share: self.novelty_false,
                ratio_min: self.novelty_ratio,
                greynoise: matches!(self.novelty_rule, NoveltyRuleName::Greynoise),
            },
            attacks: AttackRules {
                packets_min: self.attack_packets,
                seconds_min: self.attack_seconds,
                per_minute_min: self.attack_per_minute,
                silence_seconds: self.attack_silence,
                carpet_victims_min: self.carpet_victims,
            },
        })
    }
}
