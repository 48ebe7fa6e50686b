//! Bytes that another thread writes or reads: what is compressed or unpacked need not be waited for.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes that are handed over at once.
pub(crate) const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait, at most.
const PIECES_WAITING: usize = 4;

/// Writes what it is given by another thread.
pub(crate) struct WriteAside<W> {
    /// None once the thread has failed, which joining it tells.
    pieces: Option<SyncSender<Arc<Vec<u8>>>>,
    thread: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Send + 'static> WriteAside<W> {
    /// Writes with `writer`; `finish` ends what it has begun and gives it back.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn new<F: Write + Send + 'static>(
        writer: F,
        finish: impl FnOnce(F) -> io::Result<W> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, pieces) = sync_channel::<Arc<Vec<u8>>>(PIECES_WAITING);
        let thread = std::thread::Builder::new().name("events".to_owned());
        let thread = thread.spawn(move || {
            let mut writer = writer;
            for piece in pieces {
                writer.write_all(&piece)?;
            }
            finish(writer)
        })?;
        Ok(WriteAside {
            pieces: Some(sender),
            thread: Some(thread),
        })
    }

    /// Hands over what is written next: about [`PIECE_BYTES`].
    ///
    /// # Errors
    /// What the writer failed with before.
    pub(crate) fn write(&mut self, piece: Arc<Vec<u8>>) -> io::Result<()> {
        if let Some(pieces) = &self.pieces
            && pieces.send(piece).is_ok()
        {
            return Ok(());
        }
        // It ends only with an error before its pieces do.
        self.join()?;
        Err(io::Error::other("the thread that writes has ended"))
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// What the writer failed with.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.join()
    }

    fn join(&mut self) -> io::Result<W> {
        self.pieces = None;
        let thread = self.thread.take();
        let thread = thread.ok_or_else(|| io::Error::other("it was written to its end"))?;
        let joined = thread.join();
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl<W> Drop for WriteAside<W> {
    fn drop(&mut self) {
        self.pieces = None;
        // Its file is gone only when the thread has ended.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads ahead on another thread.
pub(crate) struct ReadAside {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    place: usize,
}

impl ReadAside {
    /// Reads `reader` to its end.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn new(mut reader: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES_WAITING);
        let thread = std::thread::Builder::new().name("events".to_owned());
        thread.spawn(move || {
            loop {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let read = (&mut reader)
                    .take(PIECE_BYTES as u64)
                    .read_to_end(&mut piece);
                let is_last = !matches!(read, Ok(1..));
                let sent = sender.send(read.map(|_| piece));
                // Nobody listens any more.
                if is_last || sent.is_err() {
                    return;
                }
            }
        })?;
        Ok(ReadAside {
            pieces,
            piece: Vec::new(),
            place: 0,
        })
    }
}

impl Read for ReadAside {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.place == self.piece.len() {
            match self.pieces.recv() {
                Ok(Ok(piece)) if piece.is_empty() => return Ok(0),
                Ok(Ok(piece)) => (self.piece, self.place) = (piece, 0),
                Ok(Err(error)) => return Err(error),
                // It has ended, with what was told before.
                Err(_) => return Ok(0),
            }
        }
        let count = bytes.len().min(self.piece.len() - self.place);
        bytes[..count].copy_from_slice(&self.piece[self.place..self.place + count]);
        self.place += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_in_any_pieces() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 17)
            .map(|it| (it % 251) as u8)
            .collect();
        let mut written = WriteAside::new(Vec::new(), Ok).expect("a thread");
        for piece in bytes.chunks(1_000) {
            let piece = Arc::new(piece.to_vec());
            written.write(piece).expect("a Vec takes all");
        }
        let written = written.finish().expect("a Vec takes all");
        assert!(written == bytes);
        let mut read = Vec::new();
        let reader = ReadAside::new(io::Cursor::new(written)).expect("a thread");
        io::BufReader::new(reader)
            .read_to_end(&mut read)
            .expect("all of it");
        assert!(read == bytes);
    }

    #[test]
    fn errors_of_the_other_thread_are_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let write = |pieces: usize| {
            let mut written = WriteAside::new(Full, Ok).expect("a thread");
            for _ in 0..pieces {
                written.write(Arc::new(vec![0; PIECE_BYTES]))?;
            }
            written.finish().map(drop)
        };
        for pieces in [1, 20] {
            let failed = write(pieces).expect_err("the disk is full");
            assert_eq!(failed.kind(), io::ErrorKind::StorageFull, "{pieces}");
        }
        struct Torn(usize);
        impl Read for Torn {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                let count = bytes.len().min(self.0);
                self.0 -= count;
                match count {
                    0 => Err(io::Error::from(io::ErrorKind::InvalidData)),
                    _ => Ok(count),
                }
            }
        }
        let reader = ReadAside::new(Torn(PIECE_BYTES + 1)).expect("a thread");
        let failed = io::BufReader::new(reader).read_to_end(&mut Vec::new());
        assert_eq!(failed.expect_err("torn").kind(), io::ErrorKind::InvalidData);
    }
}
