//! Finds the font of the pages. Only this family is used, in the text and in the drawings, so that pages look the same on every machine.

use std::path::{Path, PathBuf};

use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;

/// The family that the pages are set in; it has Japanese and Latin letters.
pub const FAMILY: &str = "Noto Sans CJK JP";
/// Beginnings of the names of its files.
const FILES: [&str; 2] = ["NotoSansCJK", "NotoSansCJKjp"];
/// Folders of a folder that are searched, at most so deep.
const DEPTH_MAX: usize = 6;

/// The fonts of the pages.
pub struct Fonts {
    pub(crate) book: LazyHash<FontBook>,
    pub(crate) fonts: Vec<Font>,
}

impl Fonts {
    /// The fonts of these folders and all within them; without any, of the usual ones. None if the family is not among them.
    #[must_use]
    pub fn search(folders: &[PathBuf]) -> Option<Self> {
        let usual;
        let folders = if folders.is_empty() {
            usual = usual_folders();
            &usual
        } else {
            folders
        };
        let mut files = Vec::new();
        for folder in folders {
            collect(folder, DEPTH_MAX, &mut files);
        }
        files.sort();
        let fonts: Vec<Font> = files
            .iter()
            .filter_map(|path| std::fs::read(path).ok())
            .flat_map(|data| Font::iter(Bytes::new(data)))
            .filter(|font| font.info().family == FAMILY)
            .collect();
        (!fonts.is_empty()).then(|| Self {
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
        })
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let of_user = home.map(|home| {
        [".local/share/fonts", ".fonts", "Library/Fonts"].map(|folder| home.join(folder))
    });
    let of_all = [
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        "/Library/Fonts",
    ];
    let of_all = of_all.map(PathBuf::from);
    of_all
        .into_iter()
        .chain(of_user.into_iter().flatten())
        .collect()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let is_ours = |name: &str| FILES.iter().any(|begin| name.starts_with(begin));
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, files);
            }
        } else if name.to_str().is_some_and(is_ours) {
            files.push(path);
        }
    }
}
