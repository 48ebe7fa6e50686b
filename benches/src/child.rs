//! Runs a program and says what it took: the one place of this crate with `unsafe`, since only `wait4` gives the peak memory of one
//! child rather than of all.

use std::io;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// What a finished program took.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// Processor time, user and system, of all threads.
    pub processor: Duration,
    /// Largest resident memory, bytes; mapped files count as far as they are resident.
    pub peak_bytes: u64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs `command` to its end.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn measure(command: &mut Command) -> io::Result<Usage> {
    let begin = Instant::now();
    let child = command.spawn()?;
    let (status, usage) = wait(child.id())?;
    Ok(Usage {
        wall: begin.elapsed(),
        processor: time(usage.ru_utime) + time(usage.ru_stime),
        // Linux counts in KiB (getrusage(2)).
        peak_bytes: usage.ru_maxrss as u64 * 1024,
        status,
    })
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
}
