//! The metrics: one row each, with name, kind, help and the function that reads its values. `/metrics`, the Grafana dashboard's test and
//! the documentation all read [`METRICS`]. Names and units follow <https://prometheus.io/docs/practices/naming/>.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use teiten_aggregator::counter::{COUNTERS, OUTCOMES};
use teiten_observation::{Class, TrafficType};

use super::process::{Process, process, space};
use super::status::{Status, unix_seconds};
use crate::log;

/// One metric.
pub struct Metric {
    /// Its name; the page appends `_total` to a counter's.
    pub name: &'static str,
    /// Whether it is a counter, which only grows while the process lives.
    pub counter: bool,
    /// Its help text, with the unit if the name has none.
    pub help: &'static str,
    /// The name of its label; empty where it has none.
    pub label: &'static str,
    values: fn(&Moment) -> Vec<(String, f64)>,
}

impl Metric {
    /// The name on the page.
    #[must_use]
    pub fn full_name(&self) -> String {
        let ending = if self.counter { "_total" } else { "" };
        format!("{}{ending}", self.name)
    }
}

/// The values that are read once for a page.
struct Moment<'a> {
    status: &'a Status,
    process: Process,
    space: Option<(u64, u64)>,
}

const fn counter(
    name: &'static str,
    label: &'static str,
    help: &'static str,
    values: fn(&Moment) -> Vec<(String, f64)>,
) -> Metric {
    Metric {
        name,
        counter: true,
        help,
        label,
        values,
    }
}

const fn gauge(
    name: &'static str,
    label: &'static str,
    help: &'static str,
    values: fn(&Moment) -> Vec<(String, f64)>,
) -> Metric {
    Metric {
        name,
        counter: false,
        help,
        label,
        values,
    }
}

/// Every metric, in the order of the page.
pub const METRICS: &[Metric] = &[
    gauge(
        "teiten_build_info",
        "version",
        "Always 1; the label is the program's version",
        |_| labelled([(env!("CARGO_PKG_VERSION"), 1.0)]),
    ),
    gauge(
        "teiten_telescope_addresses",
        "",
        "Dark addresses that are observed; absent where no telescope was given",
        |at| where_known(at.status.facts.addresses.map(|addresses| addresses as f64)),
    ),
    counter("teiten_received_packets", "", "Packets received", |at| {
        sum(&at.status.sums.counts.received)
    }),
    counter(
        "teiten_packets",
        "outcome",
        "Packets received, by where they went; the outcomes add up to those received",
        |at| {
            let sums = at.status.sums.counts.numbers();
            OUTCOMES
                .map(|index| (COUNTERS[index].name.to_owned(), read(sums[index])))
                .collect()
        },
    ),
    counter(
        "teiten_observed_bytes",
        "",
        "Bytes on the wire of observed packets",
        |at| sum(&at.status.sums.observed_bytes),
    ),
    counter(
        "teiten_class_packets",
        "class",
        "Observed packets by class",
        |at| {
            by_name(
                Class::ALL.iter().map(|it| it.name()),
                &at.status.sums.classes,
            )
        },
    ),
    counter(
        "teiten_traffic_type_packets",
        "traffic_type",
        "Observed packets by traffic type",
        |at| {
            by_name(
                TrafficType::ALL.iter().map(|it| it.name()),
                &at.status.sums.types,
            )
        },
    ),
    counter(
        "teiten_dropped_packets",
        "by",
        "Packets lost before the sensor saw them: in the kernel's buffer, or by the interface",
        |at| {
            let sums = &at.status.sums.counts;
            labelled([
                ("kernel", read(&sums.dropped_kernel)),
                ("interface", read(&sums.dropped_interface)),
            ])
        },
    ),
    counter(
        "teiten_late_packets",
        "",
        "Observed packets whose hour had closed",
        |at| sum(&at.status.sums.counts.late),
    ),
    counter(
        "teiten_implausible_packets",
        "",
        "Packets whose time is implausibly far from the clock; they are in no table",
        |at| sum(&at.status.sums.implausible),
    ),
    counter(
        "teiten_collapsed_packets",
        "",
        "Packets whose source was folded into its prefix",
        |at| sum(&at.status.sums.counts.collapsed),
    ),
    counter(
        "teiten_kept_packets",
        "",
        "Observed packets written by --keep-packets; absent where none are kept",
        |at| where_kept(at, || one(at.status.kept.packets() as f64)),
    ),
    counter(
        "teiten_kept_bytes",
        "",
        "Bytes written by --keep-packets; absent where none are kept",
        |at| where_kept(at, || one(at.status.kept.bytes() as f64)),
    ),
    counter(
        "teiten_kept_lost_packets",
        "reason",
        "Observed packets that --keep-packets could not write because the disk was slow, full or failed; the tables count them",
        |at| {
            where_kept(at, || {
                let lost = at.status.kept.lost();
                labelled(lost.map(|(reason, count)| (reason.name(), count as f64)))
            })
        },
    ),
    counter(
        "teiten_worker_busy_seconds",
        "",
        "Time that all workers together spent on packets",
        |at| one(read(&at.status.sums.busy_us) / 1e6),
    ),
    gauge("teiten_workers", "", "Worker threads", |at| {
        one(at.status.facts.workers as f64)
    }),
    gauge(
        "teiten_rows_memory_bytes",
        "",
        "Memory of the rows of open hours",
        |at| one(at.status.rows_bytes.iter().map(read).sum()),
    ),
    gauge(
        "teiten_rows_memory_limit_bytes",
        "",
        "Memory limit of the rows of open hours; beyond it they are spilled to disk",
        |at| one(at.status.facts.memory_bytes as f64),
    ),
    counter(
        "teiten_hours_closed",
        "",
        "Hours published, further parts of an hour included",
        |at| sum(&at.status.sums.hours),
    ),
    counter(
        "teiten_hour_close_seconds",
        "",
        "Time that publishing hours took",
        |at| one(read(&at.status.sums.close_us) / 1e6),
    ),
    gauge(
        "teiten_hour_closed_timestamp_seconds",
        "",
        "When an hour was last published, as Unix time; 0 before the first",
        |at| one(at.status.closed_last.load(Ordering::Relaxed) as f64),
    ),
    counter("teiten_rows_written", "table", "Rows published", |at| {
        let sums = &at.status.sums;
        labelled([
            ("sources", read(&sums.rows_sources)),
            ("traffic", read(&sums.rows_traffic)),
        ])
    }),
    counter(
        "teiten_dataset_written_bytes",
        "",
        "Bytes of the parts published",
        |at| sum(&at.status.sums.dataset_bytes),
    ),
    gauge(
        "teiten_data_free_bytes",
        "",
        "Free bytes of the dataset's file system",
        |at| where_known(at.space.map(|(free, _)| free as f64)),
    ),
    gauge(
        "teiten_data_size_bytes",
        "",
        "Size of the dataset's file system",
        |at| where_known(at.space.map(|(_, all)| all as f64)),
    ),
    gauge(
        "teiten_packet_clock_timestamp_seconds",
        "",
        "The capture's clock as Unix time: the newest packet, or the time of day less a second where none comes",
        |at| one(at.status.clock_us.load(Ordering::Relaxed) as f64 / 1e6),
    ),
    gauge(
        "teiten_reader_silence_seconds",
        "",
        "Time since the reading thread last reported",
        |at| one(at.status.silence().as_secs_f64()),
    ),
    gauge(
        "teiten_problems",
        "part",
        "1 for each part of the capture that has a problem now; absent otherwise",
        |at| {
            at.status
                .problems()
                .into_keys()
                .map(|part| (part.to_owned(), 1.0))
                .collect()
        },
    ),
    counter(
        "teiten_reloads",
        "result",
        "Reloads of the lists by SIGHUP",
        |at| {
            let sums = &at.status.sums;
            labelled([
                ("done", read(&sums.reloads_done)),
                ("failed", read(&sums.reloads_failed)),
            ])
        },
    ),
    counter("teiten_log_messages", "level", "Messages written", |_| {
        labelled(log::written().map(|(level, count)| (level, count as f64)))
    }),
    counter(
        "teiten_log_messages_suppressed",
        "",
        "Messages suppressed because similar ones had just been written",
        |_| one(log::held_back() as f64),
    ),
    counter(
        "teiten_log_messages_lost",
        "",
        "Messages lost because standard error was not read",
        |_| one(log::lost() as f64),
    ),
    counter(
        "process_cpu_seconds",
        "",
        "User and system CPU time",
        |at| one(at.process.cpu_seconds),
    ),
    gauge(
        "process_resident_memory_bytes",
        "",
        "Resident memory",
        |at| one(at.process.resident_bytes as f64),
    ),
    gauge("process_virtual_memory_bytes", "", "Address space", |at| {
        one(at.process.virtual_bytes as f64)
    }),
    gauge("process_threads", "", "Threads", |at| {
        one(at.process.threads as f64)
    }),
    gauge(
        "process_open_fds",
        "",
        "Open files; absent where the process may not read them",
        |at| where_known(at.process.open_files.map(|files| files as f64)),
    ),
    gauge(
        "process_start_time_seconds",
        "",
        "When the capture began, as Unix time",
        |at| one(unix_seconds(at.status.started) as f64),
    ),
];

fn where_kept(at: &Moment, values: impl Fn() -> Vec<(String, f64)>) -> Vec<(String, f64)> {
    if at.status.facts.keeps {
        values()
    } else {
        Vec::new()
    }
}

fn where_known(value: Option<f64>) -> Vec<(String, f64)> {
    value.map_or_else(Vec::new, one)
}

/// A sum for each name.
fn by_name(names: impl Iterator<Item = &'static str>, sums: &[AtomicU64]) -> Vec<(String, f64)> {
    names
        .zip(sums)
        .map(|(name, sum)| (name.to_owned(), read(sum)))
        .collect()
}

fn one(value: f64) -> Vec<(String, f64)> {
    vec![(String::new(), value)]
}

fn sum(sum: &AtomicU64) -> Vec<(String, f64)> {
    one(read(sum))
}

fn read(sum: &AtomicU64) -> f64 {
    sum.load(Ordering::Relaxed) as f64
}

fn labelled<const N: usize>(values: [(&str, f64); N]) -> Vec<(String, f64)> {
    values
        .map(|(label, value)| (label.to_owned(), value))
        .into()
}

/// The page, in the OpenMetrics text format.
pub(super) fn text(status: &Arc<Status>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(Arc::clone(status))));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Page(Arc<Status>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let moment = Moment {
            status: &self.0,
            process: process(),
            space: space(&self.0.facts.data),
        };
        for metric in METRICS {
            let values = (metric.values)(&moment);
            if values.is_empty() {
                continue;
            }
            let kind = if metric.counter {
                MetricType::Counter
            } else {
                MetricType::Gauge
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            if metric.label.is_empty() {
                put(metric.counter, values[0].1, family)?;
                continue;
            }
            for (label, value) in values {
                let labels = [(metric.label, label)];
                put(metric.counter, value, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn put(counter: bool, value: f64, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    if counter {
        ConstCounter::new(value).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}
