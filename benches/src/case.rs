//! What is measured: one row per case in CASES, each a capture that `teiten-synth` writes and the flags of its replay.

/// A capture and how it is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name in the table and of the capture.
    pub name: &'static str,
    /// What it stands for.
    pub about: &'static str,
    /// Packets of the full size.
    pub packets: u64,
    /// Flags of `teiten-synth` besides the file, the telescope and the packets.
    pub synth: &'static [&'static str],
    /// Flags of `teiten-sensor replay` besides the file, the data folder and the telescope.
    pub replay: &'static [&'static str],
}

/// The dark prefix of every case: 64 k addresses of the benchmarking space (RFC 2544).
pub const TELESCOPE: &str = "198.18.0.0/16";

/// Packets of a small run: enough for several blocks, hours and parts.
pub const SMALL_PACKETS: u64 = 20_000;

/// Every case, in the order of the table.
pub const CASES: &[Case] = &[
    Case {
        name: "mixed",
        about: "10 million packets of a million sources in two hours",
        packets: 10_000_000,
        synth: &["--sources", "1000000", "--span", "2h"],
        replay: &[],
    },
    Case {
        name: "mixed-1-worker",
        about: "the same with one worker",
        packets: 10_000_000,
        synth: &["--sources", "1000000", "--span", "2h"],
        replay: &["--workers", "1"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cases_are_unique() {
        for (index, case) in CASES.iter().enumerate() {
            assert!(CASES[..index].iter().all(|other| other.name != case.name));
        }
    }
}
