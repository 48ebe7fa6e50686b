//! A queue of log lines, written by its own thread, so that logging never blocks. Lines that do not fit are counted.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, TrySendError, bounded};

/// Most lines in the queue: more than a minute of all kinds of messages.
pub(super) const WAITING_MAX: usize = 1024;

/// The queue.
#[derive(Debug)]
pub(super) struct Lines {
    queue: Sender<String>,
    accepted: AtomicU64,
    done: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(mut out: Box<dyn Write + Send>) -> std::io::Result<Lines> {
        let (queue, lines) = bounded::<String>(WAITING_MAX);
        let done = Arc::new(AtomicU64::new(0));
        let written = Arc::clone(&done);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                for line in lines {
                    // An error of writing messages cannot be reported anywhere.
                    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
                    written.fetch_add(1, Ordering::Release);
                }
            })?;
        Ok(Lines {
            queue,
            accepted: AtomicU64::new(0),
            done,
        })
    }

    /// Puts a line into the queue; false if it is full.
    pub(super) fn push(&self, line: String) -> bool {
        match self.queue.try_send(line) {
            Ok(()) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Waits until all lines are written, at most for `wait`.
    pub(super) fn drain(&self, wait: Duration) {
        let begun = Instant::now();
        let accepted = self.accepted.load(Ordering::Relaxed);
        while self.done.load(Ordering::Acquire) < accepted && begun.elapsed() < wait {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A reader that reads nothing until told to.
    struct Stalled(mpsc::Receiver<()>, mpsc::Sender<usize>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_never_the_speaker() {
        let (go_on, waits) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let lines = Lines::start(Box::new(Stalled(waits, tell))).expect("a thread");
        let taken = (0..3 * WAITING_MAX)
            .filter(|number| lines.push(format!("{number}\n")))
            .count();
        // One may be on its way out already.
        assert!((WAITING_MAX..=WAITING_MAX + 1).contains(&taken), "{taken}");
        lines.drain(Duration::from_millis(1));
        drop(go_on);
        lines.drain(Duration::from_secs(60));
        assert_eq!(told.try_iter().count(), taken);
        assert!(lines.push("once more\n".into()));
    }
}
