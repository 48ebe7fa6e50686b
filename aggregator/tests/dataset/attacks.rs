//! Denial-of-service events against an independent reading of the same replies, one by one: whatever is rolled up when, in whichever time
//! zone, however often, and from however many runs, the table says the same.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::close::Closer;
use teiten_aggregator::event::AttackRules;
use teiten_aggregator::hour::{HOUR_US, Hour};
use teiten_aggregator::minute::HourAccount;
use teiten_aggregator::prune::{KeptDays, PruneDay, prune};
use teiten_aggregator::reply_table::ReplyPacket;
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::store::Store;
use teiten_aggregator::table::Seed;
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-29T13.
const FIRST_HOUR: i64 = 498_877;
const HOURS: i64 = 34;
const SECOND_US: i64 = 1_000_000;
const SILENCE_US: i64 = 300 * SECOND_US;
const ADDRESSES: u64 = 65_536;

fn closer(directory: &Path, run: &str) -> Closer {
    common::closer(directory, ("tokyo", run), ADDRESSES)
}

fn settings(timezone: &str) -> RollupSettings {
    RollupSettings {
        calendar: Calendar::of(timezone).expect("a zone"),
        ..RollupSettings::default()
    }
}

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as i64 % below.max(1)
    }
}

type Reply = ReplyPacket<u32>;

fn reply(time_us: i64, victim: u32, port: u16, chance: &mut Chance) -> Reply {
    let types = [TrafficType::TcpSynAck, TrafficType::TcpRst];
    ReplyPacket {
        time_us,
        victim,
        destination: 0xc612_0000 + chance.below(200) as u32,
        protocol: 6,
        port: Some(port),
        traffic_type: types[usize::from(victim.is_multiple_of(3))],
        wire_length_bytes: 60,
    }
}

/// Bursts of a victim whose ports are `ports`, with silences around the limit.
fn bursts(replies: &mut Vec<Reply>, chance: &mut Chance, victim: u32, ports: i64) {
    let end_us = (FIRST_HOUR + HOURS) * HOUR_US;
    let mut time_us = FIRST_HOUR * HOUR_US + chance.below(4 * HOUR_US);
    while time_us < end_us {
        // Some are just dense enough, or long enough.
        let apart_us =
            [1_000_000, 1_900_000, 2_000_000, 2_100_000, 15_000_000][chance.below(5) as usize];
        for _ in 0..chance.below(70) {
            let port = 80 + chance.below(ports) as u16;
            if time_us < end_us {
                replies.push(reply(time_us, victim, port, chance));
            }
            time_us += apart_us + chance.below(100_000) - 50_000;
        }
        time_us += match chance.below(8) {
            0 => SILENCE_US,
            1 => SILENCE_US + 1,
            2 => SILENCE_US - 1,
            3..=5 => chance.below(2 * SILENCE_US),
            _ => chance.below(5 * HOUR_US),
        };
    }
}

fn replies() -> Vec<Reply> {
    let mut chance = Chance(11);
    let mut replies = Vec::new();
    for prefix in 0..8_u32 {
        for place in 0..3 {
            bursts(
                &mut replies,
                &mut chance,
                ((11 + prefix) << 24) | (place * 9),
                1 + i64::from(place),
            );
        }
        // Floods to random ports.
        bursts(&mut replies, &mut chance, (11 + prefix) << 24 | 200, 5_000);
    }
    // Carpets: many victims, a few replies each.
    for prefix in 0..6_u32 {
        let mut time_us = FIRST_HOUR * HOUR_US + chance.below(3 * HOUR_US);
        while time_us < (FIRST_HOUR + HOURS) * HOUR_US {
            let victims = 4 + chance.below(40);
            for _ in 0..chance.below(400) {
                let victim = (31 + prefix) << 24 | chance.below(victims) as u32;
                replies.push(reply(time_us, victim, 443, &mut chance));
                time_us += 200_000 + chance.below(2_500_000);
            }
            time_us += chance.below(4 * SILENCE_US) + chance.below(3) * HOUR_US;
        }
    }
    // One that goes on over both midnights.
    for second in (0..(HOURS - 1) * 3600).step_by(2) {
        let time_us = FIRST_HOUR * HOUR_US + second * SECOND_US;
        replies.push(reply(time_us, 0x2900_0001, 53, &mut chance));
    }
    replies.retain(|reply| reply.time_us < (FIRST_HOUR + HOURS) * HOUR_US);
    replies
}

/// What identifies an event: its kind, victim or prefix, ports and start.
type Name = (String, String, String, i64);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    end_us: i64,
    packets: i64,
    destinations: i64,
    victims: i64,
    per_minute: i64,
    ongoing: bool,
}

type Events = BTreeMap<Name, Event>;

/// Parts replies where the silence is too long.
fn flows(mut replies: Vec<Reply>) -> Vec<Vec<Reply>> {
    replies.sort_by_key(|reply| reply.time_us);
    let flows = replies.chunk_by(|left, right| right.time_us - left.time_us <= SILENCE_US);
    flows.map(<[Reply]>::to_vec).collect()
}

fn grouped<K: Ord>(replies: Vec<Reply>, key: impl Fn(&Reply) -> K) -> Vec<Vec<Reply>> {
    let mut groups = BTreeMap::<K, Vec<Reply>>::new();
    for reply in replies {
        groups.entry(key(&reply)).or_default().push(reply);
    }
    groups.into_values().flat_map(flows).collect()
}

fn per_minute(flow: &[Reply]) -> i64 {
    let mut slots = BTreeMap::<i64, i64>::new();
    for reply in flow {
        *slots
            .entry(reply.time_us.div_euclid(10 * SECOND_US))
            .or_default() += 1;
    }
    // The densest begins where there are some.
    let counts = slots.keys().map(|first| {
        slots
            .range(first..&(first + 6))
            .map(|(_, count)| count)
            .sum()
    });
    counts.max().unwrap_or(0)
}

fn victims(flow: &[Reply]) -> i64 {
    flow.iter()
        .map(|reply| reply.victim)
        .collect::<BTreeSet<_>>()
        .len() as i64
}

fn is_attack(flow: &[Reply], victims_min: i64) -> bool {
    let seconds = flow[flow.len() - 1].time_us - flow[0].time_us;
    flow.len() >= 25
        && seconds >= 60 * SECOND_US
        && victims(flow) >= victims_min
        && per_minute(flow) >= 30
}

fn event(flow: &[Reply], is_carpet: bool, known_until_us: i64) -> (Name, Event) {
    let first = &flow[0];
    let address = Ipv4Addr::from(first.victim);
    let prefix = Ipv4Addr::from(first.victim >> 8 << 8);
    let rst = flow
        .iter()
        .filter(|it| it.traffic_type == TrafficType::TcpRst)
        .count();
    let (kind, whose) = match (is_carpet, 2 * rst > flow.len()) {
        (true, _) => ("carpet", format!("{prefix}/24")),
        (false, true) => ("ack-flood", address.to_string()),
        (false, false) => ("syn-flood", address.to_string()),
    };
    let mut ports = BTreeMap::<u16, usize>::new();
    for reply in flow {
        *ports.entry(reply.port.unwrap_or(0)).or_default() += 1;
    }
    let mut most: Vec<(std::cmp::Reverse<usize>, u16)> = ports
        .into_iter()
        .map(|(port, count)| (std::cmp::Reverse(count), port))
        .collect();
    most.sort_unstable();
    let mut shown: Vec<u16> = most.into_iter().take(20).map(|(_, port)| port).collect();
    shown.sort_unstable();
    let ports: Vec<String> = shown.iter().map(u16::to_string).collect();
    let end_us = flow[flow.len() - 1].time_us;
    let destinations: BTreeSet<u32> = flow.iter().map(|it| it.destination).collect();
    let name = (kind.to_owned(), whose, ports.join(","), first.time_us);
    let event = Event {
        end_us,
        packets: flow.len() as i64,
        destinations: destinations.len() as i64,
        victims: victims(flow),
        per_minute: per_minute(flow),
        ongoing: known_until_us - end_us <= SILENCE_US,
    };
    (name, event)
}

/// The definition: events of one port; of what is left, those of a victim; of what is left, carpets.
fn defined(replies: &[Reply], known_until_us: i64) -> [Events; 3] {
    let mut events = [Events::new(), Events::new(), Events::new()];
    let mut rest = replies.to_vec();
    for (step, events) in events.iter_mut().enumerate() {
        let groups = match step {
            0 => grouped(std::mem::take(&mut rest), |it| (it.victim, it.port)),
            1 => grouped(std::mem::take(&mut rest), |it| it.victim),
            _ => grouped(std::mem::take(&mut rest), |it| it.victim >> 8),
        };
        for flow in groups {
            if is_attack(&flow, if step == 2 { 10 } else { 1 }) {
                let (name, event) = event(&flow, step == 2, known_until_us);
                assert!(events.insert(name, event).is_none());
            } else {
                rest.extend(flow);
            }
        }
    }
    events
}

type TableRow = BTreeMap<String, Field>;

fn number(row: &TableRow, column: &str) -> i64 {
    match row[column] {
        Field::Long(number) | Field::TimestampMicros(number) => number,
        Field::Int(number) => number.into(),
        Field::Bool(value) => value.into(),
        ref other => panic!("{column} is {other:?}"),
    }
}

fn text(row: &TableRow, column: &str) -> String {
    match &row[column] {
        Field::Str(text) => text.clone(),
        other => panic!("{column} is {other:?}"),
    }
}

fn rows(directory: &Path) -> Vec<TableRow> {
    let parts = Store::at(directory).parts_within("attacks", &(i64::MIN..i64::MAX));
    let mut rows = Vec::new();
    for part in parts.expect("listed") {
        let reader = SerializedFileReader::new(part.open().expect("opened")).expect("a part");
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let fields = row.get_column_iter();
            let row: TableRow = fields
                .map(|(name, field)| (name.clone(), field.clone()))
                .collect();
            // In the hour of its last packet.
            let hour = number(&row, "end").div_euclid(HOUR_US);
            assert_eq!(Hour(hour), part.period.first_hour());
            rows.push(row);
        }
    }
    rows
}

/// The table, in which every event stands once: those of one port, of a victim, and carpets.
fn found(directory: &Path) -> [Events; 3] {
    let mut events = [Events::new(), Events::new(), Events::new()];
    let mut ids = BTreeSet::new();
    for row in rows(directory) {
        assert!(ids.insert(text(&row, "id")), "{row:?}");
        let kind = text(&row, "kind");
        let ports = number(&row, "port_count");
        let step = match (&kind[..], ports) {
            ("carpet", _) => 2,
            (_, 1) => 0,
            _ => 1,
        };
        let whose = if step == 2 {
            "victim_prefix"
        } else {
            "victim_ip"
        };
        let name = (
            kind,
            text(&row, whose),
            text(&row, "ports"),
            number(&row, "start"),
        );
        let event = Event {
            end_us: number(&row, "end"),
            packets: number(&row, "packets"),
            destinations: number(&row, "destinations"),
            victims: number(&row, "victims"),
            per_minute: number(&row, "packets_per_minute_max"),
            ongoing: number(&row, "ongoing") == 1,
        };
        assert!(events[step].insert(name, event).is_none(), "{row:?}");
    }
    events
}

/// Writes hours, each with these replies.
fn write(closer: &Closer, replies: &[Reply], hours: impl Iterator<Item = i64>) {
    for hour in hours {
        let mut window = Window::new(LatePolicy::Reopen, Seed::random());
        let mut batch = Batch::default();
        for reply in replies
            .iter()
            .filter(|it| it.time_us.div_euclid(HOUR_US) == hour)
        {
            window.observe_reply(hour, reply);
            let kind = (reply.traffic_type, reply.protocol, reply.port);
            batch.ipv4.push(Observation {
                time_us: reply.time_us,
                source: reply.victim,
                destination: reply.destination,
                kind: Kind::new(kind.0, Class::Backscatter, Tool::None, kind.1, kind.2),
                wire_length_bytes: reply.wire_length_bytes,
                flags: 0,
                stack: 0,
                pair: 0,
            });
        }
        window.observe(hour, &mut batch);
        let runs = closer.sort(window.take_open());
        closer.close(Hour(hour), 0, runs).expect("writable");
        let (account, seconds) = (HourAccount::default(), common::all_seconds());
        let covered = closer.write_coverage(Hour(hour), 0, &account, &seconds);
        covered.expect("writable");
    }
}

/// Equal but for destinations that are estimated.
fn check(found: &Events, expected: &Events, what: &str) {
    let keys = |events: &Events| events.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(found), keys(expected), "{what}");
    for (key, expected) in expected {
        let found = &found[key];
        let rest = |event: &Event| Event {
            destinations: 0,
            ..event.clone()
        };
        assert_eq!(rest(found), rest(expected), "{what}: {key:?}");
        if expected.destinations <= 128 {
            assert_eq!(found.destinations, expected.destinations, "{key:?}");
        } else {
            let error = found.destinations as f64 / expected.destinations as f64 - 1.0;
            assert!(error.abs() < 0.092, "{key:?}: {found:?}");
        }
    }
}

fn check_all(found: &[Events; 3], expected: &[Events; 3]) {
    for (step, what) in ["one port", "many ports", "carpets"]
        .into_iter()
        .enumerate()
    {
        check(&found[step], &expected[step], what);
    }
}

#[test]
fn events_are_those_of_the_definition_for_every_way_of_rolling_them_up() {
    let replies = replies();
    let all = FIRST_HOUR..FIRST_HOUR + HOURS;
    let until_us = |hour: i64| hour * HOUR_US;
    // Behind the last replies everything is certain.
    let behind = all.end..all.end + 1;
    let expected = defined(&replies, until_us(behind.end));
    for (events, least) in expected.iter().zip([100, 30, 20]) {
        assert!(events.len() > least, "{}", events.len());
    }
    let ids = |folder: &Path| {
        let rows = rows(folder);
        rows.iter()
            .map(|row| text(row, "id"))
            .collect::<BTreeSet<_>>()
    };
    let mut known = BTreeSet::new();
    for zone in ["UTC", "Asia/Tokyo"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(
            &closer(folder.path(), "0123"),
            &replies,
            all.start..behind.end,
        );
        rollup(folder.path(), &settings(zone)).expect("rolled up");
        check_all(&found(folder.path()), &expected);
        let of_zone = ids(folder.path());
        known.extend(of_zone.iter().cloned());
        assert_eq!(known, of_zone, "ids do not depend on the zone");
        // Again changes nothing.
        let again = rollup(folder.path(), &settings(zone)).expect("rolled up");
        assert_eq!((again.written, again.rows), (0, 0));
        // Another zone in the same folder, and back.
        for other in ["America/New_York", zone] {
            rollup(folder.path(), &settings(other)).expect("rolled up");
            check_all(&found(folder.path()), &expected);
        }
        let verdict = verify(folder.path()).expect("readable");
        let names = ["attacks", "backscatter"];
        let findings = verdict.findings.iter().filter(|it| {
            let mut path = it.path.components();
            path.any(|part| names.iter().any(|name| part.as_os_str() == *name))
        });
        assert_eq!(findings.count(), 0, "{:?}", verdict.findings);
    }
    // As the hours come, from three runs of the sensor.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = ["a", "b", "c"].map(|run| closer(folder.path(), run));
    let share = |run: usize| -> Vec<Reply> {
        let replies = replies.iter().enumerate();
        let of_run = replies.filter(|(index, _)| index % 3 == run);
        of_run.map(|(_, reply)| *reply).collect()
    };
    for from in (all.start..behind.end).step_by(9) {
        let to = (from + 9).min(behind.end);
        for (run, closer) in runs.iter().enumerate() {
            write(closer, &share(run), from..to);
        }
        rollup(folder.path(), &settings("UTC")).expect("rolled up");
        let so_far: Vec<Reply> = replies
            .iter()
            .filter(|it| it.time_us < until_us(to))
            .copied()
            .collect();
        let (found, now) = (found(folder.path()), defined(&so_far, until_us(to)));
        check(&found[0], &now[0], "one port, so far");
        for (found, expected) in found.iter().zip(&expected) {
            let ended = found.iter().filter(|(_, event)| !event.ongoing);
            for (name, event) in ended {
                let known = expected.get(name).map(|it| (it.end_us, it.packets));
                assert_eq!(known, Some((event.end_us, event.packets)), "{name:?}");
            }
        }
    }
    check_all(&found(folder.path()), &expected);
    assert_eq!(ids(folder.path()), known, "ids do not depend on the runs");
}

#[test]
fn an_hour_that_is_replayed_later_changes_the_events_of_all_days_behind_it() {
    let replies = replies();
    let all = FIRST_HOUR..FIRST_HOUR + HOURS + 1;
    let missing = FIRST_HOUR + 9;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer_here = closer(folder.path(), "0123");
    let mut without = replies.clone();
    without.retain(|reply| reply.time_us.div_euclid(HOUR_US) != missing);
    // It was observed all the same, so what is missing is silence.
    write(&closer_here, &without, all.clone());
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    check_all(&found(folder.path()), &defined(&without, all.end * HOUR_US));
    write(&closer_here, &replies, std::iter::once(missing));
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    check_all(&found(folder.path()), &defined(&replies, all.end * HOUR_US));
    // Other thresholds make the events anew.
    let strict = RollupSettings {
        attacks: AttackRules {
            packets_min: 1 << 40,
            ..AttackRules::default()
        },
        ..settings("UTC")
    };
    rollup(folder.path(), &strict).expect("rolled up");
    assert_eq!(
        found(folder.path()),
        [Events::new(), Events::new(), Events::new()]
    );
}

#[test]
fn victims_of_ipv6_and_their_carpets_are_found_without_a_rate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path(), "0123");
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch::default();
    let network = 0x2001_0db8_0007_u128 << 80;
    let start_us = FIRST_HOUR * HOUR_US;
    for second in 0..200_i64 {
        // One victim, and twenty of another /48.
        for victim in [
            network | 1,
            (network + (1 << 80)) | ((second as u128 % 20) << 64),
        ] {
            let (traffic_type, port) = (TrafficType::TcpSynAck, Some(443));
            let reply = ReplyPacket {
                time_us: start_us + second * SECOND_US,
                victim,
                destination: (0xfd00_u128 << 112) | (second as u128 % 5),
                protocol: 6,
                port,
                traffic_type,
                wire_length_bytes: 80,
            };
            window.observe_reply(FIRST_HOUR, &reply);
            batch.ipv6.push(Observation {
                time_us: reply.time_us,
                source: victim,
                destination: reply.destination,
                kind: Kind::new(traffic_type, Class::Backscatter, Tool::None, 6, port),
                wire_length_bytes: 80,
                flags: 0,
                stack: 0,
                pair: 0,
            });
        }
    }
    window.observe(FIRST_HOUR, &mut batch);
    let runs = closer.sort(window.take_open());
    closer.close(Hour(FIRST_HOUR), 0, runs).expect("writable");
    let (account, seconds) = (HourAccount::default(), common::all_seconds());
    for hour in [FIRST_HOUR, FIRST_HOUR + 1] {
        let covered = closer.write_coverage(Hour(hour), 0, &account, &seconds);
        covered.expect("writable");
    }
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    let rows = rows(folder.path());
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["estimated_pps"], Field::Null);
            assert_eq!(row["floor_pps"], Field::Null);
            let names = ["kind", "victim_ip", "victim_prefix"].map(|column| text(row, column));
            let numbers = ["victims", "packets", "destinations"].map(|column| number(row, column));
            (names, numbers)
        })
        .collect();
    let names = |names: [&str; 3]| names.map(str::to_owned);
    assert_eq!(
        shown,
        [
            (
                names(["syn-flood", "2001:db8:7::1", "2001:db8:7::/48"]),
                [1, 200, 5]
            ),
            (names(["carpet", "", "2001:db8:8::/48"]), [20, 200, 5]),
        ]
    );
    let verdict = verify(folder.path()).expect("readable");
    let names = ["attacks", "backscatter"];
    let is_of_attacks = |it: &&teiten_aggregator::verify::Finding| {
        let mut parts = it.path.components();
        parts.any(|part| names.iter().any(|name| part.as_os_str() == *name))
    };
    let findings: Vec<_> = verdict.findings.iter().filter(is_of_attacks).collect();
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn replies_are_pruned_only_once_their_attacks_are_made_and_these_stay() {
    let replies = replies();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all = FIRST_HOUR..FIRST_HOUR + HOURS + 1;
    write(&closer(folder.path(), "0123"), &replies, all.clone());
    let keep = KeptDays::from([("backscatter", 1)]);
    let prune = || prune(folder.path(), &keep, None, false).expect("pruned");
    let kept = |days: &[PruneDay]| {
        days.iter()
            .map(|day| day.kept.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&prune()), [true], "nothing is rolled up");
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    let before = found(folder.path());
    let pruned = prune();
    assert_eq!(kept(&pruned), [false]);
    assert_eq!(pruned[0].table, "backscatter");
    // The day is made for good; the next one goes on with what waited.
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    assert_eq!(found(folder.path()), before);
    check_all(&before, &defined(&replies, all.end * HOUR_US));
}
