//! Tables of a dataset, written straight and without packets: months of a large telescope for benchmarks and for tests of what reads tables.
//!
//! Sources come first, hour by hour: survey scanners that ask for every port, infected hosts, answers of victims. `traffic` is what sums up
//! from them, so both hold the same packets, and `coverage` says that every minute was observed. Columns that no report reads hold plain values.
//! The same plan gives the same tables.

use std::collections::BTreeMap;
use std::fs;
use std::hash::Hasher;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datasketches::hash::value::raw_bytes::from_slice;
use datasketches::hll::{Coupon, HllSketch, HllType};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use twox_hash::XxHash64;

use crate::Error;
use crate::random::{Random, hash, weighted};
use crate::zipf::Zipf;

const HOUR_US: i64 = 3_600_000_000;
/// Rows of a row group, as the sensor's.
const GROUP_ROWS: usize = 100_000;

/// The tables to write.
#[derive(Clone, Debug)]
pub struct TablesPlan {
    /// Folder of the dataset.
    pub folder: PathBuf,
    /// Names of the sensors; each has the same share of sources.
    pub sensors: Vec<String>,
    /// First hour, counted from 1970-01-01T00 UTC.
    pub first_hour: i64,
    /// Number of hours.
    pub hours: i64,
    /// Packets' sources in an hour and sensor, about as many as rows of `sources`.
    pub rows: usize,
    /// Dark addresses of IPv4.
    pub addresses: i64,
    /// Seed of all randomness.
    pub seed: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of `sources`.
    pub sources: u64,
    /// Rows of `traffic`.
    pub traffic: u64,
    /// Packets, the same in both.
    pub packets: i64,
}

/// A kind of packets: traffic type, class and tool, in the order of their columns' codes.
type Words = (&'static str, &'static str, &'static str);

const SURVEY: Words = ("tcp-syn", "scan", "zmap");
const MASSCAN: Words = ("tcp-syn", "scan", "masscan");
const MIRAI: Words = ("tcp-syn", "scan", "mirai");
const SCAN: Words = ("tcp-syn", "scan", "none");
const SPOOFED: Words = ("tcp-syn", "spoofed", "none");
const ANSWER: Words = ("tcp-syn-ack", "backscatter", "none");
const RESET: Words = ("tcp-rst", "backscatter", "none");
const PING: Words = ("icmp-echo-request", "scan", "none");
const PROBE: Words = ("udp", "scan", "none");
const REFLECTOR: Words = ("udp", "reflector-scan", "none");
const EXPLOIT: Words = ("udp", "exploit", "none");
const PEERS: Words = ("udp", "misconfiguration", "none");

/// The words in the order in which tables sort them.
const ORDER: [Words; 12] = [
    SCAN, SURVEY, MASSCAN, MIRAI, SPOOFED, ANSWER, RESET, PING, PROBE, REFLECTOR, EXPLOIT, PEERS,
];

/// How many of a thousand rows are of a kind of packets.
const SHARES: [(u32, Words); 12] = [
    (400, SURVEY),
    (60, MASSCAN),
    (230, MIRAI),
    (120, SCAN),
    (10, SPOOFED),
    (30, ANSWER),
    (10, RESET),
    (20, PING),
    (70, PROBE),
    (30, REFLECTOR),
    (5, EXPLOIT),
    (15, PEERS),
];
/// Ports of amplifiers.
const AMPLIFIERS: [u16; 6] = [53, 123, 161, 389, 1900, 11_211];
/// Ports that infected devices ask for.
const DEVICES: [u16; 5] = [23, 2323, 5555, 8081, 7547];
const COUNTRIES: [&str; 40] = [
    "US", "CN", "NL", "DE", "RU", "GB", "IN", "BR", "KR", "JP", "VN", "TW", "FR", "SG", "HK", "ID",
    "UA", "IR", "BG", "CA", "IT", "TH", "PL", "RO", "TR", "MX", "AR", "ES", "SE", "EG", "ZA", "PK",
    "CO", "MY", "PH", "CL", "CZ", "GR", "NA", "ZZ",
];
const ACTORS: [&str; 4] = [
    "Example Survey",
    "Port Census",
    "Internet Atlas",
    "Scan Lab",
];

/// One row of `sources`, without its hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SourceRow {
    is_ipv6: bool,
    source: u128,
    /// Place in [`ORDER`].
    words: usize,
    port: Option<u16>,
    protocol: u8,
    packets: i64,
}

impl SourceRow {
    fn key(&self) -> (bool, u128, usize, Option<u16>, u8) {
        (
            self.is_ipv6,
            self.source,
            self.words,
            self.port,
            self.protocol,
        )
    }

    fn text(&self) -> String {
        match self.is_ipv6 {
            true => Ipv6Addr::from_bits(self.source).to_string(),
            false => Ipv4Addr::from_bits(self.source as u32).to_string(),
        }
    }

    /// What is known of the source: country, network and organisation hang on its address alone.
    fn origin(&self) -> (&'static str, Option<i64>, &'static str) {
        let bits = hash(7, (self.source >> 4) as u64);
        let country = COUNTRIES[(bits % 61).min(bits / 61 % 61).min(39) as usize];
        let asn = (!bits.is_multiple_of(11)).then_some(1_000 + (bits >> 20) as i64 % 5_000);
        let is_named = ORDER[self.words] == SURVEY && hash(8, self.source as u64).is_multiple_of(4);
        let actor = if is_named {
            ACTORS[(bits >> 40) as usize % ACTORS.len()]
        } else {
            ""
        };
        (country, asn, actor)
    }
}

/// Writes the tables; `threads` of them write hours at once.
///
/// # Errors
/// When a file cannot be written.
pub fn write(plan: &TablesPlan, threads: usize) -> Result<Written, Error> {
    let tasks: Vec<(i64, &String)> = (0..plan.hours)
        .flat_map(|hour| plan.sensors.iter().map(move |sensor| (hour, sensor)))
        .collect();
    let next = AtomicUsize::new(0);
    let ports = Zipf::new(60_000, 1.1, 2.0);
    let work = || {
        let mut written = Written::default();
        while let Some((hour, sensor)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_hour = write_hour(plan, &ports, plan.first_hour + hour, sensor)?;
            written.sources += of_hour.sources;
            written.traffic += of_hour.traffic;
            written.packets += of_hour.packets;
        }
        Ok::<_, Error>(written)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut all = Written::default();
    for written in results {
        let written = written?;
        all.sources += written.sources;
        all.traffic += written.traffic;
        all.packets += written.packets;
    }
    Ok(all)
}

fn write_hour(plan: &TablesPlan, ports: &Zipf, hour: i64, sensor: &str) -> Result<Written, Error> {
    let stream = hash(hash(plan.seed, hour as u64), hash_of(sensor));
    let mut random = Random::new(plan.seed, stream);
    let mut rows: Vec<SourceRow> = (0..plan.rows)
        .map(|_| draw(&mut random, ports, hour))
        .collect();
    rows.sort_unstable();
    rows.dedup_by(|row, kept| {
        let is_same = row.key() == kept.key();
        kept.packets += if is_same { row.packets } else { 0 };
        is_same
    });
    let packets = rows.iter().map(|row| row.packets).sum();
    let place = Place { plan, hour, sensor };
    place.write("sources", sources(&rows, hour, sensor))?;
    let sums = sums(&rows);
    place.write("traffic", traffic(&sums, hour, sensor))?;
    place.write("coverage", coverage(plan, hour, sensor, packets))?;
    Ok(Written {
        sources: rows.len() as u64,
        traffic: sums.len() as u64,
        packets,
    })
}

fn hash_of(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| hash(sum, byte.into()))
}

/// A source with packets of one kind.
fn draw(random: &mut Random, ports: &Zipf, hour: i64) -> SourceRow {
    let words = *weighted(&SHARES, random.next_u64());
    let day = (hour.div_euclid(24)) as u64;
    // Survey scanners are few and stay; infected hosts are many, and a part of them changes its address every day.
    let (pool, size) = match words {
        SURVEY | MASSCAN => (1, 3_000),
        MIRAI if random.below(3) == 0 => (hash(2, day), 60_000),
        MIRAI => (3, 200_000),
        ANSWER | RESET => (hash(4, day), 500),
        SPOOFED => (hash(5, random.next_u64()), u64::MAX),
        _ => (6, 100_000),
    };
    let number = hash(pool, random.below(size));
    let is_ipv6 = words == PING && random.below(2) == 0;
    let source = if is_ipv6 {
        (0x2001_0db8 << 96) | u128::from(number % 5_000)
    } else {
        // 1.0.0.0 to 126.255.255.255
        u128::from((1 << 24) | (number as u32 % (126 << 24)))
    };
    let (protocol, port) = match words {
        SURVEY | MASSCAN => (6, Some(random.next_u16().max(1))),
        MIRAI => (
            6,
            Some(DEVICES[random.below(random.clone().below(5) + 1) as usize]),
        ),
        PING => (if is_ipv6 { 58 } else { 1 }, None),
        PROBE | PEERS => (17, Some(ports.draw(random) as u16)),
        REFLECTOR | EXPLOIT => (17, Some(AMPLIFIERS[random.below(6) as usize])),
        _ => (6, Some(ports.draw(random) as u16)),
    };
    SourceRow {
        is_ipv6,
        source,
        words: ORDER.iter().position(|known| *known == words).unwrap_or(0),
        port,
        protocol,
        packets: 1 + random.below(1 + random.clone().below(20)) as i64,
    }
}

/// What makes a row of `traffic`, in its order.
type TrafficKey = (bool, usize, Option<u16>, u8, &'static str, &'static str);

/// Packets, number of sources and sketch of a row of `traffic`.
fn sums(rows: &[SourceRow]) -> BTreeMap<TrafficKey, (i64, i64, HllSketch)> {
    let mut sums: BTreeMap<TrafficKey, (i64, i64, HllSketch)> = BTreeMap::new();
    for row in rows {
        let (country, _, actor) = row.origin();
        let key = (
            row.is_ipv6,
            row.words,
            row.port,
            row.protocol,
            actor,
            country,
        );
        let empty = || {
            let sketch = HllSketch::new(12, HllType::Hll8);
            (0, 0, sketch.expect("12 is a valid lg_k"))
        };
        let (packets, sources, sketch) = sums.entry(key).or_insert_with(empty);
        *packets += row.packets;
        *sources += 1;
        sketch.update_with_coupon(Coupon::from_value(from_slice(row.text().as_bytes())));
    }
    sums
}

type NamedColumns = Vec<(&'static str, ArrayRef)>;

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> ArrayRef {
    Arc::new(texts.map(Some).collect::<StringArray>())
}

fn counts(counts: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(counts.map(Some).collect::<Int64Array>())
}

fn small(numbers: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(numbers.collect::<Int32Array>())
}

fn times(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

const fn version(is_ipv6: bool) -> Option<i32> {
    Some(if is_ipv6 { 6 } else { 4 })
}

fn sources(rows: &[SourceRow], hour: i64, sensor: &str) -> NamedColumns {
    let each = || rows.iter();
    let word = |of: fn(Words) -> &'static str| texts(each().map(|row| of(ORDER[row.words])));
    let addresses: Vec<String> = each().map(SourceRow::text).collect();
    let start = hour * HOUR_US;
    vec![
        ("hour_start", times(each().map(|_| start))),
        ("sensor", texts(each().map(|_| sensor))),
        ("src_ip", texts(addresses.iter().map(String::as_str))),
        ("ip_version", small(each().map(|row| version(row.is_ipv6)))),
        (
            "protocol",
            small(each().map(|row| Some(row.protocol.into()))),
        ),
        ("port", small(each().map(|row| row.port.map(i32::from)))),
        ("traffic_type", word(|words| words.0)),
        ("class", word(|words| words.1)),
        ("tool", word(|words| words.2)),
        ("actor", texts(each().map(|row| row.origin().2))),
        ("country", texts(each().map(|row| row.origin().0))),
        (
            "asn",
            Arc::new(each().map(|row| row.origin().1).collect::<Int64Array>()),
        ),
        ("role", texts(each().map(|_| ""))),
        ("packets", counts(each().map(|row| row.packets))),
        ("bytes", counts(each().map(|row| row.packets * 60))),
        ("destinations", counts(each().map(|row| row.packets))),
        ("first_seen", times(each().map(|_| start))),
        ("last_seen", times(each().map(|_| start + HOUR_US - 1))),
        (
            "tool_packets",
            counts(each().map(|row| match ORDER[row.words].2 {
                "none" => 0,
                _ => row.packets,
            })),
        ),
        ("flags", small(each().map(|_| Some(0)))),
        ("stack_signature", texts(each().map(|_| ""))),
        (
            "destinations_set",
            Arc::new(BinaryArray::from_iter_values(each().map(|_| b""))),
        ),
    ]
}

fn traffic(
    sums: &BTreeMap<TrafficKey, (i64, i64, HllSketch)>,
    hour: i64,
    sensor: &str,
) -> NamedColumns {
    let keys = || sums.keys();
    let word = |of: fn(Words) -> &'static str| texts(keys().map(|key| of(ORDER[key.1])));
    let values = || sums.values();
    let images: Vec<Vec<u8>> = values().map(|(_, _, sketch)| sketch.serialize()).collect();
    vec![
        ("hour_start", times(keys().map(|_| hour * HOUR_US))),
        ("sensor", texts(keys().map(|_| sensor))),
        ("ip_version", small(keys().map(|key| version(key.0)))),
        ("protocol", small(keys().map(|key| Some(key.3.into())))),
        ("port", small(keys().map(|key| key.2.map(i32::from)))),
        ("traffic_type", word(|words| words.0)),
        ("class", word(|words| words.1)),
        ("tool", word(|words| words.2)),
        ("actor", texts(keys().map(|key| key.4))),
        ("country", texts(keys().map(|key| key.5))),
        ("packets", counts(values().map(|value| value.0))),
        ("bytes", counts(values().map(|value| value.0 * 60))),
        ("sources", counts(values().map(|value| value.1))),
        (
            "sources_sketch",
            Arc::new(BinaryArray::from_iter_values(
                images.iter().map(Vec::as_slice),
            )),
        ),
    ]
}

fn coverage(plan: &TablesPlan, hour: i64, sensor: &str, packets: i64) -> NamedColumns {
    let minutes = 0..MINUTES as i64;
    let each = |value: i64| counts(minutes.clone().map(|_| value));
    // All packets are in the first minute.
    let observed = || {
        counts(
            minutes
                .clone()
                .map(|minute| if minute == 0 { packets } else { 0 }),
        )
    };
    let start = |minute: i64| hour * HOUR_US + minute * 60_000_000;
    let mut columns: NamedColumns = vec![
        ("minute_start", times(minutes.clone().map(start))),
        ("sensor", texts(minutes.clone().map(|_| sensor))),
        ("received", observed()),
        ("observed", observed()),
        ("addresses", each(plan.addresses)),
        ("seconds", each(60)),
        ("addresses_ipv4", each(plan.addresses)),
        (
            "addresses_ipv6",
            Arc::new(Float64Array::from(vec![0.0; MINUTES])),
        ),
    ];
    let zeros = [
        "outside",
        "excluded",
        "not_ip",
        "malformed",
        "dropped_kernel",
        "dropped_interface",
        "late",
        "collapsed",
    ];
    columns.extend(zeros.map(|name| (name, each(0))));
    columns
}

/// Rows of the coverage of an hour.
const MINUTES: usize = 60;

/// Where the tables of an hour go.
struct Place<'p> {
    plan: &'p TablesPlan,
    hour: i64,
    sensor: &'p str,
}

impl Place<'_> {
    fn write(&self, table: &str, columns: NamedColumns) -> Result<(), Error> {
        let start = jiff::Timestamp::from_second(self.hour * 3600).unwrap_or_default();
        let folder = start.strftime("date=%Y-%m-%d/hour=%H").to_string();
        let folder = self.plan.folder.join(table).join(folder);
        let path = folder.join(format!("{}-1-0.parquet", self.sensor));
        let written = self.encoded(columns).and_then(|bytes| {
            fs::create_dir_all(&folder)?;
            fs::write(&path, bytes)
        });
        written.map_err(|source| failed(&path, source))
    }

    fn encoded(&self, columns: NamedColumns) -> std::io::Result<Vec<u8>> {
        let nullable = [
            "port",
            "asn",
            "addresses",
            "addresses_ipv4",
            "addresses_ipv6",
        ];
        let columns = columns.into_iter();
        let columns = columns.map(|(name, array)| (name, array, nullable.contains(&name)));
        let batch = RecordBatch::try_from_iter_with_nullable(columns);
        let batch = batch.map_err(std::io::Error::other)?;
        let notes = [
            ("sensor", self.sensor.to_owned()),
            ("schema_version", "1".to_owned()),
            ("telescope_addresses", self.plan.addresses.to_string()),
            ("telescope_addresses_ipv4", self.plan.addresses.to_string()),
            ("telescope_addresses_ipv6", "0".to_owned()),
            (CHECKSUM_KEY, CHECKSUM_PLACE.to_owned()),
        ];
        let notes = notes.map(|(key, value)| KeyValue::new(key.to_owned(), value));
        // As in the sensor's files, columns of a few values are not compressed: they would only grow.
        let compression = match batch.num_rows() <= MINUTES {
            true => Compression::UNCOMPRESSED,
            false => Compression::ZSTD(ZstdLevel::default()),
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_key_value_metadata(Some(notes.into()))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        Ok(with_checksum(writer.into_inner()?))
    }
}

/// The note under which a part has the XXH64 of its bytes, computed with zeros in the place of the value.
const CHECKSUM_KEY: &str = "file_xxh64";
const CHECKSUM_PLACE: &str = "0000000000000000";

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut sum = XxHash64::with_seed(0);
    sum.write(&bytes);
    let sum = format!("{:016x}", sum.finish());
    // In Thrift's compact protocol the value follows its key, a field's head and its length.
    let mut wanted = CHECKSUM_KEY.as_bytes().to_vec();
    wanted.extend([0x18, CHECKSUM_PLACE.len() as u8]);
    let found = bytes.windows(wanted.len()).rposition(|part| part == wanted);
    if let Some(found) = found {
        let place = found + wanted.len();
        bytes[place..place + sum.len()].copy_from_slice(sum.as_bytes());
    }
    bytes
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Table {
        path: path.to_owned(),
        source,
    }
}
