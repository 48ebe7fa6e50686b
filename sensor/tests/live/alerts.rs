//! Alerts from captures: through kills the same as without, and from a running sensor within a minute, to a receiver that is not there at
//! first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use teiten_aggregator::alert::{Delivery, Say, WatchList};
use teiten_aggregator::hour::HOUR_US;
use teiten_sensor::engine::run;

use crate::dataset::{Workshop, text};
use crate::journal_faults::Killed;
use crate::journaled::{HOUR, minute_of, with_journaled_watching};
use crate::network::{Capture, FrameSender, in_a_network_of_its_own};
use crate::watched::{expected, list, packets, tcp, told};

#[test]
fn three_kills_neither_lose_an_alert_nor_tell_it_twice() {
    let workshop = Workshop::new();
    let packets = packets(HOUR * HOUR_US);
    let watch = list(&workshop.path(""), "");
    let watch = Arc::new(WatchList::load(&watch).expect("a good list"));
    let all = HOUR * 60..HOUR * 60 + 240;
    // Within the scan, the attack, and behind all of it.
    for kills in [vec![], vec![all.start + 6, all.start + 20, all.start + 75]] {
        let name = format!("killed{}", kills.len());
        let mut from = all.start;
        for until in kills.iter().copied().chain([all.end]) {
            let mut minutes = from..until;
            let mut next = |_| Some(minute_of(&packets, minutes.next()?));
            let watch = Some(Arc::clone(&watch));
            with_journaled_watching(
                &workshop,
                (&name, "watched"),
                watch,
                |passage, mut hours| {
                    if until < all.end {
                        // What came in the last minute is lost with the kill, so it comes once more.
                        run(&mut next, passage, &mut Killed(hours)).expect("writable");
                    } else {
                        run(&mut next, passage, &mut hours).expect("writable");
                    }
                },
            );
            from = until;
        }
        let data = workshop.path(&name);
        let say: Say = Arc::new(|_| {});
        let delivery = Delivery::start(&data, &watch, &say).expect("started");
        let report = delivery.finish(Duration::from_secs(30));
        assert_eq!((report.delivered, report.waiting), (8, 0), "{report:?}");
        let lines = std::fs::read_to_string(data.join("alerts.jsonl")).expect("delivered");
        let told = told(&lines);
        if kills.is_empty() {
            assert_eq!(told, expected());
        } else {
            // The kills cost packets of the minute before them, and no alert.
            let kinds = |set: std::collections::BTreeSet<String>| -> Vec<String> {
                let words = |text: &String| text.split(' ').take(4).collect::<Vec<_>>().join(" ");
                set.iter().map(words).collect()
            };
            assert_eq!(kinds(told), kinds(expected()));
        }
    }
}

/// Takes alerts at a port and acknowledges them, but for the first; notes their ids.
fn receiver(port: u16) -> Arc<Mutex<Vec<(String, String)>>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
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
            let answer = if number == 0 {
                "HTTP/1.1 503 Service Unavailable\r\n\r\n"
            } else {
                let body = String::from_utf8(body).expect("text");
                noted.lock().expect("no panic").push((id, body));
                "HTTP/1.1 200 OK\r\n\r\n"
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    acknowledged
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what}: not within a minute"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn waiting(data: &Path) -> usize {
    let folder = data.join(".teiten/alerts/hook/waiting");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names
        .filter(|name| !name.file_name().to_string_lossy().starts_with('.'))
        .count()
}

#[test]
fn a_running_sensor_tells_within_a_minute_though_it_is_killed_and_nobody_listens_at_first() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let data = workshop.path("data");
        const PORT: u16 = 18_080;
        let sinks = format!(
            "[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{PORT}/alerts\"\n[rules]\nscan-addresses = 1\n"
        );
        let watch = list(&workshop.path(""), &sinks);
        let flags = ["--watch", text(&watch), "--durable", "1"];
        let mut capture = Capture::start_with(&workshop, &["dark"], &flags);
        let sender = FrameSender::new("sending");
        for port in 0..20 {
            let to = 0x0a09_004d;
            sender.send(&tcp(0x0b00_0107, (40_000, to, 23), 0x02, to + port));
        }
        until("an alert in the queue", || waiting(&data) == 1);
        capture.child.kill().expect("killed");
        capture.child.wait().expect("it ends");
        assert_eq!(waiting(&data), 1);
        let acknowledged = receiver(PORT);
        let capture = Capture::start_with(&workshop, &["dark"], &flags);
        until("an acknowledgement", || {
            !acknowledged.lock().expect("no panic").is_empty()
        });
        until("an empty queue", || waiting(&data) == 0);
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(0), "{messages}");
        assert_eq!(accounting["alerts"]["waiting"], 0, "{accounting}");
        let acknowledged = acknowledged.lock().expect("no panic");
        let [(id, body)] = &acknowledged[..] else {
            panic!("not once: {acknowledged:?}")
        };
        assert!(body.starts_with(&format!("{{\"id\":\"{id}\"")), "{body}");
        assert!(
            body.contains("\"state\":\"begins\",\"kind\":\"scan\""),
            "{body}"
        );
        assert!(body.contains("\"src_ip\":\"11.0.1.7\""), "{body}");
    });
}
