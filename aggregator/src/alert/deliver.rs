//! Takes alerts from the queues to the sinks, each sink by a thread of its own, in order. What fails is tried again, after a second first and
//! then twice as long each time; what a sink refuses for good is set aside. Delivering uses the clock and the network, so it is done by a
//! process that a capture's confinement does not bind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Alert;
use super::list::WatchList;
use super::sink::{AlertSink, SinkFailure};
use crate::store::{DocumentQueue, Store};

/// The first wait after a failure, and the longest.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Interval at which queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Step of every wait, so that the end is noticed.
const STEP: Duration = Duration::from_millis(50);

/// What was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// Alerts that sinks acknowledged.
    pub delivered: u64,
    /// Alerts that sinks refused for good.
    pub refused: u64,
    /// Alerts that wait.
    pub waiting: u64,
    /// The last failure of each sink for which alerts wait.
    pub failures: Vec<String>,
}

impl DeliveryReport {
    fn add(&mut self, other: DeliveryReport) {
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.waiting += other.waiting;
        self.failures.extend(other.failures);
    }
}

/// What waits for a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Name of the sink.
    pub sink: String,
    /// Alerts that wait.
    pub waiting: usize,
    /// Alerts that it refused for good.
    pub refused: usize,
}

/// What waits for each sink of a list.
///
/// # Errors
/// When a queue cannot be listed.
pub fn waiting(data: &Path, list: &WatchList) -> std::io::Result<Vec<Waiting>> {
    let store = Store::at(data);
    let of_sink = |sink: &AlertSink| {
        let queue = store.queue(&sink.name);
        Ok(Waiting {
            sink: sink.name.clone(),
            waiting: queue.waiting()?.len(),
            refused: queue.refused()?.len(),
        })
    };
    list.sinks.iter().map(of_sink).collect()
}

/// Receives messages for people: failures, and that they are over.
pub type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Threads that deliver.
pub struct Delivery {
    threads: Vec<JoinHandle<DeliveryReport>>,
    signals: Arc<Signals>,
}

#[derive(Debug, Default)]
struct Signals {
    /// No more alerts will be put: end once the queues are empty.
    finish: AtomicBool,
    /// End now.
    stop: AtomicBool,
}

impl Delivery {
    /// Begins to deliver what waits in the dataset `data`, and what is put there from now on.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(data: &Path, list: &WatchList, say: &Say) -> std::io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let mut threads = Vec::new();
        for sink in &list.sinks {
            let sender = Sender {
                queue: Store::at(data).queue(&sink.name),
                data: data.to_owned(),
                sink: sink.clone(),
                signals: Arc::clone(&signals),
                say: Arc::clone(say),
            };
            let thread = std::thread::Builder::new().name(format!("to-{}", sink.name));
            threads.push(thread.spawn(move || sender.run())?);
        }
        Ok(Delivery { threads, signals })
    }

    /// Waits until all is delivered, for `wait_max` at most; what then still waits is delivered another time.
    #[must_use]
    pub fn finish(self, wait_max: Duration) -> DeliveryReport {
        self.signals.finish.store(true, Ordering::Relaxed);
        let until = Instant::now() + wait_max;
        while Instant::now() < until && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(STEP);
        }
        self.signals.stop.store(true, Ordering::Relaxed);
        let mut report = DeliveryReport::default();
        for thread in self.threads {
            match thread.join() {
                Ok(of_sink) => report.add(of_sink),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        report
    }
}

/// Takes alerts to one sink.
struct Sender {
    data: PathBuf,
    sink: AlertSink,
    queue: DocumentQueue,
    signals: Arc<Signals>,
    say: Say,
}

impl Sender {
    fn run(self) -> DeliveryReport {
        let mut report = DeliveryReport::default();
        let mut failures = 0;
        let mut last_failure = None;
        // Another program that delivers to this sink does it alone; this one stands by.
        let lock = loop {
            match self.queue.try_lock() {
                Ok(Some(lock)) => break Some(lock),
                Ok(None) if !self.is_ending() => self.wait(LOOK_EVERY),
                Ok(None) => break None,
                Err(error) => {
                    last_failure = Some(error.to_string());
                    break None;
                }
            }
        };
        while lock.is_some() && !self.signals.stop.load(Ordering::Relaxed) {
            let is_last_look = self.signals.finish.load(Ordering::Relaxed);
            match self.pass(&mut report) {
                Ok(()) => {
                    if failures > 0 {
                        (self.say)(format!("sink {}: alerts arrive again", self.sink.name));
                    }
                    (failures, last_failure) = (0, None);
                    if is_last_look {
                        break;
                    }
                    self.wait(LOOK_EVERY);
                }
                Err(failure) => {
                    let wait = wait_after(failures, failure.after_seconds);
                    let seconds = wait.as_secs();
                    (self.say)(format!(
                        "sink {}: {}; alerts wait, next attempt in {seconds} s",
                        self.sink.name, failure.reason
                    ));
                    last_failure = Some(failure.reason);
                    failures += 1;
                    self.wait(wait);
                }
            }
        }
        let waiting = self.queue.waiting().map_or(0, |names| names.len() as u64);
        report.waiting = waiting;
        let failure = last_failure.filter(|_| waiting > 0);
        let failure = failure.map(|reason| format!("sink {}: {reason}", self.sink.name));
        report.failures.extend(failure);
        report
    }

    /// Delivers what waits, up to the first failure.
    fn pass(&self, report: &mut DeliveryReport) -> Result<(), SinkFailure> {
        let of_disk = |error: std::io::Error| SinkFailure::again(error.to_string());
        for name in self.queue.waiting().map_err(of_disk)? {
            if self.signals.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let line = self.queue.read(&name).map_err(of_disk)?;
            let alert = line
                .as_deref()
                .and_then(|line| serde_json::from_str::<Alert>(line).ok());
            let outcome = match (&line, &alert) {
                (Some(line), Some(alert)) => self.sink.deliver(&self.data, alert, line),
                _ => Err(SinkFailure::for_good(format!("{name} is damaged"))),
            };
            match outcome {
                Ok(()) => {
                    self.queue.delivered(&name).map_err(of_disk)?;
                    report.delivered += 1;
                }
                Err(failure) if failure.is_final => {
                    (self.say)(format!(
                        "sink {}: {}; the alert is set aside in .teiten/alerts/{}/refused",
                        self.sink.name, failure.reason, self.sink.name
                    ));
                    self.queue.refuse(&name).map_err(of_disk)?;
                    report.refused += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn is_ending(&self) -> bool {
        self.signals.stop.load(Ordering::Relaxed) || self.signals.finish.load(Ordering::Relaxed)
    }

    /// Waits, or until the end.
    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.signals.stop.load(Ordering::Relaxed) {
            // Nothing more is put: what waits to be looked at is looked at now.
            if time == LOOK_EVERY && self.signals.finish.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(STEP);
        }
    }
}

/// The wait after so many failures in a row before this one.
fn wait_after(failures: u32, asked_seconds: Option<u64>) -> Duration {
    let wait = WAIT_MIN.saturating_mul(1 << failures.min(16)).min(WAIT_MAX);
    wait.max(Duration::from_secs(asked_seconds.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
