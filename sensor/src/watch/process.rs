//! The kernel's figures about this process and its data folder, under the names that every Prometheus client uses
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{SysconfVar, sysconf};

/// The process at one moment. A field is `None` where the kernel gives no access (`/proc/self/fd` is closed to a process that changed its
/// user).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// CPU time, seconds.
    pub cpu_seconds: f64,
    /// Memory that is resident, bytes.
    pub resident_bytes: u64,
    /// Address space, bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files.
    pub open_files: Option<u64>,
}

/// Reads it; zeros where `/proc` is missing.
#[must_use]
pub(super) fn process() -> Process {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let of = |variable, otherwise: i64| {
        sysconf(variable).ok().flatten().unwrap_or(otherwise).max(1) as u64
    };
    let open_files = std::fs::read_dir("/proc/self/fd").ok();
    parse(
        &text,
        of(SysconfVar::CLK_TCK, 100),
        of(SysconfVar::PAGE_SIZE, 4096),
        open_files.map(|files| files.count() as u64),
    )
}

/// Fields by their numbers in proc_pid_stat(5), counted from the program's name, which may contain any bytes.
fn parse(text: &str, ticks_per_second: u64, page_bytes: u64, open_files: Option<u64>) -> Process {
    let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
    let fields: Vec<u64> = behind
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    // The first field after the name is number 3.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    Process {
        cpu_seconds: (field(14) + field(15)) as f64 / ticks_per_second as f64,
        resident_bytes: field(24) * page_bytes,
        virtual_bytes: field(23),
        threads: field(20),
        open_files,
    }
}

/// (free, all) bytes of the file system that a folder is on, as available to this user.
#[must_use]
pub fn space(folder: &Path) -> Option<(u64, u64)> {
    let figures = statvfs(folder).ok()?;
    let unit = figures.fragment_size() as u64;
    Some((
        figures.blocks_available() as u64 * unit,
        figures.blocks() as u64 * unit,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_spaces_and_brackets_in_its_name_is_read_all_the_same() {
        let mut text = "42 (a (b) c) S".to_owned();
        (4..=52).for_each(|number| text += &format!(" {number}"));
        let process = parse(&text, 10, 4096, None);
        assert_eq!((process.virtual_bytes, process.threads), (23, 20));
        assert_eq!(process.resident_bytes, 24 * 4096);
        assert!((process.cpu_seconds - 2.9).abs() < 1e-9);
    }

    #[test]
    fn this_process_has_memory_and_threads() {
        let process = process();
        assert!(process.resident_bytes > 1 << 20);
        assert!(process.threads >= 1);
        assert!(space(Path::new("/")).is_some_and(|(free, all)| free <= all && all > 0));
    }
}
