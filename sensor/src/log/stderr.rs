//! Standard error without waiting for its reader: a pipe that nobody reads is full after some pages.

use std::io::{ErrorKind, Result, Write, stderr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pipe that poll reports as writable takes this many bytes at once (pipe(7): PIPE_BUF).
const PIECE_BYTES: usize = 4096;

/// How long a line waits for its reader where no thread writes it.
const WAIT: Duration = Duration::from_millis(100);

/// Whether a thread of its own writes, which may wait.
static QUEUED: AtomicBool = AtomicBool::new(false);

/// From now on a separate thread writes through [`Stderr`].
pub(super) fn may_wait() {
    QUEUED.store(true, Ordering::Relaxed);
}

/// Standard error for messages: only its own thread waits for it.
#[derive(Debug)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if QUEUED.load(Ordering::Relaxed) {
            return stderr().write(bytes);
        }
        write_within(bytes, WAIT).map(|()| bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Writes all of it if the reader takes it within `wait`. It does not use the standard library's lock, because a thread that waits for the
/// reader holds that lock.
pub(super) fn write_within(bytes: &[u8], wait: Duration) -> Result<()> {
    let begun = Instant::now();
    for mut piece in bytes.chunks(PIECE_BYTES) {
        while !piece.is_empty() {
            let left = wait.saturating_sub(begun.elapsed());
            if !is_writable(left)? {
                return Err(ErrorKind::WouldBlock.into());
            }
            match nix::unistd::write(stderr(), piece) {
                Ok(written) => piece = piece.get(written..).unwrap_or_default(),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn is_writable(wait: Duration) -> Result<bool> {
    let stderr = stderr();
    let mut wanted = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
    match poll(&mut wanted, wait) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
