//! The flags of a live capture: how packets are captured, and how long observed packets may exist in memory only.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::keep::KeepSettings;
use crate::source::live::Method;

/// Default seconds until observed packets are durable: `coverage` has a row per minute, so less would not show.
const DURABLE_DEFAULT: u64 = 60;
/// Default hours of kept packets: a day, which takes about 42 GB for a /16 telescope (6,850 packets an address and day, NICTER 2025, each
/// of 77 bytes and 16 of header).
const KEEP_HOURS_DEFAULT: u32 = 24;

/// `--capture-method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CaptureMethod {
    /// A ring where the kernel and the interface allow, else libpcap.
    Auto,
    /// Rings of TPACKET_V3, one for each worker.
    Ring,
    /// libpcap: portable, and for interfaces without an Ethernet header.
    Pcap,
}

/// Flags of `capture` alone.
#[derive(Debug, Default, Args)]
pub struct LiveArguments {
    /// How packets are captured; the sensor logs at the start which way it uses [default: auto].
    #[arg(long, value_name = "METHOD")]
    pub capture_method: Option<CaptureMethod>,
    /// Capture only packets that match this expression, in the syntax of pcap-filter(7).
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Also receive packets to other addresses and count them as outside; without it the kernel drops what is not sent to the telescope.
    #[arg(long)]
    pub all_packets: bool,
    /// Seconds until observed packets are synced to disk and visible in the tables; a power cut loses at most these seconds [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub durable: Option<u64>,
    /// Also write every observed packet into this folder, as pcap files of one hour each, with nanoseconds. If the disk is too slow or
    /// full, packets are dropped from these files and counted; up to 64 MiB may wait for the disk [default: off].
    #[arg(long, value_name = "DIR")]
    pub keep_packets: Option<PathBuf>,
    /// Remove files of --keep-packets that are older than this many hours before the current one [default: 24].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub keep_hours: Option<u32>,
}

/// The same as settings, with defaults filled in.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// How packets are captured.
    pub method: Method,
    /// Expression of a further filter.
    pub filter: Option<String>,
    /// Whether the kernel also delivers packets that are not sent to the telescope.
    pub all_packets: bool,
    /// How long observed packets may exist in memory only.
    pub durable: Duration,
    /// Where packets are kept, and for how long; `None` keeps none.
    pub keep: Option<KeepSettings>,
}

impl LiveArguments {
    /// The flags with their defaults.
    #[must_use]
    pub fn resolve(self) -> LiveSettings {
        LiveSettings {
            method: match self.capture_method {
                None | Some(CaptureMethod::Auto) => Method::Automatic,
                Some(CaptureMethod::Ring) => Method::Ring,
                Some(CaptureMethod::Pcap) => Method::Library,
            },
            filter: self.filter,
            all_packets: self.all_packets,
            durable: Duration::from_secs(self.durable.unwrap_or(DURABLE_DEFAULT)),
            keep: self.keep_packets.map(|folder| KeepSettings {
                folder,
                hours: self.keep_hours.unwrap_or(KEEP_HOURS_DEFAULT),
            }),
        }
    }
}
