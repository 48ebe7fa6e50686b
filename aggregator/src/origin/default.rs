//! The folders of country data that are searched by default. `load.rs` reads the files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where `teiten-sensor geo update` puts country data when root runs it: every user of the machine can read it.
pub const MACHINE_FOLDER: &str = "/var/lib/teiten-lists/geo";
/// Where Debian's package `tor-geoipdb` keeps its two files, and their names.
const DEBIAN_FOLDER: &str = "/usr/share/tor";
const DEBIAN_FILES: [&str; 2] = ["geoip", "geoip6"];

/// Where `teiten-sensor geo update` puts country data when an ordinary user runs it (XDG Base Directory Specification 0.8); `None` without
/// a home folder.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    user_folder_of(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

/// Where parsed data files are kept for the next run; `None` without a home folder.
pub(super) fn user_cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME");
    base_folder(cache, std::env::var_os("HOME"), ".cache").map(|base| base.join("teiten/geo"))
}

fn user_folder_of(data: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    base_folder(data, home, ".local/share").map(|base| base.join("teiten/geo"))
}

/// The folder that the variable names, else the usual one below the home folder. The specification ignores relative folders.
fn base_folder(named: Option<OsString>, home: Option<OsString>, usual: &str) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let named = named.and_then(absolute);
    named.or_else(|| Some(home.and_then(absolute)?.join(usual)))
}

/// The files of the first folder that has any.
pub(super) fn find() -> Vec<PathBuf> {
    let folders = user_folder()
        .into_iter()
        .chain([PathBuf::from(MACHINE_FOLDER)]);
    folders
        .map(|folder| files(&folder))
        .find(|files| !files.is_empty())
        .unwrap_or_else(|| {
            let debian = DEBIAN_FILES.map(|name| Path::new(DEBIAN_FOLDER).join(name));
            debian.into_iter().filter(|path| path.is_file()).collect()
        })
}

/// The files of a folder by name; hidden ones are still being written.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_hidden = |path: &Path| {
        path.file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && !is_hidden(path))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_folder_follows_the_specification() {
        let check = |data: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let folder = user_folder_of(data.map(Into::into), home.map(Into::into));
            assert_eq!(folder, expected.map(PathBuf::from));
        };
        check(Some("/d"), Some("/h"), Some("/d/teiten/geo"));
        check(None, Some("/h"), Some("/h/.local/share/teiten/geo"));
        check(Some("d"), Some("/h"), Some("/h/.local/share/teiten/geo"));
        check(None, None, None);
    }

    #[test]
    fn hidden_files_and_folders_are_no_country_data() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["geoip6", "geoip", ".geoip.partial"] {
            std::fs::write(folder.path().join(name), "").expect("writable");
        }
        std::fs::create_dir(folder.path().join("old")).expect("writable");
        let names: Vec<PathBuf> = ["geoip", "geoip6"]
            .map(|name| folder.path().join(name))
            .into();
        assert_eq!(files(folder.path()), names);
        assert_eq!(files(&folder.path().join("missing")), Vec::<PathBuf>::new());
    }
}
