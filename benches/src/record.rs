//! The circumstances of a result (machine, commit, date and command), and the folder of kept results.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Folder of kept results, from the workspace's root.
pub const RUNS_FOLDER: &str = "benches/runs";

/// The circumstances of a measurement.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Model of the processor.
    pub processor: String,
    /// Processors that this program may use.
    pub cores: usize,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Name and release of the kernel.
    pub kernel: String,
    /// Average number of runnable threads over the last minute, at the start: other work on the machine shows here.
    pub load: f64,
    /// The commit, short, and whether files differ from it.
    pub commit: String,
    /// Whether the sensor is built with optimisation.
    pub profile: String,
    /// Time of the start, UTC.
    pub time: Timestamp,
    /// The command.
    pub command: String,
}

impl Circumstances {
    /// The circumstances now.
    #[must_use]
    pub fn now() -> Self {
        Circumstances {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: cores(),
            memory_bytes: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024,
            kernel: kernel(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0.0),
            commit: commit(),
            profile: profile(),
            time: Timestamp::now(),
            command: command(),
        }
    }

    /// As an object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "memory_bytes": self.memory_bytes,
            "kernel": self.kernel,
            "load_average": self.load,
            "commit": self.commit,
            "profile": self.profile,
            "time": self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "command": self.command,
        })
    }

    /// As lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} × {}, {:.1} GiB, {}, load {:.2} at the start\n{}, commit {}, profile {}: {}",
            self.cores,
            self.processor,
            self.memory_bytes as f64 / f64::from(1 << 30),
            self.kernel,
            self.load,
            self.time.strftime("%Y-%m-%d %H:%M UTC"),
            self.commit,
            self.profile,
            self.command,
        )
    }

    /// Keeps a result as `FOLDER/DATE-NAME.json` and `.txt`; the two files.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn save(
        &self,
        folder: &Path,
        name: &str,
        text: &str,
        results: &Value,
    ) -> Result<[PathBuf; 2]> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let stem = format!("{}-{name}", self.time.strftime("%Y-%m-%d"));
        let whole = json!({ "circumstances": self.json(), "results": results });
        let files = ["json", "txt"].map(|ending| folder.join(format!("{stem}.{ending}")));
        for (file, content) in files.iter().zip([format!("{whole:#}\n"), text.to_owned()]) {
            std::fs::write(file, content)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(files)
    }
}

/// Processors that this program may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The value behind `name` and a colon, in the first line that begins so.
fn field(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn kernel() -> String {
    let [name, release] = ["ostype", "osrelease"]
        .map(|part| read(&format!("/proc/sys/kernel/{part}")).trim().to_owned());
    format!("{name} {release}")
}

fn commit() -> String {
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with uncommitted changes"),
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// The folder that cargo put this program into names the profile.
fn profile() -> String {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// The command as typed, without the folder of the program.
fn command() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(first) = words.first_mut() {
        *first = Path::new(first.as_str())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_kept_with_its_circumstances() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = Circumstances::now();
        let files = now
            .save(folder.path(), "try", "text\n", &json!({"a": 1}))
            .expect("writable");
        let json: Value =
            serde_json::from_slice(&std::fs::read(&files[0]).expect("there")).expect("JSON");
        assert_eq!(json["results"]["a"], 1);
        for name in ["processor", "commit", "kernel", "command", "time"] {
            assert!(json["circumstances"][name].is_string(), "{name}");
        }
        assert!(files[1].ends_with(format!("{}-try.txt", now.time.strftime("%Y-%m-%d"))));
    }
}
