//! What `rollup` is told of days: their time zone, and the thresholds of the rules that call a source a survey scanner.

use clap::Args;
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::event::{SILENCE_SECONDS_MAX, SILENCE_SECONDS_MIN, ScanRules};
use teiten_aggregator::rollup::{RollupSettings, SurveyRules};

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
}

impl DayFlags {
    /// What is rolled up of these days.
    pub(crate) fn settings(&self, (from, to): (String, String)) -> anyhow::Result<RollupSettings> {
        Ok(RollupSettings {
            from,
            to,
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
        })
    }
}
