//! PEERS: other programs that read captures, from Debian packages, run on the same file as the sensor in alternation. Each does only a part
//! of the job; the table says which. Nothing is installed here.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::files::remove;
use crate::input::{Capture, TELESCOPE};
use crate::program::installed;
use crate::usage::{Usage, measure_within};

/// A program that reads captures.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Name in the table.
    pub name: &'static str,
    /// Name of the binary.
    pub program: &'static str,
    /// Debian's package.
    pub package: &'static str,
    /// What it does with the packets.
    pub does: &'static str,
    /// Its arguments; `{capture}` stands for the file. It runs in its own folder, which is removed afterwards.
    arguments: &'static [&'static str],
}

/// The row that all others are compared with.
pub const OURS: Peer = Peer {
    name: "teiten-sensor",
    program: "teiten-sensor",
    package: "",
    does: "every packet classified, hourly rows by source and kind, distinct counts, country, three durable tables",
    arguments: &[
        "replay",
        "{capture}",
        "--data",
        "data",
        "--telescope",
        TELESCOPE,
        "--sensor",
        "bench",
        "--json",
    ],
};

/// Every peer.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "tracereport",
        program: "tracereport",
        package: "libtrace-tools",
        does: "counts: packets by protocol, flows begun",
        arguments: &["-P", "-F", "pcapfile:{capture}"],
    },
    Peer {
        name: "nfpcapd",
        program: "nfpcapd",
        package: "nfdump",
        does: "flows by 5-tuple, a file for every 5 minutes",
        arguments: &["-r", "{capture}", "-w", "."],
    },
    Peer {
        name: "softflowd",
        program: "softflowd",
        package: "softflowd",
        does: "flows by 5-tuple, 8,192 at once, counted and not exported",
        arguments: &[
            "-d",
            "-r",
            "{capture}",
            "-p",
            "softflowd.pid",
            // Version 1.1.0 sometimes waits forever at its control socket.
            "-c",
            "none",
        ],
    },
    Peer {
        name: "tcpdump copy",
        program: "tcpdump",
        package: "tcpdump",
        does: "nothing: records read and written to /dev/null",
        arguments: &["-n", "-r", "{capture}", "-w", "/dev/null"],
    },
    Peer {
        name: "tcpdump count",
        program: "tcpdump",
        package: "tcpdump",
        does: "one count: records",
        arguments: &["-n", "--count", "-r", "{capture}"],
    },
    Peer {
        name: "capinfos",
        program: "capinfos",
        package: "wireshark-common",
        does: "counts: records, bytes, first and last time",
        arguments: &["-M", "-c", "-d", "-a", "-e", "{capture}"],
    },
];

/// The runs of a program.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Which.
    pub peer: &'static Peer,
    /// Its runs, in order of their wall time.
    pub runs: Vec<Usage>,
    packets: u64,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Ours first, then every peer that is installed.
    pub ran: Vec<Ran>,
    /// Peers that are not installed.
    pub missing: Vec<&'static Peer>,
    /// Peers that failed, and why.
    pub failed: Vec<(&'static Peer, String)>,
}

/// A program that takes longer is given up: the slowest peer needs some 40 seconds for the ten million packets of the plain capture.
const TIME_MAX: Duration = Duration::from_secs(600);

/// Runs `sensor` and every installed peer in turn, `runs` times each.
///
/// # Errors
/// When the sensor fails; the comparison reports a peer that fails.
pub fn compare(sensor: &Path, capture: &Capture, work: &Path, runs: usize) -> Result<Comparison> {
    capture.warm()?;
    let mut comparison = Comparison::default();
    let ran = |peer| Ran {
        peer,
        runs: Vec::new(),
        packets: capture.records,
    };
    let mut programs = vec![(ran(&OURS), fs::canonicalize(sensor)?)];
    for peer in PEERS {
        match installed(peer.program) {
            Some(program) => programs.push((ran(peer), program)),
            None => comparison.missing.push(peer),
        }
    }
    for _ in 0..runs.max(1) {
        let mut place = 0;
        while let Some((ran, program)) = programs.get_mut(place) {
            match once(ran.peer, program, capture, work).context(ran.peer.name) {
                Ok(usage) => {
                    ran.runs.push(usage);
                    place += 1;
                }
                Err(error) if place == 0 => return Err(error),
                Err(error) => {
                    comparison.failed.push((ran.peer, format!("{error:#}")));
                    programs.remove(place);
                }
            }
        }
    }
    for (mut ran, _) in programs {
        ran.runs.sort_by_key(|usage| usage.wall);
        comparison.ran.push(ran);
    }
    Ok(comparison)
}

fn once(peer: &Peer, program: &Path, capture: &Capture, work: &Path) -> Result<Usage> {
    let folder = work.join("peer");
    remove(&folder)?;
    fs::create_dir_all(&folder)?;
    let file = fs::canonicalize(&capture.path)?;
    let mut command = Command::new(program);
    for argument in peer.arguments {
        command.arg(argument.replace("{capture}", &file.to_string_lossy()));
    }
    let messages = work.join("peer.messages");
    command
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&messages)?);
    let usage = measure_within(&mut command, TIME_MAX)?;
    let said = fs::read(&messages)?;
    let last = String::from_utf8_lossy(&said[said.len().saturating_sub(300)..]).into_owned();
    ensure!(
        usage.status.success(),
        "it ended with {}: {last}",
        usage.status
    );
    remove(&messages)?;
    remove(&folder)?;
    Ok(usage)
}

/// The headings of the columns.
pub const HEADINGS: &str = "program        wall s   CPU s   M/s wall  M/CPU-s  peak MiB  ours is: wall   CPU   what it does";

impl Comparison {
    /// The rows, and a line for each peer that is missing.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.ran.iter().map(|ran| self.row(ran)).collect();
        rows.extend(self.missing.iter().map(|peer| {
            format!(
                "{:<14} is not installed: apt-get install {}",
                peer.name, peer.package
            )
        }));
        let failed = self.failed.iter();
        rows.extend(failed.map(|(_, why)| format!("failed: {}", why.replace('\n', " "))));
        rows
    }

    fn row(&self, ran: &Ran) -> String {
        let (wall, processor) = ran.seconds();
        let ours = self.ran.first().map_or((wall, processor), Ran::seconds);
        let packets = ran.packets as f64 / 1e6;
        format!(
            "{:<14}{wall:>7.3}{processor:>8.3}{:>11.2}{:>9.2}{:>10.0}{:>14.2}×{:>5.2}×   {}",
            ran.peer.name,
            packets / wall,
            packets / processor,
            ran.median().peak_bytes as f64 / f64::from(1 << 20),
            wall / ours.0,
            processor / ours.1,
            ran.peer.does,
        )
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        let ran: Vec<Value> = self.ran.iter().map(Ran::json).collect();
        let missing: Vec<&str> = self.missing.iter().map(|peer| peer.name).collect();
        let failed: Vec<&str> = self.failed.iter().map(|(peer, _)| peer.name).collect();
        json!({ "programs": ran, "missing": missing, "failed": failed })
    }
}

impl Ran {
    fn median(&self) -> &Usage {
        &self.runs[self.runs.len() / 2]
    }

    fn seconds(&self) -> (f64, f64) {
        let median = self.median();
        (median.wall.as_secs_f64(), median.processor.as_secs_f64())
    }

    fn json(&self) -> Value {
        let (wall, processor) = self.seconds();
        let walls: Vec<f64> = self.runs.iter().map(|run| run.wall.as_secs_f64()).collect();
        json!({
            "program": self.peer.name,
            "package": self.peer.package,
            "does": self.peer.does,
            "packets": self.packets,
            "wall_seconds": wall,
            "wall_seconds_of_all_runs": walls,
            "processor_seconds": processor,
            "peak_bytes": self.median().peak_bytes,
        })
    }
}
