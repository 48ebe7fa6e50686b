//! Drops what a capture does not need once its interfaces are open: the user, capabilities, new privileges, files, system calls. Each step
//! reports what it did; a step that this kernel lacks is reported and skipped. The confinement holds for the calling thread and the threads
//! that it starts later, so it comes before any other thread.

mod files;
mod identity;
mod system_calls;

use std::fmt;
use std::path::PathBuf;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use teiten_aggregator::writer::way_out;
use thiserror::Error;

pub(crate) use identity::writable;
pub use identity::{Privileges, give_up_capture, privileges};

/// Most open files: interfaces, spilled rows, parts that are being written, clients of the status server.
pub const OPEN_FILES_MAX: u64 = 4096;

/// What a capture still needs.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The user to continue as; `None` keeps the current one.
    pub user: Option<String>,
    /// Whether files and system calls are confined.
    pub sandbox: bool,
    /// Folders in which files are created, changed and removed; created if they are missing.
    pub written: Vec<PathBuf>,
    /// Files that are read, now and when they are reloaded. Reading is allowed in the folder of each, so that a file that replaces an old
    /// one is found.
    pub read: Vec<PathBuf>,
}

/// One step of the confinement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfinementStep {
    /// What the step is about: a word for a log.
    pub name: &'static str,
    /// Whether it took effect in full.
    pub done: bool,
    /// What was done, or why it could not be.
    pub text: String,
}

impl ConfinementStep {
    fn done(name: &'static str, text: impl Into<String>) -> ConfinementStep {
        ConfinementStep {
            name,
            done: true,
            text: text.into(),
        }
    }

    fn left_out(name: &'static str, text: impl Into<String>) -> ConfinementStep {
        ConfinementStep {
            name,
            done: false,
            text: text.into(),
        }
    }
}

impl fmt::Display for ConfinementStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.done { "" } else { " not in full" };
        write!(formatter, "{}{how}: {}", self.name, self.text)
    }
}

/// Why a capture cannot drop its privileges as asked.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// The user is not known here.
    #[error(
        "--user {user}: this machine has no such user; make one: adduser --system --group {user}"
    )]
    NoSuchUser {
        /// The name given.
        user: String,
    },
    /// Only root can change the user.
    #[error(
        "--user {user}: only root can change to another user; start as root, or leave --user out"
    )]
    NotRoot {
        /// The name given.
        user: String,
    },
    /// A required step failed.
    #[error("--user {user}: {step} failed: {reason}")]
    Refused {
        /// The name given.
        user: String,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The data folder is not writable by the user that the capture continues as.
    #[error("{path} cannot be written by user {user}: {reason}{advice}", path = .path.display(), advice = way_out(reason))]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// The user.
        user: String,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// Drops all privileges but `needs`. Call it with the interfaces open and before any thread starts.
///
/// # Errors
/// When the user cannot be changed, or the new user cannot write. Other failures do not end a capture.
pub fn confine(needs: &Needs) -> Result<Vec<ConfinementStep>, PrivilegeError> {
    let mut steps = vec![limits()];
    steps.extend(identity::take(needs)?);
    identity::check_writable(needs)?;
    steps.push(match prctl::set_no_new_privs() {
        Ok(()) => ConfinementStep::done("new privileges", "this process can gain none any more"),
        Err(error) => ConfinementStep::left_out("new privileges", error.to_string()),
    });
    if needs.sandbox {
        steps.push(files::confine(needs));
        steps.push(system_calls::confine());
    } else {
        let text = "not confined, as --no-sandbox says";
        steps.push(ConfinementStep::left_out("files and system calls", text));
    }
    Ok(steps)
}

/// No core files, which would hold packets; enough open files.
fn limits() -> ConfinementStep {
    const NAME: &str = "limits";
    let core = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let files = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        let files = hard.min(OPEN_FILES_MAX);
        setrlimit(Resource::RLIMIT_NOFILE, files, files).map(|()| files)
    });
    match (core, files) {
        (Ok(()), Ok(files)) => {
            ConfinementStep::done(NAME, format!("no core files, {files} open files"))
        }
        (Err(error), _) | (_, Err(error)) => ConfinementStep::left_out(NAME, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
