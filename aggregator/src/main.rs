//! The `teiten-aggregator` program: tends a dataset that sensors have written.

#[path = "main/actors.rs"]
mod actors;
#[path = "main/time.rs"]
mod time;

use std::io::{BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::json;
use teiten_aggregator::config::with_settings;
use teiten_aggregator::export::{ExportError, Format, export};
use teiten_aggregator::merge::{Merged, merge};
use teiten_aggregator::rollup::{Rolled, rollup};
use teiten_aggregator::schema::{TABLES, TRAFFIC};
use teiten_aggregator::verify::{Verdict, verify};
use time::{Day, DayOrHour, span};

/// Done, but something is wrong with the dataset.
const INCOMPLETE: u8 = 1;
/// Not done.
const NOT_DONE: u8 = 2;

/// Tends a dataset of hourly Parquet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-aggregator", version, about, max_term_width = 100)]
struct CommandLine {
    /// Settings (TOML): flags that are not given are taken from here, by their names; `[aggregator]` holds what is for this program alone.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that every part is readable and that the tables of each hour hold the same packets.
    ///
    /// Exit code 0: all is well; 1: something is wrong, each on a line; 2: the dataset could not be read.
    Verify {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Copy the parts of several datasets into one, where sensors and runs stand side by side.
    ///
    /// A part that is there already is left alone; one name with two contents ends the merge before anything is copied.
    Merge {
        /// Folder of the dataset that is merged into; made where it is missing.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Datasets whose parts are copied.
        #[arg(required = true, value_name = "DIR")]
        from: Vec<PathBuf>,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Roll up `traffic` into days (`traffic_daily`) and months (`traffic_monthly`), beside the hours.
    ///
    /// Counts are added and sketches merged, by sensor. What has not changed since the last time is left alone.
    Rollup {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// First day, such as 2026-11-05 [default: the first there is].
        #[arg(long, value_name = "DATE")]
        from: Option<Day>,
        /// The day to end before [default: the last there is, included].
        #[arg(long, value_name = "DATE")]
        to: Option<Day>,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Write a table to standard output as CSV or JSON lines, hour by hour.
    Export {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The table: traffic, sources, coverage, ...
        #[arg(long, value_name = "NAME")]
        table: String,
        /// csv, or json for one object a line.
        #[arg(long, value_name = "FORM", default_value = "csv")]
        format: Form,
        /// First hour, such as 2026-11-05T08 or 2026-11-05 [default: the first there is].
        #[arg(long, value_name = "HOUR")]
        from: Option<DayOrHour>,
        /// The hour to end before, in the same form [default: the last there is, included].
        #[arg(long, value_name = "HOUR")]
        to: Option<DayOrHour>,
    },
    /// Import lists of organisations that scan, and say how much of a day lists explain.
    #[command(subcommand)]
    Actors(actors::Command),
    /// Write manual pages and shell completions into a folder: a step of making the package.
    #[command(hide = true)]
    Documents {
        /// The folder; `man` and `completions` are made in it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Writes a manual page for each command, and completions for the shells that Debian has.
fn write_documents(folder: &Path) -> anyhow::Result<u8> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(CommandLine::command(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = CommandLine::command();
        clap_complete::generate_to(shell, &mut command, "teiten-aggregator", &completions)?;
    }
    Ok(0)
}

fn main() -> ExitCode {
    let line = match with_settings::<CommandLine>("aggregator", std::env::args_os().collect()) {
        Ok(arguments) => CommandLine::parse_from(arguments),
        Err(error) => {
            let _ = writeln!(stderr(), "teiten-aggregator: {error}");
            return ExitCode::from(NOT_DONE);
        }
    };
    let outcome = match line.command {
        Command::Verify { data, json } => run_verify(&data, json),
        Command::Merge { data, from, json } => run_merge(&data, &from, json),
        Command::Export {
            data,
            table,
            format,
            from,
            to,
        } => run_export(&data, &table, format, (from, to)),
        Command::Rollup {
            data,
            from,
            to,
            json,
        } => run_rollup(&data, (from, to), json),
        Command::Actors(command) => actors::run(command),
        Command::Documents { folder } => write_documents(&folder),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let broken_pipe = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
            if broken_pipe {
                return ExitCode::SUCCESS;
            }
            let _ = writeln!(stderr(), "teiten-aggregator: {error:#}");
            ExitCode::from(NOT_DONE)
        }
    }
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Csv,
    Json,
}

fn run_merge(data: &Path, from: &[PathBuf], as_json: bool) -> anyhow::Result<u8> {
    let Merged {
        copied,
        present,
        bytes,
    } = merge(data, from)?;
    let mut out = stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({"copied": copied, "present": present, "bytes": bytes})
        )?;
    } else {
        writeln!(
            out,
            "{copied} parts copied, {bytes} bytes; {present} were there already"
        )?;
    }
    Ok(0)
}

fn run_rollup(data: &Path, days: (Option<Day>, Option<Day>), as_json: bool) -> anyhow::Result<u8> {
    let (from, to) = span(days.0, days.1)?;
    anyhow::ensure!(
        data.join(TRAFFIC.name).is_dir(),
        "{} holds no {}: name a dataset with --data",
        data.display(),
        TRAFFIC.name
    );
    let Rolled {
        written,
        unchanged,
        rows,
    } = rollup(data, (&from, &to))?;
    let mut out = stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({"written": written, "unchanged": unchanged, "rows": rows})
        )?;
    } else {
        writeln!(
            out,
            "{written} days and months written, {rows} rows; {unchanged} are unchanged"
        )?;
    }
    Ok(0)
}

fn run_export(
    data: &Path,
    name: &str,
    form: Form,
    hours: (Option<DayOrHour>, Option<DayOrHour>),
) -> anyhow::Result<u8> {
    let (from, to) = span(hours.0, hours.1)?;
    let table = TABLES.iter().find(|table| table.name == name);
    let Some(table) = table else {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        anyhow::bail!("--table {name}: there are {}", names.join(", "));
    };
    anyhow::ensure!(
        data.join(name).is_dir(),
        "{} holds no {name}: name a dataset with --data",
        data.display()
    );
    let format = match form {
        Form::Csv => Format::Csv,
        Form::Json => Format::JsonLines,
    };
    let mut out = BufWriter::new(stdout().lock());
    match export(data, table, (&from, &to), format, &mut out) {
        // As an error of the output, so that a reader who has seen enough is no failure.
        Err(ExportError::Write(error)) => Err(error)?,
        outcome => outcome?,
    };
    out.flush()?;
    Ok(0)
}

fn run_verify(data: &Path, as_json: bool) -> anyhow::Result<u8> {
    anyhow::ensure!(
        data.is_dir(),
        "{} is no folder: name a dataset with --data",
        data.display()
    );
    let verdict = verify(data)?;
    anyhow::ensure!(
        verdict.parts > 0,
        "{} holds no part of a dataset: is it the folder that a sensor wrote with --data?",
        data.display()
    );
    let mut out = stdout().lock();
    if as_json {
        writeln!(out, "{}", verdict_json(&verdict))?;
    } else {
        for finding in &verdict.findings {
            writeln!(out, "{}: {}", finding.path.display(), finding.reason)?;
        }
        let Verdict {
            parts,
            hours,
            packets,
            findings,
            ..
        } = &verdict;
        writeln!(
            out,
            "{parts} parts, {hours} hours, {packets} packets, {} findings",
            findings.len()
        )?;
    }
    Ok(if verdict.findings.is_empty() {
        0
    } else {
        INCOMPLETE
    })
}

fn verdict_json(verdict: &Verdict) -> serde_json::Value {
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| json!({"path": finding.path, "reason": finding.reason}))
        .collect();
    let files: Vec<_> = verdict
        .files
        .iter()
        .map(|file| {
            json!({
                "path": file.path,
                "table": file.table,
                "rows": file.rows,
                "error": file.error,
            })
        })
        .collect();
    json!({
        "files": files,
        "parts": verdict.parts,
        "hours": verdict.hours,
        "packets": verdict.packets,
        "findings": findings,
    })
}
