//! The flags of a live capture that say how packets are had and how long what was observed may stay in memory alone.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::source::live::Method;

/// Seconds after which what was observed is durable, by default: a minute is the finest that `coverage` tells.
const DURABLE_DEFAULT: u64 = 60;
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
        }
    }
}
