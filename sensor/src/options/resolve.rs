//! Turns flags into valid settings. Each default is a constant here, with its reason.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use teiten_aggregator::alert::{WatchError, WatchList};
use teiten_aggregator::close::SOURCE_ROWS_MAX_DEFAULT;
use teiten_aggregator::store::{Store, data_folder};

use super::arguments::{CaptureArguments, ReplayArguments, SharedArguments};
use super::live::LiveSettings;
use super::size::{machine_memory_bytes, size};
use super::{OptionsError, prefixes};
use crate::log::{LogFormat, LogLevel};
use crate::source::ReadingMode;
use crate::source::judge::IMPLAUSIBLE_DAYS_DEFAULT;
use teiten_packet::telescope::Prefix;

/// Settings that cannot be wrong.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the dataset.
    pub data: PathBuf,
    /// Dark prefixes; without any, every destination is observed.
    pub telescope: Vec<Prefix>,
    /// Excluded prefixes.
    pub exclude: Vec<Prefix>,
    /// Name of the sensor.
    pub sensor: String,
    /// Country data files.
    pub geo: Vec<PathBuf>,
    /// Network data files.
    pub asn: Vec<PathBuf>,
    /// Lists of actors.
    pub actors: Vec<PathBuf>,
    /// Whether the compiled-in list of actors is used.
    pub default_actors: bool,
    /// Whose addresses are watched, if anybody's.
    pub watch: Option<WatchSettings>,
    /// Worker threads.
    pub workers: usize,
    /// Bytes for rows.
    pub memory_bytes: usize,
    /// Rows of `sources` in an hour, at most.
    pub source_rows_max: u64,
    /// Whether payloads are kept.
    pub payloads: bool,
    /// How many days a packet's time may differ from its neighbours'.
    pub implausible_days: u32,
    /// JSON on standard output.
    pub json: bool,
    /// Form of the messages of a capture.
    pub log: LogFormat,
    /// Least weight of them.
    pub log_level: LogLevel,
}

/// Settings of alerts.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// The list of watched addresses.
    pub path: PathBuf,
    /// Whether this program delivers alerts; otherwise they wait for another one.
    pub delivers: bool,
}

impl WatchSettings {
    /// Reads the list.
    ///
    /// # Errors
    /// When it cannot be read or is not understood.
    pub fn load(&self) -> Result<Arc<WatchList>, WatchError> {
        WatchList::load(&self.path).map(Arc::new)
    }
}

/// Default share of the machine's memory for rows: the other half is for the closing hour and the page cache.
const MEMORY_SHARE_DEFAULT: u64 = 2;

/// The least memory for rows: below it an hour is spilled in pieces of a few hundred rows.
const MEMORY_MIN: u64 = 1 << 20;
/// The smallest kernel buffer: a millisecond of small packets at a million a second, and the smallest that libpcap does not round up.
const BUFFER_MIN: u64 = 1 << 20;
/// Workers, at most: beyond the processors of the largest machines each one only takes memory.
pub(super) const WORKERS_MAX: usize = 1024;

/// Bytes kept of a packet by default: all of an ordinary one.
const SNAP_LENGTH_DEFAULT: u32 = 2048;
/// The kernel's buffer by default: a second of 800,000 small packets.
const BUFFER_DEFAULT: &str = "128M";

/// Valid settings of a live capture.
#[derive(Clone, Debug)]
pub struct CaptureSettings {
    /// Interfaces, at least one.
    pub interfaces: Vec<String>,
    /// Bytes kept of each packet.
    pub snap_length: u32,
    /// Bytes of the kernel's buffer for each interface.
    pub buffer_bytes: u64,
    /// Whether packets to other hosts' hardware addresses are captured.
    pub promiscuous: bool,
    /// How packets are captured, and how soon they are durable.
    pub live: LiveSettings,
    /// What it does beside capturing.
    pub service: ServiceSettings,
}

/// Settings of a capture as a service: user, sandbox, status server.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// The user to continue as once the interfaces are open; `None` keeps the current one.
    pub user: Option<String>,
    /// Whether files and system calls are confined.
    pub sandbox: bool,
    /// Where metrics and the live view are served, if at all.
    pub status: Option<SocketAddr>,
    /// Host names that requests may use for that server, besides addresses, localhost and the machine's own name.
    pub status_hosts: Vec<String>,
}

impl CaptureArguments {
    /// The flags, parsed.
    ///
    /// # Errors
    /// What is wrong, with the flag.
    pub fn resolve(self) -> Result<(CaptureSettings, Settings), OptionsError> {
        if self.interfaces.is_empty() {
            return Err(OptionsError::NoInterface);
        }
        if let Some(address) = self.status
            && !address.ip().is_loopback()
            && !self.status_remote
        {
            return Err(OptionsError::RemoteStatus(address));
        }
        let buffer = self.buffer.as_deref().unwrap_or(BUFFER_DEFAULT);
        let capture = CaptureSettings {
            interfaces: self.interfaces,
            snap_length: self.snap_length.unwrap_or(SNAP_LENGTH_DEFAULT),
            buffer_bytes: size_of_flag("buffer", buffer, BUFFER_MIN)?,
            promiscuous: !self.no_promiscuous,
            live: self.live.resolve(),
            service: ServiceSettings {
                user: self.user,
                sandbox: !self.no_sandbox,
                status: self.status,
                status_hosts: self.status_host,
            },
        };
        Ok((capture, self.shared.resolve()?))
    }
}

/// How captures are replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayTerms {
    /// How plain files are read.
    pub reading: ReadingMode,
    /// Whether captures that were counted before are counted again and replace their old rows; otherwise they are skipped.
    pub recount: bool,
    /// Whether alerts are kept in memory and nobody is told.
    pub watch_test: bool,
}

impl From<ReadingMode> for ReplayTerms {
    fn from(reading: ReadingMode) -> Self {
        ReplayTerms {
            reading,
            ..ReplayTerms::default()
        }
    }
}

impl ReplayArguments {
    /// The inputs, how they are read, and the shared settings.
    ///
    /// # Errors
    /// What is wrong, with the flag.
    pub fn resolve(self) -> Result<(Vec<PathBuf>, ReplayTerms, Settings), OptionsError> {
        if self.watch_test && self.shared.watch.is_none() {
            return Err(OptionsError::NoWatch);
        }
        let terms = ReplayTerms {
            reading: if self.no_map {
                ReadingMode::Buffered
            } else {
                ReadingMode::Mapped
            },
            recount: self.recount,
            watch_test: self.watch_test,
        };
        Ok((self.paths, terms, self.shared.resolve()?))
    }
}

impl SharedArguments {
    /// The flags, parsed.
    ///
    /// # Errors
    /// What is wrong, with the flag.
    pub fn resolve(self) -> Result<Settings, OptionsError> {
        let workers = self.workers.unwrap_or_else(processors);
        if workers == 0 {
            return Err(OptionsError::NoWorkers);
        }
        if workers > WORKERS_MAX {
            return Err(OptionsError::Workers(workers));
        }
        let memory = match self.memory {
            None => machine_memory_bytes() / MEMORY_SHARE_DEFAULT,
            Some(text) => size_of_flag("memory", &text, MEMORY_MIN)?,
        };
        let data = data_folder(self.data.ok_or(OptionsError::NoData)?);
        let data = data.map_err(OptionsError::Data)?;
        let store = Store::at(&data);
        Ok(Settings {
            watch: self.watch.map(|path| WatchSettings {
                path,
                delivers: !self.no_deliver,
            }),
            data,
            telescope: prefixes("telescope", &self.telescope)?,
            exclude: prefixes("exclude", &self.exclude)?,
            sensor: self.sensor.unwrap_or_else(|| store.default_sensor()),
            geo: self.geo,
            asn: self.asn,
            actors: self.actors,
            default_actors: !self.no_default_actors,
            workers,
            memory_bytes: memory as usize,
            payloads: !self.no_payloads,
            implausible_days: self.implausible_days.unwrap_or(IMPLAUSIBLE_DAYS_DEFAULT),
            source_rows_max: self.source_rows.unwrap_or(SOURCE_ROWS_MAX_DEFAULT),
            json: self.json,
            log: self.log.unwrap_or_default(),
            log_level: self.log_level.unwrap_or_default(),
        })
    }
}

fn size_of_flag(flag: &'static str, text: &str, bytes_min: u64) -> Result<u64, OptionsError> {
    size(text, bytes_min).map_err(|reason| OptionsError::Size {
        flag,
        text: text.to_owned(),
        reason,
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
