//! What a worker reports of a block to the status: exact sums by class and type, and a sample of the packets. The worker owns it; it uses
//! no clock, lock or log. Without a status there is no sample.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use teiten_aggregator::minute::MinuteCounts;
use teiten_aggregator::window::Batch;
use teiten_observation::{Class, Kind, Observation, TrafficType};

/// Most sampled packets of a family and block: in a flood sampling then costs a few nanoseconds per packet, and at low rates, where blocks
/// are small, every packet is sampled.
pub const SAMPLE_MAX: usize = 256;

/// A packet that represents itself and its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Time of the packet, microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Its source.
    pub source: IpAddr,
    /// What it is.
    pub kind: Kind,
    /// Number of packets that it represents.
    pub weight: u32,
}

/// The sums and the sample of a block.
#[derive(Debug)]
pub struct Sample {
    /// What became of the packets.
    pub counts: MinuteCounts,
    /// Records with an implausible time.
    pub implausible: u64,
    /// Bytes on the wire of all observed packets.
    pub bytes: u64,
    /// Observed packets by class.
    pub classes: [u64; Class::ALL.len()],
    /// Observed packets by traffic type.
    pub types: [u64; TrafficType::ALL.len()],
    /// Some of the observed packets, or all.
    pub sampled: Vec<Sampled>,
    /// Start of the stride, which rotates, so that a sender in step with the stride is sampled sometimes.
    turn: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Sample {
            counts: MinuteCounts::default(),
            implausible: 0,
            bytes: 0,
            classes: [0; Class::ALL.len()],
            types: [0; TrafficType::ALL.len()],
            sampled: Vec::with_capacity(2 * SAMPLE_MAX),
            turn: 0,
        }
    }
}

impl Sample {
    /// Adds the observed packets of a batch.
    pub fn add(&mut self, batch: &Batch) {
        self.add_each(&batch.ipv4, |source| {
            IpAddr::V4(Ipv4Addr::from_bits(source))
        });
        self.add_each(&batch.ipv6, |source| {
            IpAddr::V6(Ipv6Addr::from_bits(source))
        });
    }

    fn add_each<A: Copy>(&mut self, observations: &[Observation<A>], address: fn(A) -> IpAddr) {
        for observation in observations {
            self.bytes += u64::from(observation.wire_length_bytes);
            self.classes[observation.kind.class() as usize] += 1;
            self.types[observation.kind.traffic_type() as usize] += 1;
        }
        let stride = observations.len().div_ceil(SAMPLE_MAX).max(1);
        self.turn = self.turn.wrapping_add(1);
        for (index, observation) in observations
            .iter()
            .enumerate()
            .skip(self.turn % stride)
            .step_by(stride)
        {
            // In the last, shorter stride the sampled packet represents the remaining packets.
            let first = index - index % stride;
            let weight = stride.min(observations.len() - first);
            self.sampled.push(Sampled {
                time_us: observation.time_us,
                source: address(observation.source),
                kind: observation.kind,
                weight: weight as u32,
            });
        }
    }

    /// Clears everything except the start of the stride.
    pub fn clear(&mut self) {
        self.counts = MinuteCounts::default();
        self.implausible = 0;
        self.bytes = 0;
        self.classes = Default::default();
        self.types = [0; TrafficType::ALL.len()];
        self.sampled.clear();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use teiten_observation::Tool;

    use super::*;

    /// A SYN from a numbered source to port 23.
    pub(crate) fn observation(source: u32, time_us: i64) -> Observation<u32> {
        let kind = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(23));
        Observation {
            time_us,
            source,
            destination: 0,
            kind,
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        }
    }

    fn batch(packets: u32) -> Batch {
        Batch {
            ipv4: (0..packets).map(|source| observation(source, 0)).collect(),
            ipv6: Vec::new(),
        }
    }

    #[test]
    fn every_packet_of_a_small_block_is_sampled() {
        let mut sample = Sample::default();
        sample.add(&batch(200));
        assert_eq!(sample.sampled.len(), 200);
        assert!(sample.sampled.iter().all(|sampled| sampled.weight == 1));
        assert_eq!(sample.classes.iter().sum::<u64>(), 200);
        assert_eq!(sample.bytes, 200 * 60);
    }

    #[test]
    fn a_full_block_costs_no_more_than_the_sample_and_keeps_its_sum() {
        for packets in [257, 1000, 4095, 4096] {
            let mut sample = Sample::default();
            let mut sum = 0;
            for _ in 0..16 {
                sample.clear();
                sample.add(&batch(packets));
                assert!(sample.sampled.len() <= SAMPLE_MAX);
                sum += sample
                    .sampled
                    .iter()
                    .map(|sampled| u64::from(sampled.weight))
                    .sum::<u64>();
            }
            let expected = 16 * u64::from(packets);
            // A cut-off stride at the end is sometimes skipped: less than a stride in a block.
            assert!(
                sum <= expected && sum + 16 * 16 >= expected,
                "{packets}: {sum}"
            );
            assert_eq!(
                sample.types[TrafficType::TcpSyn as usize],
                u64::from(packets)
            );
        }
    }
}
