//! The status server without a capture: its answers, and that no client can block it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use teiten_aggregator::minute::MinuteCounts;
use teiten_aggregator::origin::Origins;
use teiten_aggregator::window::Batch;

use super::sample::tests::observation;
use super::*;
use crate::origins::OriginsCell;

fn status() -> Arc<Status> {
    let facts = CaptureFacts {
        data: "/".into(),
        interfaces: vec!["dark0".into()],
        sensor: "tokyo".into(),
        addresses: Some(256),
        memory_bytes: 1 << 30,
        workers: 2,
        keeps: true,
    };
    Arc::new(Status::new(
        facts,
        Arc::new(OriginsCell::new(Arc::new(Origins::empty()))),
    ))
}

/// A status that is served, with a block of three packets counted.
fn served() -> (Arc<Status>, SocketAddr) {
    let status = status();
    let mut sample = Sample::default();
    let ipv4 = [1, 1, 2]
        .map(|source| observation(source, 60_000_000))
        .to_vec();
    sample.add(&Batch {
        ipv4,
        ipv6: Vec::new(),
    });
    sample.counts = MinuteCounts {
        received: 5,
        observed: 3,
        outside: 2,
        ..MinuteCounts::default()
    };
    status.take(1, &mut sample, Duration::from_millis(1), 4096);
    status.beat(61_000_000);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    serve(listener, Arc::clone(&status), Vec::new()).expect("a thread");
    (status, address)
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

fn get(address: SocketAddr, target: &str) -> String {
    ask(
        address,
        &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    )
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn the_sums_stand_on_the_metrics_page() {
    let (_, address) = served();
    let page = get(address, "/metrics");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for line in [
        "# TYPE teiten_received_packets counter",
        "teiten_received_packets_total 5.0",
        "teiten_packets_total{outcome=\"observed\"} 3.0",
        "teiten_packets_total{outcome=\"outside\"} 2.0",
        "teiten_class_packets_total{class=\"scan\"} 3.0",
        "teiten_traffic_type_packets_total{traffic_type=\"tcp-syn\"} 3.0",
        "teiten_observed_bytes_total 180.0",
        "teiten_telescope_addresses 256.0",
        "teiten_rows_memory_bytes 4096.0",
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[test]
fn every_metric_follows_the_conventions_of_names() {
    for metric in METRICS {
        let name = metric.name;
        let allowed = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(name.chars().all(allowed), "{name}");
        assert!(
            name.starts_with("teiten_") || name.starts_with("process_"),
            "{name}"
        );
        assert!(!name.ends_with("_total"), "{name}: the ending is put on");
        assert!(
            !metric.help.ends_with('.') && !metric.help.is_empty(),
            "{name}"
        );
        let same = METRICS.iter().filter(|other| other.name == name);
        assert_eq!(same.count(), 1, "{name}");
    }
}

#[test]
fn health_turns_when_something_is_wrong_and_back() {
    let (status, address) = served();
    assert_eq!(body(&get(address, "/health"))["status"], "ok");
    status.problem("writing", Some("disk full".into()));
    let answer = get(address, "/health");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(body(&answer)["problems"]["writing"], "disk full");
    assert!(get(address, "/metrics").contains("teiten_problems{part=\"writing\"} 1.0"));
    status.problem("writing", None);
    assert!(get(address, "/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_live_view_takes_minutes_and_rows_from_the_query() {
    let (_, address) = served();
    let view = body(&get(address, "/live?minutes=1&top=1"));
    assert_eq!(view["minutes"].as_array().map(Vec::len), Some(1));
    assert_eq!(view["sources"].as_array().map(Vec::len), Some(1));
    assert_eq!(view["sources"][0]["packets"], 2);
    assert_eq!(view["sources"][0]["country"], "ZZ");
    assert_eq!(view["since_start"]["received"], 5);
}

#[test]
fn requests_that_make_no_sense_are_turned_away() {
    let (_, address) = served();
    for (request, expected) in [
        ("POST /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 405"),
        ("GET /no HTTP/1.0\r\n\r\n", "HTTP/1.1 404"),
        ("\r\n\r\n", "HTTP/1.1 400"),
        ("GET /health HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
        (
            "GET /live?minutes=-1&top=99999999999999999999 HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200",
        ),
    ] {
        let answer = ask(address, request);
        assert!(answer.starts_with(expected), "{request}: {answer}");
    }
    let head = ask(address, "HEAD /health HTTP/1.0\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let long = ask(address, &"x".repeat(9000));
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
}

#[test]
fn a_strangers_host_is_forbidden_and_learns_nothing() {
    let (_, address) = served();
    let by_host = |host: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        ask(address, &request)
    };
    for host in [
        "evil.example",
        "evil.example:9898",
        "127.0.0.1.evil.example",
    ] {
        let answer = by_host(host);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(!answer.contains("teiten_received"), "{answer}");
    }
    for host in ["localhost:9898", "127.0.0.1", "[::1]:9898"] {
        assert!(by_host(host).starts_with("HTTP/1.1 200"), "{host}");
    }
}

/// Open connections that have sent `said` and nothing more.
fn holding(address: SocketAddr, count: usize, said: &str) -> Vec<TcpStream> {
    let hold = |_| {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        stream.write_all(said.as_bytes()).expect("sent");
        stream
    };
    (0..count).map(hold).collect()
}

#[test]
fn health_is_answered_while_slow_clients_hold_connections() {
    let (_, address) = served();
    for (count, said) in [
        (64, "GET /health HTTP/1.1\r\nHost: loc"),
        (64, ""),
        // They have asked, and do not close.
        (64, "GET /live HTTP/1.0\r\n\r\n"),
        // More than the server accepts at once.
        (600, "G"),
    ] {
        let slow = holding(address, count, said);
        let answer = get(address, "/health");
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "{count} × {said:?}: {answer}"
        );
        drop(slow);
    }
}

#[test]
fn a_request_in_pieces_is_answered() {
    let (_, address) = served();
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    for piece in [
        "GET /hea",
        "lth HTTP/1.1\r\nHo",
        "st: localhost\r\n",
        "\r",
        "\n",
    ] {
        stream.write_all(piece.as_bytes()).expect("sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn who_says_nothing_is_let_go() {
    let (_, address) = served();
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("closed by the server");
    assert!(answer.is_empty());
}
