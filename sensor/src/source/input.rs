//! One open capture, handed out block by block. A mapped file lends its own bytes; everything else comes in chunks that become
//! the blocks' bytes. The next block is always read ahead, so that its time is known before it is taken.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use super::FileReport;
use super::chunks::{CHUNK_BYTES, Chunk, Chunks, HEADROOM_BYTES, Message};
use super::compression::Bytes;
use super::error::CaptureError;
use super::format::Compression;
use super::map::release_behind;
use super::unsupported::Unsupported;
use super::walk::{Span, Stop, Walked, Walker};
use crate::source::block::{BLOCK_RECORDS_MAX, Block, BlockBytes};

/// An open capture.
#[derive(Debug)]
pub(super) struct Input {
    body: Body,
    walker: Option<Walker>,
    ready: Option<Block>,
    /// Records of the block that is ready and were taken.
    taken: usize,
    /// Records read and handed out, and those that are ready.
    records: u64,
    /// Place in the uncompressed capture of the first byte not read.
    offset_bytes: u64,
    unsupported: Unsupported,
    ended: bool,
    error: Option<String>,
}

#[derive(Debug)]
enum Body {
    Mapped(Arc<Mmap>),
    Chunked(Chunked),
}

#[derive(Debug)]
struct Chunked {
    chunks: Chunks,
    compression: Option<Compression>,
    /// Bytes that were got and not read yet, when they are too many to be carried.
    window: Option<Window>,
    /// The rest of the last window, which comes before the next chunk.
    carry: Vec<u8>,
    /// Bytes that the first record of the carry needs before it is worth another try.
    needed_bytes: usize,
    /// Set when no more chunks will come.
    exhausted: bool,
    end_error: Option<CaptureError>,
}

/// Bytes from `start` to `end` are to be read.
#[derive(Debug)]
struct Window {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Reads from a map.
    pub(super) fn mapped(file: Arc<Mmap>) -> Input {
        Input::with(Body::Mapped(file))
    }

    /// Reads on a thread of its own.
    pub(super) fn chunked(raw: Bytes, compression: Option<Compression>) -> io::Result<Input> {
        Ok(Input::with(Body::Chunked(Chunked {
            chunks: Chunks::start(raw, compression)?,
            compression,
            window: None,
            carry: Vec::new(),
            needed_bytes: 0,
            exhausted: false,
            end_error: None,
        })))
    }

    fn with(body: Body) -> Input {
        let mut input = Input {
            body,
            walker: None,
            ready: None,
            taken: 0,
            records: 0,
            offset_bytes: 0,
            unsupported: Unsupported::default(),
            ended: false,
            error: None,
        };
        input.ready = input.read(Block::empty());
        input
    }

    /// Time of the first packet of the next block; none at the end of the capture.
    pub(super) fn time_us(&self) -> Option<i64> {
        let block = self.ready.as_ref()?;
        block.records.get(self.taken).map(|record| record.time_us)
    }

    /// Takes the next block, which ends before the first packet later than `until_us` but has one packet at least. `reuse` gives the
    /// memory for it or for the block after it.
    pub(super) fn take(&mut self, until_us: i64, reuse: Block) -> Option<Block> {
        let mut block = self.ready.take()?;
        if until_us < i64::MAX {
            let left = &block.records[self.taken..];
            let later = left.iter().position(|record| record.time_us > until_us);
            if let Some(count) = later {
                let end = self.taken + count.max(1);
                if end < block.records.len() {
                    let piece = piece(&block, self.taken..end, reuse);
                    self.taken = end;
                    self.ready = Some(block);
                    return Some(piece);
                }
            }
        }
        block.records.drain(..self.taken);
        self.taken = 0;
        self.ready = self.read(reuse);
        Some(block)
    }

    /// What became of the capture: records read so far, what ended it early, and what is not decoded.
    pub(super) fn into_report(self, path: String) -> FileReport {
        let unsupported = self.unsupported.errors().map(|error| error.to_string());
        let errors: Vec<String> = self.error.into_iter().chain(unsupported).collect();
        FileReport {
            path,
            records: self.records,
            unsupported_records: self.unsupported.records(),
            error: (!errors.is_empty()).then(|| errors.join("; ")),
        }
    }

    /// Bytes read so far, as they lie in the file.
    pub(super) fn read_bytes(&self) -> u64 {
        match &self.body {
            Body::Mapped(_) => self.offset_bytes,
            Body::Chunked(chunked) => chunked.chunks.read_bytes(),
        }
    }

    fn read(&mut self, mut block: Block) -> Option<Block> {
        block.records.clear();
        let block = match self.body {
            Body::Mapped(_) => self.read_mapped(block),
            Body::Chunked(_) => self.read_chunked(block),
        }?;
        self.records += block.records.len() as u64;
        if self.walker.as_ref().is_some_and(Walker::has_unsupported) {
            self.unsupported.count(&block.records);
        }
        Some(block)
    }

    fn read_mapped(&mut self, mut block: Block) -> Option<Block> {
        let Body::Mapped(file) = &self.body else {
            return None;
        };
        if self.ended {
            return None;
        }
        let map = Arc::clone(file);
        let from = self.start(&map)? + self.offset_bytes as usize;
        self.offset_bytes = from as u64;
        let walked = self.walk(&map, from, from, &mut block)?;
        match walked.stop {
            Stop::Full => {}
            Stop::NeedMore(needed_bytes) => {
                self.end_of_input(map.len() - walked.next, needed_bytes, &block);
            }
            Stop::Damaged(damage) => self.end_with(&damage, &block),
        }
        if block.records.is_empty() {
            return None;
        }
        release_behind(&map, from, walked.next);
        block.bytes = BlockBytes::Mapped(map, from, walked.next - from);
        Some(block)
    }

    fn read_chunked(&mut self, mut block: Block) -> Option<Block> {
        let spare = std::mem::replace(&mut block.bytes, BlockBytes::Owned(Vec::new()));
        if let (Body::Chunked(chunked), BlockBytes::Owned(bytes)) = (&mut self.body, spare) {
            chunked.chunks.recycle(bytes);
        }
        while !self.ended {
            let window = self.next_window(&block)?;
            let filled = &window.bytes[..window.end];
            let from = window.start + self.start(&filled[window.start..])?;
            self.offset_bytes += (from - window.start) as u64;
            let walked = self.walk(filled, from, 0, &mut block)?;
            let rest = &filled[walked.next..];
            let rest_bytes = rest.len();
            let Body::Chunked(chunked) = &mut self.body else {
                return None;
            };
            let exhausted = chunked.exhausted;
            match walked.stop {
                Stop::Full if rest_bytes > HEADROOM_BYTES => {
                    chunked.window = Some(Window::copy_of(rest));
                }
                Stop::NeedMore(needed_bytes) if exhausted => {
                    self.end_of_input(rest_bytes, needed_bytes, &block);
                }
                Stop::NeedMore(needed_bytes) => chunked.carry_over(rest, needed_bytes),
                Stop::Full => chunked.carry_over(rest, 0),
                Stop::Damaged(damage) => self.end_with(&damage, &block),
            }
            if !block.records.is_empty() {
                block.bytes = BlockBytes::Owned(window.bytes);
                return Some(block);
            }
            if let Body::Chunked(chunked) = &self.body {
                chunked.chunks.recycle(window.bytes);
            }
        }
        None
    }

    /// The next bytes to walk; none, and the capture ended, when there are none.
    fn next_window(&mut self, block: &Block) -> Option<Window> {
        let Body::Chunked(chunked) = &mut self.body else {
            return None;
        };
        if let Some(window) = chunked.next_window() {
            return Some(window);
        }
        if self.walker.is_none() && chunked.end_error.is_none() {
            chunked.end_error = Some(CaptureError::Empty);
        }
        self.end_of_input(0, 0, block);
        None
    }

    /// At the first bytes of a capture: tells its format and gives the bytes of its header, later 0. None when it is no capture.
    fn start(&mut self, head: &[u8]) -> Option<usize> {
        if self.walker.is_some() {
            return Some(0);
        }
        match Walker::detect(head) {
            Ok((walker, header_bytes)) => {
                self.walker = Some(walker);
                Some(header_bytes)
            }
            Err(damage) => {
                let compression = match &self.body {
                    Body::Mapped(_) => None,
                    Body::Chunked(chunked) => chunked.compression,
                };
                self.ended = true;
                self.error = Some(damage.inside(compression).to_string());
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
        let span = Span {
            from,
            origin,
            records_max: BLOCK_RECORDS_MAX,
        };
        block.records.reserve(BLOCK_RECORDS_MAX);
        let walked = self.walker.as_mut()?.walk(window, span, &mut block.records);
        self.offset_bytes += (walked.next - from) as u64;
        Some(walked)
    }

    /// No more bytes will come, and `rest_bytes` of a record that needs `needed_bytes` are left.
    fn end_of_input(&mut self, rest_bytes: usize, needed_bytes: usize, block: &Block) {
        let end_error = match &mut self.body {
            Body::Mapped(_) => None,
            Body::Chunked(chunked) => chunked.end_error.take(),
        };
        self.ended = true;
        match end_error {
            Some(CaptureError::Empty) => self.error = Some(CaptureError::Empty.to_string()),
            Some(error) => self.end_with(&error, block),
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
        self.error = Some(damage.at(record, self.offset_bytes));
    }
}

/// Some records of a block as a block of their own: mapped bytes are shared, others copied.
fn piece(block: &Block, records: Range<usize>, reuse: Block) -> Block {
    let Block {
        bytes: reused,
        records: mut taken,
    } = reuse;
    taken.clear();
    taken.extend_from_slice(&block.records[records]);
    let bytes = match (&block.bytes, reused) {
        (BlockBytes::Mapped(file, start, length), _) => {
            BlockBytes::Mapped(Arc::clone(file), *start, *length)
        }
        (BlockBytes::Owned(_) | BlockBytes::Ring(_), reused) => {
            let bytes = block.bytes();
            let mut copy = match reused {
                BlockBytes::Owned(bytes) => bytes,
                BlockBytes::Mapped(..) | BlockBytes::Ring(_) => Vec::new(),
            };
            copy.clear();
            for record in &mut taken {
                let from = record.offset as usize;
                record.offset = copy.len() as u32;
                copy.extend_from_slice(&bytes[from..from + record.captured_bytes as usize]);
            }
            BlockBytes::Owned(copy)
        }
    };
    Block {
        bytes,
        records: taken,
    }
}

impl Chunked {
    fn next_window(&mut self) -> Option<Window> {
        if let Some(window) = self.window.take() {
            return Some(window);
        }
        while !self.exhausted {
            match self.chunks.next() {
                Some(Message::Chunk(chunk)) => {
                    let window = self.joined(chunk);
                    if window.end - window.start >= self.needed_bytes {
                        return Some(window);
                    }
                    self.carry = window.into_rest();
                }
                Some(Message::End(error)) => {
                    self.end_error = error.map(|reason| self.read_error(reason));
                    self.exhausted = true;
                }
                None => {
                    self.end_error = Some(CaptureError::ReaderLost);
                    self.exhausted = true;
                }
            }
        }
        if self.carry.is_empty() {
            return None;
        }
        let window = Window::copy_of(&self.carry);
        self.carry.clear();
        Some(window)
    }

    fn carry_over(&mut self, rest: &[u8], needed_bytes: usize) {
        self.carry.extend_from_slice(rest);
        self.needed_bytes = needed_bytes;
    }

    /// The chunk with the carried bytes before it: in its headroom where they fit.
    fn joined(&mut self, chunk: Chunk) -> Window {
        let Chunk { mut bytes, end } = chunk;
        if self.carry.len() <= HEADROOM_BYTES {
            let start = HEADROOM_BYTES - self.carry.len();
            bytes[start..HEADROOM_BYTES].copy_from_slice(&self.carry);
            self.carry.clear();
            return Window { bytes, start, end };
        }
        let mut long = std::mem::take(&mut self.carry);
        long.extend_from_slice(&bytes[HEADROOM_BYTES..end]);
        self.chunks.recycle(bytes);
        Window {
            start: 0,
            end: long.len(),
            bytes: long,
        }
    }

    fn read_error(&self, reason: io::Error) -> CaptureError {
        match self.compression {
            Some(compression) => CaptureError::Decompression {
                compression,
                reason,
            },
            None => CaptureError::Unreadable(reason),
        }
    }
}

impl Window {
    /// The bytes to be read, moved only where others stand before them.
    fn into_rest(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        if self.start > 0 {
            self.bytes.drain(..self.start);
        }
        self.bytes
    }

    fn copy_of(rest: &[u8]) -> Window {
        let mut bytes = Vec::with_capacity(rest.len().max(CHUNK_BYTES));
        bytes.extend_from_slice(rest);
        Window {
            start: 0,
            end: rest.len(),
            bytes,
        }
    }
}
