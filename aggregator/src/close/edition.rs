//! An hour as it is published: the parts of all its tables, which become visible together, and their metadata.

use std::path::PathBuf;

use parquet::file::metadata::KeyValue;

use super::{ClosedHour, Closer, HourRuns, JOURNAL_THROUGH_KEY, coverage};
use crate::hour::Hour;
use crate::inputs::INPUTS_KEY;
use crate::leading::LeadingSums;
use crate::minute::{HourAccount, SecondSet};
use crate::schema::{COVERAGE, FLAGS_VERSION, SCHEMA_VERSION, Table};
use crate::store::{Period, Publication};
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

/// Parts of an hour on their way. Their metadata is written when they are published: until then more is learnt of the inputs.
#[derive(Debug)]
pub struct Edition<'c> {
    pub(super) closer: &'c Closer,
    pub(super) hour: Hour,
    state: State,
    files: Vec<(PartWriter, bool)>,
    pub(super) leading: LeadingSums,
}

impl Closer {
    /// Begins an edition of `hour`; nothing is visible before [`Edition::publish`].
    #[must_use]
    pub fn edition(&self, hour: Hour, state: State) -> Edition<'_> {
        Edition {
            closer: self,
            hour,
            state,
            files: Vec::new(),
            leading: LeadingSums::default(),
        }
    }

    /// Publishes these editions, all at once; gives for each the bytes of the files with its rows. A reader sees each hour whole or not at
    /// all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(&self, editions: Vec<Edition<'_>>) -> Result<Vec<u64>, WriteError> {
        let mut publication = self.store.publication();
        let sizes = editions
            .into_iter()
            .map(|edition| edition.finish(&mut publication))
            .collect::<Result<_, _>>()?;
        let path = self.store.directory();
        publication.commit().map_err(|source| WriteError::File {
            path: path.to_owned(),
            source,
        })?;
        Ok(sizes)
    }

    /// Writes and publishes the rows of a finished hour.
    ///
    /// # Errors
    /// When a part cannot be written; then nothing is visible.
    pub fn close(&self, hour: Hour, part: u32, runs: HourRuns) -> Result<ClosedHour, WriteError> {
        let mut edition = self.edition(hour, State::Finished);
        let mut closed = edition.rows(part, runs)?;
        closed.file_bytes = edition.publish()?;
        Ok(closed)
    }

    /// Writes and publishes the `coverage` of a finished hour.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn write_coverage(
        &self,
        hour: Hour,
        part: u32,
        account: &HourAccount,
        covered: &SecondSet,
    ) -> Result<(), WriteError> {
        let mut edition = self.edition(hour, State::Finished);
        edition.coverage(part, account, covered)?;
        edition.publish().map(|_| ())
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
        let mut file = self.create(&COVERAGE, part)?;
        coverage::write(&mut file, self.hour, self.closer, account, covered)?;
        file.flush()?;
        self.files.push((file, false));
        Ok(())
    }

    /// Makes everything visible at once; returns the bytes of the files with rows.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(self) -> Result<u64, WriteError> {
        let closer = self.closer;
        Ok(closer.publish(vec![self])?.into_iter().sum())
    }

    /// The hour.
    #[must_use]
    pub fn hour(&self) -> Hour {
        self.hour
    }

    /// Lets the rows of `traffic` that come be added to these sums.
    pub fn add_to_leading(&mut self, sums: LeadingSums) {
        self.leading = sums;
    }

    /// These sums, which are then no longer here.
    #[must_use]
    pub fn take_leading(&mut self) -> LeadingSums {
        std::mem::take(&mut self.leading)
    }

    /// Whether there is nothing to publish.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Ends the files and adds them to `publication`; gives the bytes of those with rows.
    fn finish(self, publication: &mut Publication) -> Result<u64, WriteError> {
        let inputs = self.closer.inputs.as_ref();
        let text = inputs.filter(|_| !self.files.is_empty());
        let text = text.map(|inputs| inputs.say(self.hour.0));
        let mut bytes = 0;
        for (mut file, has_rows) in self.files {
            if let Some(text) = &text {
                file.note(INPUTS_KEY, text.clone());
            }
            let staged = file.finish()?;
            bytes += if has_rows { staged.length() } else { 0 };
            publication.put(staged).map_err(WriteError::Run)?;
        }
        Ok(bytes)
    }

    pub(super) fn create(&self, table: &Table, part: u32) -> Result<PartWriter, WriteError> {
        let file_name = self.closer.name.file_name(part);
        let within = PathBuf::from(table.name)
            .join(Period::Hour(self.hour).folder())
            .join(file_name);
        PartWriter::create(&self.closer.store, &within, table, self.metadata())
    }

    /// Takes a part with rows, all of which are there.
    pub(super) fn put(&mut self, mut file: PartWriter) -> Result<(), WriteError> {
        file.flush()?;
        self.files.push((file, true));
        Ok(())
    }

    /// The metadata of every part, without its inputs.
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
