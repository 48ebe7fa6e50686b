//! The stages that every packet passes: walk, decode, classify, window, and a worker's loop over them.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, ensure};
use teiten_aggregator::minute::hour_of;
use teiten_aggregator::table::Seed;
use teiten_aggregator::window::{Batch, HourPart, LatePolicy, Window};
use teiten_observation::{Address, Observation};
use teiten_packet::classify::kind;
use teiten_packet::decode::{Decoded, Packet, decode_record};
use teiten_packet::telescope::{Place, Telescope};
use teiten_sensor::engine::worker::{self, Worker};
use teiten_sensor::source::block::Block;
use teiten_sensor::source::record::Record;
use teiten_sensor::source::{ReadingMode, Replay};

use super::{Bench, Cost};
use crate::usage::Stopwatch;

/// Packets decoded before they are classified: few enough that they stay in the first-level cache or the second.
const DECODED: usize = 512;

/// Blocks, one after another.
pub(super) fn walk(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let packets = stopwatch.time(|| {
        each_block(bench, |block| {
            black_box(block.records.len());
        })
    })?;
    Ok(cost(&stopwatch, packets))
}

/// Frames into headers.
pub(super) fn decode(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let packets = each_block(bench, |block| {
        stopwatch.time(|| {
            let bytes = block.bytes();
            let mut sum = 0u64;
            for record in &block.records {
                sum = sum.wrapping_add(match decoded(bytes, record) {
                    Decoded::Ipv4(packet) => taste(&packet),
                    Decoded::Ipv6(packet) => taste(&packet),
                    Decoded::NotIp | Decoded::Malformed(..) => 1,
                });
            }
            black_box(sum);
        });
    })?;
    Ok(cost(&stopwatch, packets))
}

/// Uses every field that the compiler could otherwise leave out.
#[inline(always)]
fn taste<A: Address>(packet: &Packet<'_, A>) -> u64 {
    let ports = packet.ports().unwrap_or((0, 0));
    (packet.source.number() as u64)
        .wrapping_add(packet.destination.number() as u64)
        .wrapping_add(u64::from(ports.1) + u64::from(packet.identification))
}

/// Headers into kinds. The packets were decoded before, untimed.
pub(super) fn classify(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let packets = each_block(bench, |block| {
        let bytes = block.bytes();
        for records in block.records.chunks(DECODED) {
            let decoded: Vec<Decoded> = records
                .iter()
                .map(|record| decoded(bytes, record))
                .collect();
            stopwatch.time(|| {
                let mut sum = 0u64;
                for one in &decoded {
                    sum = sum.wrapping_add(match one {
                        Decoded::Ipv4(packet) => observed(&bench.telescope, packet),
                        Decoded::Ipv6(packet) => observed(&bench.telescope, packet),
                        Decoded::NotIp | Decoded::Malformed(..) => 1,
                    });
                }
                black_box(sum);
            });
        }
    })?;
    Ok(cost(&stopwatch, packets))
}

#[inline(always)]
fn observed<A: Address>(telescope: &Telescope, packet: &Packet<'_, A>) -> u64 {
    match telescope.place(packet.source, packet.destination) {
        Place::Observed => u64::from(kind(packet).bits()),
        Place::Outside | Place::Excluded => 0,
    }
}

/// Observations into rows.
pub(super) fn window(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let (packets, parts) = fill(bench, 1, &mut stopwatch)?;
    black_box(parts.len());
    Ok(cost(&stopwatch, packets))
}

/// The whole loop of a worker.
pub(super) fn worker(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let mut worker = Worker::new(
        Arc::new(bench.telescope.clone()),
        worker::Reading::First,
        new_window(),
    );
    let packets = each_block(bench, |block| {
        stopwatch.time(|| worker.process(block.bytes(), &block.records));
    })?;
    let counted = worker.tally().records();
    ensure!(counted == packets, "the worker lost packets: {counted}");
    Ok(cost(&stopwatch, packets))
}

/// The hours of the capture as `shares` workers hand them over, with the observations distributed block by block; adds the time of the
/// windows to `stopwatch`.
pub(super) fn fill(
    bench: &Bench,
    shares: usize,
    stopwatch: &mut Stopwatch,
) -> Result<(u64, Vec<Vec<HourPart>>)> {
    let mut windows: Vec<Window> = (0..shares).map(|_| new_window()).collect();
    let mut batch = Batch::default();
    let (mut turn, mut hour) = (0, i64::MIN);
    let packets = each_block(bench, |block| {
        let window = &mut windows[turn];
        turn = (turn + 1) % shares;
        let bytes = block.bytes();
        for record in &block.records {
            if hour_of(record.time_us) != hour {
                stopwatch.time(|| window.observe(hour, &mut batch));
                hour = hour_of(record.time_us);
            }
            match decoded(bytes, record) {
                Decoded::Ipv4(packet) => batch.ipv4.extend(observe(bench, record, &packet)),
                Decoded::Ipv6(packet) => batch.ipv6.extend(observe(bench, record, &packet)),
                Decoded::NotIp | Decoded::Malformed(..) => {}
            }
        }
        stopwatch.time(|| window.observe(hour, &mut batch));
    })?;
    // Shares of the same hour together, as an hour closes.
    let mut hours: std::collections::BTreeMap<i64, Vec<HourPart>> = Default::default();
    for mut window in windows {
        for part in window.close_before(i64::MAX) {
            hours.entry(part.hour).or_default().push(part);
        }
    }
    Ok((packets, hours.into_values().collect()))
}

fn observe<A: Address>(
    bench: &Bench,
    record: &Record,
    packet: &Packet<'_, A>,
) -> Option<Observation<A>> {
    let place = bench.telescope.place(packet.source, packet.destination);
    (place == Place::Observed).then(|| Observation {
        time_us: record.time_us,
        source: packet.source,
        destination: packet.destination,
        kind: kind(packet),
        wire_length_bytes: record.wire_bytes,
        flags: 0,
        stack: 0,
        pair: 0,
    })
}

fn new_window() -> Window {
    Window::new(LatePolicy::Reread, Seed::random())
}

#[inline(always)]
fn decoded<'a>(bytes: &'a [u8], record: &Record) -> Decoded<'a> {
    let start = record.offset as usize;
    let captured = &bytes[start..start + record.captured_bytes as usize];
    decode_record(record.link_type, captured, record.wire_bytes)
}

/// Calls `work` with every block of the capture; the packets in them.
fn each_block(bench: &Bench, mut work: impl FnMut(&Block)) -> Result<u64> {
    let paths = [bench.capture.path.clone()];
    let mut replay = Replay::open_by(&paths, ReadingMode::Mapped)?;
    let mut reuse = Block::empty();
    while let Some(block) = replay.next_block(reuse) {
        work(&block);
        reuse = block;
    }
    let packets = replay.progress().packets;
    let expected = bench.capture.records;
    ensure!(packets == expected, "{packets} packets of {expected}");
    Ok(packets)
}

fn cost(stopwatch: &Stopwatch, packets: u64) -> Cost {
    Cost {
        processor_ns: stopwatch.processor_ns(),
        wall_ns: stopwatch.wall_ns(),
        packets,
        rows: None,
    }
}
