//! One open capture as a sequence of blocks. Blocks of a mapped file borrow its bytes; other inputs come in chunks that become the blocks'
//! bytes. The next block is always read ahead, so that its time is known before it is taken.

mod chunked;
mod findings;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use memmap2::Mmap;
use teiten_aggregator::inputs::Capture;

use super::FileReport;
use super::chunks::Chunks;
use super::compression::ByteSource;
use super::error::CaptureError;
use super::format::Compression;
use super::identity::Identifier;
use super::judge::TimeJudge;
use super::map::release_behind;
use super::segments::{Segments, WalkAhead, WalkedBlock};
use super::unsupported::Unsupported;
use super::walk::{Stop, WalkLimits, Walked};
use super::walker::Walker;
use crate::source::block::{BLOCK_RECORDS_MAX, Block, BlockBytes};
use crate::source::record::{NO_TIME_US, Record};
use chunked::Chunked;
use findings::Findings;

/// From this many zero bytes on, the end of a capture is reported as zeros and not as the beginning of a record.
const ZEROS_MIN: usize = 12;

/// Most changes between the formats within one file.
pub(super) const FORMATS_MAX: usize = 100;

/// Settings for reading a capture.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// How far a packet may be from its neighbours, days.
    pub implausible_days: u32,
    /// Records that begin before this byte were counted before and are skipped.
    pub from_bytes: u64,
    /// Whether the capture is identified while it is read, and the lengths at which its hash is wanted.
    pub identify: Option<Vec<u64>>,
    /// How it is walked ahead, if it can be and is large.
    pub walk_ahead: Option<WalkAhead>,
}

/// An open capture.
#[derive(Debug)]
pub(super) struct Input {
    body: Body,
    walker: Option<Walker>,
    /// How the capture is walked ahead from its second block on, until that has begun.
    walk_ahead: Option<WalkAhead>,
    segments: Option<Segments>,
    ready: Option<Block>,
    /// Records taken of the block that is ready.
    taken: usize,
    /// Blocks that were read and wait until their times are judged, or for their turn.
    waiting: VecDeque<WaitingBlock>,
    judge: TimeJudge,
    identifier: Option<Identifier>,
    from_bytes: u64,
    /// Records read, and those of them that were skipped as counted before.
    records: u64,
    passed_over: u64,
    /// Offset of the first unread byte in the uncompressed capture.
    offset_bytes: u64,
    /// Zero bytes at the end so far, if there are any instead of records.
    zero_bytes: Option<u64>,
    unsupported: Unsupported,
    ended: bool,
    findings: Findings,
    /// Number of changes of format within the file.
    formats: usize,
    /// Whether there is a link type that is not decoded.
    has_unsupported: bool,
}

/// A block, the number of its first record among those that are judged, and the offset in the capture that its records count from.
#[derive(Debug)]
struct WaitingBlock {
    block: Block,
    first: u64,
    base_bytes: i64,
}

#[derive(Debug)]
enum Body {
    Mapped(Arc<Mmap>),
    Chunked(Chunked),
}

impl Input {
    /// Reads from a map.
    pub(super) fn mapped(file: Arc<Mmap>, terms: Terms) -> Input {
        Input::with(Body::Mapped(file), terms)
    }

    /// Reads on a thread of its own.
    pub(super) fn chunked(
        raw: ByteSource,
        compression: Option<Compression>,
        terms: Terms,
    ) -> io::Result<Input> {
        let body = Body::Chunked(Chunked {
            chunks: Chunks::start(raw, compression)?,
            compression,
            window: None,
            carry: Vec::new(),
            needed_bytes: 0,
            exhausted: false,
            end_error: None,
        });
        Ok(Input::with(body, terms))
    }

    fn with(body: Body, terms: Terms) -> Input {
        let mut input = Input {
            body,
            walker: None,
            walk_ahead: terms.walk_ahead,
            segments: None,
            ready: None,
            taken: 0,
            waiting: VecDeque::new(),
            judge: TimeJudge::new(terms.implausible_days),
            identifier: terms.identify.map(Identifier::new),
            from_bytes: terms.from_bytes,
            records: 0,
            passed_over: 0,
            offset_bytes: 0,
            zero_bytes: None,
            unsupported: Unsupported::default(),
            ended: false,
            findings: Findings::default(),
            formats: 0,
            has_unsupported: false,
        };
        input.ready = input.judged(Block::empty());
        input
    }

    /// Time of the first packet of the next block; `None` at the end of the capture.
    pub(super) fn time_us(&self) -> Option<i64> {
        let block = self.ready.as_ref()?;
        block.records.get(self.taken).map(|record| record.time_us)
    }

    /// Takes the next block, which ends before the first packet later than `until_us` but has one packet at least. `reuse` is memory for it
    /// or for the block after it.
    pub(super) fn take(&mut self, until_us: i64, reuse: Block) -> Option<Block> {
        let mut block = self.ready.take()?;
        if until_us < i64::MAX {
            let left = &block.records[self.taken..];
            let later = left.iter().position(|record| record.time_us > until_us);
            if let Some(count) = later {
                let end = self.taken + count.max(1);
                if end < block.records.len() {
                    let piece = block.piece(self.taken..end, reuse);
                    self.taken = end;
                    self.ready = Some(block);
                    return Some(piece);
                }
            }
        }
        block.records.drain(..self.taken);
        self.taken = 0;
        self.ready = self.judged(reuse);
        Some(block)
    }

    /// The report of the capture: records read, what ended it early, what is not decoded, and other remarks.
    pub(super) fn into_report(mut self, path: String) -> FileReport {
        let records = self.records - self.passed_over;
        let implausible = self.findings.implausible.count();
        if implausible > 0 && implausible == records && self.findings.error().is_none() {
            self.findings
                .fail(&CaptureError::NoTime { packets: records }.to_string());
        }
        let unsupported = self.unsupported.errors().map(|error| error.to_string());
        let error = self.findings.error().map(str::to_owned);
        let errors: Vec<String> = error.into_iter().chain(unsupported).collect();
        FileReport {
            path,
            records,
            unsupported_records: self.unsupported.records(),
            implausible,
            error: (!errors.is_empty()).then(|| errors.join("; ")),
            note: self.findings.note(),
            ..FileReport::default()
        }
    }

    /// The identity of the capture as far as it was read; `None` if that was not wanted.
    pub(super) fn capture(&self) -> Option<Capture> {
        let records = self.records;
        self.identifier
            .as_ref()
            .map(|identifier| identifier.capture(records))
    }

    /// Hashes of the beginnings of the lengths that were wanted.
    pub(super) fn beginnings(&self) -> &[(u64, String)] {
        self.identifier.as_ref().map_or(&[], Identifier::found)
    }

    /// Hours of packets since the last call.
    pub(super) fn take_hours(&mut self) -> BTreeSet<i64> {
        self.judge.take_hours()
    }

    /// Bytes of the file read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        match &self.body {
            Body::Mapped(_) => self.offset_bytes,
            Body::Chunked(chunked) => chunked.chunks.read_bytes(),
        }
    }

    /// The next block whose times are judged.
    fn judged(&mut self, mut reuse: Block) -> Option<Block> {
        loop {
            let first = self.waiting.front();
            let is_judged = first.is_some_and(|first| self.judge.judged() >= first.end());
            if is_judged || (self.ended && self.waiting.is_empty()) {
                break;
            }
            if self.ended {
                self.judge.finish();
                continue;
            }
            if let Some((block, base_bytes)) =
                self.read(std::mem::replace(&mut reuse, Block::empty()))
            {
                self.wait(block, base_bytes);
            }
        }
        let WaitingBlock {
            mut block,
            first,
            base_bytes,
        } = self.waiting.pop_front()?;
        let end = first + block.records.len() as u64;
        for number in self.judge.take_implausible(end) {
            self.reject(
                &mut block.records[(number - first) as usize],
                number,
                base_bytes,
            );
        }
        Some(block)
    }

    /// Queues a block, without the records that were counted already.
    fn wait(&mut self, mut block: Block, base_bytes: i64) {
        let from_bytes = self.from_bytes as i64;
        if self.from_bytes > 0 {
            let passed = block
                .records
                .partition_point(|record| base_bytes + i64::from(record.offset) < from_bytes);
            block.records.drain(..passed);
            self.passed_over += passed as u64;
        }
        if block.records.is_empty() {
            return;
        }
        let first = self
            .waiting
            .back()
            .map_or_else(|| self.judge.judged(), WaitingBlock::end);
        self.judge.look(&block.records);
        self.waiting.push_back(WaitingBlock {
            block,
            first,
            base_bytes,
        });
    }

    #[cold]
    fn reject(&mut self, record: &mut Record, number: u64, base_bytes: i64) {
        let header_bytes = self.walker.as_ref().map_or(0, Walker::record_header_bytes);
        let byte = base_bytes + i64::from(record.offset) - header_bytes as i64;
        let number = self.passed_over + number + 1;
        self.findings
            .implausible
            .note(|| format!("record {number}, byte {byte}"));
        record.time_us = NO_TIME_US;
    }

    /// Reads a block, and returns the offset in the capture from which its records count.
    fn read(&mut self, mut block: Block) -> Option<(Block, i64)> {
        block.records.clear();
        let (block, base_bytes) = match self.body {
            Body::Mapped(_) => self.read_mapped(block),
            Body::Chunked(_) => self.read_chunked(block),
        }?;
        self.records += block.records.len() as u64;
        if self.has_unsupported {
            self.unsupported.count(&block.records);
        }
        Some((block, base_bytes))
    }

    fn read_mapped(&mut self, mut block: Block) -> Option<(Block, i64)> {
        let Body::Mapped(file) = &self.body else {
            return None;
        };
        let map = Arc::clone(file);
        while !self.ended {
            let begin = self.offset_bytes as usize;
            let from = begin + self.start(&map[begin..])?;
            self.offset_bytes = from as u64;
            if let Some(walked) = self.take_walked(&map, from) {
                release_behind(&map, from, walked.next);
                let WalkedBlock {
                    origin,
                    next,
                    records,
                } = walked;
                block.records = records;
                block.bytes = BlockBytes::Mapped(map, origin, next - origin);
                return Some((block, origin as i64));
            }
            let walked = self.walk(&map, from, from, &mut block)?;
            match walked.stop {
                Stop::Full => {}
                Stop::NeedMore(needed_bytes) => {
                    self.end_of_input(&map[walked.next..], needed_bytes, &block);
                }
                Stop::Damaged(damage) => self.end_with(&damage, &block),
                Stop::Header => self.begin_anew(&block),
                Stop::Cut(cut) => self.begin_behind(cut as u64, &block),
                Stop::Zeros => {
                    let rest = &map[walked.next..];
                    let zero_bytes = leading_zeros(rest);
                    self.end_in_zeros(zero_bytes as u64, zero_bytes == rest.len(), &block);
                }
            }
            if !block.records.is_empty() {
                release_behind(&map, from, walked.next);
                block.bytes = BlockBytes::Mapped(map, from, walked.next - from);
                return Some((block, from as i64));
            }
        }
        None
    }

    /// Records from index `from` on that were walked ahead.
    fn take_walked(&mut self, map: &Arc<Mmap>, from: usize) -> Option<WalkedBlock> {
        let Some(Walker::Pcap(pcap)) = &self.walker else {
            return None;
        };
        // An input that waits for its turn has one block read.
        if self.records > 0
            && let Some(terms) = self.walk_ahead.take()
        {
            self.segments = Segments::start(map, pcap, from, terms);
        }
        let walked = self.segments.as_mut()?.take(pcap, from)?;
        if let Some(identifier) = &mut self.identifier {
            identifier.write(&map[from..walked.next]);
        }
        self.offset_bytes = walked.next as u64;
        Some(walked)
    }

    /// At the first bytes of a capture: recognises its format and returns the length of its header; later 0. `None` if it is no capture.
    fn start(&mut self, head: &[u8]) -> Option<usize> {
        if self.walker.is_some() {
            return Some(0);
        }
        match Walker::detect(head) {
            Ok((walker, header_bytes)) => {
                self.walker = Some(walker);
                if let Some(identifier) = &mut self.identifier {
                    identifier.write(&head[..header_bytes]);
                }
                Some(header_bytes)
            }
            Err(damage) => {
                let compression = match &self.body {
                    Body::Mapped(_) => None,
                    Body::Chunked(chunked) => chunked.compression,
                };
                self.ended = true;
                self.findings.fail(&damage.inside(compression).to_string());
                None
            }
        }
    }

    fn walk(
        &mut self,
        window: &[u8],
        from: usize,
        origin: usize,
        block: &mut Block,
    ) -> Option<Walked> {
        let span = WalkLimits {
            from,
            origin,
            records_max: BLOCK_RECORDS_MAX,
        };
        block.records.reserve(BLOCK_RECORDS_MAX);
        let walker = self.walker.as_mut()?;
        let walked = walker.walk(window, span, &mut block.records);
        self.has_unsupported |= walker.has_unsupported();
        self.findings.hidden_nanoseconds |= walker.has_hidden_nanoseconds();
        let (read, begin_bytes) = (self.records, self.offset_bytes);
        for (records, index) in walker.take_fractions() {
            let (record, byte) = (
                read + records as u64 + 1,
                begin_bytes + (index - from) as u64,
            );
            self.findings
                .fractions
                .note(|| format!("record {record}, byte {byte}"));
        }
        for (records, index) in walker.take_appended() {
            let (record, byte) = (read + records as u64, begin_bytes + (index - from) as u64);
            self.findings
                .appended
                .note(|| format!("at byte {byte}, after record {record}"));
        }
        if let Some(identifier) = &mut self.identifier {
            identifier.write(&window[from..walked.next]);
        }
        self.offset_bytes += (walked.next - from) as u64;
        Some(walked)
    }

    /// Another capture begins here, as in files that were joined.
    fn begin_anew(&mut self, block: &Block) {
        self.walker = None;
        self.formats += 1;
        if self.formats > FORMATS_MAX {
            self.end_with(&CaptureError::TooManyFormats, block);
            return;
        }
        let (record, byte) = (self.records + block.records.len() as u64, self.offset_bytes);
        self.findings
            .appended
            .note(|| format!("at byte {byte}, after record {record}"));
    }

    /// Another capture begins here and cuts off a record that began at byte `cut`.
    fn begin_behind(&mut self, cut: u64, block: &Block) {
        let header_byte = self.offset_bytes;
        let record = self.records + block.records.len() as u64 + 1;
        let error = CaptureError::CutByHeader { header_byte };
        self.findings.fail(&error.at(record, cut));
        self.begin_anew(block);
    }

    fn end_in_zeros(&mut self, zero_bytes: u64, is_end: bool, block: &Block) {
        self.end_with(&CaptureError::Zeros { zero_bytes, is_end }, block);
    }

    /// No more bytes will come, and `rest_bytes` of a record that needs `needed_bytes` are left.
    fn end_of_input(&mut self, rest: &[u8], needed_bytes: usize, block: &Block) {
        let rest_bytes = rest.len();
        // Fewer bytes than a record's header may be its beginning.
        let is_zeros = rest_bytes > ZEROS_MIN && leading_zeros(rest) == rest_bytes;
        let end_error = match &mut self.body {
            Body::Mapped(_) => None,
            Body::Chunked(chunked) => chunked.end_error.take(),
        };
        self.ended = true;
        match end_error {
            Some(CaptureError::Empty) => self.findings.fail(&CaptureError::Empty.to_string()),
            Some(error) => self.end_with(&error, block),
            None if self.zero_bytes.is_some() => {
                self.end_in_zeros(self.zero_bytes.unwrap_or(0), true, block);
            }
            None if rest_bytes > 0 && is_zeros => {
                self.end_in_zeros(rest_bytes as u64, true, block);
            }
            None if rest_bytes > 0 => {
                let missing_bytes = needed_bytes.saturating_sub(rest_bytes);
                self.end_with(&CaptureError::BreaksOff { missing_bytes }, block);
            }
            None => {}
        }
    }

    fn end_with(&mut self, damage: &CaptureError, block: &Block) {
        self.ended = true;
        let record = self.records + block.records.len() as u64 + 1;
        self.findings.fail(&damage.at(record, self.offset_bytes));
    }
}

impl WaitingBlock {
    /// The number of the first record after the block.
    fn end(&self) -> u64 {
        self.first + self.block.records.len() as u64
    }
}

fn leading_zeros(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| byte != 0)
        .unwrap_or(bytes.len())
}
