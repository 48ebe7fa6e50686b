//! Scan events on their way into the hours of their last packets: as bytes in memory, and where they are many in a file that has no name. They come
//! in the order of the table, source by source, so that nothing need be sorted, and only one row group at a time is made of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::{RollupError, file_error};
use super::making::MakingNotes;
use super::publish::replacing;
use super::scratch::scratch;
use crate::close::encode_with;
use crate::event::open::{KnownTexts, read_scan, write_counted};
use crate::event::scan::Scan;
use crate::event::{DarkAddresses, ScanRules};
use crate::hour::{HOUR_US, Hour};
use crate::schema::{SCANS, SCANS_ROWS, ScanRow, ScanRows, encode_group};
use crate::store::{Part, Publication, Store};
use crate::writer::PartWriter;

/// Events of a day, at most; more are counted.
const SCANS_MAX: usize = 1 << 21;
/// Memory of events that wait for the end of their day, at most: they are spilled above.
const HELD_BYTES_MAX: usize = 32 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;

/// Whose events, by which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanContext<'c> {
    pub store: &'c Store,
    pub sensor: &'c str,
    pub rules: &'c ScanRules,
    pub telescope: DarkAddresses,
}

/// Events by the hours of their last packets.
pub(super) struct HourScans<'c> {
    context: ScanContext<'c>,
    ongoing: bool,
    hours: BTreeMap<Hour, HourBytes>,
    held: usize,
    held_max: usize,
    /// The file of what was spilled, and its length.
    spilled: Option<(File, u64)>,
    /// Events that are rows.
    pub count: usize,
    /// Events beyond the limit.
    pub left_out: u64,
}

/// The events of an hour, each with its length in front: first those that were spilled.
#[derive(Default)]
struct HourBytes {
    spilled: Vec<Range<u64>>,
    held: Vec<u8>,
}

impl<'c> HourScans<'c> {
    /// None yet.
    pub(super) fn new(context: ScanContext<'c>, ongoing: bool) -> Self {
        HourScans {
            context,
            ongoing,
            hours: BTreeMap::new(),
            held: 0,
            held_max: HELD_BYTES_MAX,
            spilled: None,
            count: 0,
            left_out: 0,
        }
    }

    /// Takes the next event, if it is one.
    ///
    /// # Errors
    /// When its set of destinations is damaged, or the disk refuses.
    pub(super) fn add(&mut self, scan: &Scan) -> Result<(), RollupError> {
        let hour = Hour(scan.end_us.div_euclid(HOUR_US));
        let counted = scan.counted(self.context.rules, &self.context.telescope);
        let counted = counted.map_err(|source| RollupError::Destinations {
            day: hour.date(),
            source,
        })?;
        let Some(destinations) = counted else {
            return Ok(());
        };
        if self.count == SCANS_MAX {
            self.left_out += 1;
            return Ok(());
        }
        self.count += 1;
        let bytes = &mut self.hours.entry(hour).or_default().held;
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        write_counted(scan, destinations, bytes);
        let length = (bytes.len() - start - 4) as u32;
        bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.held += bytes.len() - start;
        if self.held >= self.held_max {
            self.spill()
                .map_err(file_error(self.context.store.directory()))?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let (file, length) = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert((scratch(self.context.store, "scans")?, 0)),
        };
        for bytes in self.hours.values_mut() {
            // The memory is given back: another hour may need it.
            let held = std::mem::take(&mut bytes.held);
            file.write_all_at(&held, *length)?;
            let end = *length + held.len() as u64;
            bytes.spilled.push(*length..end);
            *length = end;
        }
        self.held = 0;
        Ok(())
    }

    /// Puts the events into their hours, and removes parts of the run where there are none any more.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn publish(
        self,
        run: &str,
        said_before: &[Part],
        notes: &MakingNotes,
        publication: &mut Publication,
    ) -> Result<(), RollupError> {
        let path_of = replacing(publication, said_before, &SCANS, (self.context.sensor, run));
        let spilled = self.spilled.as_ref().map(|(file, _)| file);
        let mut rows = RowMaking {
            context: self.context,
            ongoing: self.ongoing,
            texts: KnownTexts::default(),
            text: Vec::new(),
        };
        for (hour, bytes) in self.hours {
            let within = path_of(hour);
            let metadata = notes.metadata();
            let file = PartWriter::create(self.context.store, &within, &SCANS, metadata)?;
            let mut group = ScanGroup {
                sensor: self.context.sensor,
                within: &within,
                file,
                rows: Vec::new(),
                sources: Vec::new(),
            };
            for place in bytes.spilled {
                let mut piece = vec![0; (place.end - place.start) as usize];
                let read = spilled.map(|file| file.read_exact_at(&mut piece, place.start));
                read.unwrap_or(Ok(())).map_err(file_error(&within))?;
                rows.each(&piece, &mut group)?;
            }
            rows.each(&bytes.held, &mut group)?;
            let file = group.finish()?;
            publication
                .put(file.finish()?)
                .map_err(file_error(&within))?;
        }
        Ok(())
    }
}

/// Makes rows of events.
struct RowMaking<'c> {
    context: ScanContext<'c>,
    ongoing: bool,
    texts: KnownTexts,
    /// Of the name of an event.
    text: Vec<u8>,
}

impl RowMaking<'_> {
    fn each(&mut self, mut bytes: &[u8], group: &mut ScanGroup<'_>) -> Result<(), RollupError> {
        let ScanContext {
            sensor,
            rules,
            telescope,
            store,
            ..
        } = &self.context;
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let event = rest.split_at_checked(u32::from_le_bytes(*length) as usize);
            let scan = event.and_then(|(mut event, behind)| {
                bytes = behind;
                read_scan(&mut event, &mut self.texts)
            });
            let scan = scan.ok_or_else(|| file_error(store.directory())(torn()))?;
            let texts = (&mut group.sources, &mut self.text);
            let row = scan.row(sensor, rules, telescope, self.ongoing, texts);
            group.push(row)?;
        }
        Ok(())
    }
}

fn torn() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "events that were spilled to disk came back otherwise",
    )
}

/// Rows on their way into a part.
struct ScanGroup<'g> {
    sensor: &'g str,
    within: &'g Path,
    file: PartWriter,
    rows: Vec<ScanRow>,
    /// Texts of their addresses.
    sources: Vec<u8>,
}

impl ScanGroup<'_> {
    fn push(&mut self, row: ScanRow) -> Result<(), RollupError> {
        self.rows.push(row);
        if self.rows.len() == GROUP_ROWS {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), RollupError> {
        let group = ScanRows {
            sensor: self.sensor,
            rows: &self.rows,
            sources: &self.sources,
        };
        let schema = self.file.schema();
        self.file.append(encode_with(self.within, |encoder| {
            encode_group(SCANS_ROWS, &schema, group.rows.len(), &group, encoder)
        })?)?;
        self.rows.clear();
        self.sources.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<PartWriter, RollupError> {
        if !self.rows.is_empty() {
            self.write()?;
        }
        Ok(self.file)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::by_source::SourceKey;
    use crate::event::scan::ScanKey;
    use teiten_observation::{Tool, TrafficType};

    /// Event `number` of a day, the first of which comes first in the table.
    fn scan_of(number: u32) -> Scan {
        let end_us = i64::from(number % 5) * HOUR_US + i64::from(number);
        let mut tools = [0; Tool::ALL.len()];
        tools[Tool::Zmap as usize] = 20;
        Scan {
            source: SourceKey::parse(&format!("192.0.{}.{}", number / 250, number % 250))
                .expect("a source"),
            key: ScanKey {
                traffic_type: TrafficType::TcpSyn,
                port: Some(23),
                protocol: 6,
            },
            start_us: end_us - 1_000_000,
            end_us,
            packets: 20,
            bytes: 1_200,
            set: Vec::new(),
            // One in seven is no event.
            destinations_min: if number.is_multiple_of(7) { 2 } else { 20 },
            tools,
            stack: format!("65535:M{}", number % 11).into(),
            actor: "".into(),
            country: *b"JP",
            asn: Some(number),
        }
    }

    /// The files of a day by their paths, and in how many pieces an hour was spilled at most.
    fn files_of(held_max: usize) -> (Vec<(PathBuf, Vec<u8>)>, usize) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let context = ScanContext {
            store: &store,
            sensor: "tokyo",
            rules: &ScanRules::default(),
            telescope: DarkAddresses::default(),
        };
        let mut scans = HourScans::new(context, false);
        scans.held_max = held_max;
        for number in 0..10_000 {
            scans.add(&scan_of(number)).expect("writable");
        }
        assert_eq!((scans.count, scans.left_out), (8_571, 0));
        let pieces = scans.hours.values().map(|it| it.spilled.len());
        let pieces = pieces.max().expect("there are hours");
        let mut publication = store.publication();
        let notes = MakingNotes::default();
        scans
            .publish("d19700101", &[], &notes, &mut publication)
            .expect("writable");
        publication.commit().expect("writable");
        let parts = store.parts_within(SCANS.name, &(i64::MIN..i64::MAX));
        let parts = parts.expect("listed").into_iter();
        let files = parts.map(|part| {
            let bytes = std::fs::read(&part.path).expect("there");
            (part.within(), bytes)
        });
        (files.collect(), pieces)
    }

    #[test]
    fn spilled_events_become_the_same_files() {
        let (in_memory, pieces) = files_of(usize::MAX);
        assert_eq!((in_memory.len(), pieces), (5, 0));
        for held_max in [1, 10_000, 100_000] {
            let (spilled, pieces) = files_of(held_max);
            assert!(pieces > 1, "{held_max}: {pieces} pieces");
            assert!(spilled == in_memory, "{held_max}");
        }
    }
}
