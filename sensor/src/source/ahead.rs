//! Opens small captures ahead of their turn, several at once: of a small file, opening takes longer than reading. Each arrives with its first
//! block, in the order in which it was asked for.

use std::collections::VecDeque;
use std::thread::{self, available_parallelism};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};

use super::error::CaptureError;
use super::input::Input;

/// Files up to this size are opened ahead, bytes: few blocks, so what waits is small.
pub(super) const SMALL_BYTES_MAX: u64 = 1 << 20;
/// Captures that are opened ahead, at most.
pub(super) const OPENED_AHEAD_MAX: usize = 8;
/// Threads that open, at most: more would only wait for the disk together.
const THREADS_MAX: usize = 8;

/// Opens a capture.
pub(super) type Opening = Box<dyn FnOnce() -> Result<Input, CaptureError> + Send>;

/// Threads that open files.
pub(super) fn opening_threads() -> usize {
    available_parallelism().map_or(1, |threads| threads.get().min(THREADS_MAX))
}

/// Threads that open captures, and the captures that were asked for. Dropping it ends the threads.
pub(super) struct Ahead {
    threads: usize,
    tasks: Sender<OpeningTask>,
    received: Receiver<OpeningTask>,
    /// What was asked for and not taken: the number of the capture, and where it arrives.
    asked: VecDeque<(usize, Receiver<OpeningOutcome>)>,
}

type OpeningOutcome = Result<Input, CaptureError>;
type OpeningTask = (Opening, Sender<OpeningOutcome>);

impl Ahead {
    /// Threads start when they are needed.
    pub(super) fn new() -> Ahead {
        let (tasks, received) = unbounded();
        Ahead {
            threads: 0,
            tasks,
            received,
            asked: VecDeque::new(),
        }
    }

    /// Captures that were asked for and not taken.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// Has a capture opened; numbers ascend.
    pub(super) fn ask(&mut self, number: usize, opening: Opening) {
        if self.threads < opening_threads() && self.start_thread().is_ok() {
            self.threads += 1;
        }
        let (result, opened) = bounded(1);
        if self.threads == 0 {
            // There is room for one result.
            let _ = result.send(opening());
        } else {
            // This end keeps the queue open.
            let _ = self.tasks.send((opening, result));
        }
        self.asked.push_back((number, opened));
    }

    /// Waits for a capture; `None` if it was not asked for.
    pub(super) fn take(&mut self, number: usize) -> Option<OpeningOutcome> {
        let (_, opened) = self.asked.pop_front_if(|(asked, _)| *asked == number)?;
        // A thread that panics has told why, and its end of the channel is gone.
        Some(opened.recv().unwrap_or(Err(CaptureError::ReaderLost)))
    }

    fn start_thread(&self) -> std::io::Result<()> {
        let received = self.received.clone();
        let work = move || {
            for (opening, result) in received {
                // Whoever asked may be gone.
                let _ = result.send(opening());
            }
        };
        let thread = thread::Builder::new().name("teiten-open".into());
        thread.spawn(work).map(drop)
    }
}
