//! What the typesetter may read: the template, the data of the report, and files within the folder of the report.

use std::path::{Path, PathBuf};

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::{Fonts, TEMPLATE};

/// The name under which the template finds the data.
const DATA: &str = "/report.json";
/// The name of the template.
const MAIN: &str = "/report.typ";

/// One report.
pub(crate) struct ReportWorld {
    folder: PathBuf,
    library: LazyHash<Library>,
    fonts: Fonts,
    main: Source,
    data: Bytes,
}

impl ReportWorld {
    pub(crate) fn new(folder: &Path, data: Vec<u8>, fonts: Fonts) -> Self {
        Self {
            folder: folder.to_owned(),
            library: LazyHash::new(Library::default()),
            fonts,
            main: Source::new(place(MAIN), TEMPLATE.to_owned()),
            data: Bytes::new(data),
        }
    }
}

fn place(path: &str) -> FileId {
    let path = VirtualPath::new(path).expect("the names of this module are paths");
    RootedPath::new(VirtualRoot::Project, path).intern()
}

impl World for ReportWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.fonts.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() {
            return Ok(self.main.clone());
        }
        // No other file of the report is in Typst's language.
        Err(FileError::NotSource)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let path = id.get();
        let name = path.vpath().get_with_slash();
        if name == DATA {
            return Ok(self.data.clone());
        }
        if *path.root() != VirtualRoot::Project {
            return Err(FileError::AccessDenied);
        }
        let on_disk = path.vpath().realize(&self.folder);
        let on_disk = on_disk.map_err(|_| FileError::AccessDenied)?;
        let read = std::fs::read(&on_disk);
        read.map(Bytes::new)
            .map_err(|error| FileError::from_io(error, &on_disk))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.fonts.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        // Pages say when their report was made, not when they were set.
        None
    }
}
