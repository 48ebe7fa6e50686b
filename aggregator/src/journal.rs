//! The journal of open hours: a capture writes files every minute and syncs them, so that it can resume after a kill or a power failure.
//!
//! A run keeps its files in `DIR/.teiten/journal/SENSOR-RUN`: `run.json` and its copy, locked while the run lives;
//! `HOUR-PART-NUMBER.rows`, the rows and payloads since the previous file; `HOUR.account`, the number and the account of an hour's parts
//! that are final. A part's name follows from the run, so publishing it again replaces it. The account is written after its part was
//! published and before the rows files are removed: rows of a part that the account covers are leftovers, all others still have to be
//! published. So nothing is lost or counted twice, wherever a run stops.
//!
//! A restart trusts only files with a valid checksum and their own name. Damaged files are moved to `DIR/.teiten/damaged` and reported to
//! the caller, who must not replace the published parts of such an hour.

mod files;
mod published;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Crc;
use serde_json::{Value, json};

use crate::close::HourRuns;
use crate::minute::{ACCOUNT_BYTES, HourAccount};
use crate::payload_table::{Names, PayloadTable};
use crate::reply_run::{ReplyFile, ReplyRun, write_merged};
use crate::run::{DiskRun, Run};
use crate::store::{PartName, journals_folder};
use teiten_observation::TelescopeSize;

pub use published::Published;

use files::{has_ending, hour_of_name, keep_damaged, listed, number_of, sync_folder};

/// First bytes of a file; the last one is the version of the format, raised when the encoding of rows changes.
const MAGIC: [u8; 8] = *b"TEITENJ5";
/// The trailer at the end of a file: numbers of IPv4 and IPv6 rows, where the IPv6 rows begin and end, the number of rows of replies and
/// where they begin, and the checksum of everything before it. Payloads, if any, and replies are between the rows and the trailer.
const TRAILER_BYTES: usize = 6 * 8 + 4;
/// The number of preceding rows files in a file that replaces all of them.
const REST: u32 = u32::MAX;
const ROWS_ENDING: &str = "rows";
const ACCOUNT_ENDING: &str = "account";
/// The description of a run, in two copies: one may be damaged.
const RUN_FILES: [&str; 2] = ["run.json", "run.copy.json"];
const BUFFER_BYTES: usize = 256 << 10;

/// Metadata of a run's parts beside the sensor and the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Hash of the configuration, hexadecimal.
    pub configuration_sha256: String,
    /// Dark addresses, where known.
    pub addresses: Option<TelescopeSize>,
}

/// The journal of one run, which alone writes to it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// The sensor and run of its parts.
    pub name: PartName,
    /// Metadata of its parts.
    pub about: About,
    /// Held while the run lives.
    locks: Vec<File>,
    next: u64,
    /// Number of rows files written for each part.
    written: BTreeMap<(i64, u32), u32>,
}

/// The parts into which an hour's rows and coverage are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The hour.
    pub hour: i64,
    /// The part of the hour that holds the rows.
    pub part: u32,
    /// The part that holds the hour's `coverage`: not the first one if the contents of the first are no longer known.
    pub coverage_part: u32,
}

/// The durable rows, payloads and account of a stretch of an hour.
#[derive(Debug)]
pub struct Entry {
    /// The parts that it belongs to.
    pub target: Target,
    /// What the stretch adds to the hour's account.
    pub account: HourAccount,
    /// Its sequence number in the run.
    pub number: u64,
    /// Number of earlier rows files of the same part.
    before: u32,
    path: PathBuf,
    ipv4: DiskRun<u32>,
    ipv6: DiskRun<u128>,
    /// Byte range of the payloads in the file.
    payloads: Range<u64>,
    replies: ReplyFile,
}

/// The contents of a journal.
#[derive(Debug, Default)]
pub struct Contents {
    /// Rows that are not final, in the order of writing.
    pub entries: Vec<Entry>,
    /// For each hour: its next part, and the account of the parts before it, which are final.
    pub accounts: BTreeMap<i64, (Target, HourAccount)>,
    /// Damaged files: where each was moved, and why.
    pub damaged: Vec<(PathBuf, String)>,
    /// Hours with damaged or missing files, as far as file names show.
    pub suspect: BTreeSet<i64>,
}

impl Entry {
    /// The rows, for a merge.
    #[must_use]
    pub fn runs(&self) -> HourRuns {
        let mut runs = HourRuns::default();
        if !self.ipv4.is_empty() {
            runs.ipv4.push(Run::Disk(self.ipv4.again()));
        }
        if !self.ipv6.is_empty() {
            runs.ipv6.push(Run::Disk(self.ipv6.again()));
        }
        if !self.replies.is_empty() {
            runs.replies.push(ReplyRun::Disk(self.replies.again()));
        }
        runs
    }

    /// Whether its file still exists.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// The payloads of its packets.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn payloads(&self, names: &mut Names) -> io::Result<PayloadTable> {
        if self.payloads.is_empty() {
            return Ok(PayloadTable::default());
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.payloads.start))?;
        let length = self.payloads.end - self.payloads.start;
        PayloadTable::read_from(&mut BufReader::new(file.take(length)), names)
    }
}

impl Journal {
    /// Begins the journal of a run in the dataset `directory`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(directory: &Path, name: &PartName, about: &About) -> io::Result<Self> {
        let folder = journals_folder(directory).join(format!("{}-{}", name.sensor, name.run));
        let locks = make_folder(&folder, name, about)?;
        Ok(Journal::of(folder, name.clone(), about.clone(), locks))
    }

    /// The journal in a folder, before its files are read.
    fn of(folder: PathBuf, name: PartName, about: About, locks: Vec<File>) -> Self {
        Journal {
            folder,
            name,
            about,
            locks,
            next: 0,
            written: BTreeMap::new(),
        }
    }

    /// Takes over the journals that dead runs of this sensor left, in the order of their names. Also returns the folders that cannot be
    /// read: where each was moved, and why.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn abandoned(directory: &Path, sensor: &str) -> io::Result<(Vec<Journal>, Damaged)> {
        let (mut journals, mut damaged) = (Vec::new(), Damaged::new());
        for folder in listed(&journals_folder(directory))? {
            let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
            if !folder_name.starts_with(&format!("{sensor}-")) {
                continue;
            }
            let Some(locks) = locked(&folder)? else {
                continue;
            };
            let of_folder = |(name, _): &(PartName, About)| {
                folder_name == format!("{}-{}", name.sensor, name.run)
            };
            let texts = RUN_FILES.map(|file| std::fs::read(folder.join(file)).ok());
            let found = texts.each_ref().map(|text| {
                let text = std::str::from_utf8(text.as_deref()?).ok()?;
                parsed_run(text).filter(of_folder)
            });
            match found.iter().flatten().next().cloned() {
                Some((name, about)) if name.sensor == sensor => {
                    for (file, _) in RUN_FILES
                        .iter()
                        .zip(&found)
                        .filter(|(_, one)| one.is_none())
                    {
                        let path = folder.join(file);
                        if path.exists() {
                            let reason = "its checksum is wrong; its copy is used".to_owned();
                            damaged.push((keep_damaged(&path)?, reason));
                        }
                        std::fs::write(&path, text_of(&name, &about))?;
                    }
                    journals.push(Journal::of(folder, name, about, locks));
                }
                // The journal of a sensor whose name only begins with this one's.
                Some(_) => {}
                None => {
                    let reason = "what run it is cannot be read".to_owned();
                    damaged.push((keep_damaged(&folder)?, reason));
                }
            }
        }
        Ok((journals, damaged))
    }

    /// Reads the journal, removes leftovers of parts that are final, and moves damaged files away.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a damaged file cannot be moved.
    pub fn load(&mut self) -> io::Result<Contents> {
        let mut contents = Contents::default();
        let files = listed(&self.folder)?;
        for path in files.iter().filter(|path| has_ending(path, ACCOUNT_ENDING)) {
            match self.read_account(path) {
                Ok((target, account)) => {
                    contents.accounts.insert(target.hour, (target, account));
                }
                Err(error) => contents.keep_damaged(path, &error)?,
            }
        }
        let mut entries = BTreeMap::new();
        for path in files.iter().filter(|path| has_ending(path, ROWS_ENDING)) {
            self.next = self.next.max(number_of(path).saturating_add(1));
            match self.read_entry(path) {
                Ok(entry) => {
                    let published = contents.accounts.get(&entry.target.hour);
                    if published.is_some_and(|(next, _)| entry.target.part < next.part) {
                        std::fs::remove_file(path)?;
                    } else {
                        entries.insert(entry.number, entry);
                    }
                }
                Err(error) => contents.keep_damaged(path, &error)?,
            }
        }
        for path in files.iter().filter(|path| !is_known(path)) {
            let error = io::Error::other("nothing of a journal has such a name");
            contents.keep_damaged(path, &error)?;
        }
        // The rewritten rest of a damaged hour replaces all files before it, even if the run stopped before it removed them.
        let rests: Vec<Target> = entries
            .values()
            .filter(|entry: &&Entry| entry.before == REST)
            .map(|entry| entry.target)
            .collect();
        for rest in rests {
            let replaced =
                |entry: &Entry| entry.target.hour == rest.hour && entry.target.part < rest.part;
            for (_, entry) in entries.extract_if(.., |_, entry| replaced(entry)) {
                std::fs::remove_file(&entry.path)?;
            }
        }
        contents.entries = entries.into_values().collect();
        self.written.clear();
        for entry in &contents.entries {
            let Target { hour, part, .. } = entry.target;
            let written = self.written.entry((hour, part)).or_insert(0);
            if entry.before != REST && entry.before != *written {
                // An earlier file is damaged or missing.
                contents.suspect.insert(hour);
            }
            *written = entry.before.wrapping_add(1);
        }
        Ok(contents)
    }

    /// Creates the folder again if it was removed, and says whether it was. Its contents are lost.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn restore(&mut self) -> io::Result<bool> {
        if self.folder.join(RUN_FILES[0]).exists() {
            return Ok(false);
        }
        self.locks = make_folder(&self.folder, &self.name, &self.about)?;
        Ok(true)
    }

    /// Makes a stretch of an hour durable.
    ///
    /// # Errors
    /// When it cannot be written; then no file of it exists.
    pub fn append(
        &mut self,
        target: Target,
        runs: &HourRuns,
        account: &HourAccount,
    ) -> io::Result<Entry> {
        let Target { hour, part, .. } = target;
        let before = self.written.get(&(hour, part)).copied().unwrap_or(0);
        self.append_behind(before, target, runs, account)
    }

    /// Rewrites the rest of an hour whose journal is damaged, in place of all files of its parts before `target`: their other contents are
    /// published or lost. Removes the files of `entries`.
    ///
    /// # Errors
    /// When it cannot be written; then nothing changes.
    pub fn append_rest(
        &mut self,
        target: Target,
        runs: &HourRuns,
        account: &HourAccount,
        entries: &[Entry],
    ) -> io::Result<Entry> {
        let entry = self.append_behind(REST, target, runs, account)?;
        self.publish_for_good(target, &HourAccount::default(), entries)?;
        Ok(entry)
    }

    fn append_behind(
        &mut self,
        before: u32,
        target: Target,
        runs: &HourRuns,
        account: &HourAccount,
    ) -> io::Result<Entry> {
        let Target { hour, part, .. } = target;
        let number = self.next;
        let path = self
            .folder
            .join(format!("{hour}-{part}-{number}.{ROWS_ENDING}"));
        let making = self.folder.join(format!(".{number}"));
        let head = EntryHead {
            run: self.run_sum(),
            target,
            number,
            before,
        };
        let written = write_entry(&making, &path, &head, runs, account)
            .and_then(|entry| self.publish(&making, &path).map(|()| entry));
        if written.is_err() {
            // A file that cannot be removed now has a name that is never read, and is overwritten later.
            let _ = std::fs::remove_file(&making);
        }
        let entry = written?;
        self.next += 1;
        self.written.insert((hour, part), before.wrapping_add(1));
        Ok(entry)
    }

    /// Notes that an hour's parts before `next` are final, with their account, and removes the files of `entries`, which they contain.
    ///
    /// # Errors
    /// When the account cannot be written.
    pub fn publish_for_good(
        &mut self,
        next: Target,
        account: &HourAccount,
        entries: &[Entry],
    ) -> io::Result<()> {
        let path = self.folder.join(format!("{}.{ACCOUNT_ENDING}", next.hour));
        let making = self.folder.join(".account");
        let head = EntryHead {
            run: self.run_sum(),
            target: next,
            number: 0,
            before: 0,
        };
        let mut bytes = header(&head, account);
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        let mut file = File::create(&making)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        self.publish(&making, &path)?;
        for entry in entries {
            match std::fs::remove_file(&entry.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.written
            .retain(|&(hour, part), _| hour != next.hour || part >= next.part);
        Ok(())
    }

    /// Removes the account of an hour that is complete.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn forget(&self, hour: i64) -> io::Result<()> {
        std::fs::remove_file(self.folder.join(format!("{hour}.{ACCOUNT_ENDING}")))
    }

    /// Ends the journal of a run that has published everything.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn end(&self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.folder)
    }

    fn publish(&self, making: &Path, path: &Path) -> io::Result<()> {
        std::fs::rename(making, path)?;
        sync_folder(&self.folder)
    }

    /// A checksum of the run's name, stored in every file, so that a file of another run is recognised.
    fn run_sum(&self) -> u32 {
        checksum(format!("{}-{}", self.name.sensor, self.name.run).as_bytes())
    }

    fn check_head(&self, head: &EntryHead, path: &Path, name: &str) -> io::Result<()> {
        if head.run != self.run_sum() && !cfg!(fuzzing) {
            return Err(io::Error::other("it is another run's"));
        }
        if path.file_name().is_none_or(|found| found != name) {
            return Err(io::Error::other(format!("it was written as {name}")));
        }
        Ok(())
    }

    fn read_account(&self, path: &Path) -> io::Result<(Target, HourAccount)> {
        let bytes = std::fs::read(path)?;
        let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if checksum(content) != u32::from_le_bytes(*sum) && !cfg!(fuzzing) {
            return Err(io::Error::other("its checksum is wrong"));
        }
        let (head, account) = read_header(&mut &content[..])?;
        let target = head.target;
        self.check_head(&head, path, &format!("{}.{ACCOUNT_ENDING}", target.hour))?;
        Ok((target, account))
    }

    fn read_entry(&self, path: &Path) -> io::Result<Entry> {
        let mut file = File::open(path)?;
        check_sum(&file)?;
        let trailer = file.seek(SeekFrom::End(-(TRAILER_BYTES as i64)))?;
        let mut number = || {
            let mut bytes = [0; 8];
            file.read_exact(&mut bytes)
                .map(|()| u64::from_le_bytes(bytes))
        };
        let (ipv4_rows, ipv6_rows) = (number()?, number()?);
        let (middle, end) = (number()?, number()?);
        let (reply_rows, replies) = (number()?, number()?);
        if !(end..=trailer).contains(&replies) {
            return Err(io::Error::other("its replies lie outside of it"));
        }
        file.seek(SeekFrom::Start(0))?;
        let (head, account) = read_header(&mut BufReader::new(file))?;
        let Target { hour, part, .. } = head.target;
        let name = format!("{hour}-{part}-{}.{ROWS_ENDING}", head.number);
        self.check_head(&head, path, &name)?;
        Ok(Entry {
            target: head.target,
            account,
            number: head.number,
            before: head.before,
            path: path.to_owned(),
            ipv4: DiskRun::found(path, HEADER_BYTES as u64, ipv4_rows as usize)?,
            ipv6: DiskRun::found(path, middle, ipv6_rows as usize)?,
            payloads: end..replies,
            replies: ReplyFile::found(path, replies, reply_rows),
        })
    }
}

impl Contents {
    fn keep_damaged(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        self.suspect.extend(hour_of_name(path));
        self.damaged.push((keep_damaged(path)?, error.to_string()));
        Ok(())
    }
}

/// Damaged files or folders: where each was moved, and why.
pub type Damaged = Vec<(PathBuf, String)>;

/// Creates and locks the folder of a run. It is renamed to its final name once it is locked; otherwise another capture could take it for
/// a dead run's.
fn make_folder(folder: &Path, name: &PartName, about: &About) -> io::Result<Vec<File>> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    let making = parent.join(format!(".{}-{}", name.sensor, name.run));
    std::fs::create_dir_all(&making)?;
    let text = text_of(name, about);
    let mut locks = Vec::new();
    for run_file in RUN_FILES {
        let mut file = File::create(making.join(run_file))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Not opened for writing, so that the file system can be remounted read-only while a capture runs.
        let lock = File::open(making.join(run_file))?;
        lock.lock()?;
        locks.push(lock);
    }
    if folder.exists() {
        // Only a folder without files of a run is created again.
        keep_damaged(folder)?;
    }
    std::fs::rename(&making, folder)?;
    sync_folder(folder)?;
    sync_folder(parent)?;
    Ok(locks)
}

/// The locks of a dead run's folder; `None` if the run lives.
fn locked(folder: &Path) -> io::Result<Option<Vec<File>>> {
    let mut locks = Vec::new();
    for file in RUN_FILES {
        let Ok(lock) = File::open(folder.join(file)) else {
            continue;
        };
        match lock.try_lock() {
            Ok(()) => locks.push(lock),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(Some(locks))
}

const SUM_KEY: &str = "crc32";

/// The description of a run, followed by its checksum.
fn text_of(name: &PartName, about: &About) -> String {
    let mut value = json!({
        "sensor": name.sensor,
        "run": name.run,
        "configuration_sha256": about.configuration_sha256,
        // As text: sizes of IPv6 exceed the numbers of JSON.
        "telescope_ipv4": about.addresses.map(|size| size.ipv4.to_string()),
        "telescope_ipv6": about.addresses.map(|size| size.ipv6.to_string()),
    });
    let sum = checksum(value.to_string().as_bytes());
    value[SUM_KEY] = json!(format!("{sum:08x}"));
    format!("{value}\n")
}

fn parsed_run(text: &str) -> Option<(PartName, About)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let name = PartName::new(value["sensor"].as_str()?, value["run"].as_str()?).ok()?;
    let about = About {
        configuration_sha256: value["configuration_sha256"].as_str()?.to_owned(),
        addresses: telescope_size(&value),
    };
    // Any other text was not written by this program.
    (text == text_of(&name, &about)).then_some((name, about))
}

fn telescope_size(run: &Value) -> Option<TelescopeSize> {
    Some(TelescopeSize {
        ipv4: run["telescope_ipv4"].as_str()?.parse().ok()?,
        ipv6: run["telescope_ipv6"].as_str()?.parse().ok()?,
    })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// A writer that computes the checksum of what is written.
struct ChecksumWriter<W> {
    inner: W,
    sum: Crc,
}

impl<W: Write> Write for ChecksumWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn write_entry(
    making: &Path,
    path: &Path,
    head: &EntryHead,
    runs: &HourRuns,
    account: &HourAccount,
) -> io::Result<Entry> {
    // Buffered before the checksum: it is several times as fast over many bytes at once.
    let summed = ChecksumWriter {
        inner: File::create(making)?,
        sum: Crc::new(),
    };
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, summed);
    file.write_all(&header(head, account))?;
    let start = HEADER_BYTES as u64;
    let (ipv4, middle) = DiskRun::append_merged(&mut file, path, start, &runs.ipv4)?;
    let (ipv6, end) = DiskRun::append_merged(&mut file, path, middle, &runs.ipv6)?;
    let mut payloads = Vec::new();
    if !runs.payloads.is_empty() {
        runs.payloads.write_to(&mut payloads);
    }
    file.write_all(&payloads)?;
    let replies = end + payloads.len() as u64;
    let (reply_rows, _) = write_merged(&runs.replies, &mut file)?;
    let (ipv4_rows, ipv6_rows) = (ipv4.len() as u64, ipv6.len() as u64);
    for number in [ipv4_rows, ipv6_rows, middle, end, reply_rows, replies] {
        file.write_all(&number.to_le_bytes())?;
    }
    let ChecksumWriter {
        inner: mut file,
        sum,
    } = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.write_all(&sum.sum().to_le_bytes())?;
    file.sync_all()?;
    Ok(Entry {
        target: head.target,
        account: account.clone(),
        number: head.number,
        before: head.before,
        path: path.to_owned(),
        ipv4,
        ipv6,
        payloads: end..replies,
        replies: ReplyFile::found(path, replies, reply_rows),
    })
}

const HEADER_BYTES: usize = MAGIC.len() + 4 + 8 + 4 + 4 + 8 + 4 + ACCOUNT_BYTES;

/// The bytes before the account.
struct EntryHead {
    run: u32,
    target: Target,
    number: u64,
    before: u32,
}

/// The fixed part at the beginning of a file.
fn header(head: &EntryHead, account: &HourAccount) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&head.run.to_le_bytes());
    bytes.extend_from_slice(&head.target.hour.to_le_bytes());
    bytes.extend_from_slice(&head.target.part.to_le_bytes());
    bytes.extend_from_slice(&head.target.coverage_part.to_le_bytes());
    bytes.extend_from_slice(&head.number.to_le_bytes());
    bytes.extend_from_slice(&head.before.to_le_bytes());
    account.write_to(&mut bytes);
    bytes
}

fn read_header(input: &mut impl Read) -> io::Result<(EntryHead, HourAccount)> {
    if chunk(input)? != MAGIC {
        return Err(io::Error::other(
            "written by another version of this program",
        ));
    }
    let head = EntryHead {
        run: u32::from_le_bytes(chunk(input)?),
        target: Target {
            hour: i64::from_le_bytes(chunk(input)?),
            part: u32::from_le_bytes(chunk(input)?),
            coverage_part: u32::from_le_bytes(chunk(input)?),
        },
        number: u64::from_le_bytes(chunk(input)?),
        before: u32::from_le_bytes(chunk(input)?),
    };
    Ok((head, HourAccount::read_from(input)?))
}

fn chunk<const BYTES: usize>(input: &mut impl Read) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    input.read_exact(&mut bytes).map(|()| bytes)
}

/// Whether a file's name is one that a journal writes.
fn is_known(path: &Path) -> bool {
    has_ending(path, ROWS_ENDING)
        || has_ending(path, ACCOUNT_ENDING)
        || RUN_FILES.iter().any(|name| path.ends_with(name))
}

fn check_sum(mut file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length < (HEADER_BYTES + TRAILER_BYTES) as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut sum = Crc::new();
    let mut left = length - 4;
    let mut bytes = vec![0; BUFFER_BYTES];
    while left > 0 {
        let take = left.min(BUFFER_BYTES as u64) as usize;
        file.read_exact(&mut bytes[..take])?;
        sum.update(&bytes[..take]);
        left -= take as u64;
    }
    let mut expected = [0; 4];
    file.read_exact(&mut expected)?;
    if sum.sum() != u32::from_le_bytes(expected) && !cfg!(fuzzing) {
        return Err(io::Error::other("its checksum is wrong"));
    }
    Ok(())
}
