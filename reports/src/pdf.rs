//! Runs `teiten-pdf`, which makes pages of a report's data. It is a program of its own because its libraries are three times those of all
//! other programs; `make pdf` builds it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::text::Language;

/// Name of the program.
pub const PROGRAM: &str = "teiten-pdf";

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The program is not installed.
    #[error(
        "--pdf needs the program {PROGRAM}, which is neither beside teiten-report nor in PATH: install the package teiten-pdf, build it with `make pdf`, or leave --pdf out"
    )]
    NoProgram,
    /// The program could not be started.
    #[error("cannot run {path}: {source}")]
    Unstarted {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program ended with an error, which it has printed.
    #[error("no pages in `{}`: {PROGRAM} ended with {status}, for the reason above", language.tag())]
    Failed {
        /// The language.
        language: Language,
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

/// Finds the program: beside this one, else in PATH.
///
/// # Errors
/// When it is in neither.
pub fn program() -> Result<PathBuf, PdfError> {
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(std::env::split_paths(&path));
    let mut candidates = folders.map(|folder| folder.join(PROGRAM));
    candidates
        .find(|path| path.is_file())
        .ok_or(PdfError::NoProgram)
}

/// Makes `report.LANGUAGE.pdf` in the folder of a report that is complete but for it.
///
/// # Errors
/// When the program cannot be started or ends with an error.
pub fn make(program: &Path, folder: &Path, language: Language) -> Result<(), PdfError> {
    let mut command = Command::new(program);
    command.arg(folder).args(["--language", language.tag()]);
    // Its standard output names files under the temporary folder.
    let status = command.stdout(std::process::Stdio::null()).status();
    let status = status.map_err(|source| PdfError::Unstarted {
        path: program.to_owned(),
        source,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(PdfError::Failed { language, status })
    }
}
