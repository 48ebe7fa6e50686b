//! The `teiten-aggregator` program: tends a dataset that sensors have written.

mod actors;
mod alerts;
mod compact;
mod days;
mod new;
mod prune;
mod time;

use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{Refusal, SettingsScope, parse};
use crate::export::{ExportError, ExportFormat, export};
use crate::merge::{MergeReport, Rename, merge_renaming};
use crate::rollup::{Rolled, rollup};
use crate::schema::{EVENTS, ROLLUPS, TABLES, TRAFFIC, Table};
use crate::store::data_folder;
use crate::verify::{VerifyReport, verify};
use crate::{describe, documents};
use anyhow::Context as _;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use time::{DayArgument, DayOrHour, ascending, span};

/// The settings of this program in `teiten.toml`.
const SETTINGS: SettingsScope<'static> = SettingsScope {
    heading: Some("aggregator"),
    foreign: &[],
    typed: &[],
};
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
    #[command(after_help = concat!(
        "Examples:\n",
        "  # a dataset, each finding on a line\n",
        "  teiten-aggregator verify --data data"
    ))]
    Verify {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Copy the parts of several datasets into one, side by side for each sensor and run.
    ///
    /// A part that exists already is skipped. An hour that its sensor still adds to is replaced by its later state, and the parts of a capture
    /// by those of a longer copy of it. The merge copies nothing if parts of one name conflict, if two sensors share a name, or if a part
    /// fails `verify`.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # the datasets of two sensors into one\n",
        "  teiten-aggregator merge --data all tokyo osaka\n",
        "  # two sensors that both have the name sensor\n",
        "  teiten-aggregator merge --data all tokyo --rename sensor=tokyo\n",
        "  teiten-aggregator merge --data all osaka --rename sensor=osaka"
    ))]
    Merge {
        /// Folder of the dataset to merge into; created if it is missing.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Datasets whose parts are copied.
        #[arg(required = true, value_name = "DIR")]
        from: Vec<PathBuf>,
        /// Another name for a sensor of these datasets, which they keep; OLD is its name or, where two have that, its identity (repeatable). A
        /// later merge needs the same flag again.
        #[arg(long, value_name = "OLD=NEW")]
        rename: Vec<Rename>,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Roll up hours into days and months, beside the hours.
    ///
    /// `traffic` becomes `traffic_daily` and `traffic_monthly`, and `marginals_daily`, `asked_ports_daily`, `asked_ports_monthly` and, from
    /// `sources`, `survey_daily`, from which reports read days without their hours; `sources` becomes `sources_daily`, `scanners_daily` (which survey rules name a
    /// source), `ports_daily`, `campaigns_daily` (groups of sources that act alike) and the events of `scans`; `backscatter` becomes the events of
    /// `attacks`; what no day before has seen becomes `novelties`. Counts are added, sketches and sets of destinations merged, by sensor. Days
    /// and months that have not changed since the last rollup are skipped.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # once a day, of what has changed\n",
        "  teiten-aggregator rollup --data /var/lib/teiten\n",
        "  # days of Japan\n",
        "  teiten-aggregator rollup --data /var/lib/teiten --timezone Asia/Tokyo"
    ))]
    Rollup {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// First day, such as 2026-11-05 [default: the first there is].
        #[arg(long, value_name = "DATE")]
        from: Option<DayArgument>,
        /// The day to end before [default: the last there is, included].
        #[arg(long, value_name = "DATE")]
        to: Option<DayArgument>,
        #[command(flatten)]
        days: days::DayFlags,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Print what is new in the last days: ports, payloads, stack signatures and campaigns that were never seen before, or never by so many
    /// sources.
    ///
    /// Days are compared when they are rolled up; `rollup --help` names the rule and its settings. Exit code 0: done; 1: some day could not be
    /// judged, each on a line; 2: nothing could be said.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # after the nightly rollup\n",
        "  teiten-aggregator new --data /var/lib/teiten\n",
        "  # a week, for another program\n",
        "  teiten-aggregator new --data /var/lib/teiten --days 7 --json | jq .novelties"
    ))]
    New {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Days that are printed: the last ones that are rolled up.
        #[arg(long, value_name = "DAYS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        days: u64,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Put the finished days of `traffic` and `sources` into one sorted file each, in the place of their hours.
    ///
    /// A day is finished once its sensor has observed a later one. Every row is in the dataset exactly once at any moment, for every program that
    /// reads it. A replay that counts a compacted hour again takes its day apart; hours that come later stand beside the file until the next
    /// compaction. Exit code 0: done; 1: some day could not be compacted, each on a line; 2: nothing could be done.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # after the nightly rollup\n",
        "  teiten-aggregator compact --data /var/lib/teiten\n",
        "  # all but the last weeks\n",
        "  teiten-aggregator compact --data /var/lib/teiten --to 2026-11-01"
    ))]
    Compact {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// First day, UTC, such as 2026-11-05 [default: the first there is].
        #[arg(long, value_name = "DATE")]
        from: Option<DayArgument>,
        /// The day to end before [default: the last of each sensor].
        #[arg(long, value_name = "DATE")]
        to: Option<DayArgument>,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Remove parts that are older than their table's days, but never what a rollup still needs.
    ///
    /// Hours are removed a whole day at once, and only if the day was rolled up from them; coverage is removed last. Age is counted from the
    /// last day of the dataset.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # what would be removed\n",
        "  teiten-aggregator prune --data /var/lib/teiten --keep sources=90 --keep payloads=90 --dry-run\n",
        "  # after the nightly rollup\n",
        "  teiten-aggregator prune --data /var/lib/teiten --keep sources=90 --keep traffic=400"
    ))]
    Prune {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Days of a table that are kept, the last day among them; repeatable. Tables that are not named are kept.
        #[arg(long, value_name = "TABLE=DAYS", required = true)]
        keep: Vec<prune::KeepArgument>,
        /// The day to count from [default: the last of the dataset].
        #[arg(long, value_name = "DATE")]
        today: Option<DayArgument>,
        /// List what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Write a table, rolled-up ones included, to standard output as CSV or JSON lines, hour by hour.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # a day of sources for a spreadsheet\n",
        "  teiten-aggregator export --data data --table sources --from 2026-11-05 --to 2026-11-06 > sources.csv\n",
        "  # the same as JSON lines\n",
        "  teiten-aggregator export --data data --table sources --format json | jq .src_ip"
    ))]
    Export {
        /// Folder of the dataset.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The table: traffic, sources, coverage, ...
        #[arg(long, value_name = "NAME")]
        table: String,
        /// csv, or json for one object a line.
        #[arg(long, value_name = "FORM", default_value = "csv")]
        format: ExportForm,
        /// First hour, such as 2026-11-05T08 or 2026-11-05 [default: the first there is].
        #[arg(long, value_name = "HOUR")]
        from: Option<DayOrHour>,
        /// The hour to end before, in the same form [default: the last there is, included].
        #[arg(long, value_name = "HOUR")]
        to: Option<DayOrHour>,
    },
    /// Import lists of organisations that scan, and say how much of a day lists explain.
    #[command(subcommand)]
    Actors(actors::ActorsCommand),
    /// Deliver the alerts of captures and replays with --watch, and say what waits.
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Print the tables with their columns, types and meanings.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # every table\n",
        "  teiten-aggregator schema\n",
        "  # one, for a document\n",
        "  teiten-aggregator schema traffic --format markdown"
    ))]
    Schema {
        /// Tables to print [default: all].
        #[arg(value_name = "TABLE")]
        names: Vec<String>,
        /// text, markdown or json.
        #[arg(long, value_name = "FORM", default_value = "text")]
        format: SchemaForm,
    },
    /// Write manual pages and shell completions into a folder: a step of making the package.
    #[command(hide = true)]
    Documents {
        /// The folder, in which `man` and `completions` are created.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// An hour with thousands of parts is read with all of them open.
fn allow_open_files() {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    // Where the system refuses, an hour with too many parts says so.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
}

/// Runs the program; `arguments` begin with its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    allow_open_files();
    let line = match parse::<CommandLine>(SETTINGS, arguments) {
        Ok(line) => line,
        Err(Refusal::Flags(error)) => error.exit(),
        Err(error) => {
            let _ = writeln!(stderr(), "teiten-aggregator: {error}");
            return ExitCode::from(NOT_DONE);
        }
    };
    let outcome = match line.command {
        Command::Verify { data, json } => run_verify(&data, json),
        Command::Merge {
            data,
            from,
            rename,
            json,
        } => run_merge(&data, &from, &rename, json),
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
            days,
            json,
        } => run_rollup(&data, (from, to), &days, json),
        Command::New { data, days, json } => {
            readable(&data).and_then(|()| new::run(&data, days, json))
        }
        Command::Prune {
            data,
            keep,
            today,
            dry_run,
            json,
        } => readable(&data).and_then(|()| prune::run(&data, &keep, today, dry_run, json)),
        Command::Compact {
            data,
            from,
            to,
            json,
        } => readable(&data).and_then(|()| compact::run(&data, (from, to), json)),
        Command::Actors(command) => actors::run(command),
        Command::Alerts(command) => alerts::run(command),
        Command::Schema { names, format } => run_schema(&names, format),
        Command::Documents { folder } => {
            documents::write(&CommandLine::command(), "teiten-aggregator", &folder)
                .map(|()| 0)
                .map_err(Into::into)
        }
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
enum ExportForm {
    Csv,
    Json,
}

fn run_merge(
    data: &Path,
    from: &[PathBuf],
    renames: &[Rename],
    as_json: bool,
) -> anyhow::Result<u8> {
    local(data)?;
    from.iter().try_for_each(|data| local(data))?;
    let MergeReport {
        copied,
        replaced,
        present,
        removed,
        bytes,
    } = merge_renaming(data, from, renames)?;
    let mut out = stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({"copied": copied, "replaced": replaced, "present": present, "removed": removed, "bytes": bytes})
        )?;
    } else {
        writeln!(
            out,
            "{copied} parts copied ({replaced} in place of an earlier state), {bytes} bytes; {present} were there already, {removed} of shorter captures removed"
        )?;
    }
    Ok(0)
}

fn run_rollup(
    data: &Path,
    days: (Option<DayArgument>, Option<DayArgument>),
    flags: &days::DayFlags,
    as_json: bool,
) -> anyhow::Result<u8> {
    readable(data)?;
    let settings = flags.settings(ascending(days)?)?;
    anyhow::ensure!(
        data.join(TRAFFIC.name).is_dir(),
        "{} holds no {}: name a dataset with --data",
        data.display(),
        TRAFFIC.name
    );
    let Rolled {
        written,
        unchanged,
        removed,
        rows,
    } = rollup(data, &settings)?;
    let mut out = stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({"written": written, "unchanged": unchanged, "removed": removed, "rows": rows})
        )?;
    } else {
        writeln!(
            out,
            "{written} days and months written, {rows} rows; {unchanged} are unchanged, {removed} removed"
        )?;
    }
    Ok(0)
}

/// The forms of the schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaForm {
    Text,
    Markdown,
    Json,
}

fn run_schema(names: &[String], form: SchemaForm) -> anyhow::Result<u8> {
    let all: Vec<&Table> = describe::tables().collect();
    let known = |name: &String| all.iter().any(|table| table.name == name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = all.iter().map(|table| table.name).collect();
        anyhow::bail!("no table `{name}`: there are {}", known.join(", "));
    }
    let is_wanted =
        |table: &&Table| names.is_empty() || names.iter().any(|name| table.name == name);
    let tables: Vec<&Table> = all.iter().copied().filter(is_wanted).collect();
    let mut out = BufWriter::new(stdout().lock());
    match form {
        SchemaForm::Text => describe::write_text(&tables, &mut out)?,
        SchemaForm::Markdown => describe::write_markdown(&tables, &mut out)?,
        SchemaForm::Json => writeln!(out, "{:#}", describe::json(&tables))?,
    }
    out.flush()?;
    Ok(0)
}

/// Refuses an address in place of a folder.
fn local(data: &Path) -> anyhow::Result<()> {
    data_folder(data).map(drop).map_err(anyhow::Error::msg)
}

/// Whether this user can list a dataset's folder; if not, why, and what to do.
fn readable(data: &Path) -> anyhow::Result<()> {
    local(data)?;
    let shown = data.display();
    match std::fs::read_dir(data) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => {
                anyhow::anyhow!("{shown} does not exist: name a dataset with --data")
            }
            ErrorKind::NotADirectory => {
                anyhow::anyhow!("{shown} is no folder: name a dataset with --data")
            }
            ErrorKind::PermissionDenied => anyhow::anyhow!(
                "{shown} may not be read by this user: ask for membership in the group that owns it (with the Debian package: \
                 adduser USER teiten)"
            ),
            _ => anyhow::anyhow!("cannot read {shown}: {error}"),
        }),
    }
}

fn run_export(
    data: &Path,
    name: &str,
    form: ExportForm,
    hours: (Option<DayOrHour>, Option<DayOrHour>),
) -> anyhow::Result<u8> {
    let (from, to) = span(hours.0, hours.1)?;
    let tables = || TABLES.iter().chain(ROLLUPS).chain(EVENTS);
    let Some(table) = tables().find(|table| table.name == name) else {
        let names: Vec<&str> = tables().map(|table| table.name).collect();
        anyhow::bail!("--table {name}: there are {}", names.join(", "));
    };
    readable(data)?;
    anyhow::ensure!(
        data.join(name).is_dir(),
        "{} holds no {name}: name a dataset with --data",
        data.display()
    );
    let format = match form {
        ExportForm::Csv => ExportFormat::Csv,
        ExportForm::Json => ExportFormat::JsonLines,
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
    readable(data)?;
    let verdict = verify(data).with_context(|| format!("cannot read {}", data.display()))?;
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
        let VerifyReport {
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

fn verdict_json(verdict: &VerifyReport) -> serde_json::Value {
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
