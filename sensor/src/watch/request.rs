//! An HTTP request (RFC 9112), read from the bytes that have arrived: the first line and the host. The bytes are untrusted: any input gives
//! one of four results. No socket is used here.

use std::net::IpAddr;

/// Most bytes of a request.
const REQUEST_BYTES_MAX: usize = 8192;

/// The result of parsing the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// The bytes may be the beginning of a request.
    Unfinished,
    /// A whole request.
    Request(Request<'a>),
    /// More bytes than a request may have.
    TooLong,
    /// Not a request.
    Bad,
}

/// A parsed request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The target without its query.
    pub(crate) path: &'a str,
    query: &'a str,
    /// The host and port in its Host field; HTTP/1.0 has none.
    host: Option<&'a str>,
}

/// Parses the bytes of a request that have arrived.
pub(crate) fn read(bytes: &[u8]) -> Read<'_> {
    let looked_at = &bytes[..bytes.len().min(REQUEST_BYTES_MAX)];
    let end = looked_at.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        return if bytes.len() >= REQUEST_BYTES_MAX {
            Read::TooLong
        } else {
            Read::Unfinished
        };
    };
    let text = std::str::from_utf8(&bytes[..end]).ok();
    text.and_then(request).map_or(Read::Bad, Read::Request)
}

fn request(head: &str) -> Option<Request<'_>> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || method.is_empty() || !target.starts_with('/') {
        return None;
    }
    let mut host = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("host") && host.replace(value.trim()).is_some() {
            return None;
        }
    }
    // RFC 9112 section 3.2: a request of HTTP/1.1 has one host.
    let is_whole = match version {
        "HTTP/1.1" => host.is_some(),
        "HTTP/1.0" => true,
        _ => false,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    is_whole.then_some(Request {
        method,
        path,
        query,
        host,
    })
}

impl Request<'_> {
    /// Whether its Host is an address, `localhost` or one of `names`. An attacker can make any other name resolve to this machine, so that
    /// a web page reads what only this machine may see (DNS rebinding).
    pub(crate) fn is_for(&self, names: &[String]) -> bool {
        let Some(host) = self.host else {
            return true;
        };
        if let Some((address, port)) = host.strip_prefix('[').and_then(|host| host.split_once(']'))
        {
            return is_port(port) && matches!(address.parse(), Ok(IpAddr::V6(_)));
        }
        let (name, port) = match host.find(':') {
            Some(colon) => host.split_at(colon),
            None => (host, ""),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_known = |known: &&str| name.eq_ignore_ascii_case(known);
        let mut known = names.iter().map(String::as_str).chain(["localhost"]);
        is_port(port)
            && (matches!(name.parse(), Ok(IpAddr::V4(_))) || known.any(|name| is_known(&name)))
    }

    /// The number that a query has for a name.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    }
}

/// Nothing, or `:` and a number.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .map_or(text.is_empty(), |digits| digits.parse::<u16>().is_ok())
}

/// For fuzzing: parses any bytes as a request. It must not panic, and the results must be slices of the bytes.
#[doc(hidden)]
pub fn fuzz_request(bytes: &[u8]) {
    if let Read::Request(request) = read(bytes) {
        assert!(request.path.starts_with('/') && !request.method.contains(' '));
        request.is_for(&["sensor.example".to_owned()]);
        request.number("minutes");
    }
    // If the first half is a request, so is the whole: more bytes after a request change nothing.
    if let Read::Request(_) = read(&bytes[..bytes.len() / 2]) {
        assert!(matches!(read(bytes), Read::Request(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_line_and_its_host() {
        let text = "GET /live?minutes=5&top=x HTTP/1.1\r\nhOST:  a.example:80 \r\nX: y\r\n\r\nmore";
        let Read::Request(request) = read(text.as_bytes()) else {
            panic!("a request")
        };
        assert_eq!((request.method, request.path), ("GET", "/live"));
        assert_eq!(request.host, Some("a.example:80"));
        assert_eq!(
            (request.number("minutes"), request.number("top")),
            (Some(5), None)
        );
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_not_finished() {
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n", Read::Unfinished),
            ("", Read::Unfinished),
            ("\r\n\r\n", Read::Bad),
            ("GET / HTTP/1.1\r\n\r\n", Read::Bad),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Read::Bad),
            (
                "GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
                Read::Bad,
            ),
            ("GET / HTTP/2\r\nHost: x\r\n\r\n", Read::Bad),
            ("GET /\r\n\r\n", Read::Bad),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", Read::Bad),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(read(&[b'x'; REQUEST_BYTES_MAX]), Read::TooLong);
        assert_eq!(read(b"GET / \xff HTTP/1.1\r\nHost: x\r\n\r\n"), Read::Bad);
    }

    #[test]
    fn addresses_and_known_names_are_hosts_and_strangers_are_not() {
        let names = ["sensor.example".to_owned()];
        for (host, expected) in [
            ("127.0.0.1:9898", true),
            ("[::1]:9898", true),
            ("[::1]", true),
            ("localhost:9898", true),
            ("LOCALHOST", true),
            ("Sensor.Example.:9898", true),
            ("evil.example", false),
            ("evil.example:9898", false),
            ("127.0.0.1.evil.example", false),
            ("sensor.example.evil.example", false),
            ("localhost.evil.example:80", false),
            ("[evil.example]", false),
            ("127.0.0.1:port", false),
            ("", false),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let Read::Request(request) = read(text.as_bytes()) else {
                panic!("a request")
            };
            assert_eq!(request.is_for(&names), expected, "{host}");
        }
    }
}
