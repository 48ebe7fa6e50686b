//! Sends an alert as a syslog message (RFC 5424) over TCP with octet counting (RFC 6587). Syslog acknowledges nothing: a delivery counts once
//! the receiver has closed its side after ours without an error, which rsyslog and syslog-ng do when they have read everything.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use super::SinkFailure;
use super::webhook::connect;
use crate::alert::{Alert, AlertState, Severity};
use crate::text::time;

/// Facility of the messages: security and authorisation messages that others may read (RFC 5424, table 1).
const FACILITY: u8 = 13;
/// Bytes of an answer that are read and ignored.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Host and port, `syslog.example.org:514`.
pub(super) fn checked(address: String) -> Result<String, String> {
    match split(&address) {
        Some(_) => Ok(address),
        None => Err(format!(
            "{address:?} is no host and port such as syslog.example.org:514"
        )),
    }
}

fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_plain = bare.is_some() || !host.contains(':');
    (is_plain && !host.is_empty() && port > 0).then_some((bare.unwrap_or(host), port))
}

/// Sends an alert.
pub(super) fn send(address: &str, alert: &Alert, line: &str) -> Result<(), SinkFailure> {
    let (host, port) = split(address).ok_or_else(|| SinkFailure::for_good("no host and port"))?;
    let message = message(alert, line, now_us(), std::process::id());
    let framed = format!("{} {message}", message.len());
    let sent = connect(host, port).and_then(|mut stream| {
        stream.write_all(framed.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let read = io::copy(&mut stream.take(ANSWER_BYTES_MAX), &mut io::sink());
        match read {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(io::Error::new(
                ErrorKind::TimedOut,
                "the receiver did not end the connection",
            )),
            Err(error) => Err(error),
        }
    });
    sent.map_err(|error| SinkFailure::again(format!("syslog {address}: {error}")))
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}

/// A message: priority, time, host, program, process, what is told, the id as structured data, and the JSON object.
fn message(alert: &Alert, line: &str, now_us: i64, process: u32) -> String {
    let severity = match (alert.state, alert.severity) {
        (AlertState::Ended, _) => 5,
        (_, Severity::Low) => 5,
        (_, Severity::Medium) => 4,
        (_, Severity::High) => 2,
    };
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|host| host.into_string().ok());
    let host: String = host
        .iter()
        .flat_map(|host| host.chars())
        .filter(char::is_ascii_graphic)
        .collect();
    let host = if host.is_empty() { "-" } else { &host[..] };
    let state = match alert.state {
        AlertState::Begins => "begins",
        AlertState::Ongoing => "ongoing",
        AlertState::Ended => "ended",
    };
    // 32473 is the number for documentation and examples (RFC 5612): this project has none of its own.
    format!(
        "<{}>1 {} {host} teiten {process} {state} [alert@32473 id=\"{}\" event=\"{}\"] \u{feff}{line}",
        FACILITY * 8 + severity,
        time(now_us),
        alert.id,
        alert.event,
    )
}
