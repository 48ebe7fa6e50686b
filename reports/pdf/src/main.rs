//! The program `teiten-pdf`: it finds the font, sets the pages of a report and writes them beside it. `teiten-report build --pdf` runs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use teiten_pdf::{Fonts, PagesError, data_name, make, pdf_name};

const NOT_DONE: u8 = 2;
/// The languages of reports.
const LANGUAGES: [&str; 2] = ["ja", "en"];

/// Pages (tagged PDF, PDF/UA-1 and PDF/A-2b) of a report that `teiten-report build` has made.
///
/// Exit code 0: done; 2: not done.
#[derive(Debug, Parser)]
#[command(name = "teiten-pdf", version, max_term_width = 100)]
struct Arguments {
    /// The folder of the report, which holds report.ja.json or report.en.json; the pages are written there as report.LANGUAGE.pdf.
    folder: PathBuf,
    /// One language [default: each that the folder has].
    #[arg(long, value_parser = LANGUAGES)]
    language: Option<String>,
    /// Folders with the font Noto Sans CJK, also deeper in them, repeatable [default: those of the system and the user].
    #[arg(long, value_name = "DIR")]
    fonts: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("teiten-pdf: {error}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    for language in languages(arguments)? {
        let fonts = Fonts::search(&arguments.fonts).ok_or(PagesError::NoFont)?;
        let pages = make(&arguments.folder, language, fonts)?;
        let path = arguments.folder.join(pdf_name(language));
        write(&path, &pages)?;
        // A reader of the names that has ended needs none.
        let _ = writeln!(std::io::stdout().lock(), "{}", path.display());
    }
    Ok(())
}

/// The language asked for, or those that the folder has.
fn languages(arguments: &Arguments) -> Result<Vec<&str>, PagesError> {
    if let Some(language) = &arguments.language {
        return Ok(vec![language]);
    }
    let has = |language: &&str| arguments.folder.join(data_name(language)).is_file();
    let found: Vec<&str> = LANGUAGES.into_iter().filter(has).collect();
    if found.is_empty() {
        return Err(PagesError::NoReport {
            path: arguments.folder.join(data_name(LANGUAGES[0])),
            source: std::io::ErrorKind::NotFound.into(),
        });
    }
    Ok(found)
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    let partial = path.with_extension("pdf.partial");
    let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
