//! Reads and decompresses on its own thread: fixed buffers of bytes go over a bounded channel, and empty ones come back. The bytes are not
//! interpreted.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::compression::{ByteSource, decompressed};
use super::format::Compression;

/// Bytes of a chunk: some 3,000 packets of a darknet, and still within the second-level cache.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// Free bytes before a chunk, for the rest of the chunk before it.
pub(super) const HEADROOM_BYTES: usize = 64 << 10;

/// Chunks that wait between the reading thread and the walker.
const CHUNKS_QUEUED_MAX: usize = 4;

/// A buffer whose bytes from [`HEADROOM_BYTES`] to `end` are filled.
pub(super) struct Chunk {
    pub bytes: Vec<u8>,
    pub end: usize,
}

/// What the reading thread sends.
pub(super) enum Message {
    /// The next bytes.
    Chunk(Chunk),
    /// There are no more bytes, or reading failed.
    End(Option<io::Error>),
}

/// The walker's end of a reading thread. Dropping it ends the thread at its next chunk.
#[derive(Debug)]
pub(super) struct Chunks {
    filled: Receiver<Message>,
    spare: Sender<Vec<u8>>,
    read_bytes: Arc<AtomicU64>,
}

impl Chunks {
    /// Starts the thread that reads `raw`.
    pub(super) fn start(raw: ByteSource, compression: Option<Compression>) -> io::Result<Chunks> {
        let (send_filled, filled) = bounded(CHUNKS_QUEUED_MAX);
        let (spare, receive_spare) = bounded(CHUNKS_QUEUED_MAX);
        let read_bytes = Arc::new(AtomicU64::new(0));
        let counted = CountingReader {
            inner: raw,
            read_bytes: Arc::clone(&read_bytes),
        };
        thread::Builder::new()
            .name("teiten-read".into())
            .spawn(move || read_all(counted, compression, &send_filled, &receive_spare))?;
        Ok(Chunks {
            filled,
            spare,
            read_bytes,
        })
    }

    /// The next message; `None` if the thread failed.
    pub(super) fn next(&self) -> Option<Message> {
        self.filled.recv().ok()
    }

    /// Returns a buffer for reuse.
    pub(super) fn recycle(&self, bytes: Vec<u8>) {
        if bytes.len() == HEADROOM_BYTES + CHUNK_BYTES {
            // If the queue is full, there are enough spare buffers.
            let _ = self.spare.try_send(bytes);
        }
    }

    /// Bytes of the file read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

fn read_all(
    raw: CountingReader,
    compression: Option<Compression>,
    filled: &Sender<Message>,
    spare: &Receiver<Vec<u8>>,
) {
    let mut bytes = match decompressed(Box::new(raw), compression) {
        Ok(bytes) => bytes,
        Err(error) => {
            let _ = filled.send(Message::End(Some(error)));
            return;
        }
    };
    loop {
        let buffer = spare
            .try_recv()
            .unwrap_or_else(|_| vec![0; HEADROOM_BYTES + CHUNK_BYTES]);
        let (chunk, ended) = fill(&mut bytes, buffer);
        if chunk.end > HEADROOM_BYTES && filled.send(Message::Chunk(chunk)).is_err() {
            return;
        }
        if let Some(end) = ended {
            // The receiver may be gone.
            let _ = filled.send(Message::End(end.err()));
            return;
        }
    }
}

/// Reads until the buffer is full; returns how the input ended if it did.
fn fill(bytes: &mut ByteSource, mut buffer: Vec<u8>) -> (Chunk, Option<io::Result<()>>) {
    let mut end = HEADROOM_BYTES;
    let mut ended = None;
    while end < buffer.len() && ended.is_none() {
        match bytes.read(&mut buffer[end..]) {
            Ok(0) => ended = Some(Ok(())),
            Ok(read_bytes) => end += read_bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => ended = Some(Err(error)),
        }
    }
    (Chunk { bytes: buffer, end }, ended)
}

/// Counts the bytes read, for the progress of a replay.
struct CountingReader {
    inner: ByteSource,
    read_bytes: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read_bytes = self.inner.read(buffer)?;
        self.read_bytes
            .fetch_add(read_bytes as u64, Ordering::Relaxed);
        Ok(read_bytes)
    }
}
