//! Measures the cost of running: wall time, processor time and memory of a child process, and this program's processor time so far.
//! `unsafe` here because only `wait4` gives the peak memory of one child rather than of all, and only `clock_gettime` gives a thread's time
//! in nanoseconds.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a child's memory is sampled: a sample costs about 20 µs, a fifth of a percent of one processor.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The cost of a finished program.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// Processor time, user and system, of all threads.
    pub processor: Duration,
    /// Largest resident memory, bytes; mapped files count as far as they are resident. Never less than what this program itself
    /// had at its peak: the kernel counts a child's time before its `exec` too, while it shares our memory.
    pub peak_bytes: u64,
    /// Peak of its private memory, without mapped files, bytes; sampled every ten milliseconds, so 0 for a shorter run.
    pub own_peak_bytes: u64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs `command` to its end.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn measure(command: &mut Command) -> io::Result<Usage> {
    measure_within(command, Duration::MAX)
}

/// Runs `command` to its end, but kills it at `limit`; the status shows it.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn measure_within(command: &mut Command, limit: Duration) -> io::Result<Usage> {
    watched(command.spawn()?, limit, &mut |_| ())
}

/// Waits for the end of a child that was just started, or kills it at `limit`. `look` gets its own memory, bytes, every ten
/// milliseconds.
///
/// # Errors
/// When it cannot be waited for.
pub fn watched(
    mut child: Child,
    limit: Duration,
    look: &mut (dyn FnMut(u64) + Send),
) -> io::Result<Usage> {
    let begin = Instant::now();
    let process = child.id();
    let (ended, own_peak_bytes) = (AtomicBool::new(false), AtomicU64::new(0));
    let (waited, wall) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let own = own_bytes(process).unwrap_or(0);
                own_peak_bytes.fetch_max(own, Ordering::Relaxed);
                look(own);
                if begin.elapsed() > limit {
                    // It may have ended this very moment.
                    let _ = child.kill();
                }
                std::thread::park_timeout(LOOK_EVERY);
            }
        });
        let waited = wait(process);
        let wall = begin.elapsed();
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        (waited, wall)
    });
    let (status, usage) = waited?;
    Ok(Usage {
        wall,
        processor: time(usage.ru_utime) + time(usage.ru_stime),
        // Linux counts in KiB (getrusage(2)).
        peak_bytes: usage.ru_maxrss as u64 * 1024,
        own_peak_bytes: own_peak_bytes.into_inner(),
        status,
    })
}

/// Resident memory that is no file's (proc_pid_status(5), RssAnon).
fn own_bytes(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn wait(process: u32) -> io::Result<(ExitStatus, libc::rusage)> {
    use std::os::unix::process::ExitStatusExt;
    let mut status = 0;
    // SAFETY: rusage is a plain C struct of integers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live local values of the types that wait4 writes; the child is ours and not yet waited for.
    let waited = unsafe { libc::wait4(process as libc::pid_t, &raw mut status, 0, &raw mut usage) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((ExitStatus::from_raw(status), usage))
}

fn time(value: libc::timeval) -> Duration {
    Duration::from_secs(value.tv_sec as u64) + Duration::from_micros(value.tv_usec as u64)
}

/// Processor time of the calling thread so far, nanoseconds: on a busy machine wall time would include other programs.
#[must_use]
pub fn thread_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time of this process so far, all threads, nanoseconds.
#[must_use]
pub fn process_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live local value of the type that clock_gettime writes. Both clocks exist wherever Linux runs.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Processor time and wall time of this thread over several pieces of work, without the cost of reading the clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    processor_ns: u64,
    wall_ns: u64,
    pieces: u64,
}

impl Stopwatch {
    /// Does `work` and adds its time.
    #[inline]
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (wall, processor_ns) = (Instant::now(), thread_ns());
        let result = work();
        self.processor_ns += thread_ns() - processor_ns;
        self.wall_ns += wall.elapsed().as_nanos() as u64;
        self.pieces += 1;
        result
    }

    /// Processor time, nanoseconds.
    #[must_use]
    pub fn processor_ns(&self) -> u64 {
        self.processor_ns
            .saturating_sub(self.pieces * looking_ns().0)
    }

    /// Wall time, nanoseconds.
    #[must_use]
    pub fn wall_ns(&self) -> u64 {
        self.wall_ns.saturating_sub(self.pieces * looking_ns().1)
    }
}

/// Empty pieces timed to measure the cost of reading the clocks.
const EMPTY_PIECES: usize = 1001;

/// The measured time of a piece without work: processor and wall time, medians, nanoseconds.
fn looking_ns() -> (u64, u64) {
    static LOOKING: OnceLock<(u64, u64)> = OnceLock::new();
    *LOOKING.get_or_init(|| {
        let pieces = [(); EMPTY_PIECES].map(|()| {
            let mut empty = Stopwatch::default();
            empty.time(|| std::hint::black_box(()));
            empty
        });
        let median = |field: fn(&Stopwatch) -> u64| {
            let mut times: Vec<u64> = pieces.iter().map(field).collect();
            times.sort_unstable();
            times[EMPTY_PIECES / 2]
        };
        (median(|one| one.processor_ns), median(|one| one.wall_ns))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_measured_and_its_end_known() {
        let usage = measure(&mut Command::new("true")).expect("true runs");
        assert!(usage.status.success());
        assert!(usage.peak_bytes > 0);
        let usage = measure(&mut Command::new("false")).expect("false runs");
        assert_eq!(usage.status.code(), Some(1));
    }

    #[test]
    fn a_sleeping_child_takes_wall_time_and_has_memory_of_its_own() {
        let usage = measure(Command::new("sleep").arg("0.1")).expect("sleep runs");
        assert!(usage.wall >= Duration::from_millis(100) && usage.processor < usage.wall);
        assert!(usage.own_peak_bytes > 0 && usage.own_peak_bytes <= usage.peak_bytes);
    }

    #[test]
    fn a_child_that_does_not_end_is_killed() {
        let limit = Duration::from_millis(50);
        let usage = measure_within(Command::new("sleep").arg("60"), limit).expect("sleep runs");
        assert!(!usage.status.success() && usage.wall < Duration::from_secs(30));
    }

    #[test]
    fn sleeping_costs_no_processor_time() {
        let mut stopwatch = Stopwatch::default();
        stopwatch.time(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(stopwatch.wall_ns() >= 15_000_000 && stopwatch.processor_ns() < 10_000_000);
        assert!(process_ns() > 0);
    }
}
