//! Runs a program for an alert; its exit code 0 acknowledges it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::SinkFailure;

/// How long it may take; then it is ended, and the alert is tried again.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Interval at which its end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs it with `input` on standard input.
pub(super) fn run(
    command: &[String],
    environment: &[(&str, &str)],
    input: &[u8],
) -> Result<(), SinkFailure> {
    let [program, arguments @ ..] = command else {
        return Err(SinkFailure::for_good("no program is named"));
    };
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        SinkFailure::again(format!("{what} {program}: {error}"))
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed("cannot start", &error))?;
    let pipe = child.stdin.take();
    std::thread::scope(|scope| {
        // It may read nothing, and then neither fails nor ends: the pipe is filled beside the wait.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(failed("no success of", &status)),
                Ok(None) if begun.elapsed() < RUN_MAX => std::thread::sleep(LOOK_EVERY),
                Ok(None) => {
                    // It is gone, or ends now.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(failed("ended after a minute:", &"it did not end by itself"));
                }
                Err(error) => return Err(failed("cannot wait for", &error)),
            }
        }
    })
}
