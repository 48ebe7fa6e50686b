//! Checks whether the data folder is writable and has free space, and how old the country data is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use teiten_aggregator::hour::Hour;
use teiten_aggregator::origin::{Origins, Provenance};
use teiten_aggregator::writer::way_out;

use super::{CheckStatus, Plan};
use crate::command::geo::NO_COUNTRIES;
use crate::command::replay::{origins, rows_left_out};
use crate::privilege::writable;
use crate::watch::{FREE_BYTES_MIN, space};

/// Older country data gives a warning: address space moves between countries every week.
const COUNTRIES_DAYS_MAX: i32 = 180;
/// AS numbers are watched, and nothing says whose addresses are in them.
pub const NO_NETWORKS: &str =
    "AS numbers of --watch match nothing without network data: give --asn FILE";

/// File systems whose renames or syncs are weaker than a local disk's, or that lose their data on a restart.
const POOR: &[&str] = &[
    "tmpfs",
    "ramfs",
    "nfs",
    "nfs4",
    "cifs",
    "9p",
    "overlay",
    "fuse.sshfs",
];

/// Tries the folder, or the nearest existing folder above it.
pub(super) fn folder(plan: &Plan) -> Vec<(CheckStatus, String)> {
    vec![tried(&plan.settings.data)]
}

/// The folder of `--keep-packets`.
pub(super) fn kept(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let Some(keep) = &plan.capture.live.keep else {
        return vec![(CheckStatus::Ok, "no packets are kept as files".to_owned())];
    };
    let (verdict, text) = tried(&keep.folder);
    let hours = keep.hours;
    vec![(
        verdict,
        format!("{text}, for packets of {hours} hours and the current one"),
    )]
}

/// Whose addresses `--watch` names, and who is told.
pub(super) fn alerts(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let Some(watch) = &plan.settings.watch else {
        return vec![(CheckStatus::Ok, "nobody's addresses are watched".to_owned())];
    };
    let list = match watch.load() {
        Ok(list) => list,
        Err(error) => return vec![(CheckStatus::Fail, error.to_string())],
    };
    let sinks: Vec<&str> = list.sinks.iter().map(|sink| &sink.name[..]).collect();
    let who = if watch.delivers {
        "delivered by a process of their own"
    } else {
        "wait for teiten-aggregator alerts deliver"
    };
    let text = format!(
        "addresses of {} owners are watched; alerts for {} {who}",
        list.watched.len(),
        sinks.join(", ")
    );
    let mut found = vec![(CheckStatus::Ok, text)];
    if list.needs_networks() && plan.settings.asn.is_empty() {
        found.push((CheckStatus::Warn, NO_NETWORKS.to_owned()));
    }
    found
}

/// Why a dataset cannot be written into a folder; `None` if it can.
#[must_use]
pub fn folder_refusal(folder: &Path) -> Option<String> {
    let (verdict, text) = tried(folder);
    (verdict == CheckStatus::Fail).then(|| format!("--data: {text}"))
}

fn tried(folder: &Path) -> (CheckStatus, String) {
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        let text = format!("{shown} is no folder: name another");
        return (CheckStatus::Fail, text);
    }
    if folder.is_dir() {
        match writable(folder) {
            Ok(()) => (CheckStatus::Ok, format!("{shown} can be written")),
            Err(error) => {
                let text = format!("{shown} cannot be written: {error}{}", way_out(&error));
                (CheckStatus::Fail, text)
            }
        }
    } else {
        let parent = nearest(folder);
        match writable(&parent) {
            Ok(()) => (CheckStatus::Ok, format!("{shown} will be made")),
            Err(error) => (
                CheckStatus::Fail,
                format!(
                    "{shown} cannot be made in {}: {error}{}",
                    parent.display(),
                    way_out(&error)
                ),
            ),
        }
    }
}

pub(super) fn room(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let nearest = nearest(&plan.settings.data);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kind = file_system(&mounts, &nearest.canonicalize().unwrap_or(nearest.clone()));
    let Some((free, all)) = space(&nearest) else {
        return vec![(
            CheckStatus::Warn,
            format!("the free space in {} is not known", nearest.display()),
        )];
    };
    let text = format!("{} free of {} on {kind}", gibibytes(free), gibibytes(all));
    if free < FREE_BYTES_MIN {
        return vec![(
            CheckStatus::Warn,
            format!("{text}: too little for weeks of a telescope"),
        )];
    }
    if POOR.contains(&kind.as_str()) {
        let text = format!("{text}: data there may not survive a crash; a local disk is better");
        return vec![(CheckStatus::Warn, text)];
    }
    vec![(CheckStatus::Ok, text)]
}

pub(super) fn countries(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let origins = match origins(&plan.settings) {
        Ok(origins) => origins,
        Err(error) => return vec![(CheckStatus::Fail, error.to_string())],
    };
    if origins.provenance().is_empty() {
        return vec![(CheckStatus::Warn, NO_COUNTRIES.to_owned())];
    }
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let used = origins.on(Hour(now.as_second().div_euclid(3600)));
    let each = used.provenance().map(|data| {
        let text = named(data);
        match (today - data.date).get_days() {
            days if days > COUNTRIES_DAYS_MAX => (
                CheckStatus::Warn,
                format!("{text} is {days} days old: newer data is more accurate"),
            ),
            _ => (CheckStatus::Ok, text),
        }
    });
    let bad = rows_left_out(&origins).map(|text| (CheckStatus::Warn, text));
    each.chain(editions(&origins)).chain(bad).collect()
}

fn named(data: &Provenance) -> String {
    let (name, date, found) = (&data.name, &data.date, data.date_source.name());
    format!("{name} of {date} ({found})")
}

/// The files of each day, if they differ between days.
fn editions(origins: &Origins) -> Vec<(CheckStatus, String)> {
    let periods: Vec<_> = origins.editions().collect();
    let mut found = Vec::new();
    for (index, period) in periods.iter().enumerate() {
        let next = periods.get(index + 1);
        let until = next.filter(|next| next.subject == period.subject);
        let until = until.and_then(|next| next.from);
        let days = match (period.from, until) {
            (None, None) => continue,
            (None, Some(until)) => format!("before {until}"),
            (Some(from), None) => format!("from {from}"),
            (Some(from), Some(until)) => format!("from {from}, before {until}"),
        };
        let names: Vec<String> = period.files.iter().map(|data| named(data)).collect();
        let subject = period.subject.noun();
        found.push((
            CheckStatus::Ok,
            format!("{subject} {days}: {}", names.join(", ")),
        ));
    }
    found
}

/// The folder itself, or the nearest existing one above it.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find(|path| path.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// The type of a path's file system, by the longest mount point above it (proc_pid_mounts(5)).
fn file_system(mounts: &str, path: &Path) -> String {
    let of_line = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        Some((
            fields.next()?.replace("\\040", " "),
            fields.next()?.to_owned(),
        ))
    };
    let above = mounts
        .lines()
        .filter_map(of_line)
        .filter(|(point, _)| path.starts_with(point));
    let longest = above.max_by_key(|(point, _)| point.len());
    longest.map_or_else(|| "an unknown file system".to_owned(), |(_, kind)| kind)
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_longest_mount_point() {
        let mounts =
            "/dev/a / ext4 rw 0 0\n/dev/b /var/my\\040data xfs rw 0 0\nproc /proc proc rw 0 0\n";
        for (path, kind) in [
            ("/var/my data/x", "xfs"),
            ("/var/my", "ext4"),
            ("/proc/1", "proc"),
        ] {
            assert_eq!(file_system(mounts, Path::new(path)), kind);
        }
        assert_eq!(file_system("", Path::new("/")), "an unknown file system");
    }
}
