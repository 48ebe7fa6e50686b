//! Small documents of the private folder: each is replaced as a whole, and is durable once it is written. They have a checksum ([`seal`]).

use std::io;
use std::path::Path;

use super::work::random_name;
use super::{Store, seal, unseal};

/// What lies under the name of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredDocument {
    /// Nothing.
    Missing,
    /// Bytes that are no document.
    Damaged,
    /// The text of a document.
    Text(String),
}

impl Store {
    /// Writes the document `name` of `folder`, which is made if it is missing, in place of the one that is there. The text must have no
    /// line break.
    ///
    /// # Errors
    /// When it cannot be written; then the one that is there stays.
    pub(crate) fn write_document(&self, folder: &Path, name: &str, text: &str) -> io::Result<()> {
        self.forget_if_gone(folder);
        self.make_folder(folder)?;
        let making = folder.join(format!(".{name}-{}", random_name()));
        let mut file = self.disk().create(&making)?;
        let written = file
            .write_all(&seal(text))
            .and_then(|()| file.sync())
            .and_then(|()| self.disk().rename(&making, &folder.join(name)));
        if written.is_err() {
            // Names with a dot are read by nobody.
            let _ = self.disk().remove(&making);
        }
        written?;
        self.disk().sync_folder(folder)
    }

    /// Reads the document at `path`.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn read_document(&self, path: &Path) -> io::Result<StoredDocument> {
        match self.disk().read(path) {
            Ok(bytes) => Ok(match unseal(&bytes) {
                Some(text) => StoredDocument::Text(text.to_owned()),
                None => StoredDocument::Damaged,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(StoredDocument::Missing),
            Err(error) => Err(error),
        }
    }
}
