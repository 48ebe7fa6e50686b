//! The responder behind `--status`: one request a connection, a few connections at once, nothing read but the first line. It answers
//! GET for `/metrics`, `/health` and `/live`, and knows nothing else of HTTP (RFC 9112).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::live::MINUTES_KEPT;
use super::metrics;
use super::status::Status;

/// Connections that are answered at once; more are closed unanswered.
const VISITORS_MAX: usize = 16;
/// Bytes of a request that are looked at.
const REQUEST_BYTES_MAX: usize = 8192;
/// How long a visitor may take, to ask and to listen.
const VISIT_MAX: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be taken: files may have run out.
const PAUSE: Duration = Duration::from_millis(200);
/// Rows of each list of `/live` where the visitor does not say, and the most that it may ask for.
const TOP_DEFAULT: usize = 20;
const TOP_MAX: usize = 1000;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>, section "Protocol Negotiation".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers at `listener` on a thread of its own, for as long as the process lives.
///
/// # Errors
/// When no thread can be started.
pub fn serve(listener: TcpListener, status: Arc<Status>) -> std::io::Result<()> {
    let visitors = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                std::thread::sleep(PAUSE);
                continue;
            };
            if visitors.fetch_add(1, Ordering::AcqRel) >= VISITORS_MAX {
                visitors.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let (status, visitors) = (Arc::clone(&status), Arc::clone(&visitors));
            let leaving = Leaving(visitors);
            // A visitor who cannot be answered for want of a thread goes away unanswered.
            let _ = std::thread::Builder::new()
                .name("status-visitor".into())
                .spawn(move || {
                    let _leaving = leaving;
                    visit(stream, &status);
                });
        }
    };
    let named = std::thread::Builder::new().name("status".into());
    named.spawn(answer).map(|_| ())
}

/// Gives a visitor's place back, whatever ends the visit.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn visit(mut stream: TcpStream, status: &Arc<Status>) {
    let Some(request) = read_request(&mut stream) else {
        return;
    };
    let answer = answer(&request, status);
    // A visitor who has gone needs no answer.
    let _ = stream.set_write_timeout(Some(VISIT_MAX));
    let _ = stream.write_all(answer.as_bytes());
}

/// The request up to the empty line; none where it does not come in time or is too long.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let left = VISIT_MAX.checked_sub(begun.elapsed())?;
        stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))
            .ok()?;
        let count = stream.read(&mut piece).ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            return String::from_utf8(bytes).ok();
        }
        if bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
}

fn answer(request: &str, status: &Arc<Status>) -> String {
    let mut words = request.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (code, kind, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", OPEN_METRICS, metrics::text(status)),
        ("GET" | "HEAD", "/health") => {
            let (well, object) = status.health();
            let code = if well {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            (code, JSON, format!("{object:#}\n"))
        }
        ("GET" | "HEAD", "/live") => {
            let minutes = number(query, "minutes").unwrap_or(MINUTES_KEPT as usize);
            let top = number(query, "top").unwrap_or(TOP_DEFAULT).min(TOP_MAX);
            let view = status.live(minutes.min(MINUTES_KEPT as usize) as i64, top);
            ("200 OK", JSON, format!("{view}\n"))
        }
        ("GET" | "HEAD", _) => {
            let body = "teiten-sensor: /metrics for Prometheus, /health, /live?minutes=15&top=20\n";
            let code = if path == "/" {
                "200 OK"
            } else {
                "404 Not Found"
            };
            (code, TEXT, body.to_owned())
        }
        _ => (
            "405 Method Not Allowed",
            TEXT,
            "GET is answered\n".to_owned(),
        ),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    if method == "HEAD" { head } else { head + &body }
}

fn number(query: &str, name: &str) -> Option<usize> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name)?.1.parse().ok()
}
