//! Looks up the origin of a source on the day of its hour. `load.rs` reads the files.

use std::path::PathBuf;

use jiff::civil::Date;
use teiten_observation::Address;

use super::asn::Asn;
use super::country::Country;
use super::default;
use super::edition::{Editions, OriginEdition};
use super::provenance::{Provenance, Subject};
use super::tables::Tables;
use crate::actor::Actors;
use crate::hour::Hour;
use crate::ranges::table::Lookup;

/// Countries and autonomous systems of addresses, with their provenance. Immutable once built.
#[derive(Clone, Debug)]
pub struct Origins {
    pub(super) country: Editions<Country>,
    pub(super) asn: Editions<Asn>,
    pub(super) actors: Actors,
    /// The files for countries, then those for systems.
    pub(super) provenance: Vec<Provenance>,
    /// How many of them are for countries.
    pub(super) countries: usize,
}

/// The files that are used for a subject from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPeriod<'a> {
    /// Countries or systems.
    pub subject: Subject,
    /// First day; `None` for the first period.
    pub from: Option<Date>,
    /// The files, in rising precedence.
    pub files: Vec<&'a Provenance>,
}

fn periods<'a>(
    subject: Subject,
    editions: impl Iterator<Item = (Option<Date>, &'a [usize])>,
    provenance: &'a [Provenance],
) -> impl Iterator<Item = OriginPeriod<'a>> {
    editions
        .enumerate()
        .map(move |(index, (from, files))| OriginPeriod {
            subject,
            from: from.filter(|_| index > 0),
            files: files.iter().map(|&file| &provenance[file]).collect(),
        })
}

impl Origins {
    /// No data: every country is `ZZ`, no system has a number.
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

    /// The country files that are used by default: the first of the user's folder, the machine's folder (both are filled by `teiten-sensor
    /// geo update`) and Debian's `tor-geoipdb` that holds any.
    #[must_use]
    pub fn find_default() -> Vec<PathBuf> {
        default::find()
    }

    /// What holds in an hour.
    #[must_use]
    pub fn on(&self, hour: Hour) -> OriginsOfDay<'_> {
        let day = hour.day();
        OriginsOfDay {
            country: self.country.on(day),
            asn: self.asn.on(day),
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

    /// The files of each edition and its first day; the first edition holds for earlier days too.
    pub fn editions(&self) -> impl Iterator<Item = OriginPeriod<'_>> {
        let (countries, asns) = self.provenance.split_at(self.countries);
        let of_countries = periods(Subject::Country, self.country.files(), countries);
        of_countries.chain(periods(Subject::Asn, self.asn.files(), asns))
    }

    /// The same, with these actors.
    #[must_use]
    pub fn with_actors(self, actors: Actors) -> Origins {
        Origins { actors, ..self }
    }

    /// Named organisations; empty unless [`Origins::with_actors`] was called.
    #[must_use]
    pub const fn actors(&self) -> &Actors {
        &self.actors
    }

    /// The loaded data, in the order of the lists given.
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
    country: &'a OriginEdition<Country>,
    asn: &'a OriginEdition<Asn>,
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

    /// A cursor for sources in ascending order: it remembers the current range, so the next source in it is cheap. Any other order works,
    /// without being faster.
    #[must_use]
    pub fn cursor<A: Address>(&self) -> OriginCursor<'a, A> {
        let beginning = A::from_number(0);
        OriginCursor {
            countries: &self.country.tables,
            asns: &self.asn.tables,
            country: self.country.tables.answer(beginning),
            asn: self.asn.tables.answer(beginning),
        }
    }

    /// The files in use, those for countries first, each list in rising precedence.
    pub fn provenance(self) -> impl Iterator<Item = &'a Provenance> {
        let (countries, asns) = self.provenance.split_at(self.countries);
        let of_countries = self.country.files.iter().map(|&file| &countries[file]);
        of_countries.chain(self.asn.files.iter().map(|&file| &asns[file]))
    }
}

/// Looks up the origin of one source after the other.
#[derive(Clone, Debug)]
pub struct OriginCursor<'a, A> {
    countries: &'a Tables<Country>,
    asns: &'a Tables<Asn>,
    country: Lookup<A, Country>,
    asn: Lookup<A, Asn>,
}

impl<A: Address> OriginCursor<'_, A> {
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
