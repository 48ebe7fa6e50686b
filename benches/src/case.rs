//! CASES: the variants of the whole job, each with a capture, how it is replayed, and its targets.

use crate::program::installed;

/// A variant of the whole job.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name in the table.
    pub name: &'static str,
    /// What the case represents.
    pub about: &'static str,
    /// Name of the capture, among [`crate::input::INPUTS`].
    pub input: &'static str,
    /// What is run.
    pub work: Work,
    /// The target.
    pub aim: Aim,
}

/// What is run on a capture.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// The built sensor, with these flags besides the file, the data folder and the telescope.
    Replay(&'static [&'static str]),
    /// The same on these processors alone, as taskset(1) counts them.
    Within(&'static str, &'static [&'static str]),
    /// The decompressor alone, on one thread.
    Decompress,
    /// Another program; `{capture}` in its arguments is the file. It does far less, and says how fast the machine was in that minute. It is left
    /// out where it is not installed.
    Peer(&'static str, &'static [&'static str]),
}

/// Runs a program on some of the processors.
pub const TASKSET: &str = "taskset";

impl Case {
    /// Whether what it runs is there.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        match self.work {
            Work::Peer(program, _) => installed(program).is_some(),
            Work::Within(..) => installed(TASKSET).is_some(),
            Work::Replay(_) | Work::Decompress => true,
        }
    }
}

/// The targets of a case, for two cores; they are ambitious on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aim {
    /// Millions of packets a second of wall time.
    pub rate: Option<f64>,
    /// Millions of packets for each second of processor time.
    pub processor_rate: Option<f64>,
    /// Memory beyond the mapped file, bytes.
    pub own_bytes: Option<u64>,
    /// Rate as a share of that of another case.
    pub share: Option<(&'static str, f64)>,
}

const NONE: Aim = Aim {
    rate: None,
    processor_rate: None,
    own_bytes: None,
    share: None,
};
const PLAIN_BYTES: Option<u64> = Some(1 << 30);

/// A compressed capture must be replayed at four fifths of the rate of its decompressor on one core.
const fn compressed(name: &'static str, alone: &'static str, about: &'static str) -> Case {
    Case {
        name,
        about,
        input: name,
        work: Work::Replay(&[]),
        aim: Aim {
            own_bytes: PLAIN_BYTES,
            share: Some((alone, 0.8)),
            ..NONE
        },
    }
}

const fn alone(name: &'static str, input: &'static str) -> Case {
    Case {
        name,
        about: "its decompressor alone",
        input,
        work: Work::Decompress,
        aim: NONE,
    }
}

/// Every case, in the order of the table. Cases of one capture run in alternation.
pub const CASES: &[Case] = &[
    Case {
        name: "plain",
        about: "pcap, a worker for each processor",
        input: "plain",
        work: Work::Replay(&[]),
        aim: Aim {
            // 10 GbE of smallest frames: 10^10 / (84 × 8) a second.
            rate: Some(14.88),
            processor_rate: Some(7.5),
            own_bytes: PLAIN_BYTES,
            share: Some(("capinfos", 1.14)),
        },
    },
    Case {
        name: "capinfos",
        about: "counts the packets of plain",
        input: "plain",
        work: Work::Peer("capinfos", &["-M", "-c", "{capture}"]),
        aim: NONE,
    },
    Case {
        name: "tracereport",
        about: "counts the packets of plain by protocol, and flows",
        input: "plain",
        work: Work::Peer("tracereport", &["-P", "-F", "pcapfile:{capture}"]),
        aim: NONE,
    },
    Case {
        name: "workers-1",
        about: "the same by one worker",
        input: "plain",
        work: Work::Replay(&["--workers", "1"]),
        aim: NONE,
    },
    Case {
        name: "workers-2",
        about: "the same by two",
        input: "plain",
        work: Work::Replay(&["--workers", "2"]),
        aim: NONE,
    },
    Case {
        name: "processor-1",
        about: "the same on one processor, which reads, counts and closes",
        input: "plain",
        work: Work::Within("0", &["--workers", "1"]),
        aim: NONE,
    },
    Case {
        name: "processors-2",
        about: "the same on two",
        input: "plain",
        work: Work::Within("0,1", &["--workers", "2"]),
        aim: Aim {
            share: Some(("processor-1", 1.7)),
            ..NONE
        },
    },
    Case {
        name: "flat",
        about: "39 % of the packets are of a source's first",
        input: "flat",
        work: Work::Replay(&[]),
        aim: Aim {
            rate: Some(6.0),
            own_bytes: Some(2 << 30),
            ..NONE
        },
    },
    Case {
        name: "pcapng",
        about: "the packets of plain as pcapng",
        input: "pcapng",
        work: Work::Replay(&[]),
        aim: Aim {
            rate: Some(10.0),
            own_bytes: PLAIN_BYTES,
            ..NONE
        },
    },
    compressed("gz", "gz-alone", "the packets of plain, gzip level 6"),
    alone("gz-alone", "gz"),
    compressed("zst", "zst-alone", "the packets of plain, zstd level 3"),
    alone("zst-alone", "zst"),
    compressed("lz4", "lz4-alone", "the packets of plain, LZ4 frames"),
    alone("lz4-alone", "lz4"),
    Case {
        name: "flood",
        about: "every packet of a new forged source",
        input: "flood",
        work: Work::Replay(&["--memory", "512M"]),
        aim: Aim {
            rate: Some(3.0),
            own_bytes: Some(640 << 20),
            ..NONE
        },
    },
    Case {
        name: "flood-mixed",
        about: "the same, of all kinds of packets and every port",
        input: "flood-mixed",
        work: Work::Replay(&["--memory", "512M", "--telescope", "2001:db8::/32"]),
        aim: Aim {
            rate: Some(3.0),
            own_bytes: Some(640 << 20),
            ..NONE
        },
    },
    Case {
        name: "skewed",
        about: "one source sends half, the others are of one /8",
        input: "skewed",
        work: Work::Replay(&["--memory", "512M"]),
        aim: Aim {
            own_bytes: Some(640 << 20),
            ..NONE
        },
    },
    Case {
        name: "many-files",
        about: "the traffic of plain in files of 1,000 packets",
        input: "many-files",
        work: Work::Replay(&[]),
        aim: Aim {
            own_bytes: PLAIN_BYTES,
            ..NONE
        },
    },
    Case {
        name: "year",
        about: "a year of hours, on disk",
        input: "year",
        work: Work::Replay(&[]),
        aim: Aim {
            own_bytes: PLAIN_BYTES,
            ..NONE
        },
    },
    Case {
        name: "ipv6-half",
        about: "half of the packets over IPv6",
        input: "ipv6-half",
        work: Work::Replay(&["--telescope", "2001:db8::/32"]),
        aim: Aim {
            own_bytes: PLAIN_BYTES,
            ..NONE
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::input;

    #[test]
    fn names_of_cases_are_unique_and_their_inputs_exist() {
        for (index, case) in CASES.iter().enumerate() {
            assert!(CASES[..index].iter().all(|other| other.name != case.name));
            assert!(input(case.input).is_some(), "{}", case.input);
        }
    }

    #[test]
    fn shares_are_of_cases_with_the_same_capture() {
        for case in CASES {
            if let Some((other, _)) = case.aim.share {
                let other = CASES.iter().find(|case| case.name == other);
                assert_eq!(other.map(|other| other.input), Some(case.input));
            }
        }
    }
}
