//! A month or year of tables and the report of it: written straight by the synthesiser, rolled up, then read by `teiten-report build` from the sums of
//! the days and from every hour, and the question for the leading ports put to DuckDB on the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use teiten_testdata::tables::{self, TablesPlan};

use crate::dataset::{self, Sums};
use crate::files::remove;
use crate::program::{Program, installed};
use crate::usage::{Usage, measure_within};

/// The report program.
pub const REPORT: Program = Program {
    name: "teiten-report",
    package: "teiten-reports",
};
/// The program that rolls up.
pub const AGGREGATOR: Program = Program {
    name: "teiten-aggregator",
    package: "teiten-aggregator",
};

/// What the tables and the report are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchPeriod {
    /// As the report calls it.
    pub name: &'static str,
    /// First hour, counted from 1970-01-01T00 UTC.
    pub first_hour: i64,
    /// Days that are written.
    pub days: i64,
    /// Sources in an hour, where nobody says how many.
    pub rows: usize,
    /// How long the rollup may take, seconds, where there is an aim.
    pub rollup_aim_seconds: Option<u32>,
    /// How long the report may take, seconds.
    pub aim_seconds: u32,
}

/// A day, with as many rows as a /16 has: 450 million packets, of which an hour's 19 million become about 4 million rows of `sources`.
pub const DAY: BenchPeriod = BenchPeriod {
    name: "2026-10-01",
    first_hour: 497_448,
    days: 1,
    rows: 4_000_000,
    rollup_aim_seconds: Some(30),
    aim_seconds: 2,
};
/// A month. The telescope of a /16 has some fifty times as many rows.
pub const MONTH: BenchPeriod = BenchPeriod {
    name: "2026-10",
    first_hour: 497_448,
    days: 31,
    rows: 50_000,
    rollup_aim_seconds: None,
    aim_seconds: 2,
};
/// A year.
pub const YEAR: BenchPeriod = BenchPeriod {
    name: "2026",
    first_hour: 490_896,
    days: 365,
    rows: 50_000,
    rollup_aim_seconds: None,
    aim_seconds: 10,
};
/// Rows of `traffic` in a month of a /16 telescope, the aim's input.
const ROWS_OF_A_MONTH: f64 = 1.9e9;
/// A program that takes longer is given up.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// How the report is measured.
#[derive(Clone, Debug)]
pub struct ReportBench {
    /// Folder for the dataset, which is kept, and the reports.
    pub work: PathBuf,
    /// Sources in an hour.
    pub rows: usize,
    /// The period.
    pub period: BenchPeriod,
    /// Runs of each program.
    pub runs: usize,
    /// A Python with the module `duckdb`, where there is no program `duckdb`.
    pub python: PathBuf,
}

/// A measured step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was run.
    pub name: &'static str,
    /// Its runs, in order of their wall time.
    pub runs: Vec<Usage>,
}

/// Headings of the steps.
pub const HEADINGS: &str = "step                            wall s     CPU s  peak MiB";

impl Step {
    fn median(&self) -> &Usage {
        &self.runs[self.runs.len() / 2]
    }

    /// The row of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let median = self.median();
        format!(
            "{:<28}{:>10.2}{:>10.2}{:>10.0}",
            self.name,
            median.wall.as_secs_f64(),
            median.processor.as_secs_f64(),
            median.peak_bytes as f64 / f64::from(1 << 20)
        )
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        let median = self.median();
        json!({
            "step": self.name,
            "wall_seconds": median.wall.as_secs_f64(),
            "processor_seconds": median.processor.as_secs_f64(),
            "peak_bytes": median.peak_bytes,
            "runs": self.runs.len(),
        })
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct ReportOutcome {
    /// Rows and size of `traffic`.
    pub traffic: Sums,
    /// Rows and size of `sources`.
    pub sources: Sums,
    /// Rows and size of the ports of the days.
    pub ports: Sums,
    /// The steps.
    pub steps: Vec<Step>,
    /// Results that differ but must agree.
    pub problems: Vec<String>,
    /// Why DuckDB was not asked.
    pub skipped: Option<String>,
}

impl ReportOutcome {
    /// What was read, in a sentence.
    #[must_use]
    pub fn about(&self) -> String {
        let millions = |rows: u64| rows as f64 / 1e6;
        format!(
            "{} hours: traffic {:.1} million rows ({:.1} % of a month of a /16), {:.0} MiB; sources {:.1} million rows, {:.0} MiB; ports of days {:.2} million rows, {:.0} MiB",
            self.traffic.parts,
            millions(self.traffic.rows),
            self.traffic.rows as f64 / ROWS_OF_A_MONTH * 100.0,
            self.traffic.file_bytes as f64 / f64::from(1 << 20),
            millions(self.sources.rows),
            self.sources.file_bytes as f64 / f64::from(1 << 20),
            millions(self.ports.rows),
            self.ports.file_bytes as f64 / f64::from(1 << 20),
        )
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(Step::json).collect();
        json!({
            "traffic_rows": self.traffic.rows,
            "traffic_bytes": self.traffic.file_bytes,
            "sources_rows": self.sources.rows,
            "sources_bytes": self.sources.file_bytes,
            "port_rows": self.ports.rows,
            "steps": steps,
            "skipped": self.skipped,
        })
    }
}

impl ReportBench {
    /// Runs every step; `say` gets each as soon as it is known.
    ///
    /// # Errors
    /// When tables cannot be written, or a program fails.
    pub fn run(&self, say: &mut dyn FnMut(&Step)) -> Result<ReportOutcome> {
        let data = self.dataset()?;
        let mut steps = Vec::new();
        let mut keep = |name: &'static str, runs: Vec<Usage>| {
            let step = Step { name, runs };
            say(&step);
            steps.push(step);
        };
        let aggregator = AGGREGATOR.find()?;
        let mut rollup = Command::new(aggregator);
        rollup.arg("rollup").arg("--data").arg(&data);
        keep("rollup", vec![self.measured(&mut rollup)?]);
        let report = REPORT.find()?;
        let outs = ["summed", "hours"].map(|name| self.work.join(format!("report-{name}")));
        for (name, out, flags) in [
            ("report from sums", &outs[0], &[][..]),
            ("report from hours", &outs[1], &["--from-hours"][..]),
        ] {
            let mut runs = Vec::new();
            // What takes minutes is run once.
            let count = if flags.is_empty() { self.runs } else { 1 };
            for _ in 0..count.max(1) {
                remove(out)?;
                let mut command = Command::new(&report);
                command.args(["build", "--period", self.period.name]);
                command.args(["--language", "en", "--no-png"]);
                command.arg("--data").arg(&data).arg("--out").arg(out);
                command.args(flags);
                runs.push(self.measured(&mut command)?);
            }
            runs.sort_by_key(|usage| usage.wall);
            keep(name, runs);
        }
        let mut problems = Vec::new();
        let tables = [csv_files(&outs[0])?, csv_files(&outs[1])?];
        if tables[0].is_empty() || tables[0] != tables[1] {
            problems.push("tables of the report from sums and from hours".to_owned());
        }
        let mut skipped = None;
        match self.duckdb() {
            None => {
                let python = self.python.display();
                skipped = Some(format!(
                    "no program duckdb, and {python} has no module duckdb"
                ));
            }
            Some(client) => {
                let mut leading = Vec::new();
                for (name, sql) in [
                    ("DuckDB, ports of traffic", QUESTION),
                    ("DuckDB, ports of days", QUESTION_OF_DAYS),
                ] {
                    let sql = sql.replace("DATA", &data.to_string_lossy());
                    let out = self.work.join("duckdb.csv");
                    let sql = format!("SET threads = 2; COPY ({sql}) TO '{}'", out.display());
                    let mut command = Command::new(&client[0]);
                    command.args(&client[1..]).arg(sql);
                    keep(name, vec![self.measured(&mut command)?]);
                    leading.push(fs::read_to_string(&out)?);
                }
                if leading[0] != leading[1] {
                    problems.push("leading ports of traffic and of days by DuckDB".to_owned());
                }
            }
        }
        Ok(ReportOutcome {
            traffic: dataset::sums(&data, "traffic")?,
            sources: dataset::sums(&data, "sources")?,
            ports: dataset::sums(&data, "asked_ports_daily")?,
            steps,
            problems,
            skipped,
        })
    }

    /// The tables of hours, written unless they are there.
    fn dataset(&self) -> Result<PathBuf> {
        let BenchPeriod {
            name,
            first_hour,
            days,
            ..
        } = self.period;
        let name = format!("tables-{name}-{days}-{}", self.rows);
        let folder = self.work.join(name);
        let done = folder.join(".written");
        if !done.exists() {
            remove(&folder)?;
            let plan = TablesPlan {
                folder: folder.clone(),
                sensors: vec!["bench".to_owned()],
                first_hour,
                hours: days * 24,
                rows: self.rows,
                addresses: 1 << 16,
                seed: 1,
            };
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            tables::write(&plan, threads)?;
            fs::write(&done, "")?;
        }
        // Rolled up anew each time, so that this is measured too.
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !["traffic", "sources", "coverage", ".written"].contains(&&*name) {
                remove(&path)?;
            }
        }
        Ok(folder)
    }

    fn measured(&self, command: &mut Command) -> Result<Usage> {
        let messages = self.work.join("report.messages");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&messages)?);
        let usage = measure_within(command, TIME_MAX)?;
        let said = fs::read_to_string(&messages).unwrap_or_default();
        // A report with gaps is done all the same.
        let is_done = matches!(usage.status.code(), Some(0 | 1));
        ensure!(is_done, "{command:?} ended with {}: {said}", usage.status);
        remove(&messages)?;
        Ok(usage)
    }

    /// A program and its first arguments, behind which SQL follows.
    fn duckdb(&self) -> Option<Vec<String>> {
        if let Some(program) = installed("duckdb") {
            return Some(vec![
                program.to_string_lossy().into_owned(),
                "-c".to_owned(),
            ]);
        }
        let found = Command::new(&self.python)
            .args(["-c", "import duckdb"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let script = "import sys, duckdb; duckdb.sql(sys.argv[1])";
        found.is_ok_and(|status| status.success()).then(|| {
            let python = self.python.to_string_lossy().into_owned();
            vec![python, "-c".to_owned(), script.to_owned()]
        })
    }
}

/// The leading ports of the month, as the report ranks them.
const QUESTION: &str = "SELECT protocol, port, sum(packets)::BIGINT AS packets FROM read_parquet('DATA/traffic/*/*/*.parquet') \
     WHERE ip_version = 4 AND class IN ('scan', 'reflector-scan', 'exploit') GROUP BY ALL ORDER BY packets DESC, protocol, port LIMIT 10";
const QUESTION_OF_DAYS: &str = "SELECT protocol, port, sum(packets)::BIGINT AS packets \
     FROM read_parquet('DATA/asked_ports_daily/*/*.parquet') \
     WHERE role = 'asked' AND ip_version = 4 GROUP BY ALL ORDER BY packets DESC, protocol, port LIMIT 10";

/// Names and contents of all CSV files below a folder.
fn csv_files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).with_context(|| next.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "csv") {
                let within = path.strip_prefix(folder)?.to_owned();
                found.push((within, fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}
