//! The `teiten-bench` program: writes each case's capture once, replays it several times, prints the best run of each.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::json;
use teiten_benches::case::{CASES, Case, SMALL_PACKETS, TELESCOPE};
use teiten_benches::child::{Usage, measure};
use teiten_benches::outcome::{HEADINGS, Outcome, hash_of_tables};

/// Packets per second, CPU-seconds and peak memory of the whole line, from capture to durable tables.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Small captures, one run each: shows that everything runs, not how fast
    #[arg(long)]
    small: bool,
    /// Replays of each case; the best one is printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only this case (repeatable)
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Folder for captures and tables; captures are kept for the next time
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    work: PathBuf,
    /// Also write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("teiten-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.work)?;
    let asked = |case: &&Case| {
        options.cases.is_empty() || options.cases.iter().any(|name| name == case.name)
    };
    println!("{HEADINGS}");
    let mut results = Vec::new();
    for case in CASES.iter().filter(asked) {
        let outcome = measure_case(case, options)
            .with_context(|| format!("case {}: {}", case.name, case.about))?;
        println!("{outcome}");
        results.push(outcome.json());
    }
    let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    ensure!(!results.is_empty(), "no such case; there are {names:?}");
    if let Some(file) = &options.record {
        let record = json!({ "machine": machine(), "commit": commit(), "small": options.small, "results": results });
        std::fs::write(file, format!("{record:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Writes the case's capture, unless it lies there, and replays it.
fn measure_case(case: &Case, options: &Options) -> Result<Outcome> {
    let packets = if options.small {
        SMALL_PACKETS
    } else {
        case.packets
    };
    let runs = if options.small {
        1
    } else {
        options.runs.max(1)
    };
    let capture = options
        .work
        .join(format!("{packets}-{}.pcap", flags_name(case.synth)));
    if !capture.exists() {
        write_capture(case, packets, &capture)?;
    }
    let data = options.work.join(format!("{}-data", case.name));
    let mut usages = Vec::new();
    for _ in 0..runs {
        // Replaying replaces the parts, but a run is timed with a folder as new as a user's first.
        let _ = std::fs::remove_dir_all(&data);
        usages.push(replay(case, &capture, &data)?);
    }
    let best = usages
        .into_iter()
        .min_by_key(|usage| usage.wall)
        .context("no run")?;
    let outcome = Outcome {
        name: case.name,
        packets,
        best,
        runs,
        tables: hash_of_tables(&data)?,
    };
    let _ = std::fs::remove_dir_all(&data);
    Ok(outcome)
}

/// Captures of the same flags are one file.
fn flags_name(flags: &[&str]) -> String {
    flags
        .join("")
        .replace("--", "-")
        .trim_start_matches('-')
        .to_owned()
}

fn write_capture(case: &Case, packets: u64, capture: &Path) -> Result<()> {
    // Under another name until it is whole: a broken-off one must not be measured next time.
    let growing = capture.with_extension("growing.pcap");
    let mut synth = program("teiten-synth")?;
    synth.arg("-o").arg(&growing).args([
        "--telescope",
        TELESCOPE,
        "--packets",
        &packets.to_string(),
    ]);
    let usage = measure(synth.args(case.synth).stderr(Stdio::null()))?;
    ensure!(
        usage.status.success(),
        "teiten-synth ended with {}",
        usage.status
    );
    std::fs::rename(&growing, capture)?;
    Ok(())
}

fn replay(case: &Case, capture: &Path, data: &Path) -> Result<Usage> {
    let mut sensor = program("teiten-sensor")?;
    sensor
        .arg("replay")
        .arg(capture)
        .arg("--data")
        .arg(data)
        .args(["--telescope", TELESCOPE, "--sensor", "bench", "--json"]);
    let usage = measure(
        sensor
            .args(case.replay)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    ensure!(
        usage.status.success(),
        "teiten-sensor ended with {}",
        usage.status
    );
    Ok(usage)
}

/// A program of this build: it lies beside this one.
fn program(name: &str) -> Result<Command> {
    let own = std::env::current_exe()?;
    let path = own.with_file_name(name);
    if !path.exists() {
        bail!("{} is not built: use `make bench`", path.display());
    }
    Ok(Command::new(path))
}

/// Processor and its number, as Linux names it.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{threads} × {}", model.trim_start_matches([' ', '\t', ':']))
}

fn commit() -> String {
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().trim().to_owned()
}
