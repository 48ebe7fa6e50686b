//! Publishes a report as a folder: all files are written to a temporary folder, which then replaces the earlier one by a rename, so that no
//! file of an earlier report survives and no reader sees half of a new one. `manifest.json` names every file with its SHA-256.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use teiten_aggregator::text::hexadecimal;

use crate::document::Document;
use crate::render::{csv, html, json, markdown, png, report_json};

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
        let path = self.partial.join(name);
        let folder = path.parent().unwrap_or(&self.partial);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .map_err(|source| unwritten(&path, source))?;
        self.note(name, content);
        Ok(())
    }

    fn note(&mut self, name: &str, content: &[u8]) {
        let hash = hexadecimal(&Sha256::digest(content));
        self.files
            .push(json!({"path": name, "bytes": content.len(), "sha256": hash}));
        self.names.push(name.to_owned());
    }

    /// Adds the page, the Markdown and every figure's drawing and numbers.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add_document(&mut self, document: &Document) -> Result<(), PublishError> {
        let language = document.language;
        for placed in document
            .sections
            .iter()
            .flat_map(|section| &section.figures)
        {
            if placed.drawn.empty.is_some() {
                continue;
            }
            let name = placed.figure.name;
            let numbers = BYTE_ORDER_MARK.to_owned() + &csv::render(&placed.drawn.table);
            self.add(&html::csv_name(name, language), numbers.as_bytes())?;
            let numbers = json::render(&placed.drawn.table);
            self.add(&html::json_name(name, language), numbers.as_bytes())?;
            let cards = placed.drawn.cards.iter().map(|card| &card.chart);
            let paper = placed.paper.0.iter().chain(&placed.paper.1);
            for chart in cards.chain(paper) {
                let svg = chart.standalone();
                self.add(&html::svg_name(&chart.name, language), svg.as_bytes())?;
            }
            if let Some(chart) = &placed.drawn.chart {
                let svg = chart.standalone();
                self.add(&html::svg_name(name, language), svg.as_bytes())?;
                if document.pictures
                    && let Ok(picture) = png::render(&svg)
                {
                    self.add(&html::png_name(name, language), &picture)?;
                }
            }
        }
        self.add(
            &report_json::file_name(language),
            report_json::render(document).as_bytes(),
        )?;
        self.add(
            &markdown::file_name(language),
            markdown::render(document).as_bytes(),
        )?;
        self.add(
            &html::file_name(language),
            html::render(document).as_bytes(),
        )
    }

    /// Names a file that another program has written into the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn adopt(&mut self, name: &str) -> Result<(), PublishError> {
        let path = self.partial.join(name);
        let content = fs::read(&path).map_err(|source| unwritten(&path, source))?;
        self.note(name, &content);
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
