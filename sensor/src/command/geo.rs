//! `geo`: downloads country data and puts it where every command finds it without `--geo`. Debian's package tor-geoipdb is unpacked, not
//! installed, because it depends on the Tor daemon; other files and addresses are used as they are. Data that does not load is refused
//! before anything is replaced.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::civil::Date;
use nix::unistd::Uid;
use teiten_aggregator::origin::{MACHINE_FOLDER, OriginError, Origins, user_folder};
use teiten_aggregator::store::random_name;
use thiserror::Error;

/// Debian's package with country data, and where its two files are in it. IPFire Location data, CC BY-SA 4.0.
const PACKAGE: &str = "tor-geoipdb";
const PACKAGE_FILES: [&str; 2] = ["usr/share/tor/geoip", "usr/share/tor/geoip6"];

/// The message if there is none.
pub const NO_COUNTRIES: &str =
    "no country data: every country is ZZ. Run `teiten-sensor geo update`, or give --geo FILE";

/// Why there is no new country data.
#[derive(Debug, Error)]
pub enum GeoError {
    /// There is neither apt nor a source.
    #[error(
        "no apt-get here: name country data, as files or as http addresses: teiten-sensor geo update FILE-OR-URL…"
    )]
    NoApt,
    /// The user has no folder.
    #[error("no home folder is known: name the folder with --into DIR")]
    NoFolder,
    /// A program that fetches or unpacks failed.
    #[error("`{command}` failed: {reason}")]
    Program {
        /// What was run.
        command: String,
        /// Its last message.
        reason: String,
    },
    /// The downloaded file is no country data.
    #[error("{0}; nothing was replaced")]
    Unusable(#[from] OriginError),
    /// The downloaded data has no countries.
    #[error("{0} holds no countries; nothing was replaced")]
    Empty(String),
    /// A file or folder could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where `update` puts data by default: for root, a folder that every user reads; otherwise the user's own folder.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    if Uid::effective().is_root() {
        return Some(MACHINE_FOLDER.into());
    }
    user_folder()
}

/// Downloads `sources` (without any, Debian's package), loads them as a test, and moves them into `folder`. With `keep`, old files stay
/// under a name with their date, so that each hour uses the edition of its day. Returns the new files.
///
/// # Errors
/// The first error; the folder does not change before the new files have been tested.
pub fn update(sources: &[OsString], folder: &Path, keep: bool) -> Result<Vec<PathBuf>, GeoError> {
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    // Inside the folder, so that a rename can move a file.
    let work = ScratchFolder::new(folder).map_err(at(folder))?;
    let fetched = if sources.is_empty() {
        from_apt(&work.0)?
    } else {
        let each = sources.iter().map(|source| fetch(source, &work.0));
        each.collect::<Result<_, _>>()?
    };
    let origins = Origins::load(&fetched, &[])?;
    if origins.provenance().iter().all(|data| data.ranges == 0) {
        let names: Vec<_> = fetched
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(GeoError::Empty(names.join(", ")));
    }
    let mut placed = Vec::new();
    for (path, new) in fetched.iter().zip(origins.provenance()) {
        let target = folder.join(path.file_name().unwrap_or(OsStr::new("geoip")));
        if keep && target.is_file() {
            rename_to_date(&target, new.date)?;
        }
        std::fs::rename(path, &target).map_err(at(&target))?;
        placed.push(target);
    }
    if !keep {
        remove_others(folder, &placed)?;
    }
    Ok(placed)
}

/// The files that commands use without `--geo`, a line for each.
///
/// # Errors
/// The first file that is unusable.
pub fn in_use() -> Result<Vec<String>, OriginError> {
    let paths = Origins::find_default();
    let origins = Origins::load(&paths, &[])?;
    let each = paths.iter().zip(origins.provenance()).map(|(path, data)| {
        let (date, found, ranges) = (&data.date, data.date_source.name(), data.ranges);
        format!("{} of {date} ({found}), {ranges} ranges", path.display())
    });
    Ok(each.collect())
}

/// A temporary folder, removed when dropped.
struct ScratchFolder(PathBuf);

impl ScratchFolder {
    fn new(folder: &Path) -> std::io::Result<ScratchFolder> {
        let path = folder.join(format!(".update-{}", random_name()));
        std::fs::create_dir(&path)?;
        Ok(ScratchFolder(path))
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // A leftover is hidden, so it is not read as country data.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> GeoError {
    let path = path.to_owned();
    move |source| GeoError::File { path, source }
}

/// Unpacks Debian's package. On a fresh machine or in a container apt may have no package lists yet: then they are downloaded into `work`,
/// which needs no root and does not change the machine.
fn from_apt(work: &Path) -> Result<Vec<PathBuf>, GeoError> {
    if run("apt-get", ["--version"], work).is_err() {
        return Err(GeoError::NoApt);
    }
    if run("apt-get", ["download", PACKAGE], work).is_err() {
        let mut own = Vec::new();
        for (setting, inner) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            let path = work.join(inner);
            std::fs::create_dir_all(path.join("partial")).map_err(at(&path))?;
            let mut text = OsString::from(format!("{setting}="));
            text.push(&path);
            own.extend(["-o".into(), text]);
        }
        run(
            "apt-get",
            own.iter().cloned().chain(["update".into()]),
            work,
        )?;
        let download = ["download", PACKAGE].map(OsString::from);
        run("apt-get", own.into_iter().chain(download), work)?;
    }
    let entries = std::fs::read_dir(work).map_err(at(work))?;
    let package = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.unwrap_or_else(|| work.join(PACKAGE));
    run(
        "dpkg-deb",
        ["-x".as_ref(), package.as_os_str(), work.as_os_str()],
        work,
    )?;
    Ok(PACKAGE_FILES.iter().map(|file| work.join(file)).collect())
}

/// Copies a file, or downloads an http address with curl.
fn fetch(source: &OsStr, work: &Path) -> Result<PathBuf, GeoError> {
    let path = Path::new(source);
    let target = work.join(path.file_name().unwrap_or(OsStr::new("geoip")));
    let text = source.to_string_lossy();
    if text.starts_with("http://") || text.starts_with("https://") {
        let flags = [
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--output",
        ];
        let flags = flags.iter().map(OsStr::new);
        run("curl", flags.chain([target.as_os_str(), source]), work)?;
    } else {
        std::fs::copy(path, &target).map_err(at(path))?;
    }
    Ok(target)
}

/// Runs a program in `folder`, with English messages, and waits for it.
fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
    folder: &Path,
) -> Result<(), GeoError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C");
    let failed = |reason: String| GeoError::Program {
        command: program.to_owned(),
        reason,
    };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(failed(if words.is_empty() {
        output.status.to_string()
    } else {
        words
    }))
}

/// Renames a file of an older date to a name with that date; one of the same date is replaced.
fn rename_to_date(file: &Path, new_date: Date) -> Result<(), GeoError> {
    let old = Origins::load(&[file.to_owned()], &[])?;
    let Some(old) = old.provenance().first().filter(|old| old.date != new_date) else {
        return Ok(());
    };
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", old.date));
    std::fs::rename(file, name).map_err(at(file))
}

fn remove_others(folder: &Path, placed: &[PathBuf]) -> Result<(), GeoError> {
    for entry in std::fs::read_dir(folder).map_err(at(folder))?.flatten() {
        let path = entry.path();
        if path.is_file() && !placed.contains(&path) {
            std::fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# Last updated based on January 2 2026\n16777216,16777471,AU\n";
    const NEW: &str = "# Last updated based on June 25 2026\n16777216,16777471,JP\n";

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_update_replaces_and_keeps_the_older_edition_when_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = folder.path().join("source");
        std::fs::create_dir(&source).expect("writable");
        let (file, target) = (source.join("geoip"), folder.path().join("geo"));
        let check = |text: &str, keep: bool, expected: &[&str]| {
            std::fs::write(&file, text).expect("writable");
            update(&[file.clone().into()], &target, keep).expect("country data");
            assert_eq!(names(&target), expected);
        };
        check(OLD, false, &["geoip"]);
        check(NEW, true, &["geoip", "geoip.2026-01-02"]);
        check(NEW, true, &["geoip", "geoip.2026-01-02"]);
        check(NEW, false, &["geoip"]);
    }

    #[test]
    fn what_is_no_country_data_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, target) = (folder.path().join("geoip"), folder.path().join("geo"));
        std::fs::write(&file, NEW).expect("writable");
        update(&[file.clone().into()], &target, false).expect("country data");
        std::fs::write(&file, "<html>not found</html>\n").expect("writable");
        let error = update(&[file.into()], &target, false).expect_err("no country data");
        assert!(
            error.to_string().contains("nothing was replaced"),
            "{error}"
        );
        assert_eq!(
            std::fs::read_to_string(target.join("geoip")).expect("there"),
            NEW
        );
        assert_eq!(names(&target), ["geoip"]);
    }
}
