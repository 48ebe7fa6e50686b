//! The programs of the groups are in this one.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use crate::GROUPS;

/// The group whose program this was called as, by a link of its name.
pub(crate) fn called_as(name: &OsStr) -> Option<&'static str> {
    let name = Path::new(name).file_name()?.to_str()?;
    let group = name.strip_prefix("teiten-")?;
    let mut groups = GROUPS.iter().map(|&(name, _, _)| name);
    groups.find(|name| *name == group)
}

/// Runs the program of a group.
pub(crate) fn start(group: &str, arguments: Vec<OsString>) -> ExitCode {
    let line = [vec![format!("teiten-{group}").into()], arguments].concat();
    if group == "sensor" {
        return teiten_sensor::program::run(line);
    }
    // The capability to capture is nothing for the others, whoever gave it to the file.
    teiten_sensor::privilege::give_up_capture();
    match group {
        "aggregator" => teiten_aggregator::program::run(line),
        _ => teiten_reports::program::run(line),
    }
}
