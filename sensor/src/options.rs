//! Flags and `teiten.toml` become one set of options when the program starts. A flag wins over the file.

mod arguments;
mod file;
mod live;
mod resolve;
mod size;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use thiserror::Error;

#[cfg(feature = "top")]
pub use arguments::TopArguments;
pub use arguments::{
    CaptureArguments, DeliverArguments, DocumentsArguments, ExplainArguments, GeoArguments,
    GeoCommand, GeoUpdateArguments, ReplayArguments, RulesArguments, SharedArguments,
};
pub use file::{SETTINGS_OF_OTHERS, parse};
pub use live::{LiveArguments, LiveSettings};
pub use resolve::{CaptureSettings, ReplayTerms, ServiceSettings, Settings, WatchSettings};
pub use size::machine_memory_bytes;
use teiten_packet::telescope::{Prefix, PrefixError};

/// High-speed darknet sensor: says what each unsolicited packet is, and writes hourly Parquet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-sensor", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// Read settings from this file, such as teiten.toml; flags win.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more: what was read from each file; `capture` also writes debug messages.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print errors only; results that you ask for (--json) are still printed.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read captures (pcap and pcapng, plain or gz, zst, xz, lz4) into hourly tables.
    ///
    /// Replaying the same input again replaces its own parts: nothing is counted twice.
    /// Exit code 0: done; 1: done, but an input was damaged; 2: not done.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # a folder of captures into a dataset\n",
        "  teiten-sensor replay captures/ --data data --telescope 198.51.100.0/24\n",
        "  # what another program unpacks or sends\n",
        "  ssh box tcpdump -w - -i eth1 | teiten-sensor replay - --data data"
    ))]
    Replay(ReplayArguments),
    /// Capture live into the same tables, until SIGINT or SIGTERM.
    ///
    /// Exit code 0: done; 1: done, but packets were dropped or not kept; 2: not done.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # as root, going on as user teiten with CAP_NET_RAW alone\n",
        "  teiten-sensor capture -i eth1 --data data --telescope 198.51.100.0/24 --user teiten\n",
        "  # everything from the file; --status for teiten-sensor top and Prometheus\n",
        "  teiten-sensor capture --config /etc/teiten/teiten.toml --status 127.0.0.1:9898"
    ))]
    Capture(CaptureArguments),
    /// Check everything that `capture` with the same flags needs, say what it would do, and capture nothing.
    ///
    /// Exit code 0: all is well; 1: something could be better; 2: a capture would not run.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # what would keep the service from running\n",
        "  teiten-sensor check --config /etc/teiten/teiten.toml"
    ))]
    Check(CaptureArguments),
    /// Print one JSON line per packet: what it is, and the rule that decided.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # what is in a capture, the largest groups first\n",
        "  teiten-sensor explain day.pcap --summary\n",
        "  # packets of known attacks\n",
        "  teiten-sensor explain day.pcap | jq -c 'select(.class == \"exploit\")'"
    ))]
    Explain(ExplainArguments),
    /// Show the running sensor in the terminal, once a second: rates, and the last minutes by class, port, country and source.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # the running service\n",
        "  teiten-sensor top\n",
        "  # the same once, as text\n",
        "  teiten-sensor top --once"
    ))]
    #[cfg(feature = "top")]
    Top(TopArguments),
    /// Country data: download it, or show which files are used.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # Debian's country data, unpacked and not installed\n",
        "  teiten-sensor geo update\n",
        "  # add a vendor's file and keep the older ones\n",
        "  teiten-sensor geo update --keep countries-2026-11.mmdb\n",
        "  # what is used\n",
        "  teiten-sensor geo show"
    ))]
    Geo(GeoArguments),
    /// Write manual pages and shell completions into a folder: a step of making the package.
    #[command(hide = true)]
    Documents(DocumentsArguments),
    /// Deliver the alerts of a capture: started by `capture` itself, before it confines itself.
    #[command(hide = true)]
    DeliverAlerts(DeliverArguments),
    /// Print every rule, tool mark and payload signature with its test, source and dates.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # the rules of one class\n",
        "  teiten-sensor rules | grep -i backscatter"
    ))]
    Rules(RulesArguments),
}

/// Why the options cannot be used.
#[derive(Debug, Error)]
pub enum OptionsError {
    /// No dataset was named.
    #[error("no dataset named: give --data DIR, or data = \"DIR\" in the configuration")]
    NoData,
    /// The dataset is no folder.
    #[error("--data: {0}")]
    Data(String),
    /// A prefix is not one.
    #[error("--{flag}: {source}")]
    Prefix {
        /// The flag.
        flag: &'static str,
        /// Why.
        source: PrefixError,
    },
    /// A size is not one.
    #[error("--{flag} {text}: {reason}")]
    Size {
        /// The flag.
        flag: &'static str,
        /// What was given.
        text: String,
        /// Why.
        reason: String,
    },
    /// Nobody is watched.
    #[error("--watch-test needs --watch FILE")]
    NoWatch,
    /// No interface was named.
    #[error(
        "no interface named: give --interface IF, or interface = [\"IF\"] in the configuration"
    )]
    NoInterface,
    /// An address that others can reach.
    #[error(
        "--status {0} can be reached from other machines: give a loopback address, such as 127.0.0.1:{port}, or allow it by --status-remote",
        port = .0.port()
    )]
    RemoteStatus(SocketAddr),
    /// More workers than any machine can use.
    #[error(
        "--workers {0}: at most {max} are possible; leave it out for one a processor",
        max = resolve::WORKERS_MAX
    )]
    Workers(usize),
    /// No worker.
    #[error("--workers 0: at least one worker is needed")]
    NoWorkers,
}

/// Parses the prefixes of a flag.
///
/// # Errors
/// The first text that is no prefix.
pub fn prefixes(flag: &'static str, texts: &[String]) -> Result<Vec<Prefix>, OptionsError> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|source| OptionsError::Prefix { flag, source })
    };
    texts.iter().map(parse).collect()
}

/// Parses the address and port of a server; the error shows how to write one.
pub(crate) fn address_and_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.trim_start_matches(':');
        let port = if port.parse::<u16>().is_ok() {
            port
        } else {
            "9898"
        };
        format!("expected an address and a port, such as 127.0.0.1:{port}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_status_address_that_others_can_reach_needs_a_second_word() {
        let arguments = |flags: &[&str]| {
            let fixed = [
                "teiten-sensor",
                "capture",
                "--interface",
                "lo",
                "--data",
                "d",
            ];
            let line = CommandLine::parse_from(fixed.iter().chain(flags));
            match line.command {
                Command::Capture(arguments) => arguments.resolve(),
                other => panic!("{other:?}"),
            }
        };
        let error = arguments(&["--status", "0.0.0.0:9898"]).expect_err("refused");
        assert!(error.to_string().contains("127.0.0.1:9898"), "{error}");
        arguments(&["--status", "0.0.0.0:9898", "--status-remote"]).expect("allowed");
        arguments(&["--status", "[::1]:9898"]).expect("loopback");
    }
}
