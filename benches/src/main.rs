//! The `teiten-bench` program: a command becomes measurements, printed as tables on standard output and kept when asked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::{Map, Value};
use teiten_benches::input::{
    self, Capture, FLOOD_PACKETS, FLOOD_PACKETS_FULL, PACKETS_SMALL, Scale,
};
use teiten_benches::live::{self as live_capture, LiveBench};
use teiten_benches::model::Model;
use teiten_benches::outcome::{self, Outcome, comparisons, disagreements};
use teiten_benches::program::SENSOR;
use teiten_benches::record::{Circumstances, RUNS_FOLDER};
use teiten_benches::report::{self, ReportBench};
use teiten_benches::stage::{self, Bench, Measured, conclusions};
use teiten_benches::whole::Whole;
use teiten_benches::{decompress, peer, send};

/// Measured, but results that must agree do not.
const DISAGREES: u8 = 1;
/// Not measured.
const NOT_DONE: u8 = 2;

/// Measures the sensor: stages, whole jobs, peers, and what more cores would reach. See benches/README.md.
#[derive(Parser)]
#[command(name = "teiten-bench", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole job as built programs: rates, processor time, memory, hash of the tables
    Run(Shared),
    /// Each stage alone on one thread, by calling the libraries
    Stages(Shared),
    /// The plain capture through other programs, in alternation with the sensor
    Peers(Shared),
    /// What 16 and 64 cores would reach, from measured costs
    Model(ModelArguments),
    /// A live capture between two network namespaces: loss, processor time, memory; needs root
    Live(Shared),
    /// The report of a month or year of tables, from the sums of its days and from its hours, and DuckDB on the same files
    Report(ReportArguments),
    /// Whole job, stages, live capture and model, in one record
    All(Shared),
    /// Send the packets of an Ethernet pcap through an interface, and print how many and how fast; needs root
    Send(SendArguments),
    /// A capture through its decompressor into nothing
    #[command(hide = true)]
    Decompress {
        /// The capture.
        path: PathBuf,
    },
}

#[derive(Args)]
struct Shared {
    /// Small captures, one run each: shows that everything runs, not how fast
    #[arg(long)]
    small: bool,
    /// Runs of each program, rounds of each stage; the median is printed [default: 3, with --small 1]
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Packets of a capture; floods have their own number
    #[arg(long, value_name = "N", default_value_t = input::PACKETS)]
    packets: u64,
    /// Packets of the flood [default: 20,000,000, with --full 100,000,000]
    #[arg(long, value_name = "N")]
    flood_packets: Option<u64>,
    /// The flood at its full length: takes 8 GB of disk
    #[arg(long)]
    full: bool,
    /// Only this case of the whole job or the live capture; repeatable
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Measure this sensor instead of the one beside this program
    #[arg(long, value_name = "FILE")]
    sensor: Option<PathBuf>,
    /// Folder for captures and tables; captures are kept for the next time
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    work: PathBuf,
    /// Keep the results as benches/runs/DATE-NAME.json and .txt
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
}

#[derive(Args)]
struct ModelArguments {
    /// From the costs of a kept record, without measuring
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Args)]
struct ReportArguments {
    /// Sources in an hour, about as many as rows of `sources` [default: 50,000, with --day 4,000,000, with --small 200]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// Of a day of a /16 instead of a month
    #[arg(long, conflicts_with = "year")]
    day: bool,
    /// Of a year instead of a month: takes twelve times the disk and time
    #[arg(long)]
    year: bool,
    /// A Python that has the module duckdb, where there is no program duckdb
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Args)]
struct SendArguments {
    /// The capture
    file: PathBuf,
    /// Interface to send through
    #[arg(long, value_name = "IF")]
    interface: String,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Packets a second of all threads together [default: as many as they can]
    #[arg(long, value_name = "PPS")]
    rate: Option<u64>,
}

impl Shared {
    fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.small { 1 } else { 3 }).max(1)
    }

    fn scale(&self) -> Scale {
        if self.small {
            return Scale {
                packets: PACKETS_SMALL,
                flood_packets: PACKETS_SMALL,
            };
        }
        let flood_packets = if self.full {
            FLOOD_PACKETS_FULL
        } else {
            FLOOD_PACKETS
        };
        Scale {
            packets: self.packets,
            flood_packets: self.flood_packets.unwrap_or(flood_packets),
        }
    }

    fn sensor(&self) -> Result<PathBuf> {
        match &self.sensor {
            Some(path) => Ok(path.clone()),
            None => SENSOR.find(),
        }
    }

    fn plain(&self) -> Result<Capture> {
        let plain = input::input("plain").context("no plain capture")?;
        plain.capture(&self.work, self.scale().packets)
    }

    fn bench(&self) -> Result<Bench> {
        Bench::new(self.plain()?, self.work.clone())
    }
}

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("teiten-bench: {error:#}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn run(command: Command) -> Result<u8> {
    match command {
        Command::Run(shared) => measured(&shared, whole),
        Command::Stages(shared) => measured(&shared, stages),
        Command::Peers(shared) => measured(&shared, peers),
        Command::Live(shared) => measured(&shared, live),
        Command::Send(arguments) => {
            let SendArguments {
                file,
                interface,
                threads,
                rate,
            } = arguments;
            println!("{}", send::send(&file, &interface, threads, rate)?.json());
            Ok(0)
        }
        Command::Model(ModelArguments { from: None, shared }) => measured(&shared, model),
        Command::Model(ModelArguments {
            from: Some(file), ..
        }) => model_of(&file),
        Command::Report(arguments) => measured(&arguments.shared, |shared, page| {
            let mut period = match (arguments.day, arguments.year) {
                (true, _) => report::DAY,
                (_, true) => report::YEAR,
                _ => report::MONTH,
            };
            if shared.small {
                period.days = period.days.min(2);
                period.rows = 200;
            }
            let bench = ReportBench {
                work: shared.work.clone(),
                rows: arguments.rows.unwrap_or(period.rows),
                period,
                runs: shared.runs(),
                python: arguments.python.clone(),
            };
            report_of_tables(&bench, page)
        }),
        Command::All(shared) => measured(&shared, |shared, page| {
            whole(shared, page)?;
            page.say("");
            stages(shared, page)?;
            page.say("");
            if shared.cases.is_empty() {
                live(shared, page)?;
                page.say("");
            }
            model(shared, page)
        }),
        Command::Decompress { path } => {
            decompress::decompress(&path).with_context(|| path.display().to_string())?;
            Ok(0)
        }
    }
}

/// What is printed, kept for the record, with the results.
#[derive(Default)]
struct Page {
    text: String,
    results: Map<String, Value>,
    problems: Vec<String>,
}

impl Page {
    fn say(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref().trim_end());
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    fn say_all(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.say(line));
    }
}

fn measured(shared: &Shared, work: impl Fn(&Shared, &mut Page) -> Result<()>) -> Result<u8> {
    std::fs::create_dir_all(&shared.work)
        .with_context(|| format!("cannot make {}", shared.work.display()))?;
    let circumstances = Circumstances::now();
    let mut page = Page::default();
    page.say(circumstances.text());
    page.say("");
    work(shared, &mut page)?;
    for problem in std::mem::take(&mut page.problems) {
        page.say(format!("DISAGREES: {problem}"));
        page.problems.push(problem);
    }
    if let Some(name) = &shared.save {
        let results = Value::Object(page.results.clone());
        let files = circumstances.save(Path::new(RUNS_FOLDER), name, &page.text, &results)?;
        eprintln!("kept as {} and {}", files[0].display(), files[1].display());
    }
    Ok(if page.problems.is_empty() {
        0
    } else {
        DISAGREES
    })
}

fn whole(shared: &Shared, page: &mut Page) -> Result<()> {
    let whole = Whole {
        sensor: shared.sensor()?,
        work: shared.work.clone(),
        scale: shared.scale(),
        runs: shared.runs(),
    };
    page.say(format!("the whole job, median of {} runs", whole.runs));
    page.say(outcome::HEADINGS);
    let outcomes = whole.run(&shared.cases, &mut |outcome| page.say(outcome.row()))?;
    page.say("");
    page.say_all(comparisons(&outcomes));
    page.problems.extend(disagreements(&outcomes));
    if page.problems.is_empty() {
        page.say("packets and bytes: accounting, sources and traffic hold what the truth says, to the last one");
    }
    let objects = outcomes.iter().map(Outcome::json).collect();
    page.results.insert("whole".to_owned(), objects);
    Ok(())
}

fn stages(shared: &Shared, page: &mut Page) -> Result<()> {
    let (bench, rounds) = (shared.bench()?, shared.runs());
    page.say(format!(
        "stages on one thread, {} packets, median of {rounds} rounds; indented: within the term above",
        bench.capture().records
    ));
    page.say(stage::HEADINGS);
    let measured = bench.run(rounds)?;
    page.say_all(measured.iter().map(Measured::row));
    page.say("");
    page.say_all(conclusions(&measured));
    let objects = measured.iter().map(Measured::json).collect();
    page.results.insert("stages".to_owned(), objects);
    Ok(())
}

fn live(shared: &Shared, page: &mut Page) -> Result<()> {
    let bench = LiveBench {
        sensor: shared.sensor()?,
        work: shared.work.clone(),
        scale: shared.scale(),
        names: shared.cases.clone(),
    };
    page.say("a live capture through a pair of virtual interfaces; rows held against those of a replay of the same packets");
    page.say(live_capture::HEADINGS);
    match bench.run(&mut |outcome| page.say(outcome.row()))? {
        Err(reason) => page.say(format!("SKIPPED: {reason}")),
        Ok(outcomes) => {
            page.problems
                .extend(outcomes.iter().flat_map(live_capture::Outcome::problems));
            let objects = outcomes.iter().map(live_capture::Outcome::json).collect();
            page.results.insert("live".to_owned(), objects);
        }
    }
    Ok(())
}

fn report_of_tables(bench: &ReportBench, page: &mut Page) -> Result<()> {
    page.say(format!(
        "{} days of tables rolled up, and their report: the aim is {} s and 1,024 MiB from sums, on two cores",
        bench.period.days, bench.period.aim_seconds
    ));
    if let Some(seconds) = bench.period.rollup_aim_seconds {
        page.say(format!(
            "the aim of the rollup is {seconds} s and 1,024 MiB, for the rows of a /16"
        ));
    }
    page.say(report::HEADINGS);
    let outcome = bench.run(&mut |step| page.say(step.row()))?;
    page.say(outcome.about());
    if let Some(reason) = &outcome.skipped {
        page.say(format!("SKIPPED DuckDB: {reason}"));
    }
    page.results.insert("report".to_owned(), outcome.json());
    page.problems.extend(outcome.problems);
    Ok(())
}

fn peers(shared: &Shared, page: &mut Page) -> Result<()> {
    let (sensor, capture, runs) = (shared.sensor()?, shared.plain()?, shared.runs());
    page.say(format!(
        "the same pcap of {} packets, programs in alternation, median of {runs} runs",
        capture.records
    ));
    page.say(peer::HEADINGS);
    let comparison = peer::compare(&sensor, &capture, &shared.work, runs)?;
    page.say_all(comparison.rows());
    page.results.insert("peers".to_owned(), comparison.json());
    Ok(())
}

fn model(shared: &Shared, page: &mut Page) -> Result<()> {
    let bench = shared.bench()?;
    let model = Model::measure(&bench, &shared.work, shared.runs())?;
    page.say("beyond two cores: processor time by thread of a replay in this process");
    page.say_all(model.lines());
    page.results.insert("model".to_owned(), model.json());
    Ok(())
}

fn model_of(file: &Path) -> Result<u8> {
    let model = Model::of_record(file)?;
    let mut page = Page::default();
    page.say(format!("beyond two cores, by {}", file.display()));
    page.say_all(model.lines());
    Ok(0)
}
