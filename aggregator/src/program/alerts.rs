//! `alerts`: delivers what waits in the queues of a dataset, and says what waits.

use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Delivery, DeliveryReport, Say, WatchList, waiting};
use clap::Subcommand;
use serde_json::json;

use super::INCOMPLETE;

/// What is done with alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Deliver the alerts that wait in a dataset to the sinks of the list.
    ///
    /// Exit code 0: all are delivered; 1: some wait or were refused, each sink on a line; 2: nothing could be delivered.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # what a replay or a stopped capture left waiting\n",
        "  teiten-aggregator alerts deliver --data data --watch watch.toml\n",
        "  # as a service beside a capture with --no-deliver\n",
        "  teiten-aggregator alerts deliver --data /var/lib/teiten --watch /etc/teiten/watch.toml --follow"
    ))]
    Deliver {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The list of watched addresses and sinks.
        #[arg(long, value_name = "FILE")]
        watch: PathBuf,
        /// Seconds to try for; alerts that then wait are delivered another time.
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = 60,
            conflicts_with = "follow"
        )]
        wait: u64,
        /// Deliver what is put from now on too, until the program is ended.
        #[arg(long)]
        follow: bool,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Say how many alerts wait for each sink of the list, and how many it refused.
    Waiting {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The list of watched addresses and sinks.
        #[arg(long, value_name = "FILE")]
        watch: PathBuf,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command.
pub(crate) fn run(command: AlertsCommand) -> anyhow::Result<u8> {
    match command {
        AlertsCommand::Deliver {
            data,
            watch,
            wait,
            follow,
            json,
        } => deliver(&data, &watch, (!follow).then_some(wait), json),
        AlertsCommand::Waiting { data, watch, json } => say_waiting(&data, &watch, json),
    }
}

fn deliver(data: &Path, watch: &Path, wait: Option<u64>, as_json: bool) -> anyhow::Result<u8> {
    super::readable(data)?;
    let list = WatchList::load(watch)?;
    let say: Say = Arc::new(|text| {
        let _ = writeln!(stderr(), "teiten-aggregator: {text}");
    });
    let delivery = Delivery::start(data, &list, &say)?;
    let Some(seconds) = wait else {
        // A signal ends it at any moment without harm: what is not acknowledged waits on disk.
        loop {
            std::thread::park();
        }
    };
    let DeliveryReport {
        delivered,
        refused,
        waiting,
        failures,
    } = delivery.finish(Duration::from_secs(seconds));
    let mut out = stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({"delivered": delivered, "refused": refused, "waiting": waiting, "failures": failures})
        )?;
    } else {
        writeln!(
            out,
            "{delivered} delivered, {refused} refused, {waiting} wait"
        )?;
        for failure in &failures {
            writeln!(out, "{failure}")?;
        }
    }
    Ok(if waiting + refused == 0 {
        0
    } else {
        INCOMPLETE
    })
}

fn say_waiting(data: &Path, watch: &Path, as_json: bool) -> anyhow::Result<u8> {
    super::readable(data)?;
    let list = WatchList::load(watch)?;
    let sinks = waiting(data, &list)?;
    let mut out = stdout().lock();
    if as_json {
        let sinks: Vec<_> = sinks
            .iter()
            .map(|it| json!({"sink": it.sink, "waiting": it.waiting, "refused": it.refused}))
            .collect();
        writeln!(out, "{}", json!({"sinks": sinks}))?;
    } else {
        for it in &sinks {
            writeln!(
                out,
                "{}: {} wait, {} refused",
                it.sink, it.waiting, it.refused
            )?;
        }
    }
    let is_done = sinks.iter().all(|it| it.waiting + it.refused == 0);
    Ok(if is_done { 0 } else { INCOMPLETE })
}
