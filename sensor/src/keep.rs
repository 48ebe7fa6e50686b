//! Writes the observed packets of a capture as pcap files (`--keep-packets`). The reader copies packets into a queue of bounded bytes; a
//! writing thread takes them from there. If the disk is slow, full or fails, kept packets are lost and counted by reason. The tables lose
//! nothing: no other thread waits for this one.

mod files;
mod leftover;
mod pcap;
mod retention;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::source::Arrival;
use crate::source::block::Block;
use crate::source::record::{NO_TIME_US, Record};
use crate::watch::{KeptCounts, NotKeptReason, Status};
use files::Files;
pub use settings::KeepSettings;
use teiten_packet::Telescope;
use teiten_packet::judge::is_observed;

/// Bytes that may wait for the disk, in addition to `--memory`: half a minute of 20,000 small packets a second.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// How often buffers are flushed, files of past hours are finished and free space is checked.
const ROUND: Duration = Duration::from_secs(1);
/// How long the end of a capture waits until queued packets are written; the rest is counted as lost to a slow disk.
const END_WAIT: Duration = Duration::from_secs(5);

/// Copies of packets on their way to the disk.
struct Copies {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

impl Copies {
    fn copied(block: &Block) -> Copies {
        let bytes = block.bytes();
        let all = block.records.iter();
        let length: usize = all.map(|record| record.captured_bytes as usize).sum();
        let mut chunk = Copies {
            bytes: Vec::with_capacity(length),
            records: Vec::with_capacity(block.records.len()),
        };
        for record in &block.records {
            chunk.records.push(Record {
                offset: chunk.bytes.len() as u32,
                ..*record
            });
            chunk.bytes.extend_from_slice(record.captured(bytes));
        }
        chunk
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Copies>() + self.bytes.len() + self.records.len() * size_of::<Record>()
    }
}

/// State that the reader and the writing thread share.
struct KeepState {
    telescope: Arc<Telescope>,
    status: Arc<Status>,
    waiting_bytes: AtomicUsize,
    clock_us: AtomicI64,
    given_up: AtomicBool,
}

impl KeepState {
    fn counts(&self) -> &KeptCounts {
        self.status.kept()
    }

    fn observed_of<'a>(
        &'a self,
        bytes: &'a [u8],
        records: &'a [Record],
    ) -> impl Iterator<Item = &'a Record> {
        records
            .iter()
            // A packet with an implausible time is in no table either.
            .filter(|record| record.time_us != NO_TIME_US)
            .filter(|record| is_observed(&self.telescope, record.frame(bytes)))
    }
}

/// The reader's end of the queue; it never waits.
pub struct Keeping {
    sender: Option<Sender<Copies>>,
    shared: Arc<KeepState>,
    ended: Receiver<()>,
}

impl Keeping {
    /// Starts the thread, which first finishes the files that an earlier run of `sensor` left behind.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        settings: &KeepSettings,
        sensor: &str,
        telescope: Arc<Telescope>,
        status: Arc<Status>,
    ) -> std::io::Result<Keeping> {
        let (sender, chunks) = unbounded();
        let (end, ended) = bounded(1);
        let shared = Arc::new(KeepState {
            telescope,
            status,
            waiting_bytes: AtomicUsize::new(0),
            clock_us: AtomicI64::new(0),
            given_up: AtomicBool::new(false),
        });
        let writer = Writer {
            files: Files::new(settings, sensor),
            shared: Arc::clone(&shared),
            lost_slow: 0,
        };
        std::thread::Builder::new()
            .name("keep".into())
            .spawn(move || {
                writer.run(&chunks);
                // The receiver may be gone.
                let _ = end.send(());
            })?;
        Ok(Keeping {
            sender: Some(sender),
            shared,
            ended,
        })
    }

    /// Takes the reader's next arrival; `None` at the end of the input.
    pub fn offer(&mut self, arrival: Option<&Arrival>) {
        let Some(arrival) = arrival else {
            self.sender = None;
            return;
        };
        if let Some(clock_us) = arrival.clock_us {
            self.shared.clock_us.store(clock_us, Ordering::Relaxed);
        }
        let block = &arrival.block;
        if block.records.is_empty() {
            return;
        }
        if self.shared.waiting_bytes.load(Ordering::Relaxed) >= WAITING_BYTES_MAX {
            let lost = self.shared.observed_of(block.bytes(), &block.records);
            self.shared
                .counts()
                .lose(NotKeptReason::Slow, lost.count() as u64);
            return;
        }
        let chunk = Copies::copied(block);
        self.shared
            .waiting_bytes
            .fetch_add(chunk.memory_bytes(), Ordering::Relaxed);
        if let Some(sender) = &self.sender {
            // The thread ends early only by a panic, which was logged.
            let _ = sender.send(chunk);
        }
    }

    /// Waits until everything is written and the files have their final names; gives up when the disk hangs.
    pub fn end(mut self) {
        self.sender = None;
        if self.ended.recv_timeout(END_WAIT) == Err(RecvTimeoutError::Timeout) {
            self.shared.given_up.store(true, Ordering::Relaxed);
            if self.ended.recv_timeout(ROUND).is_err() {
                tracing::error!("the disk of --keep-packets hangs; queued packets are not kept");
            }
        }
    }
}

/// The writing thread.
struct Writer {
    files: Files,
    shared: Arc<KeepState>,
    /// Packets lost to a slow disk at the last report.
    lost_slow: u64,
}

impl Writer {
    fn run(mut self, chunks: &Receiver<Copies>) {
        self.files.finish_leftovers();
        let mut round = Instant::now();
        loop {
            match chunks.recv_timeout(ROUND.saturating_sub(round.elapsed())) {
                Ok(chunk) => self.take(&chunk),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if round.elapsed() >= ROUND {
                round = Instant::now();
                self.files.look(
                    self.shared.clock_us.load(Ordering::Relaxed),
                    self.shared.counts(),
                );
                self.report();
            }
        }
        self.files.end(self.shared.counts());
        self.report();
        if let Some(problem) = self.files.problem() {
            // The service thread has ended and logs nothing any more.
            tracing::error!("{problem}");
        }
    }

    fn take(&mut self, chunk: &Copies) {
        let shared = Arc::clone(&self.shared);
        let observed = shared.observed_of(&chunk.bytes, &chunk.records);
        if shared.given_up.load(Ordering::Relaxed) {
            shared
                .counts()
                .lose(NotKeptReason::Slow, observed.count() as u64);
        } else {
            for record in observed {
                let captured = record.captured(&chunk.bytes);
                self.files.write(record, captured, shared.counts());
            }
        }
        shared
            .waiting_bytes
            .fetch_sub(chunk.memory_bytes(), Ordering::Relaxed);
    }

    /// Reports the current problem to the status; the service logs it once.
    fn report(&mut self) {
        let lost_slow = self.shared.counts().lost()[NotKeptReason::Slow as usize].1;
        let was_slow = lost_slow > self.lost_slow;
        self.lost_slow = lost_slow;
        let slow = || was_slow.then(|| NotKeptReason::Slow.to_string());
        let problem = self.files.problem().or_else(slow);
        self.shared.status.problem("kept packets", problem);
    }
}

/// For fuzzing: takes any bytes as a file that a killed run left, and finishes it. Finishing the result again must change nothing.
#[doc(hidden)]
pub fn fuzz_leftover(path: &std::path::Path) {
    let unfinished = path.with_extension(leftover::UNFINISHED_ENDING);
    if std::fs::rename(path, &unfinished).is_err() {
        return;
    }
    if let Ok(Some(packets)) = leftover::finish(&unfinished)
        && packets > 0
    {
        let finished = leftover::finished(&unfinished);
        let whole = std::fs::metadata(&finished).map_or(0, |about| about.len());
        let _ = std::fs::rename(&finished, &unfinished);
        let again = leftover::finish(&unfinished);
        assert!(matches!(again, Ok(Some(count)) if count == packets));
        assert_eq!(
            std::fs::metadata(&finished).map_or(0, |about| about.len()),
            whole
        );
        let _ = std::fs::remove_file(&finished);
    }
    let _ = std::fs::remove_file(&unfinished);
}

#[cfg(test)]
mod tests;
