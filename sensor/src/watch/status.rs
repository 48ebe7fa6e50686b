//! The status of one capture: sums since the start, the live view, problems.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use teiten_aggregator::close::ClosedHour;
use teiten_aggregator::counter::{COUNTERS, Counts, IMPLAUSIBLE, MinuteCounts};
use teiten_aggregator::origin::Origins;
use teiten_observation::{Class, TrafficType};

use super::kept::KeptCounts;
use super::live::LiveView;
use super::process::space;
use super::sample::Sample;
use crate::origins::OriginsCell;

/// How long the reader may be silent before the capture counts as dead; normally it reports ten times a second.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a report of waiting for the disk stays valid: the write is retried every second, and an attempt may take a while.
const WAITING_MAX: Duration = Duration::from_secs(30);
/// Free bytes of the data folder below which `/health` reports a problem: an hour of a busy /16 telescope is some hundred megabytes.
pub const FREE_BYTES_MIN: u64 = 1 << 30;

/// Sums since the start; [`super::METRICS`] describes each.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// The counters of `coverage`.
    pub(super) counts: Counts<AtomicU64>,
    pub(super) implausible: AtomicU64,
    pub(super) observed_bytes: AtomicU64,
    pub(super) classes: Vec<AtomicU64>,
    pub(super) types: Vec<AtomicU64>,
    pub(super) busy_us: AtomicU64,
    pub(super) hours: AtomicU64,
    pub(super) close_us: AtomicU64,
    pub(super) rows_sources: AtomicU64,
    pub(super) rows_traffic: AtomicU64,
    pub(super) dataset_bytes: AtomicU64,
    pub(super) reloads_done: AtomicU64,
    pub(super) reloads_failed: AtomicU64,
}

/// Facts that do not change while a capture runs.
#[derive(Clone, Debug, Default)]
pub struct CaptureFacts {
    /// Folder of the dataset.
    pub data: PathBuf,
    /// Interfaces.
    pub interfaces: Vec<String>,
    /// Name of the sensor.
    pub sensor: String,
    /// Dark addresses; `None` without a telescope.
    pub addresses: Option<u64>,
    /// Bytes that the rows of open hours may take.
    pub memory_bytes: u64,
    /// Worker threads.
    pub workers: usize,
    /// Whether packets are kept as files.
    pub keeps: bool,
}

/// The status of one capture.
#[derive(Debug)]
pub struct Status {
    pub(super) facts: CaptureFacts,
    pub(super) sums: Counters,
    live: LiveView,
    pub(super) kept: KeptCounts,
    origins: Arc<OriginsCell>,
    pub(super) rows_bytes: Vec<AtomicU64>,
    begun: Instant,
    pub(super) started: SystemTime,
    /// When the reader last reported, milliseconds after `begun`.
    beat_ms: AtomicI64,
    /// When a part of the capture last reported that it waits for the disk, milliseconds after `begun`.
    waiting_ms: AtomicI64,
    pub(super) clock_us: AtomicI64,
    pub(super) closed_last: AtomicI64,
    problems: Mutex<BTreeMap<&'static str, String>>,
}

impl Status {
    /// The status of a capture that starts now.
    #[must_use]
    pub fn new(facts: CaptureFacts, origins: Arc<OriginsCell>) -> Self {
        Status {
            rows_bytes: zeros(facts.workers),
            facts,
            sums: Counters {
                classes: zeros(Class::ALL.len()),
                types: zeros(TrafficType::ALL.len()),
                ..Counters::default()
            },
            live: LiveView::default(),
            kept: KeptCounts::default(),
            origins,
            begun: Instant::now(),
            started: SystemTime::now(),
            beat_ms: AtomicI64::new(0),
            waiting_ms: AtomicI64::new(i64::MIN),
            clock_us: AtomicI64::new(0),
            closed_last: AtomicI64::new(0),
            problems: Mutex::default(),
        }
    }

    /// Notes that the reader is alive, and the capture's clock, microseconds since 1970-01-01 UTC.
    pub fn beat(&self, clock_us: i64) {
        let since = self.begun.elapsed().as_millis() as i64;
        self.beat_ms.store(since, Ordering::Relaxed);
        // Backwards too, if the time of day went back for good.
        self.clock_us.store(clock_us, Ordering::Relaxed);
    }

    /// Notes that the capture waits for the disk on purpose; call it again while that lasts.
    pub fn wait_on_disk(&self) {
        let since = self.begun.elapsed().as_millis() as i64;
        self.waiting_ms.store(since, Ordering::Relaxed);
    }

    /// Whether the capture has reported in the last seconds that it waits for the disk.
    #[must_use]
    pub fn waits_on_disk(&self) -> bool {
        let since = self.begun.elapsed().as_millis() as i64;
        let waiting = self.waiting_ms.load(Ordering::Relaxed);
        since.saturating_sub(waiting) <= WAITING_MAX.as_millis() as i64
    }

    /// Time since the reader last reported.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let since = self.begun.elapsed().as_millis() as i64;
        let silence = since - self.beat_ms.load(Ordering::Relaxed);
        Duration::from_millis(silence.max(0) as u64)
    }

    /// Takes a worker's sample of a block, and empties it. `busy` is the time the block took, `rows_bytes` what its rows hold now.
    pub fn take(&self, worker: usize, sample: &mut Sample, busy: Duration, rows_bytes: usize) {
        let sums = &self.sums;
        self.count(&sample.counts);
        add(&sums.implausible, sample.implausible);
        add(&sums.observed_bytes, sample.bytes);
        add(&sums.busy_us, busy.as_micros() as u64);
        add_each(&sums.classes, &sample.classes);
        add_each(&sums.types, &sample.types);
        if let Some(bytes) = self.rows_bytes.get(worker) {
            bytes.store(rows_bytes as u64, Ordering::Relaxed);
        }
        let origins = self.origins.load();
        let clock_us = self.clock_us.load(Ordering::Relaxed);
        self.live
            .add(sample, clock_us, |source| country(&origins, source));
        sample.clear();
    }

    /// Adds packets that were lost in the kernel's buffer or by the interface.
    pub fn dropped(&self, kernel: u64, interface: u64) {
        self.count(&MinuteCounts {
            dropped_kernel: kernel,
            dropped_interface: interface,
            ..MinuteCounts::default()
        });
    }

    fn count(&self, counts: &MinuteCounts) {
        let sums = self.sums.counts.numbers();
        sums.into_iter()
            .zip(counts.numbers())
            .for_each(|(sum, &count)| add(sum, count));
    }

    /// Notes that an hour was published.
    pub fn hour_closed(&self, closed: &ClosedHour, took: Duration) {
        let sums = &self.sums;
        add(&sums.hours, 1);
        add(&sums.close_us, took.as_micros() as u64);
        add(&sums.rows_sources, closed.source_rows);
        add(&sums.rows_traffic, closed.traffic_rows);
        add(&sums.dataset_bytes, closed.file_bytes);
        add(&sums.counts.collapsed, closed.collapsed.iter().sum());
        self.closed_last
            .store(unix_seconds(SystemTime::now()), Ordering::Relaxed);
    }

    /// Sets or clears the problem of a part of the capture.
    pub fn problem(&self, part: &'static str, text: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => problems.insert(part, text),
            None => problems.remove(part),
        };
    }

    /// Whether packets are kept as files.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.facts.keeps
    }

    /// Counts of packets for `--keep-packets`: kept, lost by reason, waiting.
    #[must_use]
    pub fn kept(&self) -> &KeptCounts {
        &self.kept
    }

    /// Counts a reload of the lists.
    pub fn reloaded(&self, done: bool) {
        let sums = &self.sums;
        let results = if done {
            &sums.reloads_done
        } else {
            &sums.reloads_failed
        };
        add(results, 1);
    }

    /// Current problems by part of the capture.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<&'static str, String> {
        let mut problems = self
            .problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if self.silence() > SILENCE_MAX {
            let text = format!("nothing was read for {} s", self.silence().as_secs());
            problems.insert("reader", text);
        }
        if let Some((free, _)) = space(&self.facts.data)
            && free < FREE_BYTES_MIN
        {
            let text = format!("{} MiB free in {}", free >> 20, self.facts.data.display());
            problems.insert("space", text);
        }
        problems
    }

    /// `/health`: whether all is well, and the object that says so.
    #[must_use]
    pub fn health(&self) -> (bool, Value) {
        let problems = self.problems();
        let well = problems.is_empty();
        let object = json!({
            "status": if well { "ok" } else { "failing" },
            "problems": problems,
            "sensor": self.facts.sensor,
            "interfaces": self.facts.interfaces,
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.begun.elapsed().as_secs(),
            "silence_seconds": self.silence().as_secs_f64(),
        });
        (well, object)
    }

    /// `/live`: the last minutes, the largest of each kind, and the sums since the start.
    #[must_use]
    pub fn live(&self, minutes: i64, top: usize) -> Value {
        let origins = self.origins.load();
        let clock_us = self.clock_us.load(Ordering::Relaxed);
        let mut view = self
            .live
            .json(minutes, top, clock_us, |source| country(&origins, source));
        view["sensor"] = json!(self.facts.sensor);
        view["interfaces"] = json!(self.facts.interfaces);
        view["uptime_seconds"] = json!(self.begun.elapsed().as_secs());
        view["problems"] = json!(self.problems());
        let sums = &self.sums;
        let counters = COUNTERS.iter().zip(sums.counts.numbers());
        for (counter, sum) in counters.chain([(&IMPLAUSIBLE, &sums.implausible)]) {
            view["since_start"][counter.name] = json!(sum.load(Ordering::Relaxed));
        }
        if self.facts.keeps {
            view["kept"] = self.kept.json();
        }
        view
    }
}

fn zeros(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

fn add(sum: &AtomicU64, count: u64) {
    // Most counts of a block are zero, and skipping a shared counter is free.
    if count > 0 {
        sum.fetch_add(count, Ordering::Relaxed);
    }
}

fn add_each(sums: &[AtomicU64], counts: &[u64]) {
    sums.iter()
        .zip(counts)
        .for_each(|(sum, &count)| add(sum, count));
}

fn country(origins: &Origins, source: IpAddr) -> [u8; 2] {
    let country = match source {
        IpAddr::V4(address) => origins.country(address.to_bits()),
        IpAddr::V6(address) => origins.country(address.to_bits()),
    };
    let mut letters = *b"ZZ";
    letters.copy_from_slice(country.as_str().as_bytes());
    letters
}

pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs() as i64
}
