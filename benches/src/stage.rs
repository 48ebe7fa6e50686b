//! STAGES: one row per stage of the job, each run alone on one thread by calling the libraries; other work is done between its pieces and
//! not timed. `whole.rs` measures the whole job as processes.

mod closing;
mod packets;

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use teiten_packet::telescope::Telescope;
use teiten_sensor::options::{Settings, SharedArguments};

use crate::input::{Capture, TELESCOPE};
use crate::usage::Stopwatch;

/// A stage.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Name in the table.
    pub name: &'static str,
    /// What is in it.
    pub about: &'static str,
    /// The role of its cost in the sum.
    pub part: Part,
    run: fn(&Bench) -> Result<Cost>,
}

/// The role of a stage's cost in the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A term of the sum.
    Term,
    /// A part of the term of this name.
    Within(&'static str),
    /// Once for each job, independently of its length.
    Once,
}

/// Every stage, in the order in which packets meet them.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "start",
        about: "country data loaded, once a job",
        part: Part::Once,
        run: closing::start,
    },
    Stage {
        name: "walk",
        about: "Replay::next_block over the mapped file, its page faults with it",
        part: Part::Term,
        run: packets::walk,
    },
    Stage {
        name: "worker",
        about: "Worker::process: decode, place, classify, tally, batch, window",
        part: Part::Term,
        run: packets::worker,
    },
    Stage {
        name: "decode",
        about: "decode_record",
        part: Part::Within("worker"),
        run: packets::decode,
    },
    Stage {
        name: "classify",
        about: "Telescope::place and kind of a decoded packet",
        part: Part::Within("worker"),
        run: packets::classify,
    },
    Stage {
        name: "window",
        about: "Window::observe of a block's observations",
        part: Part::Within("worker"),
        run: packets::window,
    },
    Stage {
        name: "sort",
        about: "two workers' shares of each hour into sorted runs",
        part: Part::Term,
        run: closing::sort,
    },
    Stage {
        name: "close",
        about: "Closer::close: merge, origins, both tables encoded, compressed, durable",
        part: Part::Term,
        run: closing::close,
    },
    Stage {
        name: "merge",
        about: "merge_range over the runs, rows counted",
        part: Part::Within("close"),
        run: closing::merge,
    },
    Stage {
        name: "write",
        about: "files of that size, written in megabytes and forced to disk",
        part: Part::Within("close"),
        run: closing::write,
    },
];

/// The cost of a stage for all packets of the capture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Processor time, nanoseconds.
    pub processor_ns: u64,
    /// Wall time, nanoseconds.
    pub wall_ns: u64,
    /// Packets that went through.
    pub packets: u64,
    /// Rows that it made, if it makes rows.
    pub rows: Option<u64>,
}

/// What stages need.
#[derive(Debug)]
pub struct Bench {
    capture: Capture,
    settings: Settings,
    telescope: Telescope,
    work: PathBuf,
}

impl Bench {
    /// A bench for a capture; tables are written below `work`.
    ///
    /// # Errors
    /// When the settings of every case are refused.
    pub fn new(capture: Capture, work: PathBuf) -> Result<Self> {
        let settings = settings(&work.join("data-stages"), 1)?;
        Ok(Bench {
            telescope: Telescope::new(&settings.telescope, &settings.exclude),
            capture,
            settings,
            work,
        })
    }

    /// Runs every stage `rounds` times, in turn; the median round of each.
    ///
    /// # Errors
    /// When a stage fails.
    pub fn run(&self, rounds: usize) -> Result<Vec<Measured>> {
        self.capture.warm()?;
        let mut costs = vec![Vec::new(); STAGES.len()];
        for _ in 0..rounds.max(1) {
            for (stage, costs) in STAGES.iter().zip(&mut costs) {
                costs.push((stage.run)(self)?);
            }
        }
        let measured = STAGES.iter().zip(costs).map(|(stage, mut costs)| {
            costs.sort_by_key(|cost| cost.processor_ns);
            Measured {
                stage,
                median: costs[costs.len() / 2],
                least: costs[0],
                most: costs[costs.len() - 1],
            }
        });
        Ok(measured.collect())
    }

    /// The inputs and settings of the measurements.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }
}

/// Processor time of the closing thread itself while `threads` others merge and encode, nanoseconds for all hours.
///
/// # Errors
/// When an hour cannot be closed.
pub fn own_ns_of_closing(bench: &Bench, threads: usize) -> Result<u64> {
    let mut stopwatch = Stopwatch::default();
    closing::close_all(bench, threads, &mut stopwatch)?;
    Ok(stopwatch.processor_ns())
}

/// The fixed work of a job.
///
/// # Errors
/// When country data is damaged.
pub fn start(bench: &Bench) -> Result<Cost> {
    closing::start(bench)
}

/// The settings of a replay in this process, as its flags would give them.
///
/// # Errors
/// When they are refused.
pub fn settings(data: &std::path::Path, workers: usize) -> Result<Settings> {
    let flags = SharedArguments {
        data: Some(data.to_owned()),
        telescope: vec![TELESCOPE.to_owned()],
        sensor: Some("bench".to_owned()),
        workers: Some(workers),
        ..SharedArguments::default()
    };
    Ok(flags.resolve()?)
}

/// A stage with its rounds.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The stage.
    pub stage: &'static Stage,
    /// The round in the middle.
    pub median: Cost,
    /// The quickest round.
    pub least: Cost,
    /// The slowest round.
    pub most: Cost,
}

/// The headings of the columns.
pub const HEADINGS: &str = "stage       ns/packet  M packets/CPU-s   ns/row  M rows/CPU-s  ns/packet on the wall  least-most  what";

impl Measured {
    /// Nanoseconds of processor time a packet.
    #[must_use]
    pub fn each_ns(&self) -> f64 {
        each(self.median.processor_ns, self.median.packets)
    }

    /// The row.
    #[must_use]
    pub fn row(&self) -> String {
        let (name, median) = (self.stage.name, self.median);
        if self.stage.part == Part::Once {
            let [processor_ms, wall_ms] =
                [median.processor_ns, median.wall_ns].map(|ns| ns as f64 / 1e6);
            let times =
                format!("{processor_ms:.0} ms of processor time, {wall_ms:.0} ms on the wall");
            return format!("{name:<12}  {times:<85}  {}", self.stage.about);
        }
        let name = match self.stage.part {
            Part::Within(_) => format!("  {name}"),
            _ => name.to_owned(),
        };
        let rows = median.rows.map_or(format!("{:>9}{:>14}", "", ""), |rows| {
            let each_ns = each(median.processor_ns, rows);
            format!("{each_ns:>9.1}{:>14.2}", 1e3 / each_ns)
        });
        format!(
            "{name:<12}{:>9.2}{:>17.2}{rows}{:>23.2}{:>12}  {}",
            self.each_ns(),
            1e3 / self.each_ns(),
            each(median.wall_ns, median.packets),
            format!(
                "{:.1}-{:.1}",
                each(self.least.processor_ns, self.least.packets),
                each(self.most.processor_ns, self.most.packets)
            ),
            self.stage.about,
        )
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "stage": self.stage.name,
            "about": self.stage.about,
            "packets": self.median.packets,
            "rows": self.median.rows,
            "processor_ns": self.median.processor_ns,
            "wall_ns": self.median.wall_ns,
            "processor_ns_least": self.least.processor_ns,
            "processor_ns_most": self.most.processor_ns,
            "ns_per_packet": self.each_ns(),
        })
    }
}

fn each(total_ns: u64, count: u64) -> f64 {
    total_ns as f64 / count.max(1) as f64
}

/// The sum of the terms, nanoseconds of processor time a packet.
#[must_use]
pub fn sum_ns(measured: &[Measured]) -> f64 {
    let terms = measured.iter().filter(|one| one.stage.part == Part::Term);
    terms.map(Measured::each_ns).sum()
}

/// The sum of the terms, and the rest of each term that its parts do not explain.
#[must_use]
pub fn conclusions(measured: &[Measured]) -> Vec<String> {
    let sum_ns = sum_ns(measured);
    let mut lines = vec![format!(
        "sum of the terms: {sum_ns:.1} ns a packet, {:.2} M packets/CPU-s",
        1e3 / sum_ns
    )];
    for one in measured.iter().filter(|one| one.stage.part == Part::Term) {
        let name = one.stage.name;
        let inner: Vec<&Measured> = measured
            .iter()
            .filter(|other| other.stage.part == Part::Within(name))
            .collect();
        let share = 100.0 * one.each_ns() / sum_ns;
        let rest_ns = one.each_ns() - inner.iter().map(|part| part.each_ns()).sum::<f64>();
        lines.push(if inner.is_empty() {
            format!("{name}: {share:.1} % of the whole")
        } else {
            let names: Vec<&str> = inner.iter().map(|part| part.stage.name).collect();
            format!(
                "{name}: {share:.1} % of the whole; {rest_ns:.1} ns a packet of it beside {}",
                names.join(", ")
            )
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_within_terms_that_exist() {
        for stage in STAGES {
            if let Part::Within(term) = stage.part {
                let term = STAGES.iter().find(|stage| stage.name == term);
                assert_eq!(term.map(|term| term.part), Some(Part::Term));
            }
        }
    }
}
