//! The `teiten-sensor` program: flags in, messages to standard error, results to standard output, an exit code.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use teiten_sensor::options::{Command, CommandLine, ReplayArguments, Settings};
use teiten_sensor::replay::{Outcome, replay};
use teiten_sensor::source::{Progress, Reading};
use teiten_sensor::summary;

/// Done, but incomplete.
const INCOMPLETE: u8 = 1;
/// Not done.
const NOT_DONE: u8 = 2;
/// How often the progress line is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Replay(arguments) => run_replay(arguments),
        Command::Capture(_) | Command::Explain(_) => Ok(NOT_DONE),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "teiten-sensor: {error:#}");
            ExitCode::from(NOT_DONE)
        }
    }
}

/// A reader of our output that has seen enough is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run_replay(arguments: ReplayArguments) -> anyhow::Result<u8> {
    let settings = arguments.shared.settle()?;
    say_what_is_counted(&settings);
    let reading = if arguments.no_map {
        Reading::Buffered
    } else {
        Reading::Mapped
    };
    let mut bar = Bar::new();
    let outcome = replay(&arguments.paths, reading, &settings, &mut |progress| {
        bar.show(progress)
    });
    bar.clear();
    report(&outcome?, &settings)
}

fn say_what_is_counted(settings: &Settings) {
    if settings.telescope.is_empty() {
        let _ = writeln!(
            stderr(),
            "teiten-sensor: no --telescope given: every destination counts, and the telescope's size is unknown"
        );
    }
}

/// Prints the accounting and what was incomplete; the exit code.
fn report(outcome: &Outcome, settings: &Settings) -> anyhow::Result<u8> {
    for file in &outcome.files {
        if let Some(error) = &file.error {
            let _ = writeln!(stderr(), "teiten-sensor: {}: {error}", file.path);
        }
    }
    if outcome.geo.is_none() {
        let _ = writeln!(
            stderr(),
            "teiten-sensor: no country data: every country is ZZ. Install Debian's tor-geoipdb, or give --geo FILE"
        );
    }
    let mut out = stdout().lock();
    if settings.json {
        writeln!(out, "{}", summary::accounting(outcome))?;
    } else {
        summary::write_table(outcome, &mut out)?;
    }
    let damaged = outcome.files.iter().any(|file| file.error.is_some());
    Ok(if damaged && outcome.counted.tally.records == 0 {
        NOT_DONE
    } else if damaged || outcome.dropped() > 0 {
        INCOMPLETE
    } else {
        0
    })
}

/// The progress line: on a terminal only.
struct Bar {
    bar: Option<ProgressBar>,
    drawn: Instant,
}

impl Bar {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(ProgressBar::no_length);
        Bar {
            bar,
            drawn: Instant::now(),
        }
    }

    fn show(&mut self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.drawn = Instant::now();
        if let (None, Some(total)) = (bar.length(), progress.total_bytes) {
            bar.set_length(total);
            let template =
                "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
        }
        bar.set_position(progress.read_bytes);
        bar.set_message(format!("{} packets", progress.packets));
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
