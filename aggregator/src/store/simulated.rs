//! A simulated disk in memory: calls fail, writes are short, a power failure loses unsynced changes in any order, and the program is killed at
//! a given call.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile, Found, HeldLock};

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0xd129_42f0_a5d1_7c1b))
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The file or folder of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File(u64),
}

/// A change of names that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Make(PathBuf, Entry),
    Rename(PathBuf, PathBuf),
    Exchange(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    /// Whether making `folder` durable makes this durable.
    fn is_in(&self, folder: &Path) -> bool {
        match self {
            Change::Make(path, _) | Change::Remove(path) => path.parent() == Some(folder),
            Change::Rename(_, to) => to.parent() == Some(folder),
            Change::Exchange(one, other) => [one, other]
                .iter()
                .any(|path| path.parent() == Some(folder)),
        }
    }
}

type Names = BTreeMap<PathBuf, Entry>;

fn apply(change: &Change, names: &mut Names) {
    match change {
        Change::Make(path, entry) => {
            // Without its folder a name is nowhere.
            if path
                .parent()
                .is_some_and(|parent| names.contains_key(parent))
            {
                names.insert(path.clone(), *entry);
            }
        }
        Change::Rename(from, to) => {
            if to.parent().is_some_and(|parent| names.contains_key(parent))
                && let Some(entry) = names.remove(from)
            {
                names.insert(to.clone(), entry);
            }
        }
        Change::Exchange(one, other) => {
            let moved = |path: &Path| {
                let at = |from: &Path, to: &Path| Some(to.join(path.strip_prefix(from).ok()?));
                at(one, other).or_else(|| at(other, one))
            };
            let all = std::mem::take(names).into_iter();
            names.extend(all.map(|(path, entry)| {
                let path = match moved(&path) {
                    // Joining nothing leaves a slash behind.
                    Some(moved) => moved.components().collect(),
                    None => path,
                };
                (path, entry)
            }));
        }
        Change::Remove(path) => {
            names.remove(path);
        }
    }
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// Bytes that survive a power failure.
    durable: usize,
}

#[derive(Debug)]
struct State {
    random: Random,
    names: Names,
    durable: Names,
    changes: Vec<Change>,
    contents: BTreeMap<u64, Content>,
    locks: BTreeSet<(u64, PathBuf)>,
    /// Number of programs so far; locks of earlier ones are free.
    generation: u64,
    calls_left: Option<u64>,
    /// Calls until the one that fails.
    failure_in: Option<u64>,
    killed: bool,
    failures_percent: u64,
}

/// The disk.
#[derive(Clone, Debug)]
pub(super) struct Simulated(Arc<Mutex<State>>);

impl Simulated {
    pub(super) fn new(seed: u64) -> Self {
        let names = Names::from([(PathBuf::from("/"), Entry::Folder)]);
        Simulated(Arc::new(Mutex::new(State {
            random: Random::new(seed ^ 0x5eed),
            durable: names.clone(),
            names,
            changes: Vec::new(),
            contents: BTreeMap::new(),
            locks: BTreeSet::new(),
            generation: 0,
            calls_left: None,
            failure_in: None,
            killed: false,
            failures_percent: 0,
        })))
    }

    /// The call behind the next `calls` fails, and no other one.
    pub(super) fn fail_after(&self, calls: u64) {
        self.state().failure_in = Some(calls);
    }

    /// Whether that call is still to come.
    pub(super) fn will_fail(&self) -> bool {
        self.state().failure_in.is_some()
    }

    /// From now on this percentage of calls fails, and after `calls` the program is dead.
    pub(super) fn begin(&self, calls: u64, failures_percent: u64) {
        let mut state = self.state();
        state.calls_left = Some(calls);
        state.failures_percent = failures_percent;
    }

    /// No call fails any more; for a reader.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        (state.calls_left, state.failures_percent, state.killed) = (None, 0, false);
        state.failure_in = None;
    }

    /// Every call fails: the program is dead, and its destructors have no effect.
    pub(super) fn kill(&self) {
        self.state().killed = true;
    }

    pub(super) fn is_killed(&self) -> bool {
        self.state().killed
    }

    /// Starts another program; locks are free.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        state.generation += 1;
        state.locks.clear();
        drop(state);
        self.calm();
    }

    /// A power failure: each unsynced change survives or not, and unsynced files end anywhere.
    pub(super) fn lose_power(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut names = state.durable.clone();
        for change in std::mem::take(&mut state.changes) {
            if state.random.below(2) == 0 {
                apply(&change, &mut names);
            }
        }
        state.durable = names.clone();
        state.names = names;
        for content in state.contents.values_mut() {
            let rest = (content.bytes.len() - content.durable) as u64;
            let kept = content.durable + state.random.below(rest + 1) as usize;
            content.bytes.truncate(kept);
            content.durable = kept;
        }
        drop(guard);
        self.calm();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no call panics")
    }

    /// A call that may fail; the program may be killed just before or just after it.
    fn call<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.killed {
            return Err(io::Error::other("killed"));
        }
        if let Some(left) = &mut state.calls_left {
            *left -= 1;
            if *left == 0 {
                state.killed = true;
                let done = (state.random.below(2) == 0).then(|| act(state));
                // A taken lock is released, which is a call too.
                drop(guard);
                drop(done);
                return Err(io::Error::other("killed"));
            }
        }
        if let Some(left) = state.failure_in {
            state.failure_in = left.checked_sub(1);
            if left == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
        }
        if state.random.below(100) < state.failures_percent {
            return Err(ErrorKind::StorageFull.into());
        }
        act(state)
    }
}

impl State {
    fn change(&mut self, change: Change) {
        apply(&change, &mut self.names);
        self.changes.push(change);
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let entry = self.names.get(path).copied();
        entry.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.entry(path.parent().unwrap_or(path))?;
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let number = self.contents.len() as u64;
        self.contents.insert(number, Content::default());
        self.change(Change::Make(path.to_owned(), Entry::File(number)));
        Ok(number)
    }
}

impl Disk for Simulated {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = self.call(|state| state.create(path))?;
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            number,
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call(|state| match state.entry(path)? {
            Entry::File(number) => Ok(state.contents[&number].bytes.clone()),
            Entry::Folder => Err(ErrorKind::IsADirectory.into()),
        })
    }

    fn stat(&self, path: &Path) -> io::Result<Found> {
        self.call(|state| {
            Ok(match state.entry(path)? {
                Entry::Folder => Found {
                    identity: u64::MAX,
                    length: 0,
                    is_folder: true,
                },
                Entry::File(number) => Found {
                    identity: number,
                    length: state.contents[&number].bytes.len() as u64,
                    is_folder: false,
                },
            })
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        self.call(|state| {
            state.entry(folder)?;
            let inside = state.names.iter();
            let inside = inside.filter(|(path, _)| path.parent() == Some(folder));
            Ok(inside
                .map(|(path, entry)| {
                    let name = path.file_name().unwrap_or_default();
                    (name.to_string_lossy().into_owned(), *entry == Entry::Folder)
                })
                .collect())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            state.entry(from)?;
            state.entry(to.parent().unwrap_or(to))?;
            state.change(Change::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|state| {
            state.entry(path)?;
            state.change(Change::Remove(path.to_owned()));
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            let entry = state.entry(from)?;
            state.entry(to.parent().unwrap_or(to))?;
            if state.names.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.change(Change::Make(to.to_owned(), entry));
            Ok(())
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.call(|state| {
            state.entry(one)?;
            state.entry(other)?;
            state.change(Change::Exchange(one.to_owned(), other.to_owned()));
            Ok(())
        })
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        // File by file, as on the real disk: it may be killed or fail in between.
        let inside: Vec<PathBuf> = self.call(|state| {
            state.entry(folder)?;
            let inside = state
                .names
                .keys()
                .filter(|path| path.parent() == Some(folder));
            Ok(inside.cloned().collect())
        })?;
        for path in inside {
            self.remove(&path)?;
        }
        self.remove(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|state| {
            state.entry(folder.parent().unwrap_or(folder))?;
            if !state.names.contains_key(folder) {
                state.change(Change::Make(folder.to_owned(), Entry::Folder));
            }
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|state| {
            state.entry(folder)?;
            if !state.durable.contains_key(folder) {
                // The contents of a folder that is not durable are not durable either.
                return Ok(());
            }
            let (synced, rest) = std::mem::take(&mut state.changes)
                .into_iter()
                .partition(|change: &Change| change.is_in(folder));
            state.changes = rest;
            let synced: Vec<Change> = synced;
            // Syncing a name keeps its file too, even if it had another name before.
            for change in &synced {
                if let Change::Rename(from, to) = change
                    && let Some(entry) = state.names.get(to)
                    && !state.durable.contains_key(from)
                {
                    apply(&Change::Make(to.clone(), *entry), &mut state.durable);
                }
                apply(change, &mut state.durable);
            }
            Ok(())
        })
    }

    fn lock(&self, path: &Path, _waits: bool) -> io::Result<Option<Box<dyn HeldLock>>> {
        self.call(|state| {
            if state.entry(path).is_err() {
                state.create(path)?;
            }
            let key = (state.generation, path.to_owned());
            if !state.locks.insert(key.clone()) {
                return Ok(None);
            }
            let held: Box<dyn HeldLock> = Box::new(SimulatedLock {
                disk: self.clone(),
                key,
            });
            Ok(Some(held))
        })
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: Simulated,
    key: (u64, PathBuf),
}

impl HeldLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.key);
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Simulated,
    number: u64,
}

impl SimulatedFile {
    fn extend(&self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.call(|state| {
            let content = state.contents.entry(self.number).or_default();
            content.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    }
}

impl Write for SimulatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Some writes are short.
        let short = self.disk.state().random.below(4) == 0;
        let length = if short {
            bytes.len().div_ceil(2)
        } else {
            bytes.len()
        };
        self.extend(&bytes[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.call(|state| {
            let content = &state.contents[&self.number].bytes;
            let found = content.get(offset as usize..offset as usize + bytes.len());
            bytes.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.call(|state| {
            let content = state.contents.entry(self.number).or_default();
            content.bytes[offset as usize..][..bytes.len()].copy_from_slice(bytes);
            content.durable = content.durable.min(offset as usize);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.call(|state| {
            let content = state.contents.entry(self.number).or_default();
            content.durable = content.bytes.len();
            Ok(())
        })
    }
}
