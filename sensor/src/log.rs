//! The log of a capture: `tracing` events as lines of text or JSON on standard error. Repeated messages are suppressed, and logging never
//! blocks: lines that nobody reads are lost and counted. Replays and other short commands print their few messages themselves.

mod limit;
mod lines;
mod stderr;

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use limit::{Limiter, LogDecision};
use lines::Lines;
pub use stderr::Stderr;

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text: time, level, message, and its fields as `name=value`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The weight of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// Something was lost or will not work.
    Error,
    /// Something is wrong, but the program goes on.
    Warn,
    /// Normal events.
    #[default]
    Info,
    /// Details for debugging.
    Debug,
}

/// Levels with their name and the number that syslog and the journal give them (RFC 5424, section 6.2.1).
const LEVELS: [(LogLevel, &str, u8); 4] = [
    (LogLevel::Error, "error", 3),
    (LogLevel::Warn, "warn", 4),
    (LogLevel::Info, "info", 6),
    (LogLevel::Debug, "debug", 7),
];

/// Messages written since the start, by level in the order of [`LEVELS`], and those that were suppressed.
static WRITTEN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static HELD_BACK: AtomicU64 = AtomicU64::new(0);
/// Messages lost because standard error was not read in time.
static LOST: AtomicU64 = AtomicU64::new(0);
/// How long the process waits at its end until its last lines are written.
const LAST_LINES_WAIT: Duration = Duration::from_millis(500);
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Messages written since the start, by the name of their level.
#[must_use]
pub fn written() -> [(&'static str, u64); 4] {
    let mut counts = [("", 0); 4];
    for (index, (_, name, _)) in LEVELS.into_iter().enumerate() {
        counts[index] = (name, WRITTEN[index].load(Ordering::Relaxed));
    }
    counts
}

/// Messages suppressed since the start, because similar ones had just been written.
#[must_use]
pub fn held_back() -> u64 {
    HELD_BACK.load(Ordering::Relaxed)
}

/// Messages lost since the start, because standard error was not read.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Starts the thread that writes messages. Call it after the process dropped its privileges: a thread keeps the privileges that it started
/// with.
///
/// # Errors
/// When no thread can be started.
pub fn queue_lines() -> std::io::Result<()> {
    LOG.get().map_or(Ok(()), |log| log.queue_lines())
}

/// Waits a moment for the last messages to be written.
pub fn flush() {
    if let Some(lines) = LOG.get().and_then(|log| log.lines.get()) {
        lines.drain(LAST_LINES_WAIT);
    }
}

/// Writes a line to standard error. Once messages are logged it waits for a stalled reader no longer than a moment, and is counted as
/// lost then.
pub fn say(line: impl std::fmt::Display) {
    let line = format!("{line}\n");
    if LOG.get().is_none() {
        // There is nowhere to report that it cannot be written.
        let _ = std::io::stderr().write_all(line.as_bytes());
    } else if stderr::write_within(line.as_bytes(), LAST_LINES_WAIT).is_err() {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs a panic hook that logs the panic and calls `exit`. Data on disk is intact then, and a process without one of its threads
/// must not go on.
pub fn exit_on_panic(exit: fn()) {
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        let text = format!(
            "the {name} thread panicked: {panic}; this is an error of the program, please report it; what was written before is intact"
        );
        if LOG.get().is_some() {
            tracing::error!("{text}");
            flush();
        } else {
            let _ = writeln!(std::io::stderr(), "teiten-sensor: {text}");
        }
        exit();
    }));
}

/// Panics where a test has asked for it: `TEITEN_TEST_PANIC=NAME=FILE` ends the thread of that name once the file is there. In builds
/// for debugging alone.
#[inline]
pub fn panic_if_asked(name: &str) {
    #[cfg(debug_assertions)]
    {
        static ASKED: OnceLock<Option<String>> = OnceLock::new();
        let asked = ASKED.get_or_init(|| std::env::var("TEITEN_TEST_PANIC").ok());
        if let Some((thread, file)) = asked.as_deref().and_then(|asked| asked.split_once('='))
            && thread == name
        {
            assert!(!std::path::Path::new(file).exists(), "a test asked for it");
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Sends this process's messages to `out`; the first call counts.
pub fn start(format: LogFormat, level: LogLevel, out: Box<dyn Write + Send>) {
    // The journal adds the time itself and reads a level at the start of the line (sd-daemon(3)).
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = Arc::new(Log::new(format, level, journal, out));
    if tracing::subscriber::set_global_default(Arc::clone(&log)).is_ok() {
        let _ = LOG.set(log);
    }
}

/// Logs how many messages were suppressed, for kinds whose window is over. Call it every few seconds.
pub fn tick() {
    if let Some(log) = LOG.get() {
        log.tick(Instant::now());
    }
}

/// Where messages go, and which of them.
struct Log {
    format: LogFormat,
    level: LogLevel,
    journal: bool,
    limiter: Mutex<Limiter>,
    /// Where messages go as long as there are no `lines`.
    out: Mutex<Option<Box<dyn Write + Send>>>,
    lines: OnceLock<Lines>,
    /// Messages lost, as of the last message that says so.
    told_lost: AtomicU64,
}

impl Log {
    fn new(format: LogFormat, level: LogLevel, journal: bool, out: Box<dyn Write + Send>) -> Self {
        Log {
            format,
            level,
            journal,
            limiter: Mutex::default(),
            out: Mutex::new(Some(out)),
            lines: OnceLock::new(),
            told_lost: AtomicU64::new(0),
        }
    }

    fn queue_lines(&self) -> std::io::Result<()> {
        if let Some(out) = lock(&self.out).take() {
            let _ = self.lines.set(Lines::start(out)?);
            stderr::may_wait();
        }
        Ok(())
    }

    fn tick(&self, now: Instant) {
        let due = lock(&self.limiter).due(now);
        for (kind, count) in due {
            let mut fields = EventFields {
                message: format!("{count} more messages like this were suppressed: {kind}"),
                ..EventFields::default()
            };
            fields.rest.insert("suppressed".into(), count.into());
            self.write(LogLevel::Warn, &fields);
        }
        let lost = LOST.load(Ordering::Relaxed);
        let before = self.told_lost.load(Ordering::Relaxed);
        if lost > before {
            let fields = EventFields {
                message: format!("{} messages were lost: nobody read them", lost - before),
                ..EventFields::default()
            };
            if self.write(LogLevel::Warn, &fields) {
                self.told_lost.store(lost, Ordering::Relaxed);
            }
        }
    }

    /// Writes a message, or counts it as lost; returns whether it was written.
    fn write(&self, level: LogLevel, fields: &EventFields) -> bool {
        let line = self.line(level, fields, SystemTime::now());
        let written = match self.lines.get() {
            Some(lines) => lines.push(line),
            None => match lock(&self.out).as_mut() {
                Some(out) => out
                    .write_all(line.as_bytes())
                    .and_then(|()| out.flush())
                    .is_ok(),
                None => false,
            },
        };
        let count = if written {
            &WRITTEN[level as usize]
        } else {
            &LOST
        };
        count.fetch_add(1, Ordering::Relaxed);
        written
    }

    fn line(&self, level: LogLevel, fields: &EventFields, now: SystemTime) -> String {
        let (_, name, number) = LEVELS[level as usize];
        let time = time_text(now);
        if self.format == LogFormat::Json {
            let mut object = Map::new();
            object.insert("time".into(), time.into());
            object.insert("level".into(), name.into());
            object.insert("message".into(), fields.message.clone().into());
            object.extend(fields.rest.clone());
            return format!("{}\n", Value::Object(object));
        }
        let mut line = if self.journal {
            format!("<{number}>{}", fields.message)
        } else {
            format!("{time} {name:<5} {}", fields.message)
        };
        for (name, value) in &fields.rest {
            // Writing to a String cannot fail.
            let _ = match value {
                Value::String(text) if !text.contains(char::is_whitespace) => {
                    write!(line, " {name}={text}")
                }
                value => write!(line, " {name}={value}"),
            };
        }
        // A message is always one line, even if it quotes line breaks.
        line.replace(['\n', '\r'], " ") + "\n"
    }
}

impl Subscriber for Log {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && level(*metadata.level()) <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let kind = event.metadata().callsite();
        let verdict = lock(&self.limiter).admit(kind, &fields.message, Instant::now());
        match verdict {
            LogDecision::HoldBack => {
                HELD_BACK.fetch_add(1, Ordering::Relaxed);
            }
            LogDecision::Write { held_back } => {
                if held_back > 0 {
                    fields.rest.insert("suppressed".into(), held_back.into());
                }
                self.write(level(*event.metadata().level()), &fields);
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// A panic while writing leaves no inconsistent state.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of an event and its other fields.
#[derive(Default)]
struct EventFields {
    message: String,
    rest: Map<String, Value>,
}

impl EventFields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => {
                self.rest.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for EventFields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// `2026-11-05T08:04:09.120Z`
fn time_text(time: SystemTime) -> String {
    format!("{:.3}", Timestamp::try_from(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// What was written, to be looked at.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(lock(&self.0).clone()).expect("text");
            text.lines().map(str::to_owned).collect()
        }
    }

    /// Lines written while `speak` runs, and the log for more.
    fn lines(format: LogFormat, journal: bool, speak: fn()) -> (Page, Arc<Log>) {
        let page = Page::default();
        let out = Box::new(page.clone());
        let log = Arc::new(Log::new(format, LogLevel::Info, journal, out));
        tracing::subscriber::with_default(Arc::clone(&log), speak);
        (page, log)
    }

    #[test]
    fn a_json_line_has_time_level_message_and_fields() {
        let (page, _) = lines(LogFormat::Json, false, || {
            tracing::warn!(interface = "lo", packets = 3_u64, "down\nand \"out\"");
            tracing::debug!("unheard");
        });
        let lines = page.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let object: Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(object["level"], "warn");
        assert_eq!(object["message"], "down\nand \"out\"");
        assert_eq!(object["interface"], "lo");
        assert_eq!(object["packets"], 3);
        assert!(
            object["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
    }

    #[test]
    fn a_text_line_is_one_line_and_the_journal_gets_the_level_in_its_way() {
        let speak = || tracing::error!(path = %"a b", count = 2, "no\nroom");
        let text = lines(LogFormat::Text, false, speak).0.lines().concat();
        assert!(
            text.ends_with("error no room count=2 path=\"a b\""),
            "{text}"
        );
        let journal = lines(LogFormat::Text, true, speak).0.lines().concat();
        assert_eq!(journal, "<3>no room count=2 path=\"a b\"");
    }

    #[test]
    fn a_flood_of_one_kind_is_counted_and_another_kind_still_heard() {
        let (page, log) = lines(LogFormat::Text, false, || {
            for packet in 0..100_000 {
                tracing::warn!(packet, "flood");
            }
            tracing::warn!("another");
        });
        assert_eq!(page.lines().len(), limit::BURST as usize + 1);
        log.tick(Instant::now() + 2 * limit::WINDOW);
        let last = page.lines().pop().expect("a line");
        let held_back = 100_000 - u64::from(limit::BURST);
        assert!(
            last.contains(&format!("{held_back} more messages")),
            "{last}"
        );
        assert!(last.contains("flood"), "{last}");
    }

    /// Set for the child process that panics.
    const PANICS: &str = "TEITEN_TEST_PANICS";

    #[test]
    fn a_panic_of_any_thread_ends_the_process_although_nobody_reads_what_it_says() {
        if std::env::var_os(PANICS).is_none() {
            let mut child = std::process::Command::new(std::env::current_exe().expect("a test"))
                .args(["--exact", "log::tests::a_panic_of_any_thread_ends_the_process_although_nobody_reads_what_it_says"])
                .env(PANICS, "1")
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("the test runs once more");
            assert_eq!(child.wait().expect("it ends").code(), Some(2));
            return;
        }
        /// A pipe that nobody reads.
        struct Stalled;
        impl Write for Stalled {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                loop {
                    std::thread::park();
                }
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        start(LogFormat::Text, LogLevel::Info, Box::new(Stalled));
        queue_lines().expect("a thread");
        exit_on_panic(|| std::process::exit(2));
        let _ = std::thread::spawn(|| panic!("a thread's end")).join();
        // Not reached; a process that goes on ends with 0.
        std::process::exit(0);
    }

    #[test]
    fn times_are_utc_to_the_millisecond() {
        let time = UNIX_EPOCH + Duration::from_millis(1_237_107_849_012);
        assert_eq!(time_text(time), "2009-03-15T09:04:09.012Z");
    }
}
