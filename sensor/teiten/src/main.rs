//! The `teiten` program: `teiten GROUP COMMAND …` becomes `teiten-GROUP COMMAND …`, the program beside this one or else of the PATH.
//! The group may be left out: no two groups have a command of one name.
//!
//! With the feature `whole` the programs are in this file, which also runs as the one whose name it is called by.

#[cfg(not(feature = "whole"))]
mod beside;
#[cfg(feature = "whole")]
mod whole;

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

#[cfg(not(feature = "whole"))]
use beside::{called_as, start};
#[cfg(feature = "whole")]
use whole::{called_as, start};

/// Not done.
const NOT_DONE: u8 = 2;

/// The groups, what each is for, and the commands that are found without naming their group.
const GROUPS: &[(&str, &str, &[&str])] = &[
    (
        "sensor",
        "packets into hourly tables: replay, capture, check, explain, top, rules, geo",
        &[
            "replay", "capture", "check", "explain", "top", "rules", "geo",
        ],
    ),
    (
        "aggregator",
        "tends a dataset: verify, rollup, merge, export, schema, …",
        &[
            "verify", "rollup", "merge", "export", "actors", "schema", "compact", "prune", "new",
            "alerts", "push", "pull",
        ],
    ),
    (
        "report",
        "a dataset into reports and figures: build, figure, list",
        &["build", "figure", "list", "diff"],
    ),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if let Some(group) = called_as(&name) {
        return start(group, arguments.collect());
    }
    let first = arguments.next().unwrap_or_else(|| "help".into());
    let rest: Vec<OsString> = arguments.collect();
    match first.to_str() {
        Some("--help" | "-h") => help(),
        Some("help") => match rest.first().and_then(|group| group_of(group)) {
            Some(group) => start(group, vec!["--help".into()]),
            None => help(),
        },
        Some("--version" | "-V") => say(&format!("teiten {}\n", env!("CARGO_PKG_VERSION"))),
        _ => match group_of(&first) {
            Some(group) => start(group, rest),
            None => match group_with(&first) {
                Some(group) => start(group, [vec![first], rest].concat()),
                None => unknown(&first),
            },
        },
    }
}

fn group_of(word: &OsStr) -> Option<&'static str> {
    let mut groups = GROUPS.iter().map(|&(name, _, _)| name);
    groups.find(|name| word == OsStr::new(name))
}

/// The group that has a command of this name.
fn group_with(command: &OsStr) -> Option<&'static str> {
    let command = command.to_str()?;
    let mut groups = GROUPS.iter();
    let found = groups.find(|(_, _, commands)| commands.contains(&command));
    found.map(|&(name, _, _)| name)
}

fn help() -> ExitCode {
    let mut text = "Darknet sensor, tools for its dataset, and reports\n\n\
                    Usage: teiten GROUP COMMAND [OPTIONS]\n\nGroups:\n"
        .to_owned();
    for (name, about, _) in GROUPS {
        text += &format!("  {name:<12}{about}\n");
    }
    text += "\nFrom a capture to a report:\n  \
             teiten sensor replay CAPTURE --data data --telescope 198.51.100.0/24\n  \
             teiten report build --data data --out report\n\n\
             teiten GROUP --help names the commands of a group, teiten GROUP COMMAND --help their flags.\n\
             `teiten sensor replay`, `teiten replay` and `teiten-sensor replay` are the same.\n";
    say(&text)
}

fn say(text: &str) -> ExitCode {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(NOT_DONE),
        _ => ExitCode::SUCCESS,
    }
}

fn unknown(word: &OsStr) -> ExitCode {
    let _ = writeln!(
        stderr(),
        "teiten: there is no group or command `{}`: `teiten help` names them",
        word.to_string_lossy()
    );
    ExitCode::from(NOT_DONE)
}
