//! A small dataset with a whole hour, a lossy one, a partial one and gaps, written as the contract lays it out. No assertion here.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datasketches::hll::{HllSketch, HllType};
use jiff::tz::TimeZone;
use parquet::arrow::ArrowWriter;
use teiten_reports::period::ReportPeriod;
use teiten_reports::query::{self, Answer, Question};

/// 2026-11-05T00:00:00Z
const START_US: i64 = 1_793_836_800_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// The answer for `period` in UTC, of what was known at `as_of_us`.
pub(crate) fn ask_at(folder: &Path, period: &str, as_of_us: i64) -> Answer {
    let question = Question {
        data: folder.to_owned(),
        period: ReportPeriod::parse(period, &TimeZone::UTC).unwrap(),
        sensors: Vec::new(),
        workers: 2,
        as_of_us,
        compare: true,
        uses_rolled_up: true,
    };
    query::ask(&question).unwrap()
}

/// The same, long after the period.
pub(crate) fn ask(folder: &Path, period: &str) -> Answer {
    ask_at(folder, period, i64::MAX)
}

/// One row of `traffic`: class, type, tool, protocol, port, country, packets, members of its sketch.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    i32,
    Option<i32>,
    &'static str,
    i64,
    std::ops::Range<u32>,
);

const ROWS: &[Row] = &[
    ("scan", "tcp-syn", "mirai", 6, Some(23), "CN", 100, 0..40),
    ("scan", "tcp-syn", "none", 6, Some(445), "NA", 30, 100..110),
    (
        "reflector-scan",
        "udp",
        "none",
        17,
        Some(53),
        "US",
        20,
        200..203,
    ),
    (
        "backscatter",
        "tcp-syn-ack",
        "none",
        6,
        Some(443),
        "DE",
        15,
        300..302,
    ),
    ("spoofed", "tcp-syn", "none", 6, Some(80), "ZZ", 5, 400..405),
    (
        "scan",
        "icmp-echo-request",
        "none",
        1,
        None,
        "JP",
        10,
        500..505,
    ),
];
/// Packets of each hour and sensor.
pub(crate) const HOUR_PACKETS: i64 = 180;

/// Hours 0 (whole), 2 (loss) and 3 (twenty minutes) of a day; hour 1 and the rest are missing.
pub(crate) fn dataset(folder: &Path) {
    for (hour, minutes, dropped) in [(0, 60, 0), (2, 60, 7), (3, 20, 0)] {
        write_traffic(folder, hour, "tokyo");
        write_coverage(folder, hour, "tokyo", minutes, dropped);
    }
}

fn sketch(members: std::ops::Range<u32>) -> Vec<u8> {
    let mut sketch = HllSketch::new(12, HllType::Hll8).unwrap();
    for member in members {
        sketch.update(member);
    }
    sketch.serialize()
}

pub(crate) fn write_traffic(folder: &Path, hour: i64, sensor: &str) {
    write_scaled(folder, hour, sensor, 1, 4);
}

/// The rows with `times` as many packets, over IPv4 or IPv6.
pub(crate) fn write_scaled(folder: &Path, hour: i64, sensor: &str, times: i64, ip_version: i32) {
    write_rows(folder, hour, sensor, ROWS, times, ip_version);
}

fn write_rows(folder: &Path, hour: i64, sensor: &str, rows: &[Row], times: i64, ip_version: i32) {
    let texts = |of: &dyn Fn(&Row) -> &'static str| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(of(row)))
                .collect::<StringArray>(),
        )
    };
    let images: Vec<Vec<u8>> = rows.iter().map(|row| sketch(row.7.clone())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "hour_start",
            Arc::new(
                TimestampMicrosecondArray::from(vec![START_US + hour * HOUR_US; rows.len()])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "sensor",
            Arc::new(StringArray::from(vec![sensor; rows.len()])),
        ),
        (
            "ip_version",
            Arc::new(Int32Array::from(vec![ip_version; rows.len()])),
        ),
        (
            "protocol",
            Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Int32Array>()),
        ),
        (
            "port",
            Arc::new(rows.iter().map(|row| row.4).collect::<Int32Array>()),
        ),
        ("traffic_type", texts(&|row| row.1)),
        ("class", texts(&|row| row.0)),
        ("tool", texts(&|row| row.2)),
        ("actor", texts(&|_| "")),
        ("country", texts(&|row| row.5)),
        (
            "packets",
            Arc::new(
                rows.iter()
                    .map(|row| Some(row.6 * times))
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "bytes",
            Arc::new(
                rows.iter()
                    .map(|row| Some(row.6 * times * 60))
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "sources_sketch",
            Arc::new(BinaryArray::from_iter_values(
                images.iter().map(Vec::as_slice),
            )),
        ),
    ];
    let part = if ip_version == 6 { 1 } else { 0 };
    write(folder, "traffic", hour, sensor, part, columns);
}

pub(crate) fn write_coverage(folder: &Path, hour: i64, sensor: &str, minutes: i64, dropped: i64) {
    write_observed(folder, hour, sensor, minutes, dropped, HOUR_PACKETS);
}

/// A whole hour with `times` as many packets.
pub(crate) fn write_hour(folder: &Path, hour: i64, sensor: &str, times: i64) {
    write_scaled(folder, hour, sensor, times, 4);
    write_observed(folder, hour, sensor, 60, 0, HOUR_PACKETS * times);
}

/// A whole hour of a sensor whose telescope's size is not known.
pub(crate) fn forget_sizes(folder: &Path, hour: i64, sensor: &str) {
    write_scaled(folder, hour, sensor, 1, 4);
    write_sized(folder, hour, sensor, 60, 0, HOUR_PACKETS, None);
}

/// A whole hour of scans of `count` ports, one packet and one host each.
pub(crate) fn write_many_ports(folder: &Path, hour: i64, count: i32) {
    let rows: Vec<Row> = (0..count)
        .map(|port| {
            (
                "scan",
                "tcp-syn",
                "none",
                6,
                Some(port + 1),
                "CN",
                1,
                port as u32..port as u32 + 1,
            )
        })
        .collect();
    write_rows(folder, hour, "tokyo", &rows, 1, 4);
    write_observed(folder, hour, "tokyo", 60, 0, i64::from(count));
}

/// A port that hosts ask for in an hour, a packet each.
pub(crate) struct Planted {
    pub port: i32,
    pub hosts: u32,
    pub first_host: u32,
}

/// A whole hour of these ports.
pub(crate) fn write_planted(folder: &Path, hour: i64, sensor: &str, ports: &[Planted]) {
    let packets = write_probes(folder, hour, sensor, ports, 4);
    write_observed(folder, hour, sensor, 60, 0, packets);
}

/// The traffic of these ports over IPv4 or IPv6; how many packets it has.
pub(crate) fn write_probes(
    folder: &Path,
    hour: i64,
    sensor: &str,
    ports: &[Planted],
    ip_version: i32,
) -> i64 {
    let rows: Vec<Row> = ports
        .iter()
        .map(|planted| {
            let hosts = planted.first_host..planted.first_host + planted.hosts;
            (
                "scan",
                "tcp-syn",
                "mirai",
                6,
                Some(planted.port),
                "CN",
                i64::from(planted.hosts),
                hosts,
            )
        })
        .collect();
    write_rows(folder, hour, sensor, &rows, 1, ip_version);
    rows.iter().map(|row| row.6).sum()
}

pub(crate) fn write_observed(
    folder: &Path,
    hour: i64,
    sensor: &str,
    minutes: i64,
    dropped: i64,
    observed: i64,
) {
    write_sized(folder, hour, sensor, minutes, dropped, observed, Some(256));
}

#[allow(clippy::too_many_arguments)]
fn write_sized(
    folder: &Path,
    hour: i64,
    sensor: &str,
    minutes: i64,
    dropped: i64,
    observed: i64,
    addresses: Option<i64>,
) {
    let columns = coverage(hour, sensor, minutes, dropped, observed, addresses);
    write(folder, "coverage", hour, sensor, 0, columns);
}

/// A whole hour of packets over IPv6 at a telescope of which the size is known by family.
pub(crate) fn write_ipv6_hour(folder: &Path, hour: i64, sensor: &str, (ipv4, ipv6): (i64, f64)) {
    write_scaled(folder, hour, sensor, 1, 6);
    let all = if ipv4 > 0 { ipv4 } else { i64::MAX };
    let mut columns = coverage(hour, sensor, 60, 0, HOUR_PACKETS, Some(all));
    columns.push(("addresses_ipv4", Arc::new(Int64Array::from(vec![ipv4; 60]))));
    columns.push((
        "addresses_ipv6",
        Arc::new(Float64Array::from(vec![ipv6; 60])),
    ));
    write(folder, "coverage", hour, sensor, 0, columns);
}

fn coverage(
    hour: i64,
    sensor: &str,
    minutes: i64,
    dropped: i64,
    observed: i64,
    addresses: Option<i64>,
) -> Vec<(&'static str, ArrayRef)> {
    let rows = minutes as usize;
    let first = |value: i64| -> ArrayRef {
        Arc::new(
            (0..rows)
                .map(|row| Some(if row == 0 { value } else { 0 }))
                .collect::<Int64Array>(),
        )
    };
    let each = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value; rows])) };
    let starts = (0..minutes).map(|minute| START_US + hour * HOUR_US + minute * 60_000_000);
    let mut columns: Vec<(&'static str, ArrayRef)> = vec![
        (
            "minute_start",
            Arc::new(TimestampMicrosecondArray::from_iter_values(starts).with_timezone("UTC")),
        ),
        ("sensor", Arc::new(StringArray::from(vec![sensor; rows]))),
        ("received", first(observed + 3)),
        ("observed", first(observed)),
        ("outside", first(3)),
        ("dropped_kernel", first(dropped)),
        (
            "addresses",
            Arc::new((0..rows).map(|_| addresses).collect::<Int64Array>()),
        ),
        ("seconds", each(60)),
    ];
    columns.extend(
        [
            "excluded",
            "not_ip",
            "malformed",
            "dropped_interface",
            "late",
            "collapsed",
        ]
        .map(|name| (name, each(0))),
    );
    columns
}

fn write(
    folder: &Path,
    table: &str,
    hour: i64,
    sensor: &str,
    part: u32,
    columns: Vec<(&str, ArrayRef)>,
) {
    let start = jiff::Timestamp::from_microsecond(START_US + hour * HOUR_US).unwrap();
    let folder = folder.join(format!(
        "{table}/{}",
        start.strftime("date=%Y-%m-%d/hour=%H")
    ));
    fs::create_dir_all(&folder).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, array)| (name, array, matches!(name, "port" | "addresses"))),
    )
    .unwrap();
    let file = File::create(folder.join(format!("{sensor}-1-{part}.parquet"))).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
