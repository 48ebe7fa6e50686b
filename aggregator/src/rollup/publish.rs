//! Publishing days while the next ones are made. Every publication still appears whole or not at all, and in the order in which they were given;
//! those that wait are made durable together, as a disk takes about as long to sync one day as to sync several.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::error::{RollupError, file_error};
use crate::hour::Hour;
use crate::schema::Table;
use crate::store::{Part, PartName, Period, Publication, Store};

/// Takes back what a run of a sensor said before in a table of events; gives where the run's part of each hour lies.
pub(super) fn replacing(
    publication: &mut Publication,
    said_before: &[Part],
    table: &'static Table,
    (sensor, run): (&str, &str),
) -> impl Fn(Hour) -> PathBuf + use<> {
    said_before
        .iter()
        .for_each(|part| publication.remove(&part.within()));
    let name = PartName {
        sensor: sensor.to_owned(),
        run: run.to_owned(),
    };
    let file_name = name.file_name(0);
    move |hour| {
        let folder = Period::Hour(hour).folder();
        Path::new(table.name).join(folder).join(&file_name)
    }
}

/// Publications that wait while others are made durable, at most: each may hold some dozens of files open.
const WAITING_MAX: usize = 4;

/// Publishes on a thread of its own.
pub(super) struct Publisher {
    directory: PathBuf,
    /// None once the thread has failed, which joining it tells.
    sender: Option<SyncSender<Publication>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Publisher {
    /// Nothing is published yet.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn new(store: &Store) -> Result<Self, RollupError> {
        let (sender, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("publish".to_owned());
        let thread = thread.spawn(move || publish_all(&waiting));
        Ok(Publisher {
            directory: store.directory().to_owned(),
            sender: Some(sender),
            thread: Some(thread.map_err(file_error(store.directory()))?),
        })
    }

    /// Hands a publication over.
    ///
    /// # Errors
    /// When one before it has failed.
    pub(super) fn publish(&mut self, publication: Publication) -> Result<(), RollupError> {
        let sent = self.sender.as_ref().map(|it| it.send(publication));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => self.join(),
        }
    }

    /// Waits until everything is published.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn finish(mut self) -> Result<(), RollupError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), RollupError> {
        self.sender = None;
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        let published = thread.join();
        let published = published.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        published.map_err(file_error(&self.directory))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.sender = None;
        // Whoever goes on must find what was handed over.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn publish_all(waiting: &Receiver<Publication>) -> io::Result<()> {
    while let Ok(mut next) = waiting.recv() {
        for more in waiting.try_iter().take(WAITING_MAX) {
            next.add(more);
        }
        next.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(store: &Store, publication: &mut Publication, name: &str) {
        let mut file = store.stage(Path::new(name)).expect("writable");
        file.write_all(name.as_bytes()).expect("writable");
        publication.put(file).expect("writable");
    }

    #[test]
    fn what_is_handed_over_is_there_in_its_order_when_the_publisher_has_finished() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let mut publisher = Publisher::new(&store).expect("a thread");
        for day in 0..40 {
            let mut publication = store.publication();
            put(&store, &mut publication, &format!("{day}"));
            // Each takes back what the one before has said, and says something of its own.
            publication.remove(Path::new(&format!("{}-said", day - 1)));
            put(&store, &mut publication, &format!("{day}-said"));
            publisher.publish(publication).expect("no failure");
        }
        publisher.finish().expect("published");
        let there = |name: String| folder.path().join(name).is_file();
        for day in 0..40 {
            assert!(there(day.to_string()), "{day}");
            assert_eq!(there(format!("{day}-said")), day == 39, "{day}");
        }
    }

    #[test]
    fn a_failure_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let mut publisher = Publisher::new(&store).expect("a thread");
        let mut publication = store.publication();
        // A file is where a folder would have to be.
        std::fs::write(folder.path().join("day"), "").expect("writable");
        put(&store, &mut publication, "day/part");
        publisher.publish(publication).expect("handed over");
        publisher.finish().expect_err("it cannot be published");
    }
}
