//! The description of a data file and its oddities, for metadata and messages.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::date::DateSource;

/// The format of a data file, recognised by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginFormat {
    /// START,END,VALUE with commas, as in tor's geoip and geoip6 and several vendors' files; addresses decimal or as text.
    Ranges,
    /// PREFIX,VALUE, as in the CSV of IPinfo and GeoLite2.
    Prefixes,
    /// START, END, AS and more with tabs, as in iptoasn.
    TabbedRanges,
    /// A registry's delegated or delegated-extended file.
    Delegated,
    /// Prefix, length and AS with tabs, as in RouteViews pfx2as.
    PrefixToAs,
    /// A MaxMind DB file.
    Mmdb,
}

impl OriginFormat {
    /// The name of such files, in the plural, for messages and metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OriginFormat::Ranges => "lines of START,END,VALUE",
            OriginFormat::Prefixes => "lines of PREFIX,VALUE",
            OriginFormat::TabbedRanges => "lines of START, END, AS with tabs",
            OriginFormat::Delegated => "delegated files",
            OriginFormat::PrefixToAs => "pfx2as files",
            OriginFormat::Mmdb => "MMDB files",
        }
    }
}

/// Oddities of a file that are no errors: they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddities {
    /// Ranges that end before they begin: left out.
    pub reversed: u64,
    /// Ranges that begin inside an earlier one: the narrower wins.
    pub overlapping: u64,
    /// Ranges (records, in an MMDB file) whose code is no country of ISO 3166-1, such as `EU`, `A1` or `??`: `ZZ`.
    pub no_country: u64,
    /// Rows that are not understood: left out.
    pub bad_rows: u64,
    /// Prefixes that several systems announce: the first one is used.
    pub several_origins: u64,
}

/// What a file was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Countries, from `--geo`.
    Country,
    /// Autonomous systems, from `--asn`.
    Asn,
}

impl Subject {
    /// What it is called in messages.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Subject::Country => "countries",
            Subject::Asn => "AS numbers",
        }
    }

    /// How files that are kept for it are named.
    pub(super) const fn file_word(self) -> &'static str {
        match self {
            Subject::Country => "country",
            Subject::Asn => "asn",
        }
    }

    pub(super) const fn other_flag(self) -> &'static str {
        match self {
            Subject::Country => "--asn",
            Subject::Asn => "--geo",
        }
    }
}

/// A row that does not match its format: it is left out, counted and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Counted from 1, after decompression.
    pub line: usize,
    /// The expected value.
    pub expected: &'static str,
    /// The row's text, at most 80 bytes of it.
    pub found: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRow {
            line,
            expected,
            found,
        } = self;
        write!(
            formatter,
            "line {line}: expected {expected}, found {found:?}"
        )
    }
}

/// The data that was used, as named in every table's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// What the file was asked for.
    pub subject: Subject,
    /// The file's name without its folder.
    pub name: String,
    /// Its kind.
    pub format: OriginFormat,
    /// Day of the data, UTC.
    pub date: Date,
    /// Where that date was found.
    pub date_source: DateSource,
    /// SHA-256 of the file's bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Ranges that were read.
    pub ranges: u64,
    /// What was odd in it.
    pub oddities: Oddities,
    /// The first of the rows that were left out because they are not understood; `oddities` counts them all.
    pub bad_rows: Vec<BadRow>,
}

impl Provenance {
    /// A message about the rows that were left out; `None` if every row was understood.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let count = self.oddities.bad_rows;
        let first: Vec<String> = self.bad_rows.iter().map(ToString::to_string).collect();
        (count > 0).then(|| {
            format!(
                "{}: {count} of its rows are left out, not understood: {}{}",
                self.name,
                first.join("; "),
                if count > first.len() as u64 {
                    "; …"
                } else {
                    ""
                }
            )
        })
    }
}

/// Name, date with where it was found, and hash: one line for metadata and messages.
impl fmt::Display for Provenance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, date, hash) = (&self.name, &self.date, &self.sha256);
        write!(
            formatter,
            "{name} {date} ({}) sha256:{hash}",
            self.date_source.name()
        )
    }
}
