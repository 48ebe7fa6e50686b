//! Publishes a report as a folder: all files are written to a temporary folder, which then replaces the earlier one by a rename, so that no
//! file of an earlier report survives and no reader sees half of a new one. `manifest.json` names every file with its SHA-256.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use teiten_aggregator::parallel;
use teiten_aggregator::text::hexadecimal;

use crate::chart::Chart;
use crate::document::Document;
use crate::render::{csv, html, json, markdown, png, report_json};
use crate::table::DataTable;

/// Name of the file that lists the others.
pub const MANIFEST: &str = "manifest.json";
/// Spreadsheet programs need it to recognise UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file or folder could not be written.
    #[error("cannot write {path}: {source}; choose another --out")]
    Unwritten {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder of the period exists and is no report.
    #[error(
        "{0} is there already and is no report of this program (it holds no manifest.json): move it away, or choose another --out"
    )]
    Foreign(PathBuf),
}

/// A temporary folder that is being written; removed if it is dropped before [`Folder::publish`].
pub struct Folder {
    partial: PathBuf,
    place: PathBuf,
    files: Vec<Value>,
    names: Vec<String>,
    published: bool,
}

impl Folder {
    /// Begins the folder `name` within `out`.
    ///
    /// # Errors
    /// When `out` cannot be created, or something else has the folder's name.
    pub fn begin(out: &Path, name: &str) -> Result<Self, PublishError> {
        let place = out.join(name);
        if place.exists() && !place.join(MANIFEST).is_file() && !is_empty(&place) {
            return Err(PublishError::Foreign(place));
        }
        let partial = out.join(format!(".{name}.partial"));
        remove(&partial)?;
        fs::create_dir_all(&partial).map_err(|source| unwritten(&partial, source))?;
        Ok(Self {
            partial,
            place,
            files: Vec::new(),
            names: Vec::new(),
            published: false,
        })
    }

    /// Adds a file under its name within the folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), PublishError> {
        let sum = write(&self.partial.join(name), |out| out.write_all(content))?;
        self.note(name, sum);
        Ok(())
    }

    fn note(&mut self, name: &str, sum: FileSum) {
        let FileSum { bytes, sha256 } = sum;
        self.files
            .push(json!({"path": name, "bytes": bytes, "sha256": sha256}));
        self.names.push(name.to_owned());
    }

    /// Adds the pages, the Markdown and every figure's drawing and numbers, on as many threads as `workers`. The files do not depend on their
    /// number.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add_documents(
        &mut self,
        documents: &[Document],
        workers: usize,
    ) -> Result<(), PublishError> {
        let files: Vec<DocumentFile<'_>> = documents.iter().flat_map(files_of).collect();
        let written = |file: &DocumentFile<'_>| file.content.write(&self.partial.join(&file.name));
        let sums = parallel::map(workers, &files, |file| file.content.cost(), written);
        for (file, sum) in files.iter().zip(sums) {
            if let Some(sum) = sum? {
                self.note(&file.name, sum);
            }
        }
        Ok(())
    }

    /// Names a file that another program has written into the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn adopt(&mut self, name: &str) -> Result<(), PublishError> {
        let path = self.partial.join(name);
        let content = fs::read(&path).map_err(|source| unwritten(&path, source))?;
        self.note(name, FileSum::of(&content));
        Ok(())
    }

    /// The folder in which files are written until it is published.
    #[must_use]
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Writes the manifest and renames the folder to its final name; returns the paths of its files there.
    ///
    /// # Errors
    /// When the manifest cannot be written or the folder cannot be renamed; the earlier report then stays as it was.
    pub fn publish(mut self, mut about: Value) -> Result<Vec<PathBuf>, PublishError> {
        self.files.sort_by_key(|file| file["path"].to_string());
        about["files"] = Value::Array(std::mem::take(&mut self.files));
        let mut manifest = serde_json::to_string_pretty(&about).unwrap_or_default();
        manifest.push('\n');
        let path = self.partial.join(MANIFEST);
        fs::write(&path, manifest).map_err(|source| unwritten(&path, source))?;
        let name = self.place.file_name().unwrap_or_default().to_string_lossy();
        let old = self.place.with_file_name(format!(".{name}.old"));
        remove(&old)?;
        let had = self.place.exists();
        if had {
            fs::rename(&self.place, &old).map_err(|source| unwritten(&self.place, source))?;
        }
        if let Err(source) = fs::rename(&self.partial, &self.place) {
            if had {
                // The earlier report gets its name back; if even that fails it stays under its temporary name.
                let _ = fs::rename(&old, &self.place);
            }
            return Err(unwritten(&self.place, source));
        }
        self.published = true;
        remove(&old)?;
        let names = std::mem::take(&mut self.names);
        let all = names.into_iter().chain([MANIFEST.to_owned()]);
        Ok(all.map(|name| self.place.join(name)).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Length and hash of a file.
struct FileSum {
    bytes: usize,
    /// Hexadecimal.
    sha256: String,
}

impl FileSum {
    fn of(content: &[u8]) -> Self {
        FileSum {
            bytes: content.len(),
            sha256: hexadecimal(&Sha256::digest(content)),
        }
    }
}

/// A file whose bytes are summed while they are written.
struct SummedFile {
    file: File,
    bytes: usize,
    hash: Sha256,
}

impl Write for SummedFile {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        self.hash.update(&piece[..written]);
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes a file, and its folder if that is missing.
fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<FileSum, PublishError> {
    let made = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = SummedFile {
            file: File::create(path)?,
            bytes: 0,
            hash: Sha256::new(),
        };
        content(&mut file)?;
        Ok(FileSum {
            bytes: file.bytes,
            sha256: hexadecimal(&file.hash.finalize()),
        })
    };
    made().map_err(|source| unwritten(path, source))
}

/// A file of a document.
struct DocumentFile<'d> {
    name: String,
    content: FileContent<'d>,
}

/// What is in it.
enum FileContent<'d> {
    Csv(&'d DataTable),
    Json(&'d DataTable),
    Drawing(&'d Chart),
    /// The same as PNG; there is no file where no font has its characters.
    Picture(&'d Chart),
    Page(&'d Document, fn(&Document) -> String),
}

/// What a picture and a page cost, in cells of a table.
const PICTURE_COST: usize = 100_000;
const PAGE_COST: usize = 400_000;

impl FileContent<'_> {
    /// How long it takes, roughly.
    fn cost(&self) -> usize {
        match self {
            FileContent::Csv(table) | FileContent::Json(table) => {
                table.rows.len() * table.columns.len()
            }
            FileContent::Drawing(_) => 1,
            FileContent::Picture(_) => PICTURE_COST,
            FileContent::Page(..) => PAGE_COST,
        }
    }

    /// Writes it to `path`; `None` for a picture that cannot be drawn.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn write(&self, path: &Path) -> Result<Option<FileSum>, PublishError> {
        let sum = match self {
            FileContent::Csv(table) => write(path, |out| {
                out.write_all(BYTE_ORDER_MARK.as_bytes())?;
                csv::write(table, out)
            }),
            FileContent::Json(table) => write(path, |out| json::write(table, out)),
            FileContent::Drawing(chart) => {
                write(path, |out| out.write_all(chart.standalone().as_bytes()))
            }
            FileContent::Picture(chart) => match png::render(&chart.standalone()) {
                Ok(picture) => write(path, |out| out.write_all(&picture)),
                Err(_) => return Ok(None),
            },
            FileContent::Page(document, render) => {
                write(path, |out| out.write_all(render(document).as_bytes()))
            }
        };
        sum.map(Some)
    }
}

/// The files of a document.
fn files_of(document: &Document) -> Vec<DocumentFile<'_>> {
    let language = document.language;
    let mut files = Vec::new();
    let mut add = |name: String, content| files.push(DocumentFile { name, content });
    let figures = document.sections.iter();
    let figures = figures.flat_map(|section| &section.figures);
    for placed in figures.filter(|placed| placed.drawn.empty.is_none()) {
        let (name, drawn) = (placed.figure.name, &placed.drawn);
        add(
            html::csv_name(name, language),
            FileContent::Csv(&drawn.table),
        );
        add(
            html::json_name(name, language),
            FileContent::Json(&drawn.table),
        );
        let cards = drawn.cards.iter().map(|card| &card.chart);
        let paper = placed.paper.0.iter().chain(&placed.paper.1);
        for chart in cards.chain(paper) {
            let name = html::svg_name(&chart.name, language);
            add(name, FileContent::Drawing(chart));
        }
        if let Some(chart) = &drawn.chart {
            add(html::svg_name(name, language), FileContent::Drawing(chart));
            if document.pictures {
                add(html::png_name(name, language), FileContent::Picture(chart));
            }
        }
    }
    for (name, render) in [
        (
            report_json::file_name(language),
            report_json::render as fn(&Document) -> String,
        ),
        (markdown::file_name(language), markdown::render),
        (html::file_name(language), html::render),
    ] {
        add(name, FileContent::Page(document, render));
    }
    files
}

fn unwritten(path: &Path, source: io::Error) -> PublishError {
    PublishError::Unwritten {
        path: path.to_owned(),
        source,
    }
}

fn remove(path: &Path) -> Result<(), PublishError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(unwritten(path, source)),
        _ => Ok(()),
    }
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_report_replaces_the_first_whole() {
        let out = tempfile::tempdir().unwrap();
        let make = |file: &str| {
            let mut folder = Folder::begin(out.path(), "2026-11").unwrap();
            folder.add(file, b"x").unwrap();
            folder.publish(json!({})).unwrap()
        };
        make("figures/old.svg");
        let files = make("figures/new.svg");
        assert!(files.iter().all(|file| file.is_file()));
        assert!(!out.path().join("2026-11/figures/old.svg").exists());
        let left: Vec<_> = fs::read_dir(out.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_report_that_is_not_finished_leaves_the_earlier_one() {
        let out = tempfile::tempdir().unwrap();
        let mut first = Folder::begin(out.path(), "2026-11").unwrap();
        first.add("a", b"1").unwrap();
        first.publish(json!({})).unwrap();
        let mut second = Folder::begin(out.path(), "2026-11").unwrap();
        second.add("a", b"2").unwrap();
        drop(second);
        assert_eq!(fs::read(out.path().join("2026-11/a")).unwrap(), b"1");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_replaced() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("2026-11")).unwrap();
        fs::write(out.path().join("2026-11/thesis.txt"), b"years of work").unwrap();
        assert!(matches!(
            Folder::begin(out.path(), "2026-11"),
            Err(PublishError::Foreign(_))
        ));
    }
}
