//! The `teiten-sensor` program: flags in, messages to standard error, results to standard output, an exit code.

use std::ffi::OsString;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::command::capture::capture;
use crate::command::check::{CheckStatus, Plan};
use crate::command::destinations::Destinations;
use crate::command::explain::{Groups, LeftOut};
use crate::command::geo::{self, GeoError, NO_COUNTRIES};
use crate::command::replay::{Outcome, replay};
use crate::command::summary::LEADING_COUNT;
use crate::command::{check, explain, rules, summary};
use crate::courier;
use crate::log::{self, LogLevel};
use crate::memory;
use crate::options::{
    CaptureArguments, Command, CommandLine, DeliverArguments, ExplainArguments, GeoCommand,
    ReplayArguments, RulesArguments, Settings, parse, prefixes,
};
use crate::source::{FileReport, Progress, ReadingMode, Replay};
use crate::watch::KeptCounts;
#[cfg(feature = "top")]
use crate::{command::top, options::TopArguments};
use clap::CommandFactory;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
};
use teiten_aggregator::alert::Telling;
use teiten_aggregator::config::Refusal;
use teiten_aggregator::documents;
use teiten_aggregator::leading::leading;
use teiten_aggregator::origin::Origins;
use teiten_aggregator::store::random_name;
use teiten_packet::telescope::Telescope;

/// Done, but incomplete.
const INCOMPLETE: u8 = 1;
/// Not done.
const NOT_DONE: u8 = 2;
/// How often the progress line is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Runs the program; `arguments` begin with its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    memory::return_freed();
    log::exit_on_panic(|| std::process::exit(NOT_DONE.into()));
    let line = match parse(arguments) {
        Ok(line) => line,
        Err(Refusal::Flags(error)) => error.exit(),
        Err(error) => return not_done(&error),
    };
    let voice = match (line.quiet, line.verbose) {
        (true, _) => Voice::Quiet,
        (false, false) => Voice::Plain,
        (false, true) => Voice::Verbose,
    };
    let outcome = match line.command {
        Command::Replay(arguments) => run_replay(arguments, voice),
        Command::Capture(arguments) => {
            let outcome = run_capture(arguments, voice);
            log::flush();
            outcome
        }
        Command::Check(arguments) => run_check(arguments),
        #[cfg(feature = "top")]
        Command::Top(arguments) => run_top(&arguments),
        Command::Geo(arguments) => run_geo(arguments.command),
        Command::Documents(arguments) => {
            documents::write(&CommandLine::command(), "teiten-sensor", &arguments.folder)
                .map(|()| 0)
                .map_err(Into::into)
        }
        Command::Explain(arguments) => run_explain(&arguments),
        Command::Rules(arguments) => run_rules(&arguments),
        Command::DeliverAlerts(arguments) => run_deliver(arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => not_done(&error),
    }
}

/// How much is printed besides errors and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Quiet,
    Plain,
    Verbose,
}

impl Voice {
    /// Says something that is no error.
    fn note(self, text: impl std::fmt::Display) {
        if self != Voice::Quiet {
            log::say(format_args!("teiten-sensor: {text}"));
        }
    }
}

fn not_done(error: &dyn std::fmt::Display) -> ExitCode {
    log::say(format_args!("teiten-sensor: {error}"));
    ExitCode::from(NOT_DONE)
}

/// A reader that closes the pipe is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Replays into a folder that goes with the test, and prints what would have been sent.
fn run_watch_test(mut arguments: ReplayArguments, voice: Voice) -> anyhow::Result<u8> {
    let folder = std::env::temp_dir().join(format!("teiten-watch-test-{}", random_name()));
    arguments.shared.data = Some(folder.clone());
    let outcome = (|| {
        let (paths, terms, settings) = arguments.resolve()?;
        say_what_is_known(&settings, voice);
        Ok::<_, anyhow::Error>(replay(&paths, terms, &settings, &mut |_| {})?)
    })();
    // Nothing of it is wanted, and it may not be there.
    let _ = std::fs::remove_dir_all(&folder);
    let outcome = outcome?;
    say_errors(&outcome.files);
    let mut out = BufWriter::new(stdout().lock());
    let alerts = outcome.alerts.unwrap_or_default();
    for telling in &alerts.tellings {
        match telling {
            Telling::Alert(alert) => writeln!(out, "{}", serde_json::to_string(alert)?)?,
            Telling::Withheld(withheld) => {
                log::say(format_args!(
                    "not told: {}",
                    serde_json::to_string(withheld)?
                ));
            }
        }
    }
    out.flush()?;
    let damaged = outcome.files.iter().any(|file| file.error.is_some());
    Ok(exit_code(damaged, is_nothing(&outcome.files), false))
}

/// Delivers the alerts of the capture that started this process.
fn run_deliver(arguments: DeliverArguments) -> anyhow::Result<u8> {
    // What ends a capture ends this process by the end of its input, once alerts are delivered.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let settings = arguments.shared.resolve()?;
    log::start(settings.log, settings.log_level, Box::new(log::Stderr));
    courier::deliver(arguments.user, &settings)?;
    log::flush();
    Ok(0)
}

fn run_replay(arguments: ReplayArguments, voice: Voice) -> anyhow::Result<u8> {
    if arguments.watch_test {
        return run_watch_test(arguments, voice);
    }
    let (paths, terms, settings) = arguments.resolve()?;
    ignore_stray_signals()?;
    say_what_is_known(&settings, voice);
    check::folder_refusal(&settings.data).map_or(Ok(()), |text| Err(anyhow::anyhow!(text)))?;
    let mut bar = ProgressLine::new(voice);
    let outcome = replay(&paths, terms, &settings, &mut |progress| {
        bar.show(progress);
    });
    bar.clear();
    let outcome = outcome?;
    let code = report(&outcome, &settings, voice)?;
    let tally = &outcome.counted.tally;
    let is_all_known =
        tally.records() == 0 && outcome.files.iter().any(|file| file.already_counted);
    let is_plain = voice != Voice::Quiet && !settings.json;
    if is_all_known {
        if is_plain {
            voice.note("all of it is in the dataset; --recount counts it again");
            summary::write_next(&settings.data, &mut stdout().lock())?;
        }
        return Ok(code);
    }
    if tally.counts.observed == 0 {
        say_where_packets_went(&outcome, &paths, terms.reading, voice)?;
        return Ok(code.max(INCOMPLETE));
    }
    if is_plain {
        let leading = if outcome.written.rewritten {
            leading(&settings.data, &outcome.name, LEADING_COUNT)?
        } else {
            outcome.written.leading.first(LEADING_COUNT)
        };
        let observed = outcome.counted.tally.counts.observed;
        summary::write_ending(&leading, observed, &settings.data, &mut stdout().lock())?;
    }
    Ok(code)
}

/// Says that nothing was observed, and suggests a telescope.
fn say_where_packets_went(
    outcome: &Outcome,
    paths: &[PathBuf],
    reading: ReadingMode,
    voice: Voice,
) -> anyhow::Result<()> {
    let tally = &outcome.counted.tally;
    voice.note(format_args!(
        "nothing was observed of {} records: {} outside the telescope, {} excluded, {} not IP, {} malformed",
        tally.records(),
        tally.counts.outside,
        tally.counts.excluded,
        tally.counts.not_ip,
        tally.counts.malformed
    ));
    if voice == Voice::Quiet || tally.counts.outside + tally.counts.excluded == 0 {
        return Ok(());
    }
    let Some(destinations) = Destinations::read(paths, reading)? else {
        voice.note("replay a file instead of standard input to see where its packets went");
        return Ok(());
    };
    voice.note("most packets went to");
    for (prefix, packets) in destinations.leading(LEADING_COUNT) {
        log::say(format_args!(
            "  {:<24}{packets:>14} packets",
            prefix.to_string()
        ));
    }
    let suggestion = destinations.suggestion();
    let flags: Vec<String> = suggestion
        .iter()
        .map(|prefix| format!("--telescope {prefix}"))
        .collect();
    if !flags.is_empty() {
        voice.note(format_args!("did you mean {}?", flags.join(" ")));
    }
    Ok(())
}

/// Ignores signals that have no meaning for a replay but would end it.
fn ignore_stray_signals() -> std::io::Result<()> {
    for signal in [SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

fn run_capture(mut arguments: CaptureArguments, voice: Voice) -> anyhow::Result<u8> {
    let level = &mut arguments.shared.log_level;
    match voice {
        Voice::Quiet => *level = Some(LogLevel::Error),
        Voice::Verbose => *level = Some(LogLevel::Debug),
        Voice::Plain => {}
    }
    let (interfaces, settings) = arguments.resolve()?;
    log::start(settings.log, settings.log_level, Box::new(log::Stderr));
    say_what_is_known(&settings, voice);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    tracing::info!(
        interfaces = interfaces.interfaces.join(","),
        data = %settings.data.display(),
        "will capture; SIGINT or SIGTERM ends it"
    );
    if !settings.telescope.is_empty() && !interfaces.live.all_packets {
        tracing::info!(
            "only packets to the telescope are received where the kernel filters; --all-packets counts the others as outside"
        );
    }
    report(&capture(&interfaces, &settings, &stop)?, &settings, voice)
}

fn run_check(arguments: CaptureArguments) -> anyhow::Result<u8> {
    let (capture, settings) = arguments.resolve()?;
    let plan = Plan { capture, settings };
    let findings = check::findings(&plan);
    let mut out = stdout().lock();
    if plan.settings.json {
        writeln!(out, "{}", serde_json::to_string(&findings)?)?;
    } else {
        check::write_table(&plan, &findings, &mut out)?;
    }
    Ok(match check::worst(&findings) {
        CheckStatus::Ok => 0,
        CheckStatus::Warn => INCOMPLETE,
        CheckStatus::Fail => NOT_DONE,
    })
}

fn run_explain(arguments: &ExplainArguments) -> anyhow::Result<u8> {
    let dark = prefixes("telescope", &arguments.telescope)?;
    let telescope = Telescope::new(&dark, &prefixes("exclude", &arguments.exclude)?);
    let source = Replay::open(&arguments.paths)?;
    let mut out = BufWriter::new(stdout().lock());
    let mut groups = Groups::default();
    let (files, left_out) = explain::twice(source, &telescope, |block, judgements| {
        if arguments.summary {
            groups.add(block, &telescope, judgements);
            return Ok(true);
        }
        explain::write_block(&mut out, block, &telescope, judgements)
    })?;
    match (arguments.summary, arguments.json) {
        (true, true) => groups.write_json(&mut out)?,
        (true, false) => groups.write_table(&mut out)?,
        (false, _) => {}
    }
    out.flush()?;
    say_errors(&files);
    say_left_out(left_out);
    let damaged = files.iter().any(|file| file.error.is_some()) || left_out.tools > 0;
    Ok(exit_code(damaged, is_nothing(&files), false))
}

fn say_left_out(LeftOut { marks, tools }: LeftOut) {
    if marks > 0 {
        log::say(format_args!(
            "teiten-sensor: for lack of memory the evidence of {marks} rows without a tool is omitted"
        ));
    }
    if tools > 0 {
        log::say(format_args!(
            "teiten-sensor: for lack of memory the tools of {tools} rows (a source, an hour, a kind of packet) are omitted: \
             their packets have \"tool_unknown\"; explain a part of the capture"
        ));
    }
}

#[cfg(feature = "top")]
fn run_top(arguments: &TopArguments) -> anyhow::Result<u8> {
    if arguments.once {
        top::once(arguments.status, &mut stdout().lock())?;
    } else {
        top::show(arguments.status)?;
    }
    Ok(0)
}

fn run_geo(command: GeoCommand) -> anyhow::Result<u8> {
    let mut out = stdout().lock();
    if let GeoCommand::Update(arguments) = command {
        if arguments.if_missing && !Origins::find_default().is_empty() {
            return Ok(0);
        }
        let folder = arguments.into.or_else(geo::folder);
        let folder = folder.ok_or(GeoError::NoFolder)?;
        for path in geo::update(&arguments.sources, &folder, arguments.keep)? {
            writeln!(out, "{}", path.display())?;
        }
        return Ok(0);
    }
    let lines = geo::in_use()?;
    anyhow::ensure!(!lines.is_empty(), NO_COUNTRIES);
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(0)
}

fn run_rules(arguments: &RulesArguments) -> anyhow::Result<u8> {
    let mut out = BufWriter::new(stdout().lock());
    if arguments.json {
        writeln!(out, "{:#}", rules::json())?;
    } else {
        rules::write_table(&mut out)?;
    }
    out.flush()?;
    Ok(0)
}

fn say_errors(files: &[FileReport]) {
    for file in files {
        if let Some(error) = &file.error {
            log::say(format_args!("teiten-sensor: {}: {error}", file.path));
        }
        if let Some(note) = file
            .note
            .as_ref()
            .filter(|_| !file.ignored && !file.already_counted)
        {
            log::say(format_args!("teiten-sensor: {}: {note}", file.path));
        }
    }
    say_already_counted(files);
}

/// Prints which captures were skipped as counted before: each of a few, otherwise their number.
fn say_already_counted(files: &[FileReport]) {
    const NAMED_MAX: usize = 5;
    let counted: Vec<&FileReport> = files.iter().filter(|file| file.already_counted).collect();
    for file in counted.iter().take(NAMED_MAX) {
        let note = file.note.as_deref().unwrap_or("was counted already");
        log::say(format_args!("teiten-sensor: {}: {note}", file.path));
    }
    if counted.len() > NAMED_MAX {
        let more = counted.len() - NAMED_MAX;
        log::say(format_args!(
            "teiten-sensor: {more} more captures were counted already"
        ));
    }
}

/// Whether no record has a supported link type.
fn is_nothing(files: &[FileReport]) -> bool {
    files.iter().all(|file| {
        file.records == file.unsupported_records + file.implausible && !file.already_counted
    })
}

fn exit_code(damaged: bool, nothing: bool, lossy: bool) -> u8 {
    match (damaged, nothing, lossy) {
        (true, true, _) => NOT_DONE,
        (true, false, _) | (false, _, true) => INCOMPLETE,
        (false, _, false) => 0,
    }
}

/// Prints remarks before the start.
fn say_what_is_known(settings: &Settings, voice: Voice) {
    if settings.geo.is_empty() && Origins::find_default().is_empty() {
        voice.note(NO_COUNTRIES);
    }
    let list = settings.watch.as_ref().and_then(|watch| watch.load().ok());
    if list.is_some_and(|list| list.needs_networks()) && settings.asn.is_empty() {
        voice.note(check::NO_NETWORKS);
    }
    if settings.telescope.is_empty() {
        voice.note(
            "no --telescope given: every destination counts, and the telescope's size is unknown",
        );
    }
}

/// Prints the account and what was incomplete; returns the exit code.
fn report(outcome: &Outcome, settings: &Settings, voice: Voice) -> anyhow::Result<u8> {
    say_errors(&outcome.files);
    if voice == Voice::Verbose {
        for file in &outcome.files {
            voice.note(format_args!("{}: {} records", file.path, file.records));
        }
        voice.note(outcome.geo.as_deref().unwrap_or(NO_COUNTRIES));
    }
    for text in &outcome.rows_left_out {
        log::say(format_args!("teiten-sensor: {text}"));
    }
    let mut out = stdout().lock();
    if settings.json {
        writeln!(out, "{}", summary::accounting(outcome))?;
    } else if voice != Voice::Quiet {
        summary::write_table(outcome, &mut out)?;
    }
    let lost = outcome.kept().map_or(0, KeptCounts::lost_in_all);
    if lost > 0 {
        log::say(format_args!(
            "teiten-sensor: {lost} observed packets are not in the files of --keep-packets"
        ));
    }
    let untold = say_alerts(outcome, voice);
    let damaged = outcome.files.iter().any(|file| file.error.is_some());
    let written = &outcome.written;
    let lossy = outcome.dropped() + lost + written.lost_packets > 0
        || untold
        || written.damaged_files + written.damaged_hours > 0;
    Ok(exit_code(damaged, is_nothing(&outcome.files), lossy))
}

/// Says what became of alerts; whether some did not arrive.
fn say_alerts(outcome: &Outcome, voice: Voice) -> bool {
    let Some(alerts) = &outcome.alerts else {
        return false;
    };
    let (raised, delivery) = (&alerts.raised, &alerts.delivery);
    if raised.alerts + raised.withheld > 0 {
        voice.note(format_args!(
            "{} alerts raised, {} delivered; of {} sources nothing is told because they may be forged (.teiten/alerts/withheld.jsonl)",
            raised.alerts, delivery.delivered, raised.withheld
        ));
    }
    for failure in &delivery.failures {
        log::say(format_args!(
            "teiten-sensor: alerts wait in the dataset: {failure}; teiten-aggregator alerts deliver tries again"
        ));
    }
    delivery.refused + raised.dropped > 0 || !delivery.failures.is_empty()
}

/// The progress line: on a terminal only.
struct ProgressLine {
    bar: Option<ProgressBar>,
    drawn: Instant,
}

impl ProgressLine {
    fn new(voice: Voice) -> Self {
        let wanted = stderr().is_terminal() && voice != Voice::Quiet;
        let bar = wanted.then(ProgressBar::no_length);
        ProgressLine {
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
