//! Where a source is: its country and its autonomous system, from files that the user names or that lie in known folders (`default.rs`).
//!
//! Files are read once, by content not name, into one table per family; sources are looked up once each, when their hour closes.
//! Of files of several dates each hour has its own (`edition.rs`). Special-purpose space is cut out of what the files say (`special.rs`).
//! The lists of actors ride along, so that all of a source's origin is reloaded at once; what they say is told in `actor.rs`.

mod country;
mod date;
mod default;
mod edition;
pub(crate) mod flatten;
mod load;
mod mmdb;
mod number;
mod special;
pub(crate) mod table;
mod text;

use std::fmt;
use std::path::PathBuf;

use edition::{Edition, Editions};
use table::{Answer, TableV4, TableV6, Value};

pub use self::country::Country;
pub use self::date::DateSource;
pub use self::default::{MACHINE_FOLDER, user_folder};
#[doc(hidden)]
pub use self::load::fuzz_load;
use crate::actor::{ActorError, Actors};
use crate::dataset::Hour;
use teiten_observation::{Address, Family};

/// An autonomous system's number; 0, which RFC 7607 reserves, says that none is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asn(u32);

/// The kind of a data file, told by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// START,END,VALUE with commas, as tor's geoip and geoip6 and several vendors have it; addresses decimal or as text.
    Ranges,
    /// START, END, AS and more with tabs, as iptoasn has it.
    TabbedRanges,
    /// A registry's delegated or delegated-extended file.
    Delegated,
    /// Prefix, length and AS with tabs, as RouteViews pfx2as has it.
    PrefixToAs,
    /// A MaxMind DB file.
    Mmdb,
}

impl Format {
    /// What such files are called, in the plural, for messages and metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Ranges => "lines of START,END,VALUE",
            Format::TabbedRanges => "lines of START, END, AS with tabs",
            Format::Delegated => "delegated files",
            Format::PrefixToAs => "pfx2as files",
            Format::Mmdb => "MMDB files",
        }
    }
}

/// What was odd in a file and is no error: read past, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Ranges that end before they begin: left out.
    pub reversed: u64,
    /// Ranges that begin inside an earlier one: the narrower wins.
    pub overlapping: u64,
    /// Ranges (records, in an MMDB file) whose code is no country of ISO 3166-1, such as `EU`, `A1` or `??`: `ZZ`.
    pub no_country: u64,
    /// Prefixes that several systems announce: the first one stands.
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

    const fn other_flag(self) -> &'static str {
        match self {
            Subject::Country => "--asn",
            Subject::Asn => "--geo",
        }
    }
}

/// Which data was used: what every table's metadata names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// What the file was asked for.
    pub subject: Subject,
    /// The file's name without its folder.
    pub name: String,
    /// Its kind.
    pub format: Format,
    /// Day of the data, `YYYY-MM-DD`, UTC.
    pub date: String,
    /// Where that date was found.
    pub date_source: DateSource,
    /// SHA-256 of the file as it lies, lower-case hexadecimal.
    pub sha256: String,
    /// Ranges that were read.
    pub ranges: u64,
    /// What was odd in it.
    pub oddities: Oddities,
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

/// Why origin data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The file cannot be read.
    #[error("cannot read origin data {path}: {source}; name a readable file with --geo or --asn")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line, or the first one that tells the format, is not what it must be.
    #[error("origin data {path}, line {line}: expected {expected}, found {found:?}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1, after decompression.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there, at most 80 bytes of it.
        found: String,
    },
    /// The file is of a known kind that does not hold what it was asked for.
    #[error("origin data {path}: {} hold no {}; give the file with {}", format.name(), subject.noun(), subject.other_flag())]
    Subject {
        /// The file.
        path: PathBuf,
        /// Its kind.
        format: Format,
        /// What it was asked for.
        subject: Subject,
    },
    /// A MaxMind DB file is damaged.
    #[error("origin data {path} is a damaged MaxMind DB file: {source}")]
    Mmdb {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: maxminddb::MaxMindDbError,
    },
    /// A list of actors.
    #[error(transparent)]
    Actor(#[from] ActorError),
    /// The file holds no range at all.
    #[error("origin data {path} holds no range of addresses; is it the whole file?")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Countries and autonomous systems of addresses, with their provenance. Built once, then only asked.
#[derive(Clone, Debug)]
pub struct Origins {
    country: Editions<Country>,
    asn: Editions<Asn>,
    actors: Actors,
    /// Of the files for countries, then of those for systems.
    provenance: Vec<Provenance>,
    /// How many of them are for countries.
    countries: usize,
}

/// Which files answer for a subject from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period<'a> {
    /// Countries or systems.
    pub subject: Subject,
    /// First day, `YYYY-MM-DD`; none for the first period.
    pub from: Option<&'a str>,
    /// The files, in rising precedence.
    pub files: Vec<&'a Provenance>,
}

fn periods<'a>(
    subject: Subject,
    editions: impl Iterator<Item = (&'a str, &'a [usize])>,
    provenance: &'a [Provenance],
) -> impl Iterator<Item = Period<'a>> {
    editions
        .enumerate()
        .map(move |(index, (from, files))| Period {
            subject,
            from: (index > 0).then_some(from),
            files: files.iter().map(|&file| &provenance[file]).collect(),
        })
}

#[derive(Clone, Debug)]
struct Tables<V> {
    v4: TableV4<V>,
    v6: TableV6<V>,
}

impl<V: Value> Tables<V> {
    fn empty() -> Self {
        Tables {
            v4: TableV4::new(&[]),
            v6: TableV6::new(&[]),
        }
    }

    #[inline]
    fn find<A: Address>(&self, source: A) -> V {
        match A::FAMILY {
            Family::Ipv4 => self.v4.find(source.number() as u32),
            Family::Ipv6 => self.v6.find(source.number()),
        }
    }

    #[inline]
    fn answer<A: Address>(&self, source: A) -> Answer<A, V> {
        let (first, last, value) = match A::FAMILY {
            Family::Ipv4 => {
                let answer = self.v4.answer(source.number() as u32);
                (
                    u128::from(answer.first),
                    u128::from(answer.last),
                    answer.value,
                )
            }
            Family::Ipv6 => {
                let answer = self.v6.answer(source.number());
                (answer.first, answer.last, answer.value)
            }
        };
        Answer {
            first: A::from_number(first),
            last: A::from_number(last),
            value,
        }
    }
}

impl Origins {
    /// Knows nothing: every country is `ZZ`, no system has a number.
    #[must_use]
    pub fn empty() -> Origins {
        Origins {
            country: Editions::empty(),
            asn: Editions::empty(),
            actors: Actors::default(),
            provenance: Vec::new(),
            countries: 0,
        }
    }

    /// Reads country data from `geo` and systems from `asn`; formats are told by content, plain or gz. A later file of a list
    /// wins over an earlier one; of files with dates that hold the same, each hour has the one that fits it.
    ///
    /// # Errors
    /// The first file that cannot be read or is not what it should be, with the line and what was expected there.
    pub fn load(geo: &[PathBuf], asn: &[PathBuf]) -> Result<Origins, OriginError> {
        load::load(geo, asn)
    }

    /// The country files that are used when the user named none: the first of the user's folder, the machine's folder (both are
    /// filled by `teiten-sensor geo update`) and Debian's `tor-geoipdb` that holds any.
    #[must_use]
    pub fn find_default() -> Vec<PathBuf> {
        default::find()
    }

    /// What holds in an hour.
    #[must_use]
    pub fn on(&self, hour: Hour) -> OriginsOfDay<'_> {
        let day = hour.date();
        OriginsOfDay {
            country: self.country.on(&day),
            asn: self.asn.on(&day),
            provenance: &self.provenance,
            countries: self.countries,
        }
    }

    /// What holds by the newest data.
    #[must_use]
    pub fn newest(&self) -> OriginsOfDay<'_> {
        OriginsOfDay {
            country: self.country.newest(),
            asn: self.asn.newest(),
            provenance: &self.provenance,
            countries: self.countries,
        }
    }

    /// The country of a source, by the newest data.
    #[inline]
    #[must_use]
    pub fn country<A: Address>(&self, source: A) -> Country {
        self.newest().country(source)
    }

    /// The autonomous system of a source, by the newest data.
    #[inline]
    #[must_use]
    pub fn asn<A: Address>(&self, source: A) -> Option<u32> {
        self.newest().asn(source)
    }

    /// Which files answer from which day on: a line for each edition, the first of which holds before its day as well.
    pub fn editions(&self) -> impl Iterator<Item = Period<'_>> {
        let (countries, asns) = self.provenance.split_at(self.countries);
        let of_countries = periods(Subject::Country, self.country.files(), countries);
        of_countries.chain(periods(Subject::Asn, self.asn.files(), asns))
    }

    /// The same, with these actors.
    #[must_use]
    pub fn with_actors(self, actors: Actors) -> Origins {
        Origins { actors, ..self }
    }

    /// Named organisations; none unless [`Origins::with_actors`] was called.
    #[must_use]
    pub const fn actors(&self) -> &Actors {
        &self.actors
    }

    /// Which data was loaded, in the order of the lists given.
    #[must_use]
    pub fn provenance(&self) -> &[Provenance] {
        &self.provenance
    }
}

fn known(asn: Asn) -> Option<u32> {
    (asn.0 != 0).then_some(asn.0)
}

/// Countries and autonomous systems as they are in one hour.
#[derive(Clone, Copy, Debug)]
pub struct OriginsOfDay<'a> {
    country: &'a Edition<Country>,
    asn: &'a Edition<Asn>,
    provenance: &'a [Provenance],
    countries: usize,
}

impl<'a> OriginsOfDay<'a> {
    /// The country of a source.
    #[inline]
    #[must_use]
    pub fn country<A: Address>(&self, source: A) -> Country {
        self.country.tables.find(source)
    }

    /// The autonomous system of a source.
    #[inline]
    #[must_use]
    pub fn asn<A: Address>(&self, source: A) -> Option<u32> {
        known(self.asn.tables.find(source))
    }

    /// A cursor for sources asked in ascending order: it answers from the range it stands in as long as they stay there, and any
    /// other order is answered as well, only not faster.
    #[must_use]
    pub fn cursor<A: Address>(&self) -> Cursor<'a, A> {
        let beginning = A::from_number(0);
        Cursor {
            countries: &self.country.tables,
            asns: &self.asn.tables,
            country: self.country.tables.answer(beginning),
            asn: self.asn.tables.answer(beginning),
        }
    }

    /// The files that answer, those for countries first, each list in rising precedence.
    pub fn provenance(self) -> impl Iterator<Item = &'a Provenance> {
        let (countries, asns) = self.provenance.split_at(self.countries);
        let of_countries = self.country.files.iter().map(|&file| &countries[file]);
        of_countries.chain(self.asn.files.iter().map(|&file| &asns[file]))
    }
}

/// Asks for the origin of one source after the other.
#[derive(Clone, Debug)]
pub struct Cursor<'a, A> {
    countries: &'a Tables<Country>,
    asns: &'a Tables<Asn>,
    country: Answer<A, Country>,
    asn: Answer<A, Asn>,
}

impl<A: Address> Cursor<'_, A> {
    /// The country of a source.
    #[inline]
    pub fn country(&mut self, source: A) -> Country {
        if source < self.country.first || source > self.country.last {
            self.country = self.countries.answer(source);
        }
        self.country.value
    }

    /// The autonomous system of a source.
    #[inline]
    pub fn asn(&mut self, source: A) -> Option<u32> {
        if source < self.asn.first || source > self.asn.last {
            self.asn = self.asns.answer(source);
        }
        known(self.asn.value)
    }
}
