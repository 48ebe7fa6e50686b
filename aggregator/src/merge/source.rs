//! A dataset that is merged from: its hours with all of their parts. Those that a whole day's part holds are written as files of their own into
//! the target's work folder, a day at a time.

use std::cell::RefCell;

use super::error::{MergeError, file_error};
use crate::compact::{COMPACTED_TABLES, RestoredPart, restore};
use crate::hour::Hour;
use crate::schema::TABLES;
use crate::store::{OpenPart, Part, Period, Store};

/// Attempts to open an hour whose day is exchanged, which takes milliseconds.
const ATTEMPTS: usize = 50;

/// A dataset that is merged from.
pub(super) struct MergeSource<'m> {
    pub store: Store,
    ours: &'m Store,
    /// The whole days' parts of the day in hand, and what they hold.
    day: RefCell<(Vec<Part>, Vec<RestoredPart>)>,
}

impl<'m> MergeSource<'m> {
    pub(super) fn new(store: Store, ours: &'m Store) -> Self {
        MergeSource {
            store,
            ours,
            day: RefCell::default(),
        }
    }

    /// All parts of an hour, as they are at one moment.
    ///
    /// # Errors
    /// When a part cannot be opened, or a whole day's not be read.
    pub(super) fn open(&self, hour: Hour) -> Result<Vec<OpenPart>, MergeError> {
        let failed = file_error(self.store.directory());
        let tables: Vec<&'static str> = TABLES.iter().map(|table| table.name).collect();
        for _ in 0..ATTEMPTS {
            let days = self.whole_days(hour)?;
            let mut open = self
                .store
                .open_period(&tables, Period::Hour(hour))
                .map_err(&failed)?;
            if self.whole_days(hour)? != days {
                continue;
            }
            let mut day = self.day.borrow_mut();
            if day.0 != days {
                day.1.clear();
                for part in &days {
                    let table = COMPACTED_TABLES
                        .into_iter()
                        .find(|table| table.name == part.table);
                    if let Some(table) = table {
                        day.1.extend(restore(self.ours, table, part)?);
                    }
                }
                day.0 = days;
            }
            let of_hour = day.1.iter().filter(|part| part.hour == hour);
            for RestoredPart {
                table,
                file_name,
                file,
                ..
            } in of_hour
            {
                let path = self.store.path(table.name, Period::Hour(hour), file_name);
                open.push(
                    file.opened(table.name, Period::Hour(hour), path)
                        .map_err(&failed)?,
                );
            }
            return Ok(open);
        }
        Err(failed(std::io::Error::other(
            "its days are exchanged all the time; try again",
        )))
    }

    fn whole_days(&self, hour: Hour) -> Result<Vec<Part>, MergeError> {
        let first = hour.0 - hour.0.rem_euclid(24);
        let mut days = Vec::new();
        for table in COMPACTED_TABLES {
            let of_table = self.store.whole_days(table.name, &(first..first + 24));
            days.extend(of_table.map_err(file_error(self.store.directory()))?);
        }
        Ok(days)
    }
}
