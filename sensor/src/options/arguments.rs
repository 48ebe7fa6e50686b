//! The flags of every command, as clap reads them: each with its unit, default and consequence. `resolve.rs` turns them into settings;
//! `file.rs` reads the same settings from `teiten.toml`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::address_and_port;
use super::live::LiveArguments;
use crate::log::{LogFormat, LogLevel};

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Captures, folders of captures (read in the order of their first packet), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read plain files through buffers instead of memory maps: for files that may shrink while they are read.
    #[arg(long)]
    pub no_map: bool,
    /// Count captures again that the dataset already holds: their new rows replace the old ones. Give all captures that share hours with
    /// them too. Without this flag such captures are skipped.
    #[arg(long)]
    pub recount: bool,
    /// Print the alerts that --watch would have sent, as JSON lines, and what it would not tell and why on standard error; nothing is sent or
    /// stored. Needs no --data.
    #[arg(long)]
    pub watch_test: bool,
    /// Settings shared with `capture`.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// `capture`.
#[derive(Debug, Args)]
pub struct CaptureArguments {
    /// Interface to capture on; repeatable.
    #[arg(long = "interface", short, value_name = "IF")]
    pub interfaces: Vec<String>,
    /// Bytes kept of each packet; payload signatures need the first few hundred [default: 2048].
    #[arg(long, value_name = "BYTES")]
    pub snap_length: Option<u32>,
    /// Kernel buffer of each interface; when a burst fills it, packets are dropped [default: 128M].
    #[arg(long, value_name = "SIZE")]
    pub buffer: Option<String>,
    /// Do not put the interface into promiscuous mode: only packets sent to its own address arrive.
    #[arg(long)]
    pub no_promiscuous: bool,
    /// How packets are captured, and how soon they are durable.
    #[command(flatten)]
    pub live: LiveArguments,
    /// Once the interfaces are open, continue as this user, with CAP_NET_RAW alone; needs root [default: keep the current user].
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Do not confine files (landlock) and system calls (seccomp): for systems on which that fails.
    #[arg(long)]
    pub no_sandbox: bool,
    /// Serve /metrics, /health and /live over HTTP at this address and port, such as 127.0.0.1:9898 [default: off].
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address_and_port)]
    pub status: Option<SocketAddr>,
    /// Allow a --status address that other machines can reach: whoever reads it learns which addresses the telescope has.
    #[arg(long)]
    pub status_remote: bool,
    /// Also answer requests to --status whose Host is NAME; addresses, localhost and this machine's name are always answered; repeatable.
    #[arg(long, value_name = "NAME")]
    pub status_host: Vec<String>,
    /// Settings shared with `replay`.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Captures, folders of captures, or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Dark prefix; repeatable, or several with commas. Without it every destination counts.
    #[arg(long = "telescope", value_name = "PREFIX", value_delimiter = ',')]
    pub telescope: Vec<String>,
    /// Prefix whose packets, to or from, are not observed; repeatable, or several with commas.
    #[arg(long = "exclude", value_name = "PREFIX", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Print counts by class, traffic type, tool, rule and port instead, the largest first.
    #[arg(long)]
    pub summary: bool,
    /// Print the summary as one JSON line per group.
    #[arg(long)]
    pub json: bool,
}

/// `top`.
#[cfg(feature = "top")]
#[derive(Debug, Args)]
pub struct TopArguments {
    /// Where the sensor serves its status.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9898", value_parser = address_and_port)]
    pub status: SocketAddr,
    /// Print the view once as text, and exit.
    #[arg(long)]
    pub once: bool,
}

/// `geo`.
#[derive(Debug, Args)]
pub struct GeoArguments {
    /// What to do with country data.
    #[command(subcommand)]
    pub command: GeoCommand,
}

/// The commands of `geo`.
#[derive(Debug, Subcommand)]
pub enum GeoCommand {
    /// Download country data and put it where every command finds it; without a source, from Debian's package tor-geoipdb, which is
    /// unpacked and not installed (it depends on the Tor daemon). The old data is replaced after the new data was loaded without an error.
    Update(GeoUpdateArguments),
    /// Show the files that commands use without --geo.
    Show,
}

/// `geo update`.
#[derive(Debug, Args)]
pub struct GeoUpdateArguments {
    /// Files or http addresses of country data in any form that --geo takes [default: Debian's tor-geoipdb, by apt-get].
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<OsString>,
    /// Folder to put it into [default: /var/lib/teiten-lists/geo for root, else ~/.local/share/teiten/geo].
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Keep the old data beside the new: captures of earlier days then get the countries of their day.
    #[arg(long)]
    pub keep: bool,
    /// Do nothing if country data is already there.
    #[arg(long)]
    pub if_missing: bool,
}

/// `documents`.
#[derive(Debug, Args)]
pub struct DocumentsArguments {
    /// The folder, in which `man` and `completions` are created.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `deliver-alerts`.
#[derive(Debug, Args)]
pub struct DeliverArguments {
    /// Continue as this user.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Settings shared with the capture.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// `rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Settings that `replay` and `capture` share; all of them can be set in `teiten.toml` under the same names.
#[derive(Debug, Default, Args)]
pub struct SharedArguments {
    /// Folder of the dataset; created if it is missing.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Dark prefix; repeatable, or several with commas. Without it a replay counts every destination, and says so.
    #[arg(long = "telescope", value_name = "PREFIX", value_delimiter = ',')]
    pub telescope: Vec<String>,
    /// Prefix whose packets, to or from, are not observed; repeatable, or several with commas.
    #[arg(long = "exclude", value_name = "PREFIX", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Name of this sensor in the tables: letters, digits, `.`, `_` and `-` [default: that of the only sensor in the folder, else the machine's name].
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,
    /// Country data: tor geoip text, RIR delegated-extended, START,END,CC, or MMDB; repeatable. A later one wins; of dated ones that hold
    /// the same, each hour has the newest up to its day [default: what `geo update` downloaded, else Debian's tor-geoipdb].
    #[arg(long = "geo", value_name = "FILE")]
    pub geo: Vec<PathBuf>,
    /// Network data: MMDB, RouteViews pfx2as, or iptoasn TSV; repeatable, by date as with --geo.
    #[arg(long = "asn", value_name = "FILE")]
    pub asn: Vec<PathBuf>,
    /// Organisations that scan, a TOML list beside the one that is compiled in; repeatable, later ones win.
    #[arg(long = "actors", value_name = "FILE")]
    pub actors: Vec<PathBuf>,
    /// Do not use the compiled-in list of organisations: without --actors, no source has an actor.
    #[arg(long)]
    pub no_default_actors: bool,
    /// Raise alerts when addresses of this list (owners with prefixes, AS numbers and contacts, TOML) scan, send exploits or malformed floods, or
    /// are under attack; the list names who is told [default: nobody is watched].
    #[arg(long, value_name = "FILE")]
    pub watch: Option<PathBuf>,
    /// Do not deliver alerts; they wait for `teiten-aggregator alerts deliver`.
    #[arg(long)]
    pub no_deliver: bool,
    /// Worker threads [default: the number of processors]. The tables do not depend on it.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Memory for the rows of open hours, such as 512M or 8G; beyond it rows are spilled to disk [default: half of the machine's].
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Rows of `sources` in an hour, at most; beyond it the smallest sources are folded into their prefix and counted as
    /// collapsed [default: 16777216].
    #[arg(long, value_name = "N")]
    pub source_rows: Option<u64>,
    /// Days by which a packet's time may differ from its neighbours'; a packet beyond that is counted as implausible and is in no hour
    /// [default: 30].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub implausible_days: Option<u32>,
    /// Store no payloads: the table `payloads`, which holds the first 64 bytes of unknown ones, is not written. Classes and tools stay the
    /// same.
    #[arg(long)]
    pub no_payloads: bool,
    /// Print the accounting as one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
    /// Format of the messages on standard error: text or json (one object per line) [default: text].
    #[arg(long, value_name = "FORM")]
    pub log: Option<LogFormat>,
    /// Lowest level of the messages that are written: error, warn, info or debug [default: info].
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
}
