//! The process that delivers the alerts of a capture. A capture confines itself: it can open no connection and start no program. So it starts
//! this process before, which does nothing but take alerts from the queues in the dataset to the sinks. Its standard input is a pipe that
//! ends with the capture, however that ends; it then delivers for a while what still waits, and ends too.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use teiten_aggregator::alert::{Delivery, DeliveryReport, Say, WatchError, WatchList};

use crate::options::{CaptureSettings, Settings};
use crate::privilege::{Needs, PrivilegeError, confine};

/// How long the end of a run waits for sinks that do not answer; alerts that then wait are delivered another time.
pub const DELIVERY_WAIT: Duration = Duration::from_secs(30);

/// The process, as the capture sees it.
#[derive(Debug)]
pub struct Courier {
    child: Child,
}

impl Courier {
    /// Starts it, if somebody is watched and alerts are to be delivered from here.
    ///
    /// # Errors
    /// When this program cannot be started again.
    pub fn start(
        capture: &CaptureSettings,
        settings: &Settings,
        list: &WatchList,
    ) -> Result<Option<Courier>, CourierError> {
        let Some(watch) = settings.watch.as_ref().filter(|watch| watch.delivers) else {
            return Ok(None);
        };
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        // The file may hold other programs too, and goes by its name.
        command.arg0("teiten-sensor").arg("deliver-alerts");
        command.arg("--data").arg(&settings.data);
        command.arg("--watch").arg(&watch.path);
        command.args(["--log", &word(&settings.log)]);
        command.args(["--log-level", &word(&settings.log_level)]);
        if let Some(user) = &capture.service.user {
            command.args(["--user", user]);
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        tracing::info!(
            process = child.id(),
            sinks = list.sinks.len(),
            "alerts are delivered by a process of their own"
        );
        Ok(Some(Courier { child }))
    }

    /// No more alerts come; waits until the process has ended.
    #[must_use]
    pub fn end(mut self) -> DeliveryReport {
        drop(self.child.stdin.take());
        let mut text = String::new();
        // The confinement has no call that waits for a process; its output ends with it.
        let read = self
            .child
            .stdout
            .take()
            .map(|mut out| out.read_to_string(&mut text));
        let report = read
            .and_then(Result::ok)
            .and_then(|_| serde_json::from_str(&text).ok());
        report.unwrap_or_else(|| DeliveryReport {
            failures: vec!["the process that delivers alerts ended early".to_owned()],
            ..DeliveryReport::default()
        })
    }
}

/// A setting as a flag's value.
fn word(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What that process does: delivers until its standard input ends.
///
/// # Errors
/// When the user cannot be changed, or no thread be started.
pub fn deliver(user: Option<String>, settings: &Settings) -> Result<(), CourierError> {
    let Some(watch) = &settings.watch else {
        return Ok(());
    };
    let needs = Needs {
        user,
        written: vec![settings.data.clone()],
        ..Needs::default()
    };
    confine(&needs)?;
    let say: Say = Arc::new(|text| tracing::warn!("{text}"));
    let list = watch.load()?;
    let delivery = Delivery::start(&settings.data, &list, &say)?;
    let mut end = Vec::new();
    std::io::stdin().lock().read_to_end(&mut end)?;
    let report = delivery.finish(DELIVERY_WAIT);
    let text = serde_json::to_string(&report).map_err(std::io::Error::from)?;
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Why alerts are not delivered.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The user.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// The list.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A thread or a pipe.
    #[error("alerts cannot be delivered: {0}")]
    System(#[from] std::io::Error),
}
