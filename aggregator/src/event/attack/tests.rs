//! The three steps, over days of any length.

use super::*;
use crate::destinations::DestinationSet;
use crate::event::silence::UnobservedTime;
use crate::minute::MINUTE_US;

const PREFIX: VictimPrefix = (Family::Ipv4, 0x0b_00_00);

/// A minute with `packets` replies of a victim's port, from its first second on.
fn minute(number: i64, place: u8, port: u16, packets: u64) -> ReplyMinute {
    let victim = PREFIX.1 << 8 | u128::from(place);
    let first_us = number * MINUTE_US;
    ReplyMinute {
        scope: AttackScope::Service,
        minute: number,
        slots: [packets, 0, 0, 0, 0, 0],
        tally: ReplyTally {
            protocol: 6,
            victims: vec![victim],
            ports: vec![(port, packets)],
            first_us,
            last_us: first_us + 9_000_000,
            packets,
            bytes: packets * 60,
            replies: [packets, 0, 0, 0],
            set: DestinationSet::single(u128::from(place)),
            country: *b"ZZ",
            asn: None,
        },
    }
}

/// Minutes of all three steps, some of which go on at the end.
fn minutes() -> Vec<ReplyMinute> {
    let mut minutes = Vec::new();
    for number in 0..40 {
        minutes.push(minute(number, 1, 80, 40));
        // Twelve others, a few replies each.
        minutes.push(minute(number, 10 + (number % 12) as u8, 443, 29));
        minutes.push(minute(number, 10 + ((number + 1) % 12) as u8, 443, 3));
        // A port a minute, and again after an hour.
        minutes.push(minute(number, 99, 1_000 + number as u16, 31));
        minutes.push(minute(number + 100, 99, 1_000 + number as u16, 31));
    }
    minutes
}

const ALL_OBSERVED: &UnobservedTime = &UnobservedTime::new();

/// Of a sensor that misses nothing.
fn silence(horizon_us: i64) -> Silence<'static> {
    Silence {
        longest_us: AttackRules::default().silence_us(),
        horizon_us,
        unobserved: ALL_OBSERVED,
    }
}

fn rows(attacks: &[Attack]) -> Vec<AttackRow> {
    let (rules, telescope) = (AttackRules::default(), DarkAddresses::default());
    let rows = attacks.iter();
    let mut rows: Vec<AttackRow> = rows
        .map(|attack| attack.row("tokyo", &rules, &telescope, false))
        .collect();
    rows.sort_by_key(|row| row.id.clone());
    rows
}

/// As one day after the other, what waits going through a file each time.
fn by_days(minutes: &[ReplyMinute], day_minutes: i64) -> Vec<AttackRow> {
    let rules = AttackRules::default();
    let mut waiting = Undecided::default();
    let mut ended = Vec::new();
    for day in 0..=200 / day_minutes + 1 {
        let of_day = |it: &&ReplyMinute| it.minute / day_minutes == day;
        let today: Vec<ReplyMinute> = minutes.iter().filter(of_day).cloned().collect();
        let horizon_us = (day + 1) * day_minutes * MINUTE_US;
        let settled = settle(PREFIX, waiting, today, &rules, &silence(horizon_us));
        assert_eq!(settled.cut, 0);
        ended.extend(settled.ended);
        let head = UndecidedHead {
            inputs: "inputs".to_owned(),
            parts: String::new(),
            horizon_us,
        };
        let mut file = UndecidedWriter::new(Vec::new(), &head).expect("writable");
        file.push(PREFIX, &settled.undecided).expect("writable");
        let bytes = file.finish().expect("writable");
        let mut reader = UndecidedReader::new(&bytes[..]).expect("own bytes");
        assert_eq!(reader.head(), &head);
        waiting = reader.take(PREFIX).expect("own bytes");
        assert_eq!(waiting, settled.undecided);
        assert_eq!(reader.next_prefix(), None);
        // What goes on is the same, seen from the file alone.
        let again = settle(
            PREFIX,
            waiting.clone(),
            Vec::new(),
            &rules,
            &silence(horizon_us),
        );
        assert_eq!(rows(&again.ongoing), rows(&settled.ongoing));
        let cut = UndecidedReader::new(&bytes[..bytes.len() - 3]);
        let read = cut.and_then(|mut reader| reader.take(PREFIX).and(reader.take(PREFIX)));
        assert!(read.is_err());
    }
    assert_eq!(waiting, Undecided::default());
    rows(&ended)
}

#[test]
fn days_of_any_length_give_the_same_events_in_three_steps() {
    let minutes = minutes();
    let once = settle(
        PREFIX,
        Undecided::default(),
        minutes.clone(),
        &AttackRules::default(),
        &silence(i64::MAX),
    );
    let once = rows(&once.ended);
    let mut kinds: Vec<(&str, u64, u64)> = once
        .iter()
        .map(|row| (row.kind, row.victims, row.port_count))
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            ("carpet", 12, 1),
            ("syn-flood", 1, 1),
            ("syn-flood", 1, 40),
            ("syn-flood", 1, 40),
        ]
    );
    for day_minutes in [1, 2, 7, 30, 61, 200] {
        assert_eq!(by_days(&minutes, day_minutes), once, "{day_minutes}");
    }
}

#[test]
fn an_outage_parts_no_attack_and_a_silence_does() {
    let replies = (0..10).chain(40..50);
    let minutes: Vec<ReplyMinute> = replies.map(|it| minute(it, 1, 80, 40)).collect();
    let mut unobserved = UnobservedTime::default();
    unobserved.push([12 * MINUTE_US, 38 * MINUTE_US], 26 * MINUTE_US);
    for (unobserved, attacks) in [(ALL_OBSERVED, 2), (&unobserved, 1)] {
        let silence = Silence {
            unobserved,
            ..silence(i64::MAX)
        };
        let rules = AttackRules::default();
        let waiting = Undecided::default();
        let settled = settle(PREFIX, waiting, minutes.clone(), &rules, &silence);
        let rows = rows(&settled.ended);
        let packets: u64 = rows.iter().map(|row| row.packets).sum();
        assert_eq!((rows.len(), packets), (attacks, 800));
    }
}

#[test]
fn more_than_may_wait_ends_where_it_is_and_is_counted() {
    let minutes = || (0..WAITING_MAX as i64 + 1).map(|number| minute(number * 4, 1, 80, 1));
    let rules = AttackRules::default();
    let horizon_us = (WAITING_MAX as i64 + 1) * 4 * MINUTE_US;
    let waits = settle(
        PREFIX,
        Undecided::default(),
        minutes().skip(1).collect(),
        &rules,
        &silence(horizon_us),
    );
    assert_eq!((waits.cut, waits.undecided.minutes.len()), (0, WAITING_MAX));
    let cut = settle(
        PREFIX,
        Undecided::default(),
        minutes().collect(),
        &rules,
        &silence(horizon_us),
    );
    assert_eq!(cut.cut, WAITING_MAX as u64 + 1);
    assert_eq!(cut.undecided, Undecided::default());
}

#[test]
fn a_flood_is_known_by_its_replies() {
    for (protocol, replies, flood) in [
        (6, [5, 0, 0, 0], "syn-flood"),
        (6, [0, 5, 0, 2], "syn-flood"),
        (6, [1, 0, 5, 0], "ack-flood"),
        (6, [0, 0, 0, 5], "tcp-flood"),
        (17, [0, 0, 0, 5], "udp-flood"),
        (1, [0, 0, 0, 5], "icmp-flood"),
        (58, [0, 0, 0, 5], "icmp-flood"),
        (132, [0, 0, 0, 5], "sctp-flood"),
        (47, [0, 0, 0, 5], "other-flood"),
    ] {
        let mut tally = minute(0, 1, 80, 5).tally;
        (tally.protocol, tally.replies) = (protocol, replies);
        assert_eq!(tally.flood(), flood, "{protocol} {replies:?}");
    }
}

#[test]
fn of_many_ports_those_with_most_replies_are_named() {
    assert_eq!(ports_text(&[]), "");
    assert_eq!(ports_text(&[(80, 1), (443, 9)]), "80,443");
    let many: Vec<(u16, u64)> = (0..50).map(|port| (port, u64::from(port % 25))).collect();
    let shown = ports_text(&many);
    assert_eq!(shown.split(',').count(), PORTS_SHOWN);
    assert!(
        shown.starts_with("15,16,17,") && shown.ends_with(",48,49"),
        "{shown}"
    );
}
