//! Synthesises darknet traffic with known truth, for tests, benchmarks and demonstrations.
//!
//! [`write()`] turns a [`Scenario`] into a capture and returns the [`Truth`], counted while the packets are made. The code is independent of
//! the programs that it checks: it shares no table, no parser and no classifier with them, so that both cannot have the same mistake. The same
//! scenario gives the same bytes on every machine and with any number of threads.
//!
//! Definitions of the truth:
//! - A packet's class is its sender's purpose. A source that cannot exist makes a packet `spoofed` with any contents; a later fragment, a
//!   tunnel and a rare protocol are `other`; scans with any TCP flags, empty datagrams, datagrams of unknown bytes, SIP OPTIONS, SCTP INITs
//!   and pings are `scan`.
//! - The tool is the one that sent it. Random identifications coincide with a tool's mark once in 65,536 packets, in noise 64 times as often;
//!   the truth ignores coincidences. A single packet of nmap or unicornscan cannot be distinguished from others; the truth still names them.
//! - The port of backscatter is the attacked service: the source port, or the quoted packet's destination port in an ICMP error.
//! - A damaged IPv4 header is counted as damaged and not observed; damage further in is observed with the type and class `malformed` and
//!   no port.
//!
//! The modules: `scenario` the settings · `roles` the model, one row for each kind of sender · `families` planted groups that act alike ·
//! `attack` planted attacks · `send/` their packets · `source`, `population`, `countries`, `zipf`, `clock`, `telescope` the sources, their
//! numbers and times, and the destinations · `packet`, `stack`, `format`, `output` bytes · `synth` the generator · `tally`, `truth`, `label`,
//! `geo` the truth · `tables` whole tables instead of packets.

pub mod attack;
pub mod clock;
pub mod countries;
pub mod families;
pub mod flood;
pub mod format;
pub mod geo;
pub mod kinds;
pub mod label;
pub mod output;
pub mod packet;
pub mod population;
pub mod random;
pub mod roles;
pub mod scenario;
pub mod send;
pub mod source;
pub mod stack;
pub mod synth;
pub mod tables;
pub mod tally;
pub mod telescope;
pub mod truth;
pub mod zipf;

use std::path::PathBuf;

pub use scenario::{Format, Link, Scenario, Shape};
pub use synth::{write, write_labelled, write_split};
pub use telescope::{Prefix, Telescope};
pub use truth::Truth;

/// Why no capture was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no prefix.
    #[error(
        "{0} is no prefix: write ADDRESS/LENGTH with zeros behind the length, as in 198.18.0.0/16"
    )]
    Prefix(String),
    /// The scenario is impossible.
    #[error("{0}")]
    Contradiction(&'static str),
    /// More sources than the model has addresses for.
    #[error(
        "{asked} sources are more than the model has addresses for: lower --sources to at most {}, or use --flood",
        scenario::SOURCES_MAX
    )]
    TooManySources {
        /// Sources asked for.
        asked: u32,
    },
    /// The country file cannot be read.
    #[error("cannot read the country file {path} (name another with --geo, or --geo none)")]
    CountryFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the country file is not START,END,COUNTRY.
    #[error(
        "{path} line {line} is not START,END,COUNTRY: name another file with --geo, or --geo none"
    )]
    CountryLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The capture cannot be written.
    #[error("cannot write the capture")]
    Write(#[from] std::io::Error),
    /// A table cannot be written.
    #[error("cannot write {path}")]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A worker ended early.
    #[error("a worker thread ended early: this is a defect of the synthesiser")]
    Worker,
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
