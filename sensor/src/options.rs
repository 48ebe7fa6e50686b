//! Flags and `teiten.toml` become one set of options, once, at the door. A flag wins over the file.

mod arguments;
mod file;
mod live;
mod settle;
mod size;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use thiserror::Error;

#[cfg(feature = "top")]
pub use arguments::TopArguments;
pub use arguments::{
    CaptureArguments, DocumentsArguments, ExplainArguments, GeoArguments, GeoCommand,
    GeoUpdateArguments, ReplayArguments, RulesArguments, Shared,
};
pub use file::{Refusal, SETTINGS_OF_OTHERS, parse};
pub use live::{LiveArguments, LiveSettings};
pub use settle::{CaptureSettings, ServiceSettings, Settings};
pub use size::machine_memory_bytes;
use teiten_packet::telescope::{Prefix, PrefixError};

/// High-speed darknet sensor: says what each unsolicited packet is, and writes hourly Parquet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-sensor", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// Read settings from this file, such as teiten.toml; flags win.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    Replay(ReplayArguments),
    /// Capture live into the same tables, until SIGINT or SIGTERM.
    ///
    /// Exit code 0: done; 1: done, but packets were dropped or not kept; 2: not done.
    Capture(CaptureArguments),
    /// Look at everything that `capture` with the same flags would need, say what it would do, and capture nothing.
    ///
    /// Exit code 0: nothing stands in the way; 1: something could be better; 2: a capture would not run.
    Check(CaptureArguments),
    /// Print one JSON line per packet: what it is, and the rule that decided.
    Explain(ExplainArguments),
    /// Show the running sensor in the terminal, once a second: rates, and the last minutes by class, port, country and source.
    #[cfg(feature = "top")]
    Top(TopArguments),
    /// Country data: get it, or name what is used.
    Geo(GeoArguments),
    /// Write manual pages and shell completions into a folder: a step of making the package.
    #[command(hide = true)]
    Documents(DocumentsArguments),
    /// Print every rule, tool mark and payload signature with its test, source and dates.
    Rules(RulesArguments),
}

/// Why the options cannot be used.
#[derive(Debug, Error)]
pub enum OptionsError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration file is not what it should be.
    #[error("the configuration {path} is not understood: {reason}")]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// No dataset was named.
    #[error("no dataset named: give --data DIR, or data = \"DIR\" in the configuration")]
    NoData,
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
    /// No worker.
    #[error("--workers 0: at least one worker is needed")]
    NoWorkers,
}

/// Parses the prefixes of a flag.
///
/// # Errors
/// The first that is none.
pub fn prefixes(flag: &'static str, texts: &[String]) -> Result<Vec<Prefix>, OptionsError> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|source| OptionsError::Prefix { flag, source })
    };
    texts.iter().map(parse).collect()
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
                Command::Capture(arguments) => arguments.settle(),
                other => panic!("{other:?}"),
            }
        };
        let error = arguments(&["--status", "0.0.0.0:9898"]).expect_err("refused");
        assert!(error.to_string().contains("127.0.0.1:9898"), "{error}");
        arguments(&["--status", "0.0.0.0:9898", "--status-remote"]).expect("allowed");
        arguments(&["--status", "[::1]:9898"]).expect("loopback");
    }
}
