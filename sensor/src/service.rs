//! The service around a long-running capture: it drops privileges, serves the status, notifies the service manager, reloads lists on
//! SIGHUP, and logs problems. It has one thread, which runs once a second; no packet waits for it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sd_notify::{NotifyState, notify};
use signal_hook::consts::SIGHUP;
use teiten_aggregator::origin::Origins;
use thiserror::Error;

use crate::log;
use crate::options::{CaptureSettings, Settings};
use crate::origins::OriginsCell;
use crate::privilege::{Needs, PrivilegeError, confine};
use crate::source::Arrival;
use crate::watch::{CaptureFacts, Status, serve};

/// Interval of the service thread.
const ROUND: Duration = Duration::from_secs(1);
/// How long the reader may be silent before the watchdog is no longer fed: the service manager then restarts the sensor after WatchdogSec.
/// A capture that waits for a full disk keeps feeding it.
pub const WATCHDOG_SILENCE_MAX: Duration = Duration::from_secs(120);

/// Loads the lists again for hours that are published from now on; returns their description.
pub type Reload = Box<dyn FnMut() -> Result<Arc<Origins>, String> + Send>;

/// Why a capture cannot begin.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The address is in use, or belongs to another machine.
    #[error("--status {address}: cannot listen there: {reason}; give another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// No thread, no signal.
    #[error("the service's own thread cannot be started: {0}")]
    Start(std::io::Error),
    /// The user or the data folder.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
}

/// The service of one capture.
#[derive(Debug)]
pub struct Service {
    status: Arc<Status>,
    served: bool,
    flags: Arc<Flags>,
}

#[derive(Debug, Default)]
struct Flags {
    reload: Arc<AtomicBool>,
    finishing: AtomicBool,
    ended: AtomicBool,
}

impl Service {
    /// Starts the service. Call it with the interfaces open and before any other thread starts, because later threads inherit the dropped
    /// privileges.
    ///
    /// # Errors
    /// When the status address cannot be used, the user cannot be changed, or the data folder is not writable.
    pub fn begin(
        capture: &CaptureSettings,
        settings: &Settings,
        addresses: Option<u64>,
        origins: Arc<OriginsCell>,
        reload: Reload,
    ) -> Result<Service, ServiceError> {
        let listener = capture.service.status.map(listen).transpose()?;
        let facts = CaptureFacts {
            data: settings.data.clone(),
            interfaces: capture.interfaces.clone(),
            sensor: settings.sensor.clone(),
            addresses,
            memory_bytes: settings.memory_bytes as u64,
            workers: settings.workers,
            keeps: capture.live.keep.is_some(),
        };
        let status = Arc::new(Status::new(facts, origins));
        let flags = Arc::new(Flags::default());
        signal_hook::flag::register(SIGHUP, Arc::clone(&flags.reload))
            .map_err(ServiceError::Start)?;
        for step in confine(&needs(capture, settings))? {
            if step.done {
                tracing::info!(step = step.name, "confined: {}", step.text);
            } else {
                tracing::warn!(step = step.name, "not confined in full: {}", step.text);
            }
        }
        log::queue_lines().map_err(ServiceError::Start)?;
        let served = listener.is_some();
        if let Some(listener) = listener {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "serving /metrics, /health and /live");
            }
            let hosts = capture.service.status_hosts.clone();
            serve(listener, Arc::clone(&status), hosts).map_err(ServiceError::Start)?;
        }
        let round = ServiceThread {
            status: Arc::clone(&status),
            flags: Arc::clone(&flags),
            reload,
            known: BTreeMap::new(),
            watchdog: Watchdog::new(),
        };
        std::thread::Builder::new()
            .name("service".into())
            .spawn(move || round.run())
            .map_err(ServiceError::Start)?;
        // Without a service manager there is nothing to notify.
        let _ = notify(&[NotifyState::Ready, NotifyState::Status("capturing")]);
        Ok(Service {
            status,
            served,
            flags,
        })
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The status for workers; `None` without a status server.
    #[must_use]
    pub fn watched(&self) -> Option<Arc<Status>> {
        self.served.then(|| Arc::clone(&self.status))
    }

    /// Records the reader's arrival: it is alive, or at the end of the input.
    pub fn note(&self, arrival: Option<&Arrival>) {
        match arrival.map(|arrival| arrival.clock_us) {
            Some(clock_us) => self.status.beat(clock_us.unwrap_or(0)),
            None => {
                self.flags.finishing.store(true, Ordering::Relaxed);
                let _ = notify(&[NotifyState::Stopping]);
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.flags.ended.store(true, Ordering::Relaxed);
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(address).map_err(|reason| ServiceError::Listen { address, reason })
}

fn needs(capture: &CaptureSettings, settings: &Settings) -> Needs {
    let geo = if settings.geo.is_empty() {
        Origins::find_default()
    } else {
        settings.geo.clone()
    };
    let lists = geo.iter().chain(&settings.asn).chain(&settings.actors);
    let read: Vec<PathBuf> = lists.cloned().collect();
    let mut written = vec![settings.data.clone()];
    written.extend(capture.live.keep.iter().map(|keep| keep.folder.clone()));
    Needs {
        user: capture.service.user.clone(),
        sandbox: capture.service.sandbox,
        written,
        read,
    }
}

/// The service's own thread.
struct ServiceThread {
    status: Arc<Status>,
    flags: Arc<Flags>,
    reload: Reload,
    /// Problems that were logged.
    known: BTreeMap<&'static str, String>,
    watchdog: Watchdog,
}

impl ServiceThread {
    fn run(mut self) {
        while !self.flags.ended.load(Ordering::Relaxed) {
            std::thread::sleep(ROUND);
            self.look();
        }
    }

    fn look(&mut self) {
        log::tick();
        if self.flags.reload.swap(false, Ordering::Relaxed) {
            self.reload();
        }
        let finishing = self.flags.finishing.load(Ordering::Relaxed);
        let alive = self.status.silence() <= WATCHDOG_SILENCE_MAX || self.status.waits_on_disk();
        if finishing || alive {
            self.watchdog.feed();
        }
        if !finishing {
            self.log_problems();
        }
    }

    fn reload(&mut self) {
        let begun = Instant::now();
        let _ = notify(&[NotifyState::Status("reloading lists")]);
        match (self.reload)() {
            Ok(origins) => {
                let data = origins.provenance().iter().map(|data| data.name.as_str());
                tracing::info!(
                    data = data.collect::<Vec<_>>().join(","),
                    milliseconds = begun.elapsed().as_millis() as u64,
                    "lists reloaded; other settings need a restart"
                );
                self.status.reloaded(true);
            }
            Err(error) => {
                tracing::error!("lists not reloaded, the old ones stay: {error}");
                self.status.reloaded(false);
            }
        }
        let _ = notify(&[NotifyState::Status("capturing")]);
    }

    /// Logs each new problem and each solved one, once.
    fn log_problems(&mut self) {
        let problems = self.status.problems();
        for (part, text) in &problems {
            if !self.known.contains_key(part) {
                tracing::warn!(part, "{text}");
            }
        }
        for part in self
            .known
            .keys()
            .filter(|part| !problems.contains_key(*part))
        {
            tracing::info!(part, "well again");
        }
        self.known = problems;
    }
}

/// Feeds the watchdog of the service manager at the interval that it asks for.
struct Watchdog {
    every: Option<Duration>,
    fed: Instant,
}

impl Watchdog {
    fn new() -> Self {
        Watchdog {
            // Half of what is allowed, as sd_watchdog_enabled(3) recommends.
            every: sd_notify::watchdog_enabled().map(|allowed| allowed / 2),
            fed: Instant::now(),
        }
    }

    fn feed(&mut self) {
        if self.every.is_some_and(|every| self.fed.elapsed() >= every) {
            self.fed = Instant::now();
            let _ = notify(&[NotifyState::Watchdog]);
        }
    }
}
