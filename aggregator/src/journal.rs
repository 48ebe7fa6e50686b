//! What an open hour has had so far, on disk: files that a capture writes every minute and forces to disk, so that a program that was
//! killed, or a machine that lost its power, goes on where it was.
//!
//! A run's files lie in `DIR/.teiten/journal/SENSOR-RUN`: `run.json`, locked as long as the run lives; `HOUR-PART-NUMBER.rows`, what
//! came since the file before, rows and payloads; `HOUR.account`, the account of an hour's parts that have been published for good, and how many they
//! are. Parts have names that follow from the run, so publishing one again replaces it. An account is written after its part was
//! published and before the rows' files go: rows of a part that the account has are left over, all others are still to be published.
//! So nothing is counted twice or lost, wherever a run breaks off.

mod files;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Crc;
use serde_json::{Value, json};

use crate::close::HourRuns;
use crate::dataset::PartName;
use crate::minute::{ACCOUNT_BYTES, HourAccount};
use crate::payload_table::{Names, PayloadTable};
use crate::run::{DiskRun, Run};
use files::{has_ending, listed, number_of, parent, sync_folder};
use teiten_observation::TelescopeSize;

/// First bytes of a file; the last one is the version of what follows, raised when a row's form changes.
const MAGIC: [u8; 8] = *b"TEITENJ3";
/// Behind the rows: numbers of IPv4 and IPv6 rows, where the latter begin and where they end, and the checksum of everything before
/// it. Between the rows and the trailer are the payloads, where there are any.
const TRAILER_BYTES: usize = 4 * 8 + 4;
const ROWS_ENDING: &str = "rows";
const ACCOUNT_ENDING: &str = "account";
const RUN_FILE: &str = "run.json";
const BUFFER_BYTES: usize = 256 << 10;

/// What the parts of a run say of their making, beside the sensor and the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Hash of the configuration, hexadecimal.
    pub configuration_sha256: String,
    /// Dark addresses, where known.
    pub addresses: Option<TelescopeSize>,
}

/// The journal of one run; nobody else writes to it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Whose parts it holds.
    pub name: PartName,
    /// What they say of their making.
    pub about: About,
    _lock: File,
    next: u64,
}

/// Where what came in an hour is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The hour.
    pub hour: i64,
    /// The part of the hour that holds the rows.
    pub part: u32,
    /// The part that holds the hour's `coverage`: another one than the first where what the first holds is no longer known.
    pub coverage_part: u32,
}

/// Rows, payloads and account of a stretch of an hour, durable.
#[derive(Debug)]
pub struct Entry {
    /// Where it belongs.
    pub target: Target,
    /// What the stretch adds to the hour's account.
    pub account: HourAccount,
    path: PathBuf,
    ipv4: DiskRun<u32>,
    ipv6: DiskRun<u128>,
    /// Where the payloads lie within the file.
    payloads: Range<u64>,
}

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Rows that are not published for good, in the order they were written.
    pub entries: Vec<Entry>,
    /// By hour: where its next part belongs, all before it being published for good, and the account of these.
    pub accounts: BTreeMap<i64, (Target, HourAccount)>,
    /// Files that cannot be read, and why; they are left where they are.
    pub damaged: Vec<(PathBuf, String)>,
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
        runs
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
        let parent = parent(directory);
        // Named only once it is locked: else another capture could take it for a dead one's.
        let making = parent.join(format!(".{}-{}", name.sensor, name.run));
        std::fs::create_dir_all(&making)?;
        let mut file = File::create(making.join(RUN_FILE))?;
        let text = json!({
            "sensor": name.sensor,
            "run": name.run,
            "configuration_sha256": about.configuration_sha256,
            // As text: IPv6 sizes are beyond the numbers of JSON.
            "telescope_ipv4": about.addresses.map(|size| size.ipv4.to_string()),
            "telescope_ipv6": about.addresses.map(|size| size.ipv6.to_string()),
        });
        writeln!(file, "{text}")?;
        file.sync_all()?;
        // Not open for writing: a file system can then be made read-only while a capture runs.
        let lock = File::open(making.join(RUN_FILE))?;
        lock.lock()?;
        let folder = parent.join(format!("{}-{}", name.sensor, name.run));
        std::fs::rename(&making, &folder)?;
        sync_folder(&folder)?;
        sync_folder(&parent)?;
        let (name, about) = (name.clone(), about.clone());
        Ok(Journal {
            folder,
            name,
            about,
            _lock: lock,
            next: 0,
        })
    }

    /// The journals of this sensor whose runs have ended without ending them, in the order of their names; they are this process's
    /// from now on. One that cannot be understood is left alone.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn abandoned(directory: &Path, sensor: &str) -> io::Result<Vec<Journal>> {
        let mut journals = Vec::new();
        for folder in listed(&parent(directory))? {
            let Ok(mut lock) = File::open(folder.join(RUN_FILE)) else {
                continue;
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let mut text = String::new();
            lock.read_to_string(&mut text)?;
            if let Some((name, about)) = understood(&text).filter(|(name, _)| name.sensor == sensor)
            {
                journals.push(Journal {
                    folder,
                    name,
                    about,
                    _lock: lock,
                    next: 0,
                });
            }
        }
        Ok(journals)
    }

    /// Reads what the journal holds, and removes what is left over of parts that are published for good.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load(&mut self) -> io::Result<Contents> {
        let mut contents = Contents::default();
        let files = listed(&self.folder)?;
        for path in files.iter().filter(|path| has_ending(path, ACCOUNT_ENDING)) {
            match read_account(path) {
                Ok((target, account)) => {
                    contents.accounts.insert(target.hour, (target, account));
                }
                Err(error) => contents.damaged.push((path.clone(), error.to_string())),
            }
        }
        let mut entries = BTreeMap::new();
        for path in files.iter().filter(|path| has_ending(path, ROWS_ENDING)) {
            let number = number_of(path);
            self.next = self.next.max(number + 1);
            match read_entry(path) {
                Ok(entry) => {
                    let published = contents
                        .accounts
                        .get(&entry.target.hour)
                        .map_or(0, |(next, _)| next.part);
                    if entry.target.part < published {
                        std::fs::remove_file(path)?;
                    } else {
                        entries.insert(number, entry);
                    }
                }
                Err(error) => contents.damaged.push((path.clone(), error.to_string())),
            }
        }
        contents.entries = entries.into_values().collect();
        Ok(contents)
    }

    /// Makes a stretch of an hour durable.
    ///
    /// # Errors
    /// When it cannot be written; then nothing of it is there.
    pub fn append(
        &mut self,
        target: Target,
        runs: &HourRuns,
        account: &HourAccount,
    ) -> io::Result<Entry> {
        let Target { hour, part, .. } = target;
        let path = self
            .folder
            .join(format!("{hour}-{part}-{}.{ROWS_ENDING}", self.next));
        let making = self.folder.join(format!(".{}", self.next));
        let written = write_entry(&making, &path, target, runs, account)
            .and_then(|entry| self.publish(&making, &path).map(|()| entry));
        if written.is_err() {
            // What cannot be removed now has a name that is never read, and is written over.
            let _ = std::fs::remove_file(&making);
        }
        let entry = written?;
        self.next += 1;
        Ok(entry)
    }

    /// Notes that what came in an hour before its part at `next` is published for good, with the account of it, and removes the
    /// files of `entries`, which are of that.
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
        let mut bytes = header(next, account);
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        let mut file = File::create(&making)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        self.publish(&making, &path)?;
        for entry in entries {
            std::fs::remove_file(&entry.path)?;
        }
        Ok(())
    }

    /// Forgets the account of an hour that nothing will be added to.
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
}

fn understood(text: &str) -> Option<(PartName, About)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let name = PartName::new(value["sensor"].as_str()?, value["run"].as_str()?).ok()?;
    let about = About {
        configuration_sha256: value["configuration_sha256"].as_str()?.to_owned(),
        addresses: telescope_size(&value),
    };
    Some((name, about))
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

/// A writer that keeps the checksum of what went through it.
struct Summed<W> {
    inner: W,
    sum: Crc,
}

impl<W: Write> Write for Summed<W> {
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
    target: Target,
    runs: &HourRuns,
    account: &HourAccount,
) -> io::Result<Entry> {
    // Buffered before it is summed: sums over many bytes at once are several times as fast.
    let summed = Summed {
        inner: File::create(making)?,
        sum: Crc::new(),
    };
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, summed);
    file.write_all(&header(target, account))?;
    let start = HEADER_BYTES as u64;
    let (ipv4, middle) = DiskRun::append_merged(&mut file, path, start, &runs.ipv4)?;
    let (ipv6, end) = DiskRun::append_merged(&mut file, path, middle, &runs.ipv6)?;
    let mut payloads = Vec::new();
    if !runs.payloads.is_empty() {
        runs.payloads.write_to(&mut payloads);
    }
    file.write_all(&payloads)?;
    for number in [ipv4.len() as u64, ipv6.len() as u64, middle, end] {
        file.write_all(&number.to_le_bytes())?;
    }
    let Summed {
        inner: mut file,
        sum,
    } = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.write_all(&sum.sum().to_le_bytes())?;
    file.sync_all()?;
    Ok(Entry {
        target,
        account: account.clone(),
        path: path.to_owned(),
        ipv4,
        ipv6,
        payloads: end..end + payloads.len() as u64,
    })
}

const HEADER_BYTES: usize = MAGIC.len() + 8 + 4 + 4 + ACCOUNT_BYTES;

/// The fixed part at the beginning of a file.
fn header(target: Target, account: &HourAccount) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&target.hour.to_le_bytes());
    bytes.extend_from_slice(&target.part.to_le_bytes());
    bytes.extend_from_slice(&target.coverage_part.to_le_bytes());
    account.write_to(&mut bytes);
    bytes
}

fn read_header(input: &mut impl Read) -> io::Result<(Target, HourAccount)> {
    let mut magic = [0; 8];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(io::Error::other(
            "written by another version of this program",
        ));
    }
    let mut hour = [0; 8];
    input.read_exact(&mut hour)?;
    let mut part = || {
        let mut bytes = [0; 4];
        input
            .read_exact(&mut bytes)
            .map(|()| u32::from_le_bytes(bytes))
    };
    let target = Target {
        hour: i64::from_le_bytes(hour),
        part: part()?,
        coverage_part: part()?,
    };
    Ok((target, HourAccount::read_from(input)?))
}

fn read_account(path: &Path) -> io::Result<(Target, HourAccount)> {
    let bytes = std::fs::read(path)?;
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    if checksum(content) != u32::from_le_bytes(*sum) {
        return Err(io::Error::other("its checksum is wrong"));
    }
    read_header(&mut &content[..])
}

fn read_entry(path: &Path) -> io::Result<Entry> {
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
    file.seek(SeekFrom::Start(0))?;
    let (target, account) = read_header(&mut BufReader::new(file))?;
    Ok(Entry {
        target,
        account,
        path: path.to_owned(),
        ipv4: DiskRun::found(path, HEADER_BYTES as u64, ipv4_rows as usize)?,
        ipv6: DiskRun::found(path, middle, ipv6_rows as usize)?,
        payloads: end..trailer,
    })
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
    if sum.sum() != u32::from_le_bytes(expected) {
        return Err(io::Error::other("its checksum is wrong"));
    }
    Ok(())
}
