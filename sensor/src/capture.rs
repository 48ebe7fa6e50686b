//! A live capture from options to a dataset that grows by the hour, until a signal ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use teiten_aggregator::dataset::Hour;
use teiten_aggregator::minute::hour_of;
use teiten_aggregator::table::HOUR_US;
use teiten_aggregator::window::LatePolicy;

use crate::closing::Written;
use crate::options::{CaptureSettings, Settings};
use crate::packet::Block;
use crate::pipeline::{Arrival, Passage, run};
use crate::replay::{Outcome, RunError, closer, geo_text, origins};
use crate::service::{Reload, Service};
use crate::source::FileReport;
use crate::source::live::{LIVE_WAIT, Live};
use crate::telescope::Telescope;
use crate::worker::Reading;

/// The longest silence, in seconds, that counts as observed: a capture shows every tenth of a second that it is awake, so more
/// means that it was not.
pub const LIVE_SILENCE_SECONDS_MAX: i64 = 3;

/// How long a capture goes on after `stop` is set: the kernel may hold packets back for [`LIVE_WAIT`], and those that came before
/// the signal are still to be counted.
pub const LAST_PACKETS_WAIT: Duration = LIVE_WAIT.saturating_mul(2);

/// Captures until `stop` is set; what was captured is then in the dataset.
///
/// # Errors
/// When an interface cannot be opened, data of the settings is unusable, or a part cannot be written.
pub fn capture(
    capture: &CaptureSettings,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    let buffer_bytes = usize::try_from(capture.buffer_bytes).unwrap_or(usize::MAX);
    let mut live = Live::open(
        &capture.interfaces,
        capture.snap_length,
        buffer_bytes,
        capture.promiscuous,
    )?;
    let telescope = Arc::new(Telescope::new(&settings.telescope, &settings.exclude));
    let closer = closer(settings, &telescope, &run_name())?;
    let service = Service::begin(
        capture,
        settings,
        telescope.addresses(),
        Arc::clone(&closer.origins),
        reload(settings),
    )?;
    let passage = Passage {
        status: service.watched(),
        telescope,
        workers: settings.workers,
        memory_bytes: settings.memory_bytes,
        policy: LatePolicy::Reopen,
        reading: Reading::First,
    };
    let mut written = Written::new(LIVE_SILENCE_SECONDS_MAX);
    let mut interfaces = Interfaces::new(&capture.interfaces);
    written.status = Some(Arc::clone(service.status()));
    let mut next = |reuse| {
        let arrival = interfaces.next(&mut live, reuse, stop);
        service.note(arrival.as_ref());
        arrival
    };
    let counted = run(&mut next, &passage, &closer, &mut written)?;
    written.settle_coverage(&closer)?;
    interfaces.report.records = counted.tally.records;
    Ok(Outcome {
        counted,
        stale_parts: 0,
        written,
        files: vec![interfaces.report],
        elapsed: begun.elapsed(),
        geo: geo_text(&closer.origins),
    })
}

/// What SIGHUP does: the country, network and actor files are read again, as they were named at the start.
fn reload(settings: &Settings) -> Reload {
    let settings = settings.clone();
    Box::new(move || {
        let origins = origins(&settings).map_err(|error| error.to_string())?;
        Ok(Arc::new(origins))
    })
}

/// The interfaces as an input: where the capture ends, and why.
struct Interfaces {
    report: FileReport,
    clock_us: Option<i64>,
    stopped: Option<Instant>,
    ended: bool,
}

impl Interfaces {
    fn new(names: &[String]) -> Self {
        let report = FileReport {
            path: names.join(","),
            records: 0,
            unsupported_records: 0,
            error: None,
        };
        Interfaces {
            report,
            clock_us: None,
            stopped: None,
            ended: false,
        }
    }

    fn next(&mut self, live: &mut Live, reuse: Block, stop: &AtomicBool) -> Option<Arrival> {
        if self.ended {
            return None;
        }
        if stop.load(Ordering::Relaxed) {
            let stopped = *self.stopped.get_or_insert_with(Instant::now);
            if stopped.elapsed() >= LAST_PACKETS_WAIT {
                return self.last_words(live);
            }
        }
        match live.next_block(reuse) {
            Ok(arrived) => {
                self.clock_us = Some(arrived.time_us);
                Some(Arrival {
                    block: arrived.block,
                    clock_us: Some(arrived.time_us),
                    dropped_kernel: arrived.drops.kernel,
                    dropped_interface: arrived.drops.interface,
                })
            }
            Err(error) => {
                self.report.error = Some(error.to_string());
                self.last_words(live)
            }
        }
    }

    /// What was dropped since the counters were last asked, and the end.
    fn last_words(&mut self, live: &mut Live) -> Option<Arrival> {
        self.ended = true;
        let drops = live.drops();
        self.clock_us.map(|clock_us| Arrival {
            block: Block::empty(),
            clock_us: Some(clock_us),
            dropped_kernel: drops.kernel,
            dropped_interface: drops.interface,
        })
    }
}

/// The identity of a live run: its start, to the microsecond, so that two runs of one hour stand side by side.
fn run_name() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let start_us = since.map_or(0, |since| since.as_micros() as i64);
    let hour = Hour(hour_of(start_us));
    let text: String = hour
        .to_string()
        .chars()
        .filter(|letter| *letter != '-')
        .collect();
    format!("{text}.{:010}", start_us.rem_euclid(HOUR_US))
}
