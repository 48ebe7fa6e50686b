//! `actors import` and `actors explain`: one list from several, and how much of a day lists explain.

use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};

use crate::actor::import;
use crate::explain::{Explained, ListShare, explain};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::time::DayArgument;

/// Done, but not every row of the lists was understood.
const INCOMPLETE: u8 = 1;

/// Lists of organisations that scan and say so.
#[derive(Debug, Subcommand)]
pub(crate) enum ActorsCommand {
    /// Make one dated list (TOML, for --actors) of several lists.
    ///
    /// Read are NICT's survey scanners (JSON), MISP's warning lists (JSON), lines of prefixes, our own TOML, and NICT's table of
    /// organisations (CSV), which gives names and addresses of statements. Of several files that claim a prefix the last one has it.
    /// Exit code 0: done; 1: done, but rows were left out, each file's first on a line; 2: not done.
    Import(ImportArguments),
    /// Say how many sources and packets of a day each list explains.
    Explain(ActorsExplainArguments),
}

/// `actors import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Lists, in rising precedence.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The list to write; `-` writes it to standard output.
    #[arg(short, long, value_name = "LIST.toml")]
    output: PathBuf,
    /// Leave out prefixes that were last seen before this day, such as 2026-02-01 [default: none].
    #[arg(long, value_name = "DATE")]
    seen_since: Option<DayArgument>,
}

/// `actors explain`.
#[derive(Debug, Args)]
pub(crate) struct ActorsExplainArguments {
    /// Folder of the dataset.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Lists, each of any form that --actors takes, in addition to the one that is compiled in.
    #[arg(value_name = "LIST")]
    files: Vec<PathBuf>,
    /// The day, such as 2026-11-05, UTC [default: the last there is].
    #[arg(long, value_name = "DATE")]
    day: Option<DayArgument>,
    /// Leave out the list that is compiled in.
    #[arg(long)]
    no_default_actors: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs a command; its exit code.
pub(crate) fn run(command: ActorsCommand) -> anyhow::Result<u8> {
    match command {
        ActorsCommand::Import(arguments) => run_import(&arguments),
        ActorsCommand::Explain(arguments) => run_explain(&arguments),
    }
}

fn run_import(arguments: &ImportArguments) -> anyhow::Result<u8> {
    let imported = import(&arguments.files, arguments.seen_since.map(|day| day.0))?;
    let mut errors = stderr().lock();
    let mut code = 0;
    for text in imported.lists.iter().filter_map(|list| list.left_out()) {
        let _ = writeln!(errors, "teiten-aggregator: {text}");
        code = INCOMPLETE;
    }
    anyhow::ensure!(
        imported.actors > 0,
        "the files name no organisation with an address: also give a list of addresses, not only a table of organisations"
    );
    if arguments.output == Path::new("-") {
        stdout().lock().write_all(imported.text.as_bytes())?;
    } else {
        write_whole(&arguments.output, &imported.text)?;
    }
    let _ = writeln!(
        errors,
        "{} organisations, {} prefixes; {} names merged, {} prefixes claimed by several, {} left out as last seen too long ago",
        imported.actors, imported.prefixes, imported.merged, imported.contested, imported.too_old
    );
    Ok(code)
}

/// A reader sees the old list or the new one.
fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn run_explain(arguments: &ActorsExplainArguments) -> anyhow::Result<u8> {
    let day = arguments.day.map(|day| day.to_string());
    let explained = explain(
        &arguments.data,
        &arguments.files,
        !arguments.no_default_actors,
        day.as_deref(),
    )?;
    let mut out = stdout().lock();
    if arguments.json {
        writeln!(out, "{}", explained_json(&explained))?;
        return Ok(0);
    }
    let all = explained.all;
    writeln!(
        out,
        "{}: {} sources, {} packets\n",
        explained.day, all.sources, all.packets
    )?;
    let lists = explained
        .lists
        .iter()
        .map(|(name, share)| (name.as_str(), share));
    let together = (explained.lists.len() > 1).then_some(("all lists", &explained.together));
    write_rows(&mut out, "list", lists.chain(together), all)?;
    writeln!(out)?;
    let actors = explained
        .actors
        .iter()
        .map(|(name, share)| (name.as_str(), share));
    write_rows(&mut out, "organisation", actors, all)?;
    Ok(0)
}

fn write_rows<'a>(
    out: &mut dyn Write,
    head: &str,
    rows: impl Iterator<Item = (&'a str, &'a ListShare)>,
    all: ListShare,
) -> std::io::Result<()> {
    let rows: Vec<_> = rows.collect();
    let widths = rows.iter().map(|(name, _)| name.chars().count());
    let width = widths.chain([head.len()]).max().unwrap_or(0);
    writeln!(
        out,
        "{head:width$}  {:>12} {:>7}  {:>14} {:>7}",
        "sources", "", "packets", ""
    )?;
    for (name, share) in rows {
        writeln!(
            out,
            "{name:width$}  {:>12} {:>6.2}%  {:>14} {:>6.2}%",
            share.sources,
            percent(share.sources, all.sources),
            share.packets,
            percent(share.packets, all.packets)
        )?;
    }
    Ok(())
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn explained_json(explained: &Explained) -> serde_json::Value {
    let share = |share: &ListShare| json!({"sources": share.sources, "packets": share.packets});
    let rows = |rows: &[(String, ListShare)]| {
        let rows = rows
            .iter()
            .map(|(name, it)| json!({"name": name, "sources": it.sources, "packets": it.packets}));
        rows.collect::<Vec<_>>()
    };
    json!({
        "day": explained.day,
        "all": share(&explained.all),
        "lists": rows(&explained.lists),
        "together": share(&explained.together),
        "actors": rows(&explained.actors),
    })
}
