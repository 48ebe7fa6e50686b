//! Publishing days while the next ones are made. Every publication still appears whole or not at all, and in the order in which they were given;
//! those that wait are made durable together, as a disk takes about as long to sync one day as to sync several.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use super::error::{RollupError, file_error};
use crate::store::{Publication, Store};

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
        loop {
            match waiting.try_recv() {
                Ok(more) => next.add(more),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        next.commit()?;
    }
    Ok(())
}
