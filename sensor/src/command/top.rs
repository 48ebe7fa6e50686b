//! `teiten-sensor top`: the running sensor in a terminal, once a second, from its `/live`. It is an ordinary client of the status server.

mod screen;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use serde::Deserialize;
use teiten_aggregator::counter::COUNTERS;
use teiten_aggregator::minute::MinuteCounts;
use thiserror::Error;

/// How often the sensor is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of an answer, far more than the requested rows need.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// The request: all minutes, and rows for a tall terminal.
const TARGET: &str = "/live?minutes=15&top=50";
/// Requested rows of a list, and rows that a page key scrolls.
const ROWS_ASKED: usize = 50;
const PAGE_ROWS: isize = 5;

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub enum TopError {
    /// Nobody answers.
    #[error("no sensor answers at {address}: {reason}; is one running with --status {address}?")]
    NoAnswer {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Something answers that is no sensor of this version.
    #[error("what answers at {address} is no sensor's status: {reason}")]
    NotASensor {
        /// The address.
        address: SocketAddr,
        /// What is wrong.
        reason: String,
    },
    /// The terminal cannot be drawn on.
    #[error("the terminal cannot be used: {0}; --once prints the same as text")]
    Terminal(std::io::Error),
}

/// What `/live` says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct LiveReply {
    /// The sensor's name.
    pub sensor: String,
    /// Its interfaces.
    pub interfaces: Vec<String>,
    /// How long it has run, seconds.
    pub uptime_seconds: u64,
    /// The minute its clock is in.
    pub now: String,
    /// What is wrong, by part.
    pub problems: BTreeMap<String, String>,
    /// Whether every packet was counted, without sampling.
    pub exact: bool,
    /// The last minutes, oldest first.
    pub minutes: Vec<LiveMinute>,
    /// Packets by class.
    pub classes: Vec<LiveClass>,
    /// Packets by port, the largest first.
    pub ports: Vec<LivePort>,
    /// Packets by country.
    pub countries: Vec<LiveCountry>,
    /// Packets by source.
    pub sources: Vec<LiveSource>,
    /// Sums since the start.
    pub since_start: LiveSums,
}

/// A minute.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct LiveMinute {
    /// Observed packets.
    pub packets: u64,
}

/// Packets of a class.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct LiveClass {
    /// Its name.
    pub class: String,
    /// Packets.
    pub packets: u64,
}

/// Packets to a port.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct LivePort {
    /// Protocol number.
    pub protocol: u8,
    /// The port, where the protocol has ports.
    pub port: Option<u16>,
    /// Packets.
    pub packets: u64,
}

/// Packets from a country.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct LiveCountry {
    /// ISO 3166-1 alpha-2, `ZZ` for unknown.
    pub country: String,
    /// Packets.
    pub packets: u64,
}

/// Packets from a source.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct LiveSource {
    /// Its address.
    pub src_ip: String,
    /// Its country.
    pub country: String,
    /// Packets.
    pub packets: u64,
}

/// Packets since the sensor began, by counter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(try_from = "BTreeMap<String, u64>")]
pub struct LiveSums {
    counts: MinuteCounts,
}

impl TryFrom<BTreeMap<String, u64>> for LiveSums {
    type Error = String;

    fn try_from(sums: BTreeMap<String, u64>) -> Result<LiveSums, String> {
        let mut counts = MinuteCounts::default();
        for (counter, count) in COUNTERS.iter().zip(counts.numbers_mut()) {
            let sum = sums.get(counter.name);
            *count = *sum.ok_or_else(|| format!("it has no {}", counter.name))?;
        }
        Ok(LiveSums { counts })
    }
}

impl LiveSums {
    fn dropped(&self) -> u64 {
        self.counts.dropped_kernel + self.counts.dropped_interface
    }
}

/// The rates between two views, packets a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Received.
    pub received: f64,
    /// Observed.
    pub observed: f64,
    /// Lost.
    pub dropped: f64,
}

impl Rates {
    fn between(before: &LiveSums, after: &LiveSums, passed: Duration) -> Rates {
        let seconds = passed.as_secs_f64().max(1e-3);
        // A restarted sensor counts from zero.
        let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
        Rates {
            received: rate(before.counts.received, after.counts.received),
            observed: rate(before.counts.observed, after.counts.observed),
            dropped: rate(before.dropped(), after.dropped()),
        }
    }
}

/// Prints the view once, as text.
///
/// # Errors
/// When no sensor answers, or `out` cannot be written.
pub fn once(address: SocketAddr, out: &mut dyn Write) -> Result<(), TopError> {
    let view = ask(address)?;
    out.write_all(screen::text(&view).as_bytes())
        .map_err(TopError::Terminal)
}

/// Shows the view until `q`, Escape or Control-C.
///
/// # Errors
/// When no sensor answers at the start, or the terminal cannot be used. If the sensor goes away later, the view waits for it.
pub fn show(address: SocketAddr) -> Result<(), TopError> {
    let mut view = ask(address)?;
    let mut rates = Rates::default();
    let mut trouble = None;
    let mut terminal = ratatui::try_init().map_err(TopError::Terminal)?;
    let mut asked = Instant::now();
    let mut offset = 0_usize;
    let outcome = loop {
        let drawn =
            terminal.draw(|frame| screen::draw(frame, &view, rates, trouble.as_deref(), offset));
        if let Err(error) = drawn {
            break Err(error);
        }
        match wish(EVERY.saturating_sub(asked.elapsed())) {
            Ok(Wish::Leave) => break Ok(()),
            Ok(Wish::Scroll(rows)) => {
                offset = offset.saturating_add_signed(rows).min(ROWS_ASKED);
            }
            Ok(Wish::Nothing) => {}
            Err(error) => break Err(error),
        }
        if asked.elapsed() < EVERY {
            continue;
        }
        let passed = asked.elapsed();
        asked = Instant::now();
        match ask(address) {
            Ok(next) => {
                rates = Rates::between(&view.since_start, &next.since_start, passed);
                (view, trouble) = (next, None);
            }
            Err(error) => trouble = Some(error.to_string()),
        }
    };
    ratatui::restore();
    outcome.map_err(TopError::Terminal)
}

/// What a key asks for.
enum Wish {
    Leave,
    /// Rows down, or up where negative.
    Scroll(isize),
    Nothing,
}

/// Waits for a key.
fn wish(wait: Duration) -> std::io::Result<Wish> {
    if !event::poll(wait)? {
        return Ok(Wish::Nothing);
    }
    let Event::Key(key) = event::read()? else {
        return Ok(Wish::Nothing);
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Ok(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Wish::Leave,
        KeyCode::Char('c') if control => Wish::Leave,
        KeyCode::Down | KeyCode::Char('j') => Wish::Scroll(1),
        KeyCode::Up | KeyCode::Char('k') => Wish::Scroll(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Wish::Scroll(PAGE_ROWS),
        KeyCode::PageUp => Wish::Scroll(-PAGE_ROWS),
        KeyCode::Home => Wish::Scroll(isize::MIN),
        _ => Wish::Nothing,
    })
}

fn ask(address: SocketAddr) -> Result<LiveReply, TopError> {
    let answer = get(address).map_err(|reason| TopError::NoAnswer { address, reason })?;
    let not_a_sensor = |reason: String| TopError::NotASensor { address, reason };
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| not_a_sensor("no HTTP".into()))?;
    if !head.starts_with("HTTP/1.1 200") {
        let first = head.lines().next().unwrap_or_default();
        return Err(not_a_sensor(first.to_owned()));
    }
    serde_json::from_str(body).map_err(|error| not_a_sensor(error.to_string()))
}

fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {TARGET} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use teiten_aggregator::origin::Origins;

    use super::*;
    use crate::origins::OriginsCell;
    use crate::watch::{CaptureFacts, Status, serve};

    #[test]
    fn a_running_status_is_understood() {
        let facts = CaptureFacts {
            sensor: "tokyo".into(),
            interfaces: vec!["dark0".into()],
            ..CaptureFacts::default()
        };
        let status = Arc::new(Status::new(
            facts,
            Arc::new(OriginsCell::new(Arc::new(Origins::empty()))),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        serve(listener, Arc::clone(&status), Vec::new()).expect("a thread");
        status.dropped(3, 0);
        let view = ask(address).expect("it answers");
        assert_eq!(view.sensor, "tokyo");
        assert_eq!(view.minutes.len(), 15);
        assert_eq!(view.since_start.dropped(), 3);
        let mut text = Vec::new();
        once(address, &mut text).expect("printed");
        assert!(String::from_utf8_lossy(&text).contains("tokyo"));
    }

    #[test]
    fn nobody_and_strangers_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stranger = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a visitor");
            let _ = stream.read(&mut [0; 512]);
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\n\r\n")
                .expect("answered");
        });
        let error = ask(address).expect_err("a stranger");
        assert!(error.to_string().contains("404"), "{error}");
        stranger.join().expect("it ends");
        let error = ask(address).expect_err("nobody");
        assert!(error.to_string().contains("--status"), "{error}");
    }

    #[test]
    fn a_rate_is_a_difference_over_the_time_that_passed() {
        let sums = |received| LiveSums {
            counts: MinuteCounts {
                received,
                ..MinuteCounts::default()
            },
        };
        let rates = |before, after| {
            Rates::between(&sums(before), &sums(after), Duration::from_secs(2)).received
        };
        assert!((rates(100, 300) - 100.0).abs() < 1e-9);
        assert_eq!(rates(300, 5), 0.0);
    }
}
