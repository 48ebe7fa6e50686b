//! Runs a live capture into a dataset until a signal ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::hour_of;
use teiten_aggregator::table::HOUR_US;
use teiten_aggregator::window::LatePolicy;

use crate::command::replay::{AlertOutcome, Outcome, RunError, closer, geo_text, origins};
use crate::courier::Courier;
use crate::engine::worker::Reading;
use crate::engine::{LATENESS_US, Passage, run};
use crate::hours::journaled::{Journaled, JournaledSettings};
use crate::keep::Keeping;
use crate::options::{CaptureSettings, Settings, WatchSettings};
use crate::origins::OriginsCell;
use crate::service::{Reload, Service, ServiceError};
use crate::source::Arrival;
use crate::source::FileReport;
use crate::source::block::Block;
use crate::source::live::{CaptureRequest, LIVE_WAIT, Live, Notice};
use crate::watch::Status;
use teiten_packet::telescope::Telescope;

/// How long a capture continues after `stop` is set: the kernel may hold packets for [`LIVE_WAIT`], and those that came before the signal
/// must be counted.
pub const LAST_PACKETS_WAIT: Duration = LIVE_WAIT.saturating_mul(2);

/// While the disk fails, closed hours may take this fraction of the memory for rows (the denominator), in addition to the workers.
const HELD_SHARE: usize = 4;

/// Captures until `stop` is set; all captured packets are then in the dataset.
///
/// # Errors
/// When no interface can be opened, data of the settings is unusable, or a part cannot be written.
pub fn capture(
    capture: &CaptureSettings,
    settings: &Settings,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    // Before the confinement, which lets no process be started and no connection be opened.
    let watch = settings
        .watch
        .as_ref()
        .map(WatchSettings::load)
        .transpose()?;
    let courier = match &watch {
        Some(list) => Courier::start(capture, settings, list)?,
        None => None,
    };
    let live = Live::open(&capture.interfaces, wanted(capture, settings))?;
    let telescope = Arc::new(Telescope::new(&settings.telescope, &settings.exclude));
    let start_us = time_of_day_us();
    let closer = closer(settings, &telescope, &run_name(start_us))?;
    let name = closer.name.clone();
    let origins = Arc::new(OriginsCell::new(Arc::clone(&closer.origins)));
    let service = Service::begin(
        capture,
        settings,
        telescope.addresses(),
        Arc::clone(&origins),
        reload(settings, Arc::clone(&origins)),
    )?;
    // After the service dropped its privileges, so that files belong to the right user.
    let mut hours = Journaled::start(
        &closer,
        &JournaledSettings {
            origins: Arc::clone(&origins),
            status: Some(Arc::clone(service.status())),
            open_from: hour_of(start_us - LATENESS_US),
            memory_bytes: settings.memory_bytes / HELD_SHARE,
            watch,
            stop: Arc::clone(stop),
        },
    )?;
    let passage = Passage {
        status: service.watched(),
        telescope,
        workers: settings.workers,
        memory_bytes: settings.memory_bytes,
        policy: LatePolicy::Reopen,
        reading: Reading::First,
        checkpoint: Some(capture.live.durable * 3 / 4),
        // The kernel holds packets from the moment the interfaces were opened.
        observed_from_us: Some(start_us),
        payloads: settings.payloads,
    };
    let start = |keep| {
        let (telescope, status) = (Arc::clone(&passage.telescope), Arc::clone(service.status()));
        Keeping::start(keep, &settings.sensor, telescope, status)
    };
    let keep = capture.live.keep.as_ref();
    let mut keeping = keep.map(start).transpose().map_err(ServiceError::Start)?;
    let mut interfaces = Interfaces::new(&capture.interfaces, live, Arc::clone(service.status()));
    let mut next = |reuse| {
        let arrival = interfaces.next(reuse, stop);
        service.note(arrival.as_ref());
        if let Some(keeping) = &mut keeping {
            keeping.offer(arrival.as_ref());
        }
        arrival
    };
    let counted = run(&mut next, &passage, &mut hours);
    if let Some(keeping) = keeping {
        keeping.end();
    }
    let counted = counted?;
    let alerts = hours.watched();
    let delivery = courier.map(Courier::end);
    interfaces.report.records = counted.tally.records();
    Ok(Outcome {
        alerts: alerts.map(|raised| AlertOutcome {
            raised,
            delivery: delivery.unwrap_or_default(),
            tellings: Vec::new(),
        }),
        // The log said so at the start.
        rows_left_out: Vec::new(),
        counted,
        stale_parts: 0,
        written: hours.into_written(),
        files: vec![interfaces.report],
        elapsed: begun.elapsed(),
        geo: geo_text(&origins.load()),
        status: Some(Arc::clone(service.status())),
        name,
    })
}

fn wanted(capture: &CaptureSettings, settings: &Settings) -> CaptureRequest {
    CaptureRequest {
        method: capture.live.method,
        snap_length_bytes: capture.snap_length,
        buffer_bytes: usize::try_from(capture.buffer_bytes).unwrap_or(usize::MAX),
        promiscuous: capture.promiscuous,
        rings: settings.workers,
        telescope: settings.telescope.clone(),
        all_packets: capture.live.all_packets,
        filter: capture.live.filter.clone(),
    }
}

/// Handles SIGHUP: reads the country, network and actor files again; hours that are published from now on use them.
fn reload(settings: &Settings, cell: Arc<OriginsCell>) -> Reload {
    let settings = settings.clone();
    Box::new(move || {
        let origins = Arc::new(origins(&settings).map_err(|error| error.to_string())?);
        cell.replace(Arc::clone(&origins));
        Ok(origins)
    })
}

/// The interfaces as an input of the engine; it knows when the capture ends, and whether it was complete.
struct Interfaces {
    live: Live,
    status: Arc<Status>,
    report: FileReport,
    clock_us: Option<i64>,
    stopped: Option<Instant>,
    ended: bool,
}

impl Interfaces {
    fn new(names: &[String], live: Live, status: Arc<Status>) -> Self {
        let report = FileReport {
            path: names.join(","),
            ..FileReport::default()
        };
        Interfaces {
            live,
            status,
            report,
            clock_us: None,
            stopped: None,
            ended: false,
        }
    }

    fn next(&mut self, reuse: Block, stop: &AtomicBool) -> Option<Arrival> {
        if self.ended {
            return None;
        }
        if stop.load(Ordering::Relaxed) {
            let stopped = *self.stopped.get_or_insert_with(Instant::now);
            if stopped.elapsed() >= LAST_PACKETS_WAIT {
                return self.last_drops();
            }
        }
        crate::log::panic_if_asked("reader");
        let arrived = self.live.next_block(reuse);
        self.log_notices();
        self.clock_us = Some(arrived.time_us);
        Some(Arrival {
            block: arrived.block,
            lane: arrived.ring,
            clock_us: Some(arrived.time_us),
            complete: arrived.complete,
            drops: arrived.drops,
        })
    }

    /// The last drops, and the end of the input.
    fn last_drops(&mut self) -> Option<Arrival> {
        self.ended = true;
        let drops = self.live.drops();
        self.clock_us.map(|clock_us| Arrival {
            block: Block::empty(),
            lane: None,
            clock_us: Some(clock_us),
            complete: false,
            drops,
        })
    }

    /// Logs notices; an interface that was gone makes the capture incomplete.
    fn log_notices(&mut self) {
        let notices = self.live.notices();
        if !notices.is_empty() {
            let away = self.live.away();
            let text = (!away.is_empty()).then(|| format!("waiting for {}", away.join(", ")));
            self.status.problem("interfaces", text);
        }
        for notice in notices {
            let text = notice.to_string();
            match notice {
                Notice::Opened(..) | Notice::Back(..) => tracing::info!("{text}"),
                Notice::Stepped(_)
                | Notice::Returned
                | Notice::Followed(_)
                | Notice::Implausible(..) => tracing::warn!("{text}"),
                Notice::Missing(..) | Notice::Down(_) | Notice::Gone(_) => {
                    tracing::warn!("{text}");
                    let first = || format!("incomplete: {text}");
                    self.report.error.get_or_insert_with(first);
                }
            }
        }
    }
}

/// The identity of a live run: its start, to the microsecond, so that two runs of one hour have different parts.
fn run_name(start_us: i64) -> String {
    let hour = Hour(hour_of(start_us));
    let text: String = hour
        .to_string()
        .chars()
        .filter(|letter| *letter != '-')
        .collect();
    format!("{text}.{:010}", start_us.rem_euclid(HOUR_US))
}

fn time_of_day_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}
