//! Pages of a report: `report.LANGUAGE.json` and the drawings beside it become a tagged PDF by the typesetter Typst.
//!
//! The layout is [`TEMPLATE`], a file in Typst's language that reads the JSON; what the report says is never read as markup. The output
//! conforms to PDF/UA-1 and PDF/A-2b, which the typesetter enforces, and depends on the folder and the fonts alone.

use std::path::{Path, PathBuf};

use typst::diag::{Severity, SourceDiagnostic};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

pub mod fonts;
mod world;

pub use fonts::Fonts;
use world::ReportWorld;

/// The layout of the pages.
const TEMPLATE: &str = include_str!("report.typ");

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// The folder holds no data of a report.
    #[error(
        "cannot read {path}: {source}; name the folder of a report that `teiten-report build` has made"
    )]
    NoReport {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No font for the text.
    #[error(
        "no font {family} on this machine: install it (Debian: apt-get install fonts-noto-cjk), or name its folder with --fonts",
        family = fonts::FAMILY
    )]
    NoFont,
    /// The typesetter refused the report.
    #[error("the pages cannot be set: {0}")]
    Unset(String),
}

/// File name of the data of a report.
#[must_use]
pub fn data_name(language: &str) -> String {
    format!("report.{language}.json")
}

/// File name of the pages.
#[must_use]
pub fn pdf_name(language: &str) -> String {
    format!("report.{language}.pdf")
}

/// The pages of the report in `folder`, as a PDF file.
///
/// # Errors
/// When the folder holds no data in this language, a drawing is missing, or the result would not conform.
pub fn make(folder: &Path, language: &str, fonts: Fonts) -> Result<Vec<u8>, PagesError> {
    let path = folder.join(data_name(language));
    let data = std::fs::read(&path).map_err(|source| PagesError::NoReport { path, source })?;
    let world = ReportWorld::new(folder, data, fonts);
    let compiled = typst::compile::<PagedDocument>(&world);
    let document = compiled.output.map_err(|errors| unset(&errors))?;
    if let Some(warning) = compiled.warnings.iter().find(|it| is_font(it)) {
        return Err(unset(std::slice::from_ref(warning)));
    }
    let standards = PdfStandards::new(&[PdfStandard::A_2b, PdfStandard::Ua_1]);
    let standards = standards.map_err(|error| PagesError::Unset(error.message().to_string()))?;
    let options = PdfOptions {
        creator: typst::foundations::Smart::Custom(Some(format!(
            "teiten-pdf {}",
            env!("CARGO_PKG_VERSION")
        ))),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(|errors| unset(&errors))
}

/// Text without its font would be set in another one or not at all.
fn is_font(warning: &SourceDiagnostic) -> bool {
    warning.message.contains("unknown font family")
}

fn unset(diagnostics: &[SourceDiagnostic]) -> PagesError {
    let lines = diagnostics.iter().map(|it| {
        let hints = it.hints.iter().map(|hint| format!(" ({})", hint.v));
        let kind = match it.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        format!("{kind}{}{}", it.message, hints.collect::<String>())
    });
    PagesError::Unset(lines.collect::<Vec<_>>().join("; "))
}
