//! The HTTP server of `--status`: one thread that polls all connections. It answers GET for `/metrics`, `/health` and `/live`, one request
//! per connection; `request.rs` parses requests.
//!
//! No client can block it: a client has a few seconds to send its request and to read the answer, and when too many are connected, the one
//! that has been sending longest is closed for the next.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::live::MINUTES_KEPT;
use super::metrics;
use super::request::{self, Read as Asked, Request};
use super::status::Status;

/// Connections that are open at once: well below the files that the process may open.
const VISITORS_MAX: usize = 256;
/// Connections that are accepted in a row before the others are served.
const TAKEN_AT_ONCE: usize = 64;
/// How long a client may take to send its request.
const ASKING_MAX: Duration = Duration::from_secs(2);
/// How long a client may take to read the answer, and to close the connection after that.
const LISTENING_MAX: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be taken: files may have run out.
const PAUSE: Duration = Duration::from_millis(200);
/// Rows of each list of `/live`: the default, and the most that a client may ask for.
const TOP_DEFAULT: usize = 20;
const TOP_MAX: usize = 1000;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>, section "Protocol Negotiation".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `listener` on its own thread until the process ends. Requests may use an address, `localhost`, this machine's name or one of
/// `hosts` as Host.
///
/// # Errors
/// When no thread can be started or the listener cannot be waited for.
pub fn serve(
    listener: TcpListener,
    status: Arc<Status>,
    mut hosts: Vec<String>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    if let Ok(name) = nix::unistd::gethostname() {
        hosts.extend(name.into_string());
    }
    let mut server = Server {
        listener,
        status,
        hosts,
        visitors: Vec::new(),
    };
    let named = std::thread::Builder::new().name("status".into());
    named.spawn(move || {
        loop {
            server.round();
        }
    })?;
    Ok(())
}

struct Server {
    listener: TcpListener,
    status: Arc<Status>,
    /// Host names that requests may use.
    hosts: Vec<String>,
    /// In the order of their arrival.
    visitors: Vec<Visitor>,
}

/// An open connection.
struct Visitor {
    stream: TcpStream,
    until: Instant,
    state: VisitorState,
}

enum VisitorState {
    /// The bytes received so far.
    Asking(Vec<u8>),
    /// The answer, and how much of it has been sent.
    Listening(Vec<u8>, usize),
    /// All has been sent. Further bytes of the client are read and dropped; otherwise the kernel would reset the connection before the client
    /// has read the answer.
    Leaving,
}

impl Server {
    /// Polls until a client connects, sends, can be written to or times out, and serves it.
    fn round(&mut self) {
        let now = Instant::now();
        let wait = self.visitors.iter().map(|visitor| visitor.until).min();
        let wait = wait.map_or(PollTimeout::NONE, |until| {
            // Rounded up, so that the time is over when the wait is.
            let left = until.saturating_duration_since(now).as_millis() + 1;
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut waited: Vec<PollFd<'_>> = self
            .visitors
            .iter()
            .map(|visitor| PollFd::new(visitor.stream.as_fd(), visitor.awaits()))
            .collect();
        waited.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
        if poll(&mut waited, wait).is_err() {
            // Interrupted by a signal, or out of memory for the moment.
            std::thread::sleep(Duration::from_millis(1));
            return;
        }
        let mut ready: Vec<bool> = waited.iter().map(|one| one.any() != Some(false)).collect();
        let is_called = ready.pop().unwrap_or(false);
        let mut ready = ready.into_iter();
        let now = Instant::now();
        let (status, hosts) = (&self.status, &self.hosts);
        self.visitors.retain_mut(|visitor| {
            let goes_on = !ready.next().unwrap_or(false) || visitor.step(status, hosts);
            goes_on && now < visitor.until
        });
        if is_called {
            self.take_visitors();
        }
    }

    fn take_visitors(&mut self) {
        for _ in 0..TAKEN_AT_ONCE {
            match self.listener.accept() {
                Ok((stream, _)) => self.welcome(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The client disconnected before the connection was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.make_room();
                    std::thread::sleep(PAUSE);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, stream: TcpStream) {
        if self.visitors.len() >= VISITORS_MAX {
            self.make_room();
        }
        // A blocking connection cannot be polled.
        if stream.set_nonblocking(true).is_ok() {
            self.visitors.push(Visitor {
                stream,
                until: Instant::now() + ASKING_MAX,
                state: VisitorState::Asking(Vec::new()),
            });
        }
    }

    /// Closes the oldest connection that is still sending its request, or else the oldest of all.
    fn make_room(&mut self) {
        let asks = |visitor: &Visitor| matches!(visitor.state, VisitorState::Asking(_));
        let longest = self.visitors.iter().position(asks).unwrap_or(0);
        if longest < self.visitors.len() {
            self.visitors.remove(longest);
        }
    }
}

impl Visitor {
    fn awaits(&self) -> PollFlags {
        match self.state {
            VisitorState::Asking(_) | VisitorState::Leaving => PollFlags::POLLIN,
            VisitorState::Listening(..) => PollFlags::POLLOUT,
        }
    }

    /// Reads or writes without blocking; returns whether the connection stays open.
    fn step(&mut self, status: &Arc<Status>, hosts: &[String]) -> bool {
        let goes_on = match &mut self.state {
            VisitorState::Asking(received) => {
                let came = receive(&mut self.stream, received);
                match request::read(received) {
                    Asked::Unfinished => came,
                    asked => {
                        let answer = answer(&asked, status, hosts).into_bytes();
                        self.state = VisitorState::Listening(answer, 0);
                        self.until = Instant::now() + LISTENING_MAX;
                        Ok(true)
                    }
                }
            }
            VisitorState::Listening(answer, sent) => {
                let written = self.stream.write(&answer[*sent..]);
                written.map(|count| {
                    *sent += count;
                    count > 0
                })
            }
            VisitorState::Leaving => receive(&mut self.stream, &mut Vec::new()),
        };
        if let VisitorState::Listening(answer, sent) = &self.state
            && *sent == answer.len()
        {
            self.state = VisitorState::Leaving;
            return self.stream.shutdown(Shutdown::Write).is_ok();
        }
        goes_on.unwrap_or_else(|error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        })
    }
}

/// Appends the bytes that have arrived; returns whether more may come.
fn receive(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut piece = [0; 2048];
    let count = stream.read(&mut piece)?;
    received.extend_from_slice(&piece[..count]);
    Ok(count > 0)
}

/// Head and body of the answer to a request.
fn answer(asked: &Asked<'_>, status: &Arc<Status>, hosts: &[String]) -> String {
    let plain = |code: &str, body: &str| written(code, TEXT, body, false);
    let request = match asked {
        Asked::Request(request) => request,
        Asked::TooLong => {
            return plain(
                "431 Request Header Fields Too Large",
                "the request is too long\n",
            );
        }
        Asked::Unfinished | Asked::Bad => {
            return plain(
                "400 Bad Request",
                "this is no HTTP request that the server understands\n",
            );
        }
    };
    if !request.is_for(hosts) {
        let body = "teiten-sensor: not served under this name; --status-host NAME allows it\n";
        return plain("403 Forbidden", body);
    }
    let (code, kind, body) = page(request, status);
    written(code, kind, &body, request.method == "HEAD")
}

fn page(request: &Request<'_>, status: &Arc<Status>) -> (&'static str, &'static str, String) {
    match (request.method, request.path) {
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
            let kept = MINUTES_KEPT as usize;
            let minutes = request.number("minutes").unwrap_or(kept).min(kept);
            let top = request.number("top").unwrap_or(TOP_DEFAULT).min(TOP_MAX);
            let view = status.live(minutes as i64, top);
            ("200 OK", JSON, format!("{view}\n"))
        }
        ("GET" | "HEAD", path) => {
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
    }
}

fn written(code: &str, kind: &str, body: &str, is_head_alone: bool) -> String {
    let length = body.len();
    let allow = if code.starts_with("405") {
        "Allow: GET, HEAD\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    if is_head_alone { head } else { head + body }
}
