//! A model of more cores, from costs measured on this machine: serial work stays as it is, the rest is divided by the cores. It contains no
//! number that was written by hand.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use teiten_sensor::command::replay::{WORKERS_A_WALK, replay};
use teiten_sensor::source::ReadingMode;

use crate::files::remove;
use crate::record::cores;
use crate::stage::{Bench, own_ns_of_closing, settings, start};
use crate::usage::{process_ns, thread_ns};

/// Numbers of cores in the model.
const CORES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The measured costs, nanoseconds of processor time a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// Of the reading thread: walking the records and dealing out blocks.
    pub reader_ns: f64,
    /// Of the reading thread where other threads walk, as with many workers.
    pub dealer_ns: f64,
    /// Of the closing thread, while others merge and encode for it.
    pub closing_ns: f64,
    /// Of all threads together.
    pub total_ns: f64,
    /// Wall time that each job takes independently of its length, nanoseconds.
    pub start_ns: f64,
    /// Bytes of the capture's file a packet.
    pub file_bytes: f64,
}

impl Model {
    /// Replays the bench's capture in this process `rounds` times and measures the time of each thread; medians.
    ///
    /// # Errors
    /// When a replay fails.
    pub fn measure(bench: &Bench, work: &Path, rounds: usize) -> Result<Self> {
        let data = work.join("data-model");
        let capture = bench.capture();
        let (few, many) = (settings(&data, cores())?, settings(&data, WORKERS_A_WALK)?);
        let (mut readers, mut dealers, mut totals) = (Vec::new(), Vec::new(), Vec::new());
        let (mut closings, mut starts) = (Vec::new(), Vec::new());
        capture.warm()?;
        for _ in 0..rounds.max(1) {
            remove(&data)?;
            let thread = thread_ns();
            let start = start(bench)?;
            let own_start_ns = thread_ns() - thread;
            let paths = [capture.path.clone()];
            let (thread, process) = (thread_ns(), process_ns());
            // The calling thread is the reader; before it reads it has the country data loaded.
            replay(&paths, ReadingMode::Mapped, &few, &mut |_| {})?;
            readers.push((thread_ns() - thread).saturating_sub(own_start_ns));
            totals.push((process_ns() - process).saturating_sub(start.processor_ns));
            remove(&data)?;
            let thread = thread_ns();
            replay(&paths, ReadingMode::Mapped, &many, &mut |_| {})?;
            dealers.push((thread_ns() - thread).saturating_sub(own_start_ns));
            closings.push(own_ns_of_closing(bench, cores().max(2))?);
            starts.push(start.wall_ns);
        }
        remove(&data)?;
        let each = |mut values: Vec<u64>| {
            values.sort_unstable();
            values[values.len() / 2] as f64 / capture.records.max(1) as f64
        };
        Ok(Model {
            reader_ns: each(readers),
            dealer_ns: each(dealers),
            closing_ns: each(closings),
            total_ns: each(totals),
            start_ns: each(starts) * capture.records as f64,
            file_bytes: capture.file_bytes as f64 / capture.records.max(1) as f64,
        })
    }

    /// Millions of packets a second with this number of cores, and the limit.
    #[must_use]
    pub fn rate(&self, cores: usize) -> (f64, &'static str) {
        let reader_ns = match cores {
            WORKERS_A_WALK.. => self.dealer_ns,
            _ => self.reader_ns,
        };
        let bounds = [
            (cores as f64 * 1e3 / self.total_ns, "processors"),
            (1e3 / reader_ns, "the reading thread"),
            (1e3 / self.closing_ns, "the closing thread"),
        ];
        let least = bounds
            .into_iter()
            .min_by(|one, other| one.0.total_cmp(&other.0));
        least.unwrap_or(bounds[0])
    }

    /// The table as text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let share = |part_ns: f64| 100.0 * part_ns / self.total_ns;
        let mut lines = vec![
            format!(
                "all threads together       {:>8.2} ns a packet",
                self.total_ns
            ),
            format!(
                "the reading thread alone   {:>8.2} ns a packet, {:.1} % of the whole: full at {:.1} cores",
                self.reader_ns,
                share(self.reader_ns),
                self.total_ns / self.reader_ns
            ),
            format!(
                "the same of {WORKERS_A_WALK} workers       {:>8.2} ns a packet, {:.1} % of the whole: full at {:.1} cores",
                self.dealer_ns,
                share(self.dealer_ns),
                self.total_ns / self.dealer_ns
            ),
            format!(
                "the closing thread alone   {:>8.2} ns a packet, {:.1} % of the whole: full at {:.1} cores",
                self.closing_ns,
                share(self.closing_ns),
                self.total_ns / self.closing_ns
            ),
            String::new(),
            "cores   M packets/s   bound by               capture GB/s".to_owned(),
        ];
        for cores in CORES {
            let (rate, bound) = self.rate(cores);
            lines.push(format!(
                "{cores:>5}{rate:>14.1}   {bound:<20}{:>15.1}",
                rate * self.file_bytes / 1e3
            ));
        }
        lines.push(String::new());
        lines.push(format!(
            "for long captures: every job takes {:.0} ms besides to start, and closes its last hour when no packets are left to read",
            self.start_ns / 1e6
        ));
        lines
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        let reach: Vec<Value> = CORES
            .iter()
            .map(|&cores| {
                let (rate, bound) = self.rate(cores);
                json!({"cores": cores, "packets_per_second": rate * 1e6, "bound": bound})
            })
            .collect();
        json!({
            "reader_ns": self.reader_ns,
            "dealer_ns": self.dealer_ns,
            "closing_ns": self.closing_ns,
            "total_ns": self.total_ns,
            "start_ns": self.start_ns,
            "file_bytes": self.file_bytes,
            "reach": reach,
        })
    }

    /// The costs of a kept record.
    ///
    /// # Errors
    /// When the file is none, or has no model in it.
    pub fn of_record(file: &Path) -> Result<Self> {
        let text =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let record: Value = serde_json::from_slice(&text)?;
        let number = |name: &str| {
            let value = record.pointer(&format!("/results/model/{name}"));
            value
                .and_then(Value::as_f64)
                .with_context(|| format!("{} has no model's {name}", file.display()))
        };
        Ok(Model {
            reader_ns: number("reader_ns")?,
            // Records before there was another number for many workers have one.
            dealer_ns: number("dealer_ns").or_else(|_| number("reader_ns"))?,
            closing_ns: number("closing_ns")?,
            total_ns: number("total_ns")?,
            start_ns: number("start_ns")?,
            file_bytes: number("file_bytes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: Model = Model {
        reader_ns: 20.0,
        dealer_ns: 5.0,
        closing_ns: 2.0,
        total_ns: 100.0,
        start_ns: 1e8,
        file_bytes: 80.0,
    };

    #[test]
    fn the_serial_part_bounds_what_many_cores_reach() {
        assert_eq!(MODEL.rate(1), (10.0, "processors"));
        assert_eq!(MODEL.rate(7), (50.0, "the reading thread"));
        assert_eq!(MODEL.rate(16), (160.0, "processors"));
        assert_eq!(MODEL.rate(64), (200.0, "the reading thread"));
    }

    #[test]
    fn a_kept_model_says_the_same_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("record.json");
        let record = json!({"results": {"model": MODEL.json()}});
        std::fs::write(&file, record.to_string()).expect("writable");
        assert_eq!(Model::of_record(&file).expect("a model"), MODEL);
    }
}
