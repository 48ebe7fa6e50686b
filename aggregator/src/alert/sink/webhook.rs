//! Posts an alert over HTTP/1.1 (RFC 9110, 9112); a status of 2xx acknowledges it. Each alert has its id as `Idempotency-Key`, which is the same
//! when it is sent again. TLS is left to curl, which knows the certificates that the system trusts.

mod curl;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::SinkFailure;

/// How long connecting and each read or write may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const STEP_MAX: Duration = Duration::from_secs(30);
/// Bytes of an answer's head that are read.
const HEAD_BYTES_MAX: usize = 64 << 10;
const PORT_DEFAULT: u16 = 80;
const TLS_PORT_DEFAULT: u16 = 443;
/// The longest that an answer may ask to wait.
const AFTER_SECONDS_MAX: u64 = 3_600;

/// Where to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAddress {
    /// Host name or address, as the header `Host` has it.
    authority: String,
    host: String,
    port: u16,
    /// Path and query.
    path: String,
    is_tls: bool,
}

impl WebhookAddress {
    /// Parses `http://HOST[:PORT]/PATH` or `https://HOST[:PORT]/PATH`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let form = || format!("{url:?} is no address such as https://soc.example.org/alerts");
        let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(form()),
        };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        if !is_plain(rest) || authority.contains('@') || path.contains('#') {
            return Err(form());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (
                host,
                port.parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(form)?,
            ),
            _ if is_tls => (authority, TLS_PORT_DEFAULT),
            _ => (authority, PORT_DEFAULT),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err(form());
        }
        Ok(WebhookAddress {
            authority: authority.to_owned(),
            host: bare.unwrap_or(host).to_owned(),
            port,
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
            is_tls,
        })
    }

    /// Whether it is one of https.
    pub(super) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// As messages name it: without the path of an https address, which often is the only secret.
    fn shown(&self) -> String {
        let WebhookAddress {
            authority, path, ..
        } = self;
        match self.is_tls {
            true => format!("https://{authority}"),
            false => format!("http://{authority}{path}"),
        }
    }
}

/// Headers without the letters that would end them.
pub(super) fn checked_headers(
    headers: BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, String> {
    const OWN: [&str; 6] = [
        "host",
        "content-type",
        "content-length",
        "connection",
        "idempotency-key",
        "transfer-encoding",
    ];
    for (name, value) in &headers {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) || value.chars().any(char::is_control) {
            return Err(format!(
                "header {name:?} is not understood: a name and a line of text"
            ));
        }
        if OWN.contains(&&name.to_ascii_lowercase()[..]) {
            return Err(format!("header {name:?} is set by the program"));
        }
    }
    Ok(headers.into_iter().collect())
}

/// What is posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct WebhookPost<'p> {
    /// Further headers.
    pub headers: &'p [(String, String)],
    /// The id of the alert.
    pub id: &'p str,
    /// The JSON object.
    pub body: &'p str,
}

impl WebhookPost<'_> {
    /// The headers that every request has but for those of its form, and the further ones.
    fn headers(&self) -> Vec<String> {
        let mut headers = vec![
            format!("User-Agent: teiten/{}", env!("CARGO_PKG_VERSION")),
            "Content-Type: application/json".to_owned(),
            format!("Idempotency-Key: {}", self.id),
        ];
        let further = self.headers.iter();
        headers.extend(further.map(|(name, value)| format!("{name}: {value}")));
        headers
    }
}

/// Posts an alert; over https the certificate is judged by those in the file `trusted`, or those of the system.
pub(super) fn post(
    address: &WebhookAddress,
    trusted: Option<&Path>,
    post: WebhookPost<'_>,
) -> Result<(), SinkFailure> {
    let answered = match address.is_tls {
        true => curl::ask(address, trusted, post),
        false => connect(&address.host, address.port)
            .and_then(|stream| ask(stream, &request(address, post)))
            .map_err(|error| error.to_string()),
    };
    let head =
        answered.map_err(|reason| SinkFailure::again(format!("{}: {reason}", address.shown())))?;
    judge(address, &head)
}

fn request(address: &WebhookAddress, post: WebhookPost<'_>) -> String {
    let WebhookAddress {
        path, authority, ..
    } = address;
    let headers = post.headers().join("\r\n");
    let (length, body) = (post.body.len(), post.body);
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n\r\n{body}"
    )
}

/// Connects to the first address of a host that answers, with limits on the time of each step.
pub(super) fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(stream) => {
                stream.set_read_timeout(Some(STEP_MAX))?;
                stream.set_write_timeout(Some(STEP_MAX))?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Sends a request; the head of the final answer.
fn ask(mut stream: TcpStream, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            if status_of(&text).is_some_and(|status| (100..200).contains(&status)) {
                // An answer before the answer (RFC 9110, 15.2).
                bytes.drain(..end + 4);
                continue;
            }
            return Ok(text[..end].to_owned());
        }
        let read = stream.read(&mut piece)?;
        if read == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended without an answer",
            ));
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn status_of(head: &str) -> Option<u16> {
    let mut words = head.lines().next()?.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

fn judge(address: &WebhookAddress, head: &str) -> Result<(), SinkFailure> {
    let said = head.lines().next().unwrap_or_default();
    let reason = format!("{} says {said:?}", address.shown());
    let header = |wanted: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim())
    };
    match status_of(head) {
        Some(200..300) => Ok(()),
        // What is wrong with this alert is wrong with it tomorrow; everything else an operator can mend.
        Some(400 | 413 | 415 | 422) => Err(SinkFailure::for_good(reason)),
        _ => {
            let after = header("retry-after").and_then(|after| after.parse().ok());
            Err(SinkFailure {
                after_seconds: after.map(|after: u64| after.min(AFTER_SECONDS_MAX)),
                ..SinkFailure::again(reason)
            })
        }
    }
}
