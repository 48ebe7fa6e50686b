//! Documents that wait for a receiver, in a folder of its own: `.teiten/alerts/RECEIVER/waiting/ORDER-ID`. One program puts them there, another
//! one takes them in their order. A document that the receiver has acknowledged is renamed into `delivered`, in one step: whatever is killed
//! when, no document is lost, and none that is known to have arrived is sent again. What the receiver refuses for good goes to `refused`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::document::StoredDocument;
use super::{Lock, Store};

/// Folder of all queues.
const ALERTS: &str = "alerts";
const WAITING: &str = "waiting";
const DELIVERED: &str = "delivered";
const REFUSED: &str = "refused";

/// Documents that may wait for a receiver.
pub const WAITING_MAX: usize = 1 << 16;
/// Delivered documents that are kept, so that none is put a second time; of more, the oldest are removed.
pub const DELIVERED_MAX: usize = 1 << 14;

/// What became of a document that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It waits.
    Waits,
    /// One with its identity waits already, or was delivered or refused.
    Known,
    /// Too many wait.
    Full,
}

/// The queue of a receiver.
#[derive(Debug)]
pub struct DocumentQueue {
    store: Store,
    receiver: String,
    /// Identities of all documents, as found at the start and put since.
    known: Option<BTreeSet<String>>,
}

impl Store {
    /// The queue of `receiver`: letters, digits, `.`, `_` and `-`.
    #[must_use]
    pub fn queue(&self, receiver: &str) -> DocumentQueue {
        DocumentQueue {
            store: self.clone(),
            receiver: receiver.to_owned(),
            known: None,
        }
    }

    /// The folder of everything about alerts.
    pub(crate) fn alerts_folder(&self) -> PathBuf {
        self.private_folder().join(ALERTS)
    }
}

impl DocumentQueue {
    /// Takes the lock of the one who delivers; `None` if another program does.
    ///
    /// # Errors
    /// When its file cannot be made.
    pub fn try_lock(&self) -> io::Result<Option<Lock>> {
        self.store.try_lock(&format!("alerts-{}", self.receiver))
    }

    /// Puts a document, which must have no line break. Documents are taken in ascending order of `order`.
    ///
    /// # Errors
    /// When it cannot be written; then it does not wait.
    pub fn put(&mut self, order: i64, identity: &str, text: &str) -> io::Result<Put> {
        if self.known.is_none() {
            let mut known = BTreeSet::new();
            for folder in [WAITING, DELIVERED, REFUSED] {
                let names = self.names(folder)?;
                known.extend(names.iter().map(|name| identity_of(name).to_owned()));
            }
            self.known = Some(known);
        }
        let is_known = |known: &BTreeSet<String>| known.contains(identity);
        if self.known.as_ref().is_some_and(is_known) {
            return Ok(Put::Known);
        }
        // Those that wait are among the known ones.
        let may_be_full = self
            .known
            .as_ref()
            .is_some_and(|known| known.len() >= WAITING_MAX);
        if may_be_full && self.names(WAITING)?.len() >= WAITING_MAX {
            return Ok(Put::Full);
        }
        let name = format!("{:020}-{identity}", order.max(0));
        let folder = self.folder(WAITING);
        self.store.write_document(&folder, &name, text)?;
        self.known
            .get_or_insert_default()
            .insert(identity.to_owned());
        Ok(Put::Waits)
    }

    /// The names of the documents that wait, in their order.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn waiting(&self) -> io::Result<Vec<String>> {
        self.names(WAITING)
    }

    /// The names of those that were refused.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn refused(&self) -> io::Result<Vec<String>> {
        self.names(REFUSED)
    }

    /// The text of a document that waits; `None` if it is damaged or gone.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(&self, name: &str) -> io::Result<Option<String>> {
        let found = self.store.read_document(&self.folder(WAITING).join(name))?;
        Ok(match found {
            StoredDocument::Text(text) => Some(text),
            StoredDocument::Missing | StoredDocument::Damaged => None,
        })
    }

    /// Notes that the receiver has acknowledged a document.
    ///
    /// # Errors
    /// When the disk fails; then it still waits.
    pub fn delivered(&self, name: &str) -> io::Result<()> {
        self.pass(name, DELIVERED)?;
        let all = self.names(DELIVERED)?;
        let over = all.len().saturating_sub(DELIVERED_MAX);
        for old in all.iter().take(over) {
            self.store
                .disk()
                .remove(&self.folder(DELIVERED).join(old))?;
        }
        Ok(())
    }

    /// Takes a document out that the receiver refuses for good.
    ///
    /// # Errors
    /// When the disk fails; then it still waits.
    pub fn refuse(&self, name: &str) -> io::Result<()> {
        self.pass(name, REFUSED)
    }

    fn pass(&self, name: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.folder(WAITING), self.folder(to));
        self.store.forget_if_gone(&to);
        self.store.make_folder(&to)?;
        let disk = self.store.disk();
        disk.rename(&from.join(name), &to.join(name))?;
        disk.sync_folder(&to)?;
        disk.sync_folder(&from)
    }

    fn folder(&self, kind: &str) -> PathBuf {
        self.store.alerts_folder().join(&self.receiver).join(kind)
    }

    fn names(&self, kind: &str) -> io::Result<Vec<String>> {
        let found = match self.store.disk().list(&self.folder(kind)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        let names = found.into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }
}

/// The identity in the name of a document.
fn identity_of(name: &str) -> &str {
    name.split_once('-').map_or(name, |(_, identity)| identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(folder: &tempfile::TempDir) -> DocumentQueue {
        Store::at(folder.path()).queue("soc")
    }

    #[test]
    fn documents_are_taken_in_order_and_never_twice() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut sender = queue(&folder);
        for (order, identity) in [(5, "b"), (3, "a"), (5, "c")] {
            assert_eq!(
                sender.put(order, identity, identity).expect("writable"),
                Put::Waits
            );
        }
        assert_eq!(sender.put(9, "b", "again").expect("readable"), Put::Known);
        let taker = queue(&folder);
        let names = taker.waiting().expect("readable");
        let texts: Vec<_> = names
            .iter()
            .map(|name| taker.read(name).expect("readable").expect("sound"))
            .collect();
        assert_eq!(texts, ["a", "b", "c"]);
        taker.delivered(&names[0]).expect("writable");
        taker.refuse(&names[1]).expect("writable");
        // Another program later: what was delivered or refused is known.
        let mut again = queue(&folder);
        for identity in ["a", "b", "c"] {
            assert_eq!(
                again.put(7, identity, "again").expect("readable"),
                Put::Known
            );
        }
        assert_eq!(taker.waiting().expect("readable"), names[2..]);
        assert_eq!(taker.refused().expect("readable"), names[1..2]);
    }

    #[test]
    fn a_damaged_document_is_none_and_one_at_a_time_delivers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut queue = queue(&folder);
        queue.put(1, "a", "text").expect("writable");
        let name = queue.waiting().expect("readable").remove(0);
        std::fs::write(queue.folder(WAITING).join(&name), "text").expect("writable");
        assert_eq!(queue.read(&name).expect("readable"), None);
        let lock = queue.try_lock().expect("writable");
        assert!(lock.is_some() && queue.try_lock().expect("writable").is_none());
    }
}
