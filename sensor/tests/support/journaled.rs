//! Captures without an interface: arrivals that a test makes go through the engine into journaled hours.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use teiten_aggregator::alert::WatchList;
use teiten_aggregator::hour::HOUR_US;
use teiten_aggregator::window::LatePolicy;
use teiten_packet::{LinkType, Telescope};
use teiten_sensor::command::replay::closer;
use teiten_sensor::engine::Passage;
use teiten_sensor::engine::worker::Reading;
use teiten_sensor::hours::journaled::{Journaled, JournaledSettings};
use teiten_sensor::origins::OriginsCell;
use teiten_sensor::source::Arrival;
use teiten_sensor::source::block::{Block, BlockBytes};
use teiten_sensor::source::record::Record;

use super::dataset::Workshop;
use super::network::udp_frame;

/// 2026-11-15T07, the hour in which these captures begin.
pub(crate) const HOUR: i64 = 498_535;

/// Microseconds in a minute and in a second.
pub(crate) const MINUTE_US: i64 = 60_000_000;
pub(crate) const SECOND_US: i64 = 1_000_000;

/// Packets of one time, which the clock shows too; each is given by its number, which makes its source, and its port.
pub(crate) fn arrival(time_us: i64, packets: impl Iterator<Item = (u32, u16)>) -> Arrival {
    let frame = |(number, port)| {
        let frame = udp_frame(None, 0x0b00_0000 + number, [198, 18, 0, 1], port);
        (time_us, frame)
    };
    of_frames(time_us, packets.map(frame))
}

/// The packets of a minute, given with their times, and the clock at its end.
pub(crate) fn minute_of(packets: &[(i64, Vec<u8>)], minute: i64) -> Arrival {
    let of_minute = |it: &&(i64, Vec<u8>)| it.0.div_euclid(MINUTE_US) == minute;
    let packets = packets.iter().filter(of_minute).cloned();
    of_frames((minute + 1) * MINUTE_US - 1, packets)
}

/// The packets of a second, of those given in the order of their times, and the clock at its end.
pub(crate) fn second_of(packets: &[(i64, Vec<u8>)], second: i64) -> Arrival {
    let start = packets.partition_point(|packet| packet.0 < second * SECOND_US);
    let of_second = packets[start..].iter();
    let of_second = of_second.take_while(|packet| packet.0 < (second + 1) * SECOND_US);
    of_frames((second + 1) * SECOND_US - 1, of_second.cloned())
}

/// Ethernet frames with their times, and the clock.
fn of_frames(clock_us: i64, frames: impl Iterator<Item = (i64, Vec<u8>)>) -> Arrival {
    let mut block = Block::empty();
    let mut bytes = Vec::new();
    for (time_us, frame) in frames {
        block.records.push(Record {
            time_us,
            nanoseconds: 0,
            offset: bytes.len() as u32,
            captured_bytes: frame.len() as u32,
            wire_bytes: frame.len() as u32,
            link_type: LinkType(1),
        });
        bytes.extend(frame);
    }
    block.bytes = BlockBytes::Owned(bytes);
    Arrival {
        clock_us: Some(clock_us),
        ..Arrival::of(block)
    }
}

/// Runs `capture` with the terms of a pass and with journaled hours in the dataset `data` of the workshop.
pub(crate) fn with_journaled<T>(
    workshop: &Workshop,
    names: (&str, &str),
    workers: usize,
    capture: impl FnOnce(&Passage, Journaled) -> T,
) -> T {
    journaled(workshop, names, (workers, None), capture)
}

/// The same with two workers, and with watched addresses.
pub(crate) fn with_journaled_watching<T>(
    workshop: &Workshop,
    names: (&str, &str),
    watch: Option<Arc<WatchList>>,
    capture: impl FnOnce(&Passage, Journaled) -> T,
) -> T {
    journaled(workshop, names, (2, watch), capture)
}

fn journaled<T>(
    workshop: &Workshop,
    (data, run_name): (&str, &str),
    (workers, watch): (usize, Option<Arc<WatchList>>),
    capture: impl FnOnce(&Passage, Journaled) -> T,
) -> T {
    let settings = workshop.settings(data, workers);
    let telescope = Arc::new(Telescope::new(&[], &[]));
    let closer = closer(&settings, &telescope, run_name).expect("sound settings");
    let kept = JournaledSettings {
        origins: Arc::new(OriginsCell::new(Arc::clone(&closer.origins))),
        status: None,
        open_from: HOUR,
        memory_bytes: 1 << 20,
        watch,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let hours = Journaled::start(&closer, &kept).expect("a writable folder");
    let passage = Passage {
        telescope,
        workers,
        memory_bytes: 64 << 20,
        policy: LatePolicy::Reopen,
        reading: Reading::First,
        payloads: true,
        status: None,
        checkpoint: Some(Duration::ZERO),
        observed_from_us: Some(HOUR * HOUR_US),
    };
    capture(&passage, hours)
}
