//! The programs of the groups are files of their own.

use std::ffi::{OsStr, OsString};
use std::io::{Write, stderr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::NOT_DONE;

/// The group whose program has this name: none, this is no other program.
pub(crate) fn called_as(_: &OsStr) -> Option<&'static str> {
    None
}

/// Becomes the program of a group: the one beside this, or else of the PATH.
pub(crate) fn start(group: &str, arguments: Vec<OsString>) -> ExitCode {
    let program = format!("teiten-{group}");
    let own = std::env::current_exe().ok();
    let beside = own
        .as_ref()
        .and_then(|own| Some(own.parent()?.join(&program)))
        // A link to this file, left by one that held all programs, would start this again and again.
        .filter(|path| path.is_file() && path.canonicalize().ok() != own);
    let path = beside.unwrap_or_else(|| PathBuf::from(&program));
    let error = Command::new(path).args(arguments).exec();
    let _ = writeln!(
        stderr(),
        "teiten: cannot start {program}: {error}; it belongs beside `teiten` or in the PATH"
    );
    ExitCode::from(NOT_DONE)
}
