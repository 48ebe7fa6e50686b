//! Deliveries to a real receiver on loopback that fails for a while.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::alert::{AlertKind, AlertState, Severity};

fn alert(number: u32) -> Alert {
    Alert {
        id: format!("{number:016x}"),
        event: "e".to_owned(),
        owner: "A".to_owned(),
        contact: String::new(),
        state: AlertState::Begins,
        kind: AlertKind::Scan,
        severity: Severity::Low,
        src_ip: Some("192.0.2.7".to_owned()),
        victim_ip: None,
        sensor: "tokyo".to_owned(),
        first: "2026-11-05T08:04:09.000001Z".to_owned(),
        last: "2026-11-05T08:04:09.000001Z".to_owned(),
        packets: 3,
        evidence: json!({}),
    }
}

fn put(data: &Path, sink: &str, numbers: std::ops::Range<u32>) {
    let mut queue = Store::at(data).queue(sink);
    for number in numbers {
        let alert = alert(number);
        let text = serde_json::to_string(&alert).expect("as text");
        queue
            .put(number.into(), &alert.id, &text)
            .expect("writable");
    }
}

/// A list with a webhook at this port and a file.
fn list(folder: &Path, port: u16) -> WatchList {
    let path = folder.join("watch.toml");
    let text = format!(
        "[[watch]]\nowner = \"A\"\nasns = [1]\n[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         [[sink]]\nname = \"file\"\nkind = \"json-lines\"\npath = \"out.jsonl\"\n"
    );
    std::fs::write(&path, text).expect("writable");
    WatchList::load(&path).expect("a good list")
}

fn silent() -> Say {
    Arc::new(|_| {})
}

/// Answers requests for ever, the first ones with `failures`; notes the ids of those that it acknowledged.
fn server(failures: usize) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("bound").port();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&acknowledged);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { break };
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let (mut id, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a head");
                if let Some(value) = line.strip_prefix("Idempotency-Key: ") {
                    id = value.trim().to_owned();
                }
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().expect("a number");
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let answer = if number < failures {
                "HTTP/1.1 500 Internal Server Error\r\n\r\n"
            } else {
                noted.lock().expect("no panic").push(id);
                "HTTP/1.1 200 OK\r\n\r\n"
            };
            // A client that is gone is none of its business.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, acknowledged)
}

#[test]
fn a_receiver_that_fails_for_a_while_gets_each_alert_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (port, acknowledged) = server(2);
    let list = list(folder.path(), port);
    put(folder.path(), "hook", 0..3);
    put(folder.path(), "file", 0..3);
    let delivery = Delivery::start(folder.path(), &list, &silent()).expect("started");
    // While it delivers, more comes.
    put(folder.path(), "hook", 3..5);
    let report = delivery.finish(Duration::from_secs(30));
    assert_eq!(
        report,
        DeliveryReport {
            delivered: 8,
            ..DeliveryReport::default()
        }
    );
    let ids: Vec<String> = (0..5).map(|number| alert(number).id).collect();
    assert_eq!(*acknowledged.lock().expect("no panic"), ids);
    let lines = std::fs::read_to_string(folder.path().join("out.jsonl")).expect("written");
    assert_eq!(lines.lines().count(), 3);
    let waits = waiting(folder.path(), &list).expect("readable");
    assert!(
        waits.iter().all(|it| it.waiting + it.refused == 0),
        "{waits:?}"
    );
}

#[test]
fn what_a_receiver_does_not_take_waits_for_another_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A port on which nobody listens any more.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let nobody = list(folder.path(), port.expect("a port is free").port());
    put(folder.path(), "hook", 0..3);
    let delivery = Delivery::start(folder.path(), &nobody, &silent()).expect("started");
    let report = delivery.finish(Duration::from_millis(300));
    assert_eq!((report.delivered, report.waiting), (0, 3));
    assert!(
        report.failures[0].starts_with("sink hook: http://127.0.0.1:"),
        "{report:?}"
    );
    // One program delivers to a sink; a second one stands by, and then has nothing to do.
    let (port, acknowledged) = server(0);
    let list = list(folder.path(), port);
    let first = Delivery::start(folder.path(), &list, &silent()).expect("started");
    let second = Delivery::start(folder.path(), &list, &silent()).expect("started");
    let delivered = first.finish(Duration::from_secs(30)).delivered
        + second.finish(Duration::from_secs(30)).delivered;
    assert_eq!(delivered, 3);
    assert_eq!(acknowledged.lock().expect("no panic").len(), 3);
}

#[test]
fn waits_grow_up_to_a_limit_and_a_receiver_may_ask_for_more() {
    let seconds = |failures, asked| wait_after(failures, asked).as_secs();
    assert_eq!(
        [0, 1, 2, 8, 9, 60].map(|it| seconds(it, None)),
        [1, 2, 4, 256, 300, 300]
    );
    assert_eq!((seconds(0, Some(90)), seconds(9, Some(90))), (90, 300));
}
