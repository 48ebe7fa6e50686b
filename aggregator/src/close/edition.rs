//! An hour as it is published: the parts of all its tables, which become visible together, and their metadata.

use std::path::PathBuf;

use parquet::file::metadata::KeyValue;

use super::{ClosedHour, Closer, HourRuns, JOURNAL_THROUGH_KEY, coverage};
use crate::hour::Hour;
use crate::inputs::INPUTS_KEY;
use crate::minute::{HourAccount, SecondSet};
use crate::schema::{COVERAGE, FLAGS_VERSION, SCHEMA_VERSION, Table};
use crate::store::{Period, Publication, Staged};
use crate::writer::{PartWriter, WriteError};

/// Metadata key of the sensor's name.
pub const SENSOR_KEY: &str = "sensor";
/// Metadata key of the sensor's identity, which no other has.
pub const IDENTITY_KEY: &str = "sensor_identity";
/// Metadata key: whether the hour is open.
pub const STATE_KEY: &str = "state";

/// Whether more of an hour is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The sensor still adds to the hour, and will publish these parts anew.
    Open,
    /// These parts have all that the sensor has of the hour.
    Finished,
}

impl State {
    /// Its value in the metadata.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Finished => "finished",
        }
    }
}

/// Parts of an hour on their way.
#[derive(Debug)]
pub struct Edition<'c> {
    pub(super) closer: &'c Closer,
    pub(super) hour: Hour,
    state: State,
    publication: Publication,
}

impl Closer {
    /// Begins an edition of `hour`; nothing is visible before [`Edition::publish`].
    #[must_use]
    pub fn edition(&self, hour: Hour, state: State) -> Edition<'_> {
        Edition {
            closer: self,
            hour,
            state,
            publication: self.store.publication(),
        }
    }

    /// Writes and publishes the rows of a finished hour.
    ///
    /// # Errors
    /// When a part cannot be written; then nothing is visible.
    pub fn close(&self, hour: Hour, part: u32, runs: HourRuns) -> Result<ClosedHour, WriteError> {
        let mut edition = self.edition(hour, State::Finished);
        let closed = edition.rows(part, runs)?;
        edition.publish()?;
        Ok(closed)
    }

    /// Writes and publishes the `coverage` of a finished hour; returns its size in bytes.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn write_coverage(
        &self,
        hour: Hour,
        part: u32,
        account: &HourAccount,
        covered: &SecondSet,
    ) -> Result<u64, WriteError> {
        let mut edition = self.edition(hour, State::Finished);
        edition.coverage(part, account, covered)?;
        edition.publish()
    }

    /// The place of a part.
    #[must_use]
    pub fn path(&self, table: &Table, hour: Hour, part: u32) -> PathBuf {
        let file_name = self.name.file_name(part);
        self.store.path(table.name, Period::Hour(hour), &file_name)
    }
}

impl Edition<'_> {
    /// Whether more of the hour is to come.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Writes the part `part`: its `sources`, its `traffic` and, where packets had any, its `payloads`. Without rows nothing is written.
    ///
    /// # Errors
    /// When a part cannot be written.
    pub fn rows(&mut self, part: u32, runs: HourRuns) -> Result<ClosedHour, WriteError> {
        self.closer.write_rows(self, part, runs)
    }

    /// Writes the `coverage`: a row for each minute of which a second was observed.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn coverage(
        &mut self,
        part: u32,
        account: &HourAccount,
        covered: &SecondSet,
    ) -> Result<(), WriteError> {
        let file = self.create(&COVERAGE, part)?;
        let staged = coverage::write(file, self.hour, self.closer, account, covered)?;
        self.put(staged)?;
        Ok(())
    }

    /// Makes everything visible at once; returns the bytes of the files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(self) -> Result<u64, WriteError> {
        let path = self.closer.store.directory().to_owned();
        let committed = self.publication.commit();
        committed.map_err(|source| WriteError::File { path, source })
    }

    pub(super) fn create(&self, table: &Table, part: u32) -> Result<PartWriter, WriteError> {
        let file_name = self.closer.name.file_name(part);
        let within = PathBuf::from(table.name)
            .join(Period::Hour(self.hour).folder())
            .join(file_name);
        PartWriter::create(&self.closer.store, &within, table, self.metadata())
    }

    /// Takes a finished part; gives its size in bytes.
    pub(super) fn put(&mut self, staged: Staged) -> Result<u64, WriteError> {
        let length = staged.length();
        self.publication.put(staged).map_err(WriteError::Run)?;
        Ok(length)
    }

    /// The metadata of every part.
    fn metadata(&self) -> Vec<KeyValue> {
        let closer = self.closer;
        let mut pairs = vec![
            ("schema_version".to_owned(), SCHEMA_VERSION.to_string()),
            ("flags_version".to_owned(), FLAGS_VERSION.to_string()),
            ("program".to_owned(), "teiten".to_owned()),
            (
                "program_version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            (
                "configuration_sha256".to_owned(),
                closer.configuration_sha256.clone(),
            ),
            (SENSOR_KEY.to_owned(), closer.name.sensor.clone()),
            (IDENTITY_KEY.to_owned(), closer.identity.clone()),
            ("run".to_owned(), closer.name.run.clone()),
            (STATE_KEY.to_owned(), self.state.word().to_owned()),
        ];
        if let Some(inputs) = &closer.inputs {
            pairs.push((INPUTS_KEY.to_owned(), inputs.text(self.hour.0)));
        }
        if let Some(number) = closer.journal_through {
            pairs.push((JOURNAL_THROUGH_KEY.to_owned(), number.to_string()));
        }
        if let Some(addresses) = closer.addresses {
            let all = addresses.ipv6.saturating_add(u128::from(addresses.ipv4));
            for (key, size) in [
                ("telescope_addresses", all),
                ("telescope_addresses_ipv4", addresses.ipv4.into()),
                ("telescope_addresses_ipv6", addresses.ipv6),
            ] {
                pairs.push((key.to_owned(), size.to_string()));
            }
        }
        for (index, data) in closer.origins.on(self.hour).provenance().enumerate() {
            let key = |what: &str| match index {
                0 => format!("geo_{what}"),
                _ => format!("geo_{}_{what}", index + 1),
            };
            pairs.push((key("name"), data.name.clone()));
            pairs.push((key("date"), data.date.to_string()));
            pairs.push((key("sha256"), data.sha256.clone()));
        }
        for list in closer.origins.actors().lists() {
            pairs.push((format!("actors_{}_sha256", list.name), list.sha256.clone()));
        }
        pairs
            .into_iter()
            .map(|(key, value)| KeyValue::new(key, value))
            .collect()
    }
}
