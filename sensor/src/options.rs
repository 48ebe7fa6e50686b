//! Flags and `teiten.toml` become one set of options, once, at the door. A flag wins over the file.

mod size;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use teiten_aggregator::close::SOURCE_ROWS_MAX_DEFAULT;
use thiserror::Error;

use crate::telescope::{Prefix, PrefixError};
use size::{machine_memory_bytes, size};

/// High-speed darknet sensor: says what each unsolicited packet is, and writes hourly Parquet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-sensor", version, about, max_term_width = 100)]
pub struct CommandLine {
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
    /// Exit code 0: done; 1: done, but packets were dropped; 2: not done.
    Capture(CaptureArguments),
    /// Print one JSON line per packet: what it is, and the rule that decided.
    Explain(ExplainArguments),
    /// Print every rule, tool mark and payload signature with its test, source and dates.
    Rules(RulesArguments),
}

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Captures, folders of captures (read in the order of their first packet), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read plain files through buffers instead of memory maps: for files that may shrink while they are read.
    #[arg(long)]
    pub no_map: bool,
    /// Settings shared with `capture`.
    #[command(flatten)]
    pub shared: Shared,
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
    /// Kernel buffer of each interface: what a burst may fill before packets are dropped [default: 64M].
    #[arg(long, value_name = "SIZE")]
    pub buffer: Option<String>,
    /// Leave the interface out of promiscuous mode: only packets sent to its own address arrive.
    #[arg(long)]
    pub no_promiscuous: bool,
    /// Settings shared with `replay`.
    #[command(flatten)]
    pub shared: Shared,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Captures, folders of captures, or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Dark prefix; repeatable. Without it every destination counts.
    #[arg(long = "telescope", value_name = "PREFIX")]
    pub telescope: Vec<String>,
    /// Prefix whose packets, to or from, are not observed; repeatable.
    #[arg(long = "exclude", value_name = "PREFIX")]
    pub exclude: Vec<String>,
    /// Print counts by class, traffic type, tool, rule and port instead, the largest first.
    #[arg(long)]
    pub summary: bool,
    /// Print the summary as one JSON line per group.
    #[arg(long, requires = "summary")]
    pub json: bool,
}

/// `rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Settings that `replay` and `capture` share; all of them can stand in `teiten.toml` under the same names.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shared {
    /// Folder of the dataset; made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Dark prefix; repeatable. Without it a replay counts every destination, and says so.
    #[arg(long = "telescope", value_name = "PREFIX")]
    pub telescope: Vec<String>,
    /// Prefix whose packets, to or from, are not observed; repeatable.
    #[arg(long = "exclude", value_name = "PREFIX")]
    pub exclude: Vec<String>,
    /// Name of this sensor in the tables: letters, digits, `.` and `_` [default: sensor].
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,
    /// Country data: tor geoip text, RIR delegated-extended, START,END,CC, or MMDB; repeatable [default: Debian's tor-geoipdb
    /// where it is installed].
    #[arg(long = "geo", value_name = "FILE")]
    pub geo: Vec<PathBuf>,
    /// Network data: MMDB, RouteViews pfx2as, or iptoasn TSV; repeatable.
    #[arg(long = "asn", value_name = "FILE")]
    pub asn: Vec<PathBuf>,
    /// Worker threads [default: the number of processors]. The tables do not depend on it.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Memory that the rows of open hours may take, such as 512M or 8G; beyond it rows are set aside on disk [default: half of
    /// the machine's].
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Rows of `sources` in an hour, at most; beyond it the smallest sources are folded into their prefix and counted as
    /// collapsed [default: 16777216].
    #[arg(long, value_name = "N")]
    pub source_rows: Option<u64>,
    /// Print the accounting as one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
    /// What the file says for `--interface`.
    #[arg(skip)]
    pub interface: Vec<String>,
    /// What the file says for `--snap-length`.
    #[arg(skip)]
    pub snap_length: Option<u32>,
    /// What the file says for `--buffer`.
    #[arg(skip)]
    pub buffer: Option<String>,
    /// What the file says for `--no-promiscuous`.
    #[arg(skip)]
    pub no_promiscuous: bool,
    /// What the file says for `--no-map`.
    #[arg(skip)]
    pub no_map: bool,
    /// Read settings from this file; flags win.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
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
    #[error("the configuration {path} is not understood: {source}")]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        source: Box<toml::de::Error>,
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
    /// No worker.
    #[error("--workers 0: at least one worker is needed")]
    NoWorkers,
}

/// Settings that cannot be wrong.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the dataset.
    pub data: PathBuf,
    /// Dark prefixes; none: every destination.
    pub telescope: Vec<Prefix>,
    /// Excluded prefixes.
    pub exclude: Vec<Prefix>,
    /// Name of the sensor.
    pub sensor: String,
    /// Country data files.
    pub geo: Vec<PathBuf>,
    /// Network data files.
    pub asn: Vec<PathBuf>,
    /// Worker threads.
    pub workers: usize,
    /// Bytes for rows.
    pub memory_bytes: usize,
    /// Rows of `sources` in an hour, at most.
    pub source_rows_max: u64,
    /// JSON on standard output.
    pub json: bool,
}

/// Share of the machine's memory that rows may take by default: the other half is for the closing hour and the page cache.
const MEMORY_SHARE_DEFAULT: u64 = 2;

/// Bytes kept of a packet by default: all of an ordinary one.
const SNAP_LENGTH_DEFAULT: u32 = 2048;
/// The kernel's buffer by default: a second of a million small packets.
const BUFFER_DEFAULT: &str = "64M";

/// Settings of a live capture that cannot be wrong.
#[derive(Clone, Debug)]
pub struct CaptureSettings {
    /// Interfaces, at least one.
    pub interfaces: Vec<String>,
    /// Bytes kept of each packet.
    pub snap_length: u32,
    /// Bytes of the kernel's buffer for each interface.
    pub buffer_bytes: u64,
    /// Whether packets to other hosts' hardware addresses are wanted.
    pub promiscuous: bool,
}

impl CaptureArguments {
    /// Flags and file together, parsed.
    ///
    /// # Errors
    /// What is wrong, with the flag or the file's line.
    pub fn settle(mut self) -> Result<(CaptureSettings, Settings), OptionsError> {
        self.shared.read_file()?;
        let shared = &mut self.shared;
        fill(&mut self.interfaces, std::mem::take(&mut shared.interface));
        if self.interfaces.is_empty() {
            return Err(OptionsError::NoInterface);
        }
        let buffer = self.buffer.or(shared.buffer.take());
        let capture = CaptureSettings {
            interfaces: self.interfaces,
            snap_length: self
                .snap_length
                .or(shared.snap_length)
                .unwrap_or(SNAP_LENGTH_DEFAULT),
            buffer_bytes: size_of_flag("buffer", buffer.as_deref().unwrap_or(BUFFER_DEFAULT))?,
            promiscuous: !(self.no_promiscuous || shared.no_promiscuous),
        };
        Ok((capture, self.shared.settle()?))
    }
}

impl ReplayArguments {
    /// The inputs, whether they are read without maps, and the shared settings.
    ///
    /// # Errors
    /// What is wrong, with the flag or the file's line.
    pub fn settle(mut self) -> Result<(Vec<PathBuf>, bool, Settings), OptionsError> {
        self.shared.read_file()?;
        let no_map = self.no_map || self.shared.no_map;
        Ok((self.paths, no_map, self.shared.settle()?))
    }
}

impl Shared {
    /// Flags and file together, parsed.
    ///
    /// # Errors
    /// What is wrong, with the flag or the file's line.
    pub fn settle(mut self) -> Result<Settings, OptionsError> {
        self.read_file()?;
        let workers = self.workers.unwrap_or_else(processors);
        if workers == 0 {
            return Err(OptionsError::NoWorkers);
        }
        let memory = match self.memory {
            None => machine_memory_bytes() / MEMORY_SHARE_DEFAULT,
            Some(text) => size_of_flag("memory", &text)?,
        };
        Ok(Settings {
            data: self.data.ok_or(OptionsError::NoData)?,
            telescope: prefixes("telescope", &self.telescope)?,
            exclude: prefixes("exclude", &self.exclude)?,
            sensor: self.sensor.unwrap_or_else(|| "sensor".to_owned()),
            geo: self.geo,
            asn: self.asn,
            workers,
            memory_bytes: memory as usize,
            source_rows_max: self.source_rows.unwrap_or(SOURCE_ROWS_MAX_DEFAULT),
            json: self.json,
        })
    }

    /// Takes from the configuration file what no flag says; the file is read once.
    fn read_file(&mut self) -> Result<(), OptionsError> {
        if let Some(path) = self.config.take() {
            self.fill_from(read_configuration(&path)?);
        }
        Ok(())
    }

    fn fill_from(&mut self, file: Shared) {
        self.interface = file.interface;
        self.snap_length = file.snap_length;
        self.buffer = file.buffer;
        self.no_promiscuous = file.no_promiscuous;
        self.no_map = file.no_map;
        self.data = self.data.take().or(file.data);
        self.sensor = self.sensor.take().or(file.sensor);
        self.workers = self.workers.or(file.workers);
        self.memory = self.memory.take().or(file.memory);
        self.source_rows = self.source_rows.or(file.source_rows);
        self.json |= file.json;
        fill(&mut self.telescope, file.telescope);
        fill(&mut self.exclude, file.exclude);
        fill(&mut self.geo, file.geo);
        fill(&mut self.asn, file.asn);
    }
}

fn fill<T>(flags: &mut Vec<T>, file: Vec<T>) {
    if flags.is_empty() {
        *flags = file;
    }
}

/// What stands in the same file for the other programs of the house.
const SETTINGS_OF_OTHERS: &[&str] = &[
    "report",
    "aggregator",
    "out",
    "period",
    "timezone",
    "home",
    "language",
];

fn read_configuration(path: &Path) -> Result<Shared, OptionsError> {
    let text = std::fs::read_to_string(path).map_err(|source| OptionsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let not_understood = |source| OptionsError::NotUnderstood {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let mut table: toml::Table = toml::from_str(&text).map_err(not_understood)?;
    for name in SETTINGS_OF_OTHERS {
        table.remove(*name);
    }
    table.try_into().map_err(not_understood)
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

fn size_of_flag(flag: &'static str, text: &str) -> Result<u64, OptionsError> {
    let text_owned = || text.to_owned();
    size(text).map_err(|reason| OptionsError::Size {
        flag,
        text: text_owned(),
        reason,
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("teiten.toml");
        std::fs::write(
            &config,
            "data = \"/a\"\nsensor = \"file\"\ntelescope = [\"192.0.2.0/24\"]\n",
        )
        .expect("writable");
        let flags = Shared {
            config: Some(config),
            sensor: Some("flag".into()),
            ..Shared::default()
        };
        let settings = flags.settle().expect("good settings");
        assert_eq!(settings.sensor, "flag");
        assert_eq!(settings.data, PathBuf::from("/a"));
        assert_eq!(settings.telescope.len(), 1);
    }

    #[test]
    fn a_capture_can_be_described_by_the_file_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("teiten.toml");
        let text = "data = \"d\"\ninterface = [\"eth0\"]\nbuffer = \"8M\"\n";
        std::fs::write(&config, text).expect("writable");
        let arguments = |shared| CaptureArguments {
            interfaces: Vec::new(),
            snap_length: Some(96),
            buffer: None,
            no_promiscuous: false,
            shared,
        };
        let shared = Shared {
            config: Some(config),
            ..Shared::default()
        };
        let (capture, settings) = arguments(shared).settle().expect("good settings");
        assert_eq!(capture.interfaces, ["eth0"]);
        assert_eq!((capture.buffer_bytes, capture.snap_length), (8 << 20, 96));
        assert_eq!(settings.data, PathBuf::from("d"));
        let error = arguments(Shared::default())
            .settle()
            .expect_err("no interface");
        assert!(error.to_string().contains("--interface"), "{error}");
    }

    #[test]
    fn settings_of_the_report_are_none_of_ours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("teiten.toml");
        let text = "data = \"d\"\nhome = \"JP\"\n[report]\nsensor = [\"a\"]\n";
        std::fs::write(&config, text).expect("writable");
        let flags = Shared {
            config: Some(config),
            ..Shared::default()
        };
        assert_eq!(flags.settle().expect("good settings").sensor, "sensor");
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("teiten.toml");
        std::fs::write(&config, "telescop = []\n").expect("writable");
        let error = Shared {
            config: Some(config),
            ..Shared::default()
        }
        .settle()
        .expect_err("unknown");
        assert!(error.to_string().contains("telescop"), "{error}");
    }
}
