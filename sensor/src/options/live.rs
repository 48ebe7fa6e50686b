//! The flags of a live capture that say how packets are had and how long what was observed may stay in memory alone.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::keep::KeepSettings;
use crate::source::live::Method;

/// Seconds after which what was observed is durable, by default: a minute is the finest that `coverage` tells.
const DURABLE_DEFAULT: u64 = 60;
/// Hours of packets kept, by default: a day, of a /16 telescope some 42 GB (6,850 packets an address and day, NICTER 2025, each of
/// 77 bytes and 16 of header).
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
    /// How packets are had; the way taken is named at the start [default: auto].
    #[arg(long, value_name = "METHOD")]
    pub capture_method: Option<CaptureMethod>,
    /// Let only packets through that this expression matches, in the words of pcap-filter(7); others are not received.
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Let packets to other addresses through too, to be counted as outside; without it the kernel drops what is not sent to
    /// the telescope.
    #[arg(long)]
    pub all_packets: bool,
    /// Seconds after which what was observed is on disk, forced there, and visible: all that a power cut can take [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub durable: Option<u64>,
    /// Also write every observed packet into this folder, as pcap files of an hour each, with nanoseconds. What the disk is too slow
    /// or too full for is left out of them and counted; up to 64 MiB may wait for it [default: none are kept].
    #[arg(long, value_name = "DIR")]
    pub keep_packets: Option<PathBuf>,
    /// Remove files of --keep-packets whose hour began longer ago than this many whole hours and the present one [default: 24].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub keep_hours: Option<u32>,
}

/// The same, settled.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// How packets are had.
    pub method: Method,
    /// Expression of a further filter.
    pub filter: Option<String>,
    /// Whether the kernel lets packets through that are not sent to the telescope.
    pub all_packets: bool,
    /// The longest that what was observed is in memory alone.
    pub durable: Duration,
    /// Where packets are kept, and for how long; none: nowhere.
    pub keep: Option<KeepSettings>,
}

impl LiveArguments {
    /// The flags with their defaults.
    #[must_use]
    pub fn settle(self) -> LiveSettings {
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
