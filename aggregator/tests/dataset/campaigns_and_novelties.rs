//! Campaigns and novelties of planted days: the families that were planted are found and followed, what was planted as new is called new and
//! nothing else, and no way of cutting or repeating the work changes a row.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::close::Closer;
use teiten_aggregator::hour::{HOUR_US, Hour};
use teiten_aggregator::minute::{HourAccount, SecondSet};
use teiten_aggregator::payload_table::PayloadPacket;
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::store::Store;
use teiten_aggregator::table::Seed;
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, StackSignature, Tool, TrafficType};

/// 2026-11-29T00.
const FIRST_HOUR: i64 = 498_864;
/// Hours of a day in which something comes.
const HOURS: [i64; 3] = [1, 9, 20];

fn closer(directory: &Path, threads: usize) -> Closer {
    Closer {
        threads,
        ..common::closer(directory, ("tokyo", "0123"), 65_536)
    }
}

/// Numbers that look drawn and are the same every time.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A source, a port, and the payload that it sends there.
type Data = (u32, u16, &'static [u8]);

/// The packets of a day, and which family each source is of.
#[derive(Default)]
struct Planted {
    packets: Vec<Observation<u32>>,
    payloads: Vec<(i64, Data)>,
    families: BTreeMap<u32, &'static str>,
}

/// How a family sends.
#[derive(Clone)]
struct Sending {
    name: &'static str,
    /// Weights and ports.
    ports: Vec<(u64, u16)>,
    /// Window, and TTL at arrival; a window of 0 is drawn for each packet.
    stack: (u16, u8),
    tool: Tool,
    members: Vec<u32>,
    packets: u64,
}

/// Addresses that lie in many networks; `first` keeps families apart.
fn members(first: u32, numbers: std::ops::Range<u32>) -> Vec<u32> {
    numbers
        .map(|number| (first + number).wrapping_mul(0x9e37_79b1) | 0x0100_0000)
        .collect()
}

fn send(day: i64, sending: &Sending, drawn: &mut Drawn, planted: &mut Planted) {
    let all: u64 = sending.ports.iter().map(|(weight, _)| weight).sum();
    for source in &sending.members {
        planted.families.insert(*source, sending.name);
        for _ in 0..sending.packets + drawn.below(sending.packets) {
            let hour = FIRST_HOUR + day * 24 + HOURS[drawn.below(3) as usize];
            let mut left = drawn.below(all);
            let port = sending.ports.iter().find(|(weight, _)| {
                let is_here = left < *weight;
                left = left.saturating_sub(*weight);
                is_here
            });
            let port = port.map_or(0, |(_, port)| *port);
            let window = match sending.stack.0 {
                0 => drawn.below(60_000) as u16 + 1,
                window => window,
            };
            planted.packets.push(Observation {
                time_us: hour * HOUR_US + drawn.below(3_500_000_000) as i64,
                source: *source,
                destination: 0xc612_0000 + drawn.below(65_536) as u32,
                kind: Kind::new(
                    TrafficType::TcpSyn,
                    Class::Scan,
                    sending.tool,
                    6,
                    Some(port),
                ),
                wire_length_bytes: 60,
                flags: 0,
                stack: StackSignature::new(window, true, sending.stack.1).bits(),
                pair: 0,
            });
        }
    }
}

/// Hosts that act each in its own way: mostly one port of its own, and one of four stacks.
fn background(day: i64, hosts: u32, drawn: &mut Drawn, planted: &mut Planted) {
    for number in 0..hosts {
        // Half come every day.
        let number = if number % 2 == 0 {
            number
        } else {
            number + 10_000 + day as u32 * hosts
        };
        let mut own = Drawn(u64::from(number) * 77 + 5);
        let stack = ([64_240, 29_200, 14_600, 5_840][own.below(4) as usize], 50);
        let port = match own.below(3) {
            0 => [23, 22, 445, 80][own.below(4) as usize],
            _ => own.below(60_000) as u16 + 2_000,
        };
        let second = own.below(60_000) as u16 + 2_000;
        let sending = Sending {
            name: "",
            ports: vec![(3, port), (1, second)],
            stack,
            tool: Tool::None,
            members: members(0x4000_0000, number..number + 1),
            packets: 6,
        };
        send(day, &sending, drawn, planted);
    }
}

/// The families of the days from 0 on: one whose members change, one that appears on day 3 (2) and moves its ports on day 5 (4), one with Mirai's
/// mark, one that stays away for two days.
fn families(day: i64) -> Vec<Sending> {
    let mut all = vec![
        Sending {
            name: "churning",
            ports: vec![(5, 8_000), (3, 9_000), (2, 9_001)],
            stack: (1_337, 50),
            tool: Tool::None,
            members: members(0x1000, day as u32 * 30..day as u32 * 30 + 60),
            packets: 8,
        },
        Sending {
            name: "mirai",
            ports: vec![(9, 23), (1, 2_323)],
            stack: (0, 50),
            tool: Tool::Mirai,
            members: members(0x20_0000, day as u32 * 10..day as u32 * 10 + 90),
            packets: 8,
        },
    ];
    if day >= 2 {
        all.push(Sending {
            name: "moving",
            ports: match day {
                2 | 3 => vec![(1, 5_555)],
                _ => vec![(1, 7_547), (1, 37_215)],
            },
            stack: (2_048, 100),
            tool: Tool::None,
            members: members(0x30_0000, day as u32 * 5..day as u32 * 5 + 50),
            packets: 10,
        });
    }
    if ![2, 3].contains(&day) {
        all.push(Sending {
            name: "returning",
            ports: vec![(1, 8_291), (1, 8_728)],
            stack: (512, 200),
            tool: Tool::None,
            members: members(0x40_0000, 0..25),
            packets: 9,
        });
    }
    all
}

fn planted_day(day: i64) -> Planted {
    let mut planted = Planted::default();
    let mut drawn = Drawn(day as u64 + 1);
    for sending in families(day) {
        send(day, &sending, &mut drawn, &mut planted);
    }
    // What one family sends to its first port has a payload, and nobody else goes there.
    let of_port = |packet: &&Observation<u32>| packet.kind.port() == Some(8_000);
    let with_data = planted.packets.iter().filter(of_port);
    planted.payloads = with_data
        .map(|packet| {
            let data = (packet.source, 8_000, &b"\x02fam"[..]);
            (packet.time_us.div_euclid(HOUR_US), data)
        })
        .collect();
    background(day, 400, &mut drawn, &mut planted);
    planted
}

/// Writes the hours of a day that `wants` asks for, each cut into `cuts` parts.
fn write(closer: &Closer, day: i64, planted: &Planted, cuts: u32, wants: impl Fn(i64) -> bool) {
    for of_day in HOURS {
        let hour = FIRST_HOUR + day * 24 + of_day;
        if !wants(hour) {
            continue;
        }
        let of_hour = |packet: &&Observation<u32>| packet.time_us.div_euclid(HOUR_US) == hour;
        let packets: Vec<_> = planted.packets.iter().filter(of_hour).copied().collect();
        for cut in 0..cuts {
            let mut window = Window::new(LatePolicy::Reopen, Seed::random());
            let mut batch = Batch {
                ipv4: packets
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| *place as u32 % cuts == cut)
                    .map(|(_, packet)| *packet)
                    .collect(),
                ipv6: Vec::new(),
            };
            window.observe(hour, &mut batch);
            for (_, (source, port, data)) in planted
                .payloads
                .iter()
                .filter(|it| it.0 == hour && cut == 0)
            {
                window.observe_payload(
                    hour,
                    &PayloadPacket {
                        protocol: 6,
                        port: *port,
                        signature: "",
                        source: *source,
                        bytes: data,
                    },
                );
            }
            let runs = closer.sort(window.take_open());
            closer.close(Hour(hour), cut, runs).expect("writable");
        }
        let (account, seconds) = (HourAccount::default(), SecondSet::default());
        let covered = closer.write_coverage(Hour(hour), 0, &account, &seconds);
        covered.expect("writable");
    }
}

type Cells = BTreeMap<String, Field>;

fn part_rows(path: &Path) -> Vec<Cells> {
    let file = File::open(path).expect("a part");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let named = |row: Row| {
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect()
    };
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| named(row.expect("a row"))).collect()
}

fn text(row: &Cells, column: &str) -> String {
    match &row[column] {
        Field::Str(text) => text.clone(),
        other => panic!("{column} is {other:?}"),
    }
}

fn number(row: &Cells, column: &str) -> i64 {
    match row[column] {
        Field::Long(number) | Field::TimestampMicros(number) => number,
        Field::Int(number) | Field::Date(number) => number.into(),
        ref other => panic!("{column} is {other:?}"),
    }
}

fn day_path(directory: &Path, table: &str, day: i64) -> PathBuf {
    let date = Hour(FIRST_HOUR + day * 24).date();
    directory
        .join(table)
        .join(format!("date={date}"))
        .join("tokyo.parquet")
}

fn novelties(directory: &Path) -> Vec<Cells> {
    let parts = Store::at(directory).parts_within("novelties", &(i64::MIN..i64::MAX));
    let parts = parts.expect("listed");
    parts
        .iter()
        .flat_map(|part| part_rows(part.place()))
        .collect()
}

/// All rows of campaigns and novelties of a dataset, and who is in which campaign.
fn everything(directory: &Path, days: i64) -> Vec<Cells> {
    let mut rows = Vec::new();
    for day in 0..days {
        rows.extend(part_rows(&day_path(directory, "campaigns_daily", day)));
        let mut sources = part_rows(&day_path(directory, "sources_daily", day));
        for row in &mut sources {
            row.retain(|column, _| ["src_ip", "campaign", "packets"].contains(&column.as_str()));
        }
        rows.extend(sources);
    }
    rows.extend(novelties(directory));
    rows
}

/// Pairs of a set of this size.
fn pairs(count: u64) -> f64 {
    (count * count.saturating_sub(1)) as f64 / 2.0
}

/// The adjusted Rand index (Hubert and Arabie, 1985) and the purity of groups against labels.
fn scores(of: &[(String, String)]) -> (f64, f64) {
    let mut both = BTreeMap::<(&str, &str), u64>::new();
    let (mut groups, mut labels) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
    for (group, label) in of {
        *both.entry((group, label)).or_default() += 1;
        *groups.entry(group).or_default() += 1;
        *labels.entry(label).or_default() += 1;
    }
    let sum =
        |counts: &mut dyn Iterator<Item = &u64>| counts.map(|count| pairs(*count)).sum::<f64>();
    let (index, left, right) = (
        sum(&mut both.values()),
        sum(&mut groups.values()),
        sum(&mut labels.values()),
    );
    let expected = left * right / pairs(of.len() as u64);
    let rand = (index - expected) / ((left + right) / 2.0 - expected);
    let mut largest = BTreeMap::<&str, u64>::new();
    for ((group, _), count) in &both {
        let known = largest.entry(group).or_default();
        *known = (*known).max(*count);
    }
    (rand, largest.values().sum::<u64>() as f64 / of.len() as f64)
}

/// The campaign that most members of a family are in on a day.
fn campaign_of(sources: &[Cells], planted: &Planted, family: &str) -> String {
    let mut counts = BTreeMap::<String, u64>::new();
    for row in sources {
        let address: std::net::Ipv4Addr = text(row, "src_ip").parse().expect("an address");
        if planted.families.get(&address.to_bits()) == Some(&family) {
            *counts.entry(text(row, "campaign")).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(id, _)| id).unwrap_or_default()
}

#[test]
fn planted_families_are_found_explained_and_followed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let days: Vec<Planted> = (0..6).map(planted_day).collect();
    for (day, planted) in days.iter().enumerate() {
        write(&closer(directory, 2), day as i64, planted, 1, |_| true);
    }
    rollup(directory, &RollupSettings::default()).expect("rolled up");
    let mut ids = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut states = BTreeMap::<&str, Vec<String>>::new();
    for (day, planted) in days.iter().enumerate() {
        let sources = part_rows(&day_path(directory, "sources_daily", day as i64));
        let campaigns = part_rows(&day_path(directory, "campaigns_daily", day as i64));
        let mut sizes = BTreeMap::<String, i64>::new();
        let mut labelled = Vec::new();
        for row in &sources {
            let id = text(row, "campaign");
            let address: std::net::Ipv4Addr = text(row, "src_ip").parse().expect("an address");
            let family = planted.families[&address.to_bits()];
            if !id.is_empty() {
                *sizes.entry(id.clone()).or_default() += 1;
            }
            labelled.push((address, id, family));
        }
        // Every source of a family, and every other that is in a campaign with one.
        let of_families: BTreeSet<&String> = labelled
            .iter()
            .filter(|(_, id, family)| !family.is_empty() && !id.is_empty())
            .map(|(_, id, _)| id)
            .collect();
        let judged: Vec<(String, String)> = labelled
            .iter()
            .filter(|(_, id, family)| !family.is_empty() || of_families.contains(id))
            .map(|(address, id, family)| {
                // Who is in no campaign is alone.
                let id = if id.is_empty() {
                    address.to_string()
                } else {
                    id.clone()
                };
                (id, (*family).to_owned())
            })
            .collect();
        let (rand, purity) = scores(&judged);
        assert!(rand >= 0.9 && purity >= 0.95, "day {day}: {rand} {purity}");
        let counted: BTreeMap<String, i64> = campaigns
            .iter()
            .map(|row| (text(row, "id"), number(row, "sources")))
            .collect();
        assert_eq!(counted, sizes, "day {day}");
        for family in ["churning", "mirai", "moving", "returning"] {
            let id = campaign_of(&sources, planted, family);
            let Some(row) = campaigns.iter().find(|row| text(row, "id") == id) else {
                continue;
            };
            ids.entry(family).or_default().insert(id);
            states.entry(family).or_default().push(text(row, "state"));
            let expected = match (family, day) {
                ("churning", _) => ("8000,9000,9001", "1337::df1:64", "none", true),
                ("mirai", _) => ("23,2323", "*::df1:64", "mirai", false),
                ("moving", 2 | 3) => ("5555", "2048::df1:128", "none", true),
                ("moving", _) => ("37215,7547", "2048::df1:128", "none", true),
                _ => ("8291,8728", "512::df1:255", "none", true),
            };
            let mut ports: Vec<String> = text(row, "ports").split(',').map(str::to_owned).collect();
            let main = expected.0.split(',').count();
            ports.truncate(main);
            if matches!(family, "moving" | "returning") {
                // As heavy as each other.
                ports.sort();
            }
            assert_eq!(ports.join(","), expected.0, "{family}");
            assert_eq!(text(row, "stack_signature"), expected.1, "{family}");
            assert_eq!(text(row, "tool"), expected.2, "{family}");
            assert_eq!(row["infected"], Field::Bool(expected.3), "{family}");
            let payload = text(row, "payload");
            assert_eq!(
                payload.ends_with(":0266616d"),
                family == "churning",
                "{payload}"
            );
            assert_eq!(payload.is_empty(), family != "churning", "{payload}");
            let why = text(row, "why");
            assert!(why.contains(expected.1) && why.contains("tcp/"), "{why}");
        }
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    let of = |family: &str| states[family].join(" ");
    let always = "new continues continues continues continues continues";
    assert_eq!(
        (of("churning").as_str(), of("mirai").as_str()),
        (always, always)
    );
    assert_eq!(of("moving"), "new continues continues continues");
    assert_eq!(of("returning"), "new continues returned continues");
    let verdict = verify(directory).expect("readable");
    let of_days = |path: &Path| path.to_string_lossy().contains("_daily");
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .filter(|it| of_days(&it.path))
        .collect();
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn no_way_of_doing_the_work_changes_a_row() {
    let days: Vec<Planted> = (0..4).map(planted_day).collect();
    let whole = tempfile::tempdir().expect("a temporary folder");
    for (day, planted) in days.iter().enumerate() {
        write(&closer(whole.path(), 1), day as i64, planted, 1, |_| true);
    }
    rollup(whole.path(), &RollupSettings::default()).expect("rolled up");
    let expected = everything(whole.path(), 4);
    assert!(expected.len() > 1_000);
    // Nothing is left to do.
    let again = rollup(whole.path(), &RollupSettings::default()).expect("rolled up");
    assert_eq!((again.written, again.rows), (0, 0));
    // Other workers: the same bytes.
    for threads in [2, 3, 8] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (day, planted) in days.iter().enumerate() {
            write(
                &closer(folder.path(), threads),
                day as i64,
                planted,
                1,
                |_| true,
            );
        }
        rollup(folder.path(), &RollupSettings::default()).expect("rolled up");
        for (table, day) in ["campaigns_daily", "sources_daily"].into_iter().zip(0..4) {
            let bytes =
                |directory: &Path| std::fs::read(day_path(directory, table, day)).expect("a part");
            assert!(
                bytes(whole.path()) == bytes(folder.path()),
                "{threads} {table}"
            );
        }
    }
    // Hours in three parts, a day after the other.
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (day, planted) in days.iter().enumerate() {
        write(&closer(folder.path(), 2), day as i64, planted, 3, |_| true);
        rollup(folder.path(), &RollupSettings::default()).expect("rolled up");
    }
    assert!(everything(folder.path(), 4) == expected);
    // Days of another time zone in between.
    for zone in ["Asia/Tokyo", "UTC"] {
        let settings = RollupSettings {
            calendar: Calendar::of(zone).expect("a zone"),
            ..RollupSettings::default()
        };
        rollup(folder.path(), &settings).expect("rolled up");
    }
    assert!(everything(folder.path(), 4) == expected);
    // An hour that comes late changes the days behind it as well.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let late = FIRST_HOUR + 24 + HOURS[1];
    for (day, planted) in days.iter().enumerate() {
        write(&closer(folder.path(), 2), day as i64, planted, 1, |hour| {
            hour != late
        });
    }
    rollup(folder.path(), &RollupSettings::default()).expect("rolled up");
    assert!(everything(folder.path(), 4) != expected);
    write(&closer(folder.path(), 2), 1, &days[1], 1, |hour| {
        hour == late
    });
    rollup(folder.path(), &RollupSettings::default()).expect("rolled up");
    assert!(everything(folder.path(), 4) == expected);
}

#[test]
fn campaigns_that_are_not_those_of_the_sources_are_found() {
    let whole = tempfile::tempdir().expect("a temporary folder");
    let second = tempfile::tempdir().expect("a temporary folder");
    for day in 0..2 {
        let planted = planted_day(day);
        write(&closer(whole.path(), 2), day, &planted, 1, |_| true);
        // The same day without the one before: its campaigns have other names.
        if day == 1 {
            write(&closer(second.path(), 2), day, &planted, 1, |_| true);
        }
    }
    for folder in [&whole, &second] {
        rollup(folder.path(), &RollupSettings::default()).expect("rolled up");
        // These hours have no coverage, of which nothing is said here.
        let findings = verify(folder.path()).expect("readable").findings;
        let mut reasons = findings.iter().map(|finding| &finding.reason);
        assert!(
            !reasons.any(|reason| reason.contains("campaign")),
            "{findings:?}"
        );
    }
    let path = |folder: &Path| day_path(folder, "campaigns_daily", 1);
    std::fs::copy(path(second.path()), path(whole.path())).expect("writable");
    let finding = |reason: &str| {
        let findings = verify(whole.path()).expect("readable").findings;
        let found = findings
            .iter()
            .any(|finding| finding.reason.contains(reason));
        assert!(found, "{findings:?}");
    };
    finding(" name it in sources_daily: run teiten-aggregator rollup");
    std::fs::remove_file(path(whole.path())).expect("there");
    finding(" has 0 sources, and ");
}

fn program(arguments: &[&str]) -> (Option<i32>, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_teiten-aggregator"))
        .args(arguments)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (run.status.code(), text(run.stdout), text(run.stderr))
}

/// A day on which only chance is at work.
fn quiet_day(day: i64) -> Planted {
    let mut planted = Planted::default();
    let mut drawn = Drawn(day as u64 + 100);
    background(day, 500, &mut drawn, &mut planted);
    for (port, hosts) in [(23, 120), (445, 40), (8_080, 15)] {
        let hosts = hosts + drawn.below(u64::from(hosts) / 5) as u32;
        let sending = Sending {
            name: "",
            ports: vec![(1, port)],
            stack: (64_240, 50),
            tool: Tool::None,
            members: members(0x50_0000 + u32::from(port) * 1_000, 0..hosts),
            packets: 5,
        };
        send(day, &sending, &mut drawn, &mut planted);
    }
    let data = |number: u64| (7 + number as u32, 23, &b"usual"[..]);
    for of_day in HOURS {
        let hour = FIRST_HOUR + day * 24 + of_day;
        planted
            .payloads
            .extend((0..20 + drawn.below(4)).map(|number| (hour, data(number))));
    }
    planted
}

#[test]
fn what_was_planted_is_new_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let data = directory.to_str().expect("a plain name");
    let closer = closer(directory, 2);
    let last = 12;
    for day in 0..3 {
        write(&closer, day, &quiet_day(day), 1, |_| true);
    }
    let (code, _, errors) = program(&["new", "--data", data]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("rollup"), "{errors}");
    assert_eq!(program(&["rollup", "--data", data]).0, Some(0));
    // Two days before are too few.
    let (code, _, errors) = program(&["new", "--data", data]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("2 known days"), "{errors}");
    for day in 3..last {
        write(&closer, day, &quiet_day(day), 1, |_| true);
    }
    let mut planted = quiet_day(last);
    let mut drawn = Drawn(9);
    let sending = |port: u16, stack: (u16, u8), first: u32| Sending {
        name: "new",
        ports: vec![(1, port)],
        stack,
        tool: Tool::None,
        members: members(first, 0..30),
        packets: 5,
    };
    send(
        last,
        &sending(999, (64_240, 50), 0x60_0000),
        &mut drawn,
        &mut planted,
    );
    send(
        last,
        &sending(23, (77, 20), 0x61_0000),
        &mut drawn,
        &mut planted,
    );
    let hour = FIRST_HOUR + last * 24 + HOURS[1];
    planted
        .payloads
        .extend((0..25).map(|number| (hour, (900 + number, 23, &b"\x01new!"[..]))));
    write(&closer, last, &planted, 1, |_| true);
    assert_eq!(program(&["rollup", "--data", data]).0, Some(0));
    let found = novelties(directory);
    let whats: Vec<(String, String)> = found
        .iter()
        .map(|row| (text(row, "what"), text(row, "value")))
        .collect();
    let of = |what: &str| -> Vec<&str> {
        let of_what = whats.iter().filter(|(it, _)| it == what);
        of_what.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(of("port"), ["tcp/999"]);
    assert_eq!(of("stack"), ["77::df1:32"]);
    let payload = of("payload");
    assert!(
        payload.len() == 1 && payload[0].ends_with(":016e657721"),
        "{payload:?}"
    );
    // Those who ask for the new port, and those with the new stack.
    let campaigns = part_rows(&day_path(directory, "campaigns_daily", last));
    let ids = |port: &str, stack: &str| {
        let mut of_both = campaigns
            .iter()
            .filter(|row| text(row, "ports") == port && text(row, "stack_signature") == stack);
        text(of_both.next().expect("a campaign"), "id")
    };
    let expected = BTreeSet::from([ids("999", "64240::df1:64"), ids("23", "77::df1:32")]);
    let of_campaigns: BTreeSet<String> = of("campaign").into_iter().map(str::to_owned).collect();
    let others = found
        .iter()
        .filter(|row| !expected.contains(&text(row, "value")));
    let others: Vec<_> = others
        .filter(|row| text(row, "what") == "campaign")
        .collect();
    assert!(of_campaigns == expected, "{others:#?}");
    for row in &found {
        assert_eq!(text(row, "rule"), "never-seen");
        let day = FIRST_HOUR + last * 24;
        let hour = number(row, "hour_start") / HOUR_US;
        assert!((day..day + 24).contains(&hour), "{row:?}");
        if text(row, "what") != "payload" {
            assert_eq!(number(row, "first_seen") / HOUR_US, hour);
            assert_eq!(text(row, "countries"), "ZZ:30");
            assert_eq!(number(row, "sources"), 30);
        }
    }
    let (code, output, errors) = program(&["new", "--data", data, "--json"]);
    assert_eq!(code, Some(0), "{errors}");
    let object: serde_json::Value = serde_json::from_str(&output).expect("an object");
    assert_eq!(
        object["novelties"].as_array().map(Vec::len),
        Some(found.len())
    );
    assert_eq!(object["days"][0]["compared_days"], 12);
    let (code, output, _) = program(&["new", "--data", data, "--days", "30"]);
    assert_eq!(code, Some(1));
    assert!(output.contains("tcp/999"), "{output}");
    let verdict = verify(directory).expect("readable");
    let of_novelties = |path: &Path| path.to_string_lossy().contains("novelties");
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .filter(|it| of_novelties(&it.path))
        .collect();
    assert!(findings.is_empty(), "{findings:?}");
}
