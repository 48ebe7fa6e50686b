//! Walks a large mapped pcap ahead, segment by segment, on several threads, so that many workers do not wait for one walk.
//!
//! Where the first record of a segment begins is a guess: some records in a row that look like records. It is proved when the segments join:
//! records count only if the walk before them ends exactly where one of them begins. A walk depends on nothing but the header's fields and
//! the place where it begins, so the records are then those of a walk from the beginning. Where segments do not join, and wherever anything
//! but records comes, [`super::input::Input`] walks itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use memmap2::Mmap;

use super::block::BLOCK_RECORDS_MAX;
use super::pcap::Pcap;
use super::record::Record;
use super::walk::{Stop, WalkLimits};

/// Bytes of a segment: some 40,000 packets of a darknet, whose records take a mebibyte.
const SEGMENT_BYTES: usize = 4 << 20;
/// Segments that are walked or wait, for each thread; two at least, as a segment is taken to its end only when the next one is there.
const AHEAD_PER_THREAD: usize = 2;
/// Segments that a capture must have from where it is read.
const SEGMENTS_MIN: usize = 4;

/// How a capture is walked ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkAhead {
    threads: usize,
    segment_bytes: usize,
}

impl WalkAhead {
    /// On so many threads.
    #[must_use]
    pub const fn on(threads: usize) -> Self {
        WalkAhead {
            threads,
            segment_bytes: SEGMENT_BYTES,
        }
    }

    /// In segments of so many bytes.
    #[must_use]
    pub const fn in_segments(self, segment_bytes: usize) -> Self {
        WalkAhead {
            segment_bytes,
            ..self
        }
    }
}

/// Records that follow each other.
#[derive(Debug)]
pub(super) struct WalkedBlock {
    /// Index in the file that the records' offsets count from.
    pub origin: usize,
    /// Index behind the last record.
    pub next: usize,
    /// The records.
    pub records: Vec<Record>,
}

/// The segments of one capture. Dropping this ends the threads.
#[derive(Debug)]
pub(super) struct Segments {
    file: Arc<Mmap>,
    pcap: Pcap,
    terms: WalkAhead,
    tasks: Sender<WalkTask>,
    /// In the order of the file; the first is being taken.
    segments: VecDeque<Segment>,
    /// Where the next segment begins that is not asked for yet.
    next: usize,
}

/// The blocks of a segment, as soon as they are there.
#[derive(Debug)]
struct Segment {
    walked: Receiver<VecDeque<WalkedBlock>>,
    blocks: Option<VecDeque<WalkedBlock>>,
}

impl Segment {
    /// Waits for the blocks; there are none of a thread that panicked.
    fn blocks(&mut self) -> &mut VecDeque<WalkedBlock> {
        let walked = &self.walked;
        self.blocks
            .get_or_insert_with(|| walked.recv().unwrap_or_default())
    }
}

#[derive(Debug)]
struct WalkTask {
    /// Index of the first byte in which a record of the segment may begin, and of the first that belongs to the next segment.
    from: usize,
    to: usize,
    walked: Sender<VecDeque<WalkedBlock>>,
}

impl Segments {
    /// Begins to walk `file` behind the record or header that ends at `from`; `None` if it is too short for that, or no thread can be started.
    pub(super) fn start(
        file: &Arc<Mmap>,
        pcap: &Pcap,
        from: usize,
        terms: WalkAhead,
    ) -> Option<Segments> {
        if file.len().saturating_sub(from) < SEGMENTS_MIN * terms.segment_bytes {
            return None;
        }
        let (tasks, received) = unbounded::<WalkTask>();
        let mut started = 0;
        for _ in 0..terms.threads {
            let (received, file, pcap) = (received.clone(), Arc::clone(file), pcap.clone());
            let thread = thread::Builder::new().name("teiten-walk".into());
            let work = move || {
                for task in received {
                    let blocks = walk(&file, pcap.clone(), task.from, task.to);
                    // Nobody may want them any more.
                    let _ = task.walked.send(blocks);
                }
            };
            started += usize::from(thread.spawn(work).is_ok());
        }
        let mut segments = Segments {
            file: Arc::clone(file),
            pcap: pcap.clone(),
            terms,
            tasks,
            segments: VecDeque::new(),
            next: from,
        };
        segments.ask();
        (started > 0).then_some(segments)
    }

    /// The records from index `from` on, where `pcap` has come to, if they were walked and what follows joins them.
    pub(super) fn take(&mut self, pcap: &Pcap, from: usize) -> Option<WalkedBlock> {
        if !self.pcap.reads_as(pcap) {
            // Behind a header with other fields, all of it was walked in vain.
            self.segments.clear();
            self.next = self.file.len();
        }
        loop {
            let blocks = self.segments.front_mut()?.blocks();
            while blocks.pop_front_if(|block| block.next <= from).is_some() {}
            if !blocks.is_empty() {
                break;
            }
            self.segments.pop_front();
            self.ask();
        }
        let header_bytes = self.pcap.record_header_bytes();
        let blocks = self.segments[0].blocks();
        let block = blocks.front()?;
        let begins = |record: &Record| block.origin + record.offset as usize - header_bytes;
        let first = block.records.binary_search_by_key(&from, begins).ok()?;
        let (next, is_last) = (block.next, blocks.len() == 1);
        // A record that is cut off shows by what follows it, and only to one walk over both.
        if is_last && !self.joins(next) {
            return None;
        }
        let mut block = self.segments[0].blocks().pop_front()?;
        block.records.drain(..first);
        Some(block)
    }

    /// Whether the second segment begins at `next`, or the file ends there.
    fn joins(&mut self, next: usize) -> bool {
        match self.segments.get_mut(1) {
            Some(segment) => segment
                .blocks()
                .front()
                .is_some_and(|block| block.origin == next),
            None => next == self.file.len(),
        }
    }

    /// Has the next segments walked.
    fn ask(&mut self) {
        let end = self.file.len();
        let most = self.terms.threads * AHEAD_PER_THREAD;
        while self.segments.len() < most && self.next < end {
            let (send, walked) = bounded(1);
            let from = self.next;
            self.next = end.min(from + self.terms.segment_bytes);
            let task = WalkTask {
                from,
                to: self.next,
                walked: send,
            };
            // Without a thread the channel is closed, and the segment has no blocks.
            let _ = self.tasks.send(task);
            let blocks = None;
            self.segments.push_back(Segment { walked, blocks });
        }
    }
}

/// Walks the records that begin from `from` to before `to`, as far as nothing but records comes.
fn walk(file: &Mmap, mut pcap: Pcap, from: usize, to: usize) -> VecDeque<WalkedBlock> {
    let mut blocks = VecDeque::new();
    let Some(mut at) = pcap.find_record(file, from..to) else {
        return blocks;
    };
    while at < to {
        let mut records = Vec::with_capacity(BLOCK_RECORDS_MAX);
        let limits = |from, records_max| WalkLimits {
            from,
            origin: at,
            records_max,
        };
        let mut walked = pcap.walk(&file[..to], limits(at, BLOCK_RECORDS_MAX), &mut records);
        if matches!(walked.stop, Stop::NeedMore(_)) && walked.next < to {
            // The last record reaches into the next segment.
            let one_more = limits(walked.next, records.len() + 1);
            walked = pcap.walk(file, one_more, &mut records);
        }
        let is_clean = match walked.stop {
            Stop::Full => true,
            Stop::NeedMore(_) => walked.next == to,
            _ => false,
        };
        let remarks = pcap.take_fractions().len() + pcap.take_appended().len();
        if !is_clean || remarks > 0 || records.is_empty() {
            break;
        }
        let next = walked.next;
        blocks.push_back(WalkedBlock {
            origin: at,
            next,
            records,
        });
        at = next;
    }
    blocks
}
