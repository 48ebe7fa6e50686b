//! The clock and the interfaces of a capture, on loopback: skipped, and said so, where this user may not capture.

use std::net::UdpSocket;

use super::*;
use teiten_packet::LinkType;

fn wanted(method: Method) -> CaptureRequest {
    CaptureRequest {
        method,
        snap_length_bytes: 2048,
        buffer_bytes: 4 << 20,
        promiscuous: false,
        rings: 2,
        telescope: Vec::new(),
        all_packets: false,
        filter: None,
    }
}

/// A capture on loopback; `None`, with a message, if this user may not capture.
fn loopback(wanted: CaptureRequest) -> Option<Live> {
    match Live::open(&["lo".into(), "lo".into()], wanted) {
        Ok(live) => Some(live),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// What is captured in two seconds of three datagrams to `to`: wire length and link type of each.
fn captured(mut live: Live, to: &str, word: &str) -> Vec<(u32, LinkType)> {
    let socket = UdpSocket::bind((to, 0)).expect("a socket");
    let payload = format!("teiten {word} of process {}", std::process::id());
    for _ in 0..3 {
        let address = socket.local_addr().expect("an address");
        socket.send_to(payload.as_bytes(), address).expect("sent");
    }
    let mut seen = Vec::new();
    let mut reuse = Block::empty();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        let LiveBlock { block, time_us, .. } = live.next_block(reuse);
        for record in &block.records {
            assert!(record.time_us <= time_us);
            let packet = &block.bytes()[record.offset as usize..][..record.captured_bytes as usize];
            if packet.ends_with(payload.as_bytes()) {
                assert_eq!(record.wire_bytes as usize, 14 + 20 + 8 + payload.len());
                seen.push((record.wire_bytes, record.link_type));
            }
        }
        reuse = block;
    }
    seen
}

#[test]
fn packets_on_loopback_are_seen_once_in_either_way() {
    for method in [Method::Ring, Method::Library, Method::Automatic] {
        let Some(live) = loopback(wanted(method)) else {
            return;
        };
        let seen = captured(live, "127.0.0.1", "in either way");
        assert_eq!(seen.len(), 3, "{method:?}");
        assert!(seen.iter().all(|packet| packet.1 == LinkType(1)));
    }
}

#[test]
fn the_kernel_drops_what_is_not_sent_to_the_telescope_or_not_matched() {
    for (telescope, filter, expected) in [
        ("127.8.0.0/16", None, 3),
        ("127.9.0.0/16", None, 0),
        ("127.8.0.0/16", Some("udp and dst host 127.8.0.1"), 3),
        ("127.8.0.0/16", Some("tcp"), 0),
    ] {
        let wanted = CaptureRequest {
            telescope: vec![telescope.parse().expect("a prefix")],
            filter: filter.map(str::to_owned),
            ..wanted(Method::Ring)
        };
        let Some(live) = loopback(wanted) else { return };
        let seen = captured(live, "127.8.0.1", "to a telescope");
        assert_eq!(seen.len(), expected, "{telescope} {filter:?}");
    }
}

#[test]
fn a_quiet_interface_advances_its_clock_and_never_waits_long() {
    let Some(mut live) = loopback(wanted(Method::Automatic)) else {
        return;
    };
    let mut last_us = 0;
    for _ in 0..5 {
        let begin = Instant::now();
        let time_us = live.next_block(Block::empty()).time_us;
        assert!(begin.elapsed() < 10 * LIVE_WAIT);
        assert!(time_us >= last_us);
        last_us = time_us;
    }
    assert!(last_us > time_of_day_us() - 60_000_000);
    assert_eq!(live.drops().kernel, 0);
}

#[test]
fn a_clock_that_stepped_is_doubted_first() {
    let Some(mut live) = loopback(wanted(Method::Automatic)) else {
        return;
    };
    let now_us = live.next_block(Block::empty()).time_us;
    // As if the time of day had been two hours later until now.
    let before_us = now_us + 7_200_000_000;
    live.clock = LiveClock::new(live.begun.elapsed(), before_us);
    live.clock_us = before_us;
    live.notices();
    assert!(live.next_block(Block::empty()).time_us >= before_us);
    let notices = live.notices();
    assert!(
        matches!(notices[..], [Notice::Stepped(-7201..=-7198)]),
        "{notices:?}"
    );
}

#[test]
fn an_interface_that_does_not_exist_is_answered_with_those_that_do() {
    let error = Live::open(&["no-such0".into()], wanted(Method::Automatic))
        .err()
        .expect("no such interface");
    match error {
        SourceError::UnknownInterface { present, .. } => {
            assert!(present.contains(&"lo".to_string()));
        }
        other => eprintln!("SKIPPED: this user is told another thing first: {other}"),
    }
    assert!(matches!(
        Live::open(&[], wanted(Method::Automatic)),
        Err(SourceError::NoInterface)
    ));
}

#[test]
fn an_expression_that_is_none_is_named() {
    let wanted = CaptureRequest {
        filter: Some("no such word".into()),
        ..wanted(Method::Automatic)
    };
    let error = Live::open(&["lo".into()], wanted)
        .err()
        .expect("no expression");
    let text = error.to_string();
    assert!(
        text.contains("syntax error") || text.contains("not allowed"),
        "{text}"
    );
}

#[test]
fn drops_are_counted_at_the_end_of_a_minute() {
    let minute = MINUTE_US;
    assert!(!is_of_another_minute(5 * minute, 6 * minute - 1));
    assert!(is_of_another_minute(6 * minute - 1, 6 * minute));
    assert!(is_of_another_minute(6 * minute, 5 * minute));
}
