//! INPUTS: the captures for the measurements. `teiten-synth` writes each once, with its truth.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files::remove;
use crate::program::SYNTH;
use crate::usage::measure;

/// The dark prefix of every capture: 64 k addresses of the benchmarking space (RFC 2544).
pub const TELESCOPE: &str = "198.18.0.0/16";
/// Packets of a capture, unless another number is asked for.
pub const PACKETS: u64 = 10_000_000;
/// Packets of a flood, and of a full one.
pub const FLOOD_PACKETS: u64 = 20_000_000;
/// Packets of the flood of `--full`.
pub const FLOOD_PACKETS_FULL: u64 = 100_000_000;
/// Packets of a small run: enough for several blocks, hours and parts.
pub const PACKETS_SMALL: u64 = 20_000;

/// A capture.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// Ending of its file, which decides format and compression.
    pub ending: &'static str,
    /// Flags of `teiten-synth`.
    pub flags: &'static [&'static str],
    /// Sources to draw from, for each thousand packets; none: the synthesiser's own rule.
    pub sources_per_mille: Option<u64>,
    /// Whether it is as long as a flood.
    pub is_flood: bool,
    /// How it is cut, if not one file of two hours.
    pub cut: Cut,
}

/// How the packets of a capture lie in files and hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In one file, as the flags say.
    Whole,
    /// In a folder of files with so many packets each.
    Files(u64),
    /// In one file, as many hours long as there are so many packets.
    Hours(u64),
}

/// The traffic of the plain case in another form.
const fn mixed(name: &'static str, ending: &'static str, flags: &'static [&'static str]) -> Input {
    Input {
        name,
        ending,
        flags,
        sources_per_mille: Some(100),
        is_flood: false,
        cut: Cut::Whole,
    }
}

/// Ten million packets of a million possible sources by Zipf's law with exponent 1.1 in two hours, in all forms; the same number of
/// packets of sources that are all alike; floods of one kind and of all kinds; skewed sources; half of it over IPv6; many small files; and a
/// year of a small telescope.
pub const INPUTS: &[Input] = &[
    mixed("plain", "pcap", &["--zipf", "1.1", "--span", "2h"]),
    mixed(
        "pcapng",
        "pcapng",
        &["--zipf", "1.1", "--span", "2h", "--format", "pcapng"],
    ),
    mixed("gz", "pcap.gz", &["--zipf", "1.1", "--span", "2h"]),
    mixed("zst", "pcap.zst", &["--zipf", "1.1", "--span", "2h"]),
    mixed("lz4", "pcap.lz4", &["--zipf", "1.1", "--span", "2h"]),
    Input {
        name: "flat",
        ending: "pcap",
        flags: &["--flat", "--span", "2h"],
        // 10 million draws of 4.33 million sources meet 3.9 million of them.
        sources_per_mille: Some(433),
        is_flood: false,
        cut: Cut::Whole,
    },
    Input {
        name: "flood",
        ending: "pcap",
        flags: &["--flood", "--span", "2h"],
        sources_per_mille: None,
        is_flood: true,
        cut: Cut::Whole,
    },
    Input {
        name: "flood-mixed",
        ending: "pcap",
        flags: &["--flood-mixed", "--ipv6", "0.1", "--span", "2h"],
        sources_per_mille: None,
        is_flood: true,
        cut: Cut::Whole,
    },
    // One source sends half of everything, and all others are of one /8.
    Input {
        name: "skewed",
        ending: "pcap",
        flags: &[
            "--flood-mixed",
            "--heavy",
            "0.5",
            "--forged-from",
            "45.0.0.0/8",
            "--span",
            "2h",
        ],
        sources_per_mille: None,
        is_flood: false,
        cut: Cut::Whole,
    },
    mixed(
        "ipv6-half",
        "pcap",
        &["--zipf", "1.1", "--span", "2h", "--ipv6", "0.5"],
    ),
    Input {
        name: "many-files",
        ending: "captures",
        flags: &["--zipf", "1.1", "--span", "2h"],
        sources_per_mille: Some(100),
        is_flood: false,
        cut: Cut::Files(1_000),
    },
    // Ten million packets are 8,772 hours: a year and twelve hours.
    Input {
        name: "year",
        ending: "pcap",
        flags: &["--zipf", "1.1"],
        sources_per_mille: Some(100),
        is_flood: false,
        cut: Cut::Hours(1_140),
    },
];

/// The input of this name.
#[must_use]
pub fn input(name: &str) -> Option<&'static Input> {
    INPUTS.iter().find(|input| input.name == name)
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Packets of all captures but floods.
    pub packets: u64,
    /// Packets of floods.
    pub flood_packets: u64,
}

impl Scale {
    /// Packets of an input.
    #[must_use]
    pub fn packets_of(self, input: &Input) -> u64 {
        if input.is_flood {
            self.flood_packets
        } else {
            self.packets
        }
    }
}

/// A capture on disk, with its truth.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The file, or the folder of its files.
    pub path: PathBuf,
    /// Its size, bytes.
    pub file_bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Bytes of all records on the wire.
    pub wire_bytes: u64,
    /// Packets that a sensor must observe.
    pub observed: u64,
    /// Bytes of them on the wire.
    pub observed_bytes: u64,
    /// Distinct sources.
    pub sources: u64,
}

impl Input {
    /// The capture of `packets` packets in `folder`; written if it is missing.
    ///
    /// # Errors
    /// When it cannot be written or its truth not be read.
    pub fn capture(&self, folder: &Path, packets: u64) -> Result<Capture> {
        let flags = self.all_flags(packets);
        let path = folder.join(format!(
            "{}-{packets}-{}.{}",
            self.name,
            short_hash(&flags),
            self.ending
        ));
        if !path.exists() || !truth_path(&path).exists() {
            write(&path, &flags, self.cut)?;
        }
        read_truth(&path).with_context(|| format!("the truth of {}", path.display()))
    }

    fn all_flags(&self, packets: u64) -> Vec<String> {
        let mut flags: Vec<String> = ["--telescope", TELESCOPE, "--packets"]
            .map(str::to_owned)
            .into();
        flags.push(packets.to_string());
        if let Some(per_mille) = self.sources_per_mille {
            flags.push("--sources".to_owned());
            flags.push((packets * per_mille / 1000).max(1).to_string());
        }
        flags.extend(self.flags.iter().map(|flag| (*flag).to_owned()));
        match self.cut {
            Cut::Whole => {}
            Cut::Files(each) => {
                flags.extend(["--split".into(), packets.div_ceil(each).to_string()]);
            }
            Cut::Hours(each) => {
                flags.extend(["--span".into(), format!("{}h", packets.div_ceil(each))]);
            }
        }
        flags
    }
}

/// Captures of other flags have other names, so that an old one is never taken for a new one.
fn short_hash(flags: &[String]) -> String {
    let digest = Sha256::digest(flags.join(" ").as_bytes());
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn truth_path(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.truth.json", path.display()))
}

fn write(path: &Path, flags: &[String], cut: Cut) -> Result<()> {
    // It has another name until it is complete, so that a partial one is not measured next time. The ending decides the compression.
    let name = path
        .file_name()
        .context("a capture has a name")?
        .to_string_lossy();
    let growing = path.with_file_name(format!("growing-{name}"));
    let mut output = growing.clone();
    if let Cut::Files(_) = cut {
        remove(&growing)?;
        std::fs::create_dir_all(&growing)?;
        output = growing.join("part.pcap");
    }
    let mut synth = Command::new(SYNTH.find()?);
    synth.arg("-o").arg(&output).args(flags);
    let usage = measure(synth.stdout(Stdio::null()).stderr(Stdio::null()))?;
    ensure!(
        usage.status.success(),
        "teiten-synth ended with {}: is there space for {}?",
        usage.status,
        path.display()
    );
    std::fs::rename(truth_path(&output), truth_path(path))?;
    // Dirty pages that the kernel writes out later would be written while something is measured.
    for file in files(&growing)? {
        File::open(&file)?.sync_all()?;
    }
    remove(path)?;
    std::fs::rename(&growing, path)?;
    Ok(())
}

/// The files of a capture: those of its folder, or itself.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    files.collect()
}

fn read_truth(path: &Path) -> Result<Capture> {
    let truth: Value = serde_json::from_slice(&std::fs::read(truth_path(path))?)?;
    let number = |pointer: &str| {
        let value = truth.pointer(pointer).and_then(Value::as_u64);
        value.with_context(|| format!("it has no {pointer}"))
    };
    Ok(Capture {
        path: path.to_owned(),
        file_bytes: files(path)?
            .iter()
            .map(|file| Ok(std::fs::metadata(file)?.len()))
            .sum::<Result<u64>>()?,
        records: number("/accounting/records")?,
        wire_bytes: number("/accounting/bytes")?,
        observed: number("/packets")?,
        observed_bytes: number("/bytes")?,
        sources: number("/sources/total")?,
    })
}

impl Capture {
    /// Reads all of it, so that it is in the page cache as far as it fits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn warm(&self) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        for file in files(&self.path)? {
            let mut file = File::open(&file)?;
            while file.read(&mut buffer)? > 0 {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_inputs_are_unique() {
        for (index, one) in INPUTS.iter().enumerate() {
            assert!(INPUTS[..index].iter().all(|other| other.name != one.name));
        }
    }

    #[test]
    fn other_flags_are_another_file() {
        let flags = |name: &str| input(name).expect("a known input").all_flags(1000);
        assert_ne!(short_hash(&flags("plain")), short_hash(&flags("flat")));
        assert_eq!(short_hash(&flags("plain")), short_hash(&flags("zst")));
    }
}
