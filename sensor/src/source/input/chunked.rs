//! A capture in chunks of bytes: the rest of one chunk is carried over to the next, so that the walker gets whole windows.

use std::io;

use super::super::chunks::{CHUNK_BYTES, Chunk, Chunks, HEADROOM_BYTES, Message};
use super::super::error::CaptureError;
use super::super::format::Compression;
use super::super::walk::Stop;
use super::{Body, Input, leading_zeros};
use crate::source::block::{Block, BlockBytes};

#[derive(Debug)]
pub(super) struct Chunked {
    pub chunks: Chunks,
    pub compression: Option<Compression>,
    /// Bytes that are not read yet and too many to be carried over.
    pub window: Option<ReadBuffer>,
    /// The rest of the last window, which comes before the next chunk.
    pub carry: Vec<u8>,
    /// Bytes that the first record of the carry needs before it can be read.
    pub needed_bytes: usize,
    /// Set when no more chunks will come.
    pub exhausted: bool,
    pub end_error: Option<CaptureError>,
}

/// A buffer whose bytes from `start` to `end` are unread.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    pub bytes: Vec<u8>,
    pub start: usize,
    pub end: usize,
}

impl Chunked {
    pub(super) fn next_window(&mut self) -> Option<ReadBuffer> {
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
        let window = ReadBuffer::copy_of(&self.carry);
        self.carry.clear();
        Some(window)
    }

    pub(super) fn carry_over(&mut self, rest: &[u8], needed_bytes: usize) {
        self.carry.extend_from_slice(rest);
        self.needed_bytes = needed_bytes;
    }

    /// The chunk with the carried bytes before it, in its headroom if they fit.
    fn joined(&mut self, chunk: Chunk) -> ReadBuffer {
        let Chunk { mut bytes, end } = chunk;
        if self.carry.len() <= HEADROOM_BYTES {
            let start = HEADROOM_BYTES - self.carry.len();
            bytes[start..HEADROOM_BYTES].copy_from_slice(&self.carry);
            self.carry.clear();
            return ReadBuffer { bytes, start, end };
        }
        let mut long = std::mem::take(&mut self.carry);
        long.extend_from_slice(&bytes[HEADROOM_BYTES..end]);
        self.chunks.recycle(bytes);
        ReadBuffer {
            start: 0,
            end: long.len(),
            bytes: long,
        }
    }

    fn read_error(&self, reason: io::Error) -> CaptureError {
        match self.compression {
            Some(compression) if reason.kind() == io::ErrorKind::OutOfMemory => {
                CaptureError::Memory {
                    compression,
                    reason,
                }
            }
            Some(compression) => CaptureError::Decompression {
                compression,
                reason,
            },
            None => CaptureError::Unreadable(reason),
        }
    }
}

impl ReadBuffer {
    /// The unread bytes; they are moved only if others come before them.
    fn into_rest(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        if self.start > 0 {
            self.bytes.drain(..self.start);
        }
        self.bytes
    }

    pub(super) fn copy_of(rest: &[u8]) -> ReadBuffer {
        let mut bytes = Vec::with_capacity(rest.len().max(CHUNK_BYTES));
        bytes.extend_from_slice(rest);
        ReadBuffer {
            start: 0,
            end: rest.len(),
            bytes,
        }
    }
}

impl Input {
    /// The next block of a capture that comes in chunks, and the offset in the capture that its records count from.
    pub(super) fn read_chunked(&mut self, mut block: Block) -> Option<(Block, i64)> {
        let spare = std::mem::replace(&mut block.bytes, BlockBytes::Owned(Vec::new()));
        if let (Body::Chunked(chunked), BlockBytes::Owned(bytes)) = (&mut self.body, spare) {
            chunked.chunks.recycle(bytes);
        }
        while !self.ended {
            let window = self.next_window(&block)?;
            let filled = &window.bytes[..window.end];
            if let Some(zero_bytes) = self.zero_bytes {
                let more = leading_zeros(&filled[window.start..]);
                self.zero_bytes = Some(zero_bytes + more as u64);
                if window.start + more < window.end {
                    self.end_in_zeros(zero_bytes + more as u64, false, &block);
                }
                continue;
            }
            let base_bytes = self.offset_bytes as i64 - window.start as i64;
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
                    chunked.window = Some(ReadBuffer::copy_of(rest));
                }
                Stop::NeedMore(needed_bytes) if exhausted => {
                    self.end_of_input(rest, needed_bytes, &block);
                }
                Stop::NeedMore(needed_bytes) => chunked.carry_over(rest, needed_bytes),
                Stop::Full => chunked.carry_over(rest, 0),
                Stop::Damaged(damage) => self.end_with(&damage, &block),
                Stop::Header => {
                    chunked.carry_over(rest, 0);
                    self.begin_anew(&block);
                }
                Stop::Cut(cut) => {
                    chunked.carry_over(rest, 0);
                    self.begin_behind((base_bytes + cut as i64) as u64, &block);
                }
                Stop::Zeros => {
                    chunked.carry_over(rest, 0);
                    self.zero_bytes = Some(0);
                }
            }
            if !block.records.is_empty() {
                block.bytes = BlockBytes::Owned(window.bytes);
                return Some((block, base_bytes));
            }
            if let Body::Chunked(chunked) = &self.body {
                chunked.chunks.recycle(window.bytes);
            }
        }
        None
    }

    /// The next window of bytes; `None`, and the capture is at its end, if there is none.
    fn next_window(&mut self, block: &Block) -> Option<ReadBuffer> {
        let Body::Chunked(chunked) = &mut self.body else {
            return None;
        };
        if let Some(window) = chunked.next_window() {
            return Some(window);
        }
        if self.walker.is_none() && chunked.end_error.is_none() {
            chunked.end_error = Some(CaptureError::Empty);
        }
        self.end_of_input(&[], 0, block);
        None
    }
}
