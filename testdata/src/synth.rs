//! Makes the packets: chunks with a generator each, so that any number of threads gives the same bytes in the same order.

use std::io::Write;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::attack::{AttackPlan, PlannedReply};
use crate::clock::{SECOND_US, Timeline};
use crate::families::{self, FAMILIES};
use crate::flood::ForgedSources;
use crate::format::Framing;
use crate::geo::CountryTable;
use crate::label;
use crate::packet::Packet;
use crate::population::Population;
use crate::random::{Random, hash, threshold};
use crate::roles::ROLES;
use crate::scenario::{Format, Scenario, Shape};
use crate::send::ipv6::Probe6;
use crate::send::{Probe, attack, bots, family, flood, ipv6};
use crate::source::Source;
use crate::tally::{Counted, Tally};
use crate::truth::{Truth, truth};
use crate::{Error, Result};

/// Packets of a chunk.
const CHUNK_PACKETS: u64 = 16_384;
/// Chunks that a worker may be ahead of the writer.
const CHUNKS_AHEAD: usize = 4;
/// How late a packet may come in the file.
const LATE_US_MAX: u64 = 2 * SECOND_US as u64;

/// The bits of a source that decide whether it makes noise.
const NOISE_SALT: u64 = 90;

/// Writes the capture of `scenario` and returns its truth.
///
/// # Errors
/// When the scenario contradicts itself, its country file cannot be read, or `out` cannot be written.
pub fn write<W: Write>(scenario: &Scenario, out: &mut W) -> Result<Truth> {
    let mut only = Some(out);
    write_split(
        scenario,
        1,
        |_| only.take().ok_or(Error::Worker),
        |out| Ok(out.flush()?),
    )
}

/// The same packets in `files` files of equal numbers of packets, each a capture of its own; `open` opens the file with this index, `close`
/// finishes it.
///
/// # Errors
/// As [`write()`], and what `open` and `close` return.
pub fn write_split<W: Write>(
    scenario: &Scenario,
    files: u64,
    open: impl FnMut(u64) -> Result<W>,
    close: impl FnMut(W) -> Result<()>,
) -> Result<Truth> {
    write_labelled(scenario, files, open, close, None)
}

/// As [`write_split`], with the truth of each record in `labels`: a header, then a line for each record in the order of the files
/// ([`crate::label`]).
///
/// # Errors
/// As [`write_split`], and when `labels` cannot be written.
pub fn write_labelled<W: Write>(
    scenario: &Scenario,
    files: u64,
    open: impl FnMut(u64) -> Result<W>,
    close: impl FnMut(W) -> Result<()>,
    labels: Option<&mut dyn Write>,
) -> Result<Truth> {
    scenario.check()?;
    let countries = match &scenario.country_file {
        Some(path) => CountryTable::load(path, scenario.ipv6_share > 0.0)?,
        None => CountryTable::built_in(),
    };
    let mut maker = Maker::new(scenario, &countries, files.max(1))?;
    maker.labelled = labels.is_some();
    let tally = maker.run(open, close, labels)?;
    Ok(truth(scenario, &countries, tally, maker.plan.attacks))
}

/// A chunk for the writer: its bytes, where in them a new file begins, and the truth of each record if wanted.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
    labels: Vec<u8>,
}

/// The state of a worker.
struct Bench {
    random: Random,
    packet: Packet,
    tally: Tally,
    bin: usize,
    labels: Option<Vec<u8>>,
}

impl Bench {
    /// Writes a label, where labels are asked for.
    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(labels) = &mut self.labels {
            write(labels);
        }
    }
}

struct Maker<'a> {
    scenario: &'a Scenario,
    countries: &'a CountryTable,
    population: Population,
    forged: Option<ForgedSources>,
    plan: AttackPlan,
    timeline: Timeline,
    framing: Framing,
    files: u64,
    labelled: bool,
    arp: u64,
    noise: u64,
    families: u64,
    ipv6: u64,
    heavy: u64,
    outside: u64,
    late: u64,
}

impl<'a> Maker<'a> {
    fn new(scenario: &'a Scenario, countries: &'a CountryTable, files: u64) -> Result<Self> {
        let flood = scenario.shape.is_flood();
        let forged = flood
            .then(|| ForgedSources::new(&scenario.telescope, scenario.forged_from, scenario.seed));
        if forged
            .as_ref()
            .is_some_and(|forged| forged.size() <= scenario.packets)
        {
            return Err(Error::Contradiction(
                "a flood has more packets than there are addresses to forge: lower --packets",
            ));
        }
        let timeline = Timeline::new(
            scenario.start_us,
            scenario.span_us,
            &scenario.outages,
            hash(scenario.seed, 5),
        );
        if timeline.is_empty() {
            return Err(Error::Contradiction(
                "the outages leave no minute for packets",
            ));
        }
        Ok(Maker {
            population: Population::new(scenario, countries)?,
            framing: Framing::new(scenario),
            arp: threshold(scenario.arp_share),
            noise: threshold(scenario.noise_share),
            families: threshold(scenario.family_share),
            ipv6: threshold(scenario.ipv6_share),
            heavy: threshold(scenario.heavy_share),
            outside: threshold(scenario.outside_share),
            late: threshold(scenario.out_of_order_share),
            scenario,
            countries,
            forged,
            plan: AttackPlan::new(scenario),
            timeline,
            files,
            labelled: false,
        })
    }

    /// Workers make every n-th chunk each; the calling thread writes them in order.
    fn run<W: Write>(
        &self,
        open: impl FnMut(u64) -> Result<W>,
        close: impl FnMut(W) -> Result<()>,
        labels: Option<&mut dyn Write>,
    ) -> Result<Tally> {
        let workers = self.scenario.threads.max(1);
        std::thread::scope(|scope| {
            let mut lanes = Vec::new();
            let mut handles = Vec::new();
            for worker in 0..workers {
                let (ready, chunks) = sync_channel(CHUNKS_AHEAD);
                let (give_back, used) = sync_channel(2 * CHUNKS_AHEAD);
                handles.push(scope.spawn(move || self.work(worker, workers, &ready, &used)));
                lanes.push((chunks, give_back));
            }
            let written = self.write_chunks(&lanes, open, close, labels);
            drop(lanes);
            let mut total = self.tally();
            for handle in handles {
                total.add(handle.join().map_err(|_| Error::Worker)?);
            }
            written.map(|()| total)
        })
    }

    fn write_chunks<W: Write>(
        &self,
        lanes: &[(Receiver<Chunk>, SyncSender<Chunk>)],
        mut open: impl FnMut(u64) -> Result<W>,
        mut close: impl FnMut(W) -> Result<()>,
        mut labels: Option<&mut dyn Write>,
    ) -> Result<()> {
        if let Some(labels) = &mut labels {
            labels.write_all(label::HEADER)?;
        }
        let mut begin = |index| {
            let mut out = open(index)?;
            out.write_all(&self.framing.file_header())?;
            Ok::<W, Error>(out)
        };
        let mut index = 0;
        let mut out = begin(index)?;
        for number in 0..self.chunks() {
            let (chunks, give_back) = &lanes[(number % lanes.len() as u64) as usize];
            let chunk = chunks.recv().map_err(|_| Error::Worker)?;
            let mut from = 0;
            for &cut in &chunk.cuts {
                out.write_all(&chunk.bytes[from..cut])?;
                close(out)?;
                index += 1;
                out = begin(index)?;
                from = cut;
            }
            out.write_all(&chunk.bytes[from..])?;
            if let Some(labels) = &mut labels {
                labels.write_all(&chunk.labels)?;
            }
            // A worker that has finished needs no buffer any more.
            let _ = give_back.try_send(chunk);
        }
        while index + 1 < self.files {
            close(out)?;
            index += 1;
            out = begin(index)?;
        }
        close(out)
    }

    fn work(
        &self,
        worker: usize,
        workers: usize,
        ready: &SyncSender<Chunk>,
        used: &Receiver<Chunk>,
    ) -> Tally {
        let mut bench = Bench {
            random: Random::new(0, 0),
            packet: Packet::default(),
            tally: self.tally(),
            bin: 0,
            labels: None,
        };
        for number in (worker as u64..self.chunks()).step_by(workers) {
            let mut chunk = used.try_recv().unwrap_or_default();
            self.make(number, &mut chunk, &mut bench);
            if ready.send(chunk).is_err() {
                break;
            }
        }
        bench.tally
    }

    fn chunks(&self) -> u64 {
        self.scenario.packets.div_ceil(CHUNK_PACKETS)
    }

    fn tally(&self) -> Tally {
        let scenario = self.scenario;
        Tally::new(
            self.population.len().max(1) + self.plan.sources.len(),
            scenario.start_us,
            scenario.span_us,
            scenario.count_rows,
        )
    }

    /// Fills `chunk` with the packets of its number.
    fn make(&self, number: u64, chunk: &mut Chunk, bench: &mut Bench) {
        chunk.bytes.clear();
        chunk.cuts.clear();
        chunk.labels.clear();
        bench.labels = self.labelled.then(|| std::mem::take(&mut chunk.labels));
        bench.random = Random::new(self.scenario.seed, number);
        let packets =
            number * CHUNK_PACKETS..((number + 1) * CHUNK_PACKETS).min(self.scenario.packets);
        let mut cut = self.next_cut(packets.start);
        let mut planned = self.planned_from(packets.start);
        for index in packets {
            while index == cut {
                chunk.cuts.push(chunk.bytes.len());
                cut = self.next_cut_after(cut);
            }
            if !planned.is_empty() {
                let is_last = index + 1 == self.scenario.packets;
                let until_us = if is_last {
                    i64::MAX
                } else {
                    self.slot_us(index)
                };
                self.plant(&mut planned, until_us, &mut chunk.bytes, bench);
            }
            let time_us = self.time(index, bench);
            let wire_bytes = self.one(index, time_us, &mut chunk.bytes, bench);
            bench.tally.record(wire_bytes);
        }
        chunk.labels = bench.labels.take().unwrap_or_default();
    }

    /// The beginning of the time of a packet.
    fn slot_us(&self, index: u64) -> i64 {
        let position = index as f64 / self.scenario.packets as f64;
        self.timeline.at(position, &mut 0)
    }

    /// The planted packets that come with the packet `index` or behind it.
    fn planned_from(&self, index: u64) -> &[PlannedReply] {
        let replies = &self.plan.replies[..];
        let Some(before) = index.checked_sub(1) else {
            return replies;
        };
        if replies.is_empty() {
            return replies;
        }
        let from_us = self.slot_us(before);
        let first = replies.partition_point(|reply| reply.time_us < from_us);
        &replies[first..]
    }

    /// Makes the records of planted packets up to a time.
    fn plant(
        &self,
        planned: &mut &[PlannedReply],
        until_us: i64,
        out: &mut Vec<u8>,
        bench: &mut Bench,
    ) {
        while let Some((reply, rest)) = planned.split_first()
            && reply.time_us < until_us
        {
            *planned = rest;
            let wire_bytes = self.one_planned(reply, out, bench);
            bench.tally.record(wire_bytes);
        }
    }

    fn one_planned(&self, reply: &PlannedReply, out: &mut Vec<u8>, bench: &mut Bench) -> u32 {
        let bits = hash(self.scenario.seed, u64::from(reply.source));
        let source = Source {
            address: reply.source,
            seed: bits as u32,
            hops: 5 + (bits >> 32) as u8 % 20,
            country: self.countries.of_ipv4(reply.source),
        };
        let time_us = reply.time_us;
        let mut random = Random::new(bits, time_us as u64);
        let mut probe = Probe {
            random: &mut random,
            source,
            destination: reply.destination,
            time_us,
            packet: &mut bench.packet,
        };
        let sent = attack::planned(&mut probe, reply);
        let wire_bytes = self.frame(time_us, out, bench);
        bench.say(|labels| label::observed(labels, &sent));
        // Every source of the plan is in the list of them.
        let place = self.plan.sources.partition_point(|it| *it < reply.source);
        bench.tally.observe(&Counted {
            sent,
            source: Some((self.population.len().max(1) + place) as u32),
            family: None,
            country: source.country,
            time_us,
            wire_bytes,
            version: 4,
        });
        wire_bytes
    }

    /// First packet of the first file that begins at `index` or later, not being the first file.
    fn next_cut(&self, index: u64) -> u64 {
        self.starts(1..self.files)
            .find(|&start| start >= index)
            .unwrap_or(u64::MAX)
    }

    fn next_cut_after(&self, cut: u64) -> u64 {
        self.next_cut(cut + 1)
    }

    fn starts(&self, files: Range<u64>) -> impl Iterator<Item = u64> {
        let (packets, count) = (u128::from(self.scenario.packets), u128::from(self.files));
        files.map(move |file| (packets * u128::from(file) / count) as u64)
    }

    fn time(&self, index: u64, bench: &mut Bench) -> i64 {
        let position = (index as f64 + bench.random.unit()) / self.scenario.packets as f64;
        let time_us = self.timeline.at(position, &mut bench.bin);
        if bench.random.happens(self.late) {
            let earlier = time_us - bench.random.below(LATE_US_MAX) as i64;
            if self.timeline.is_open(earlier) {
                return earlier;
            }
        }
        time_us
    }

    /// Makes one record and returns its length on the wire.
    fn one(&self, index: u64, time_us: i64, out: &mut Vec<u8>, bench: &mut Bench) -> u32 {
        let random = &mut bench.random;
        if random.happens(self.arp) {
            let address = self.scenario.telescope.draw(random);
            bench.tally.not_ip += 1;
            bench.say(|labels| label::unobserved(labels, "not_ip"));
            return self.framing.arp(out, time_us, address);
        }
        if random.happens(self.ipv6) {
            return self.one_ipv6(index, time_us, out, bench);
        }
        let day = families::day_of(time_us, self.scenario.start_us);
        let member = match random.happens(self.families) {
            true => self.population.draw_family(random, day),
            false => None,
        };
        let (sender, number, source) = match (&self.forged, member) {
            (_, Some((_, number, source))) => (ROLES[0].send, Some(number), source),
            (Some(forged), None) => {
                // The heavy one has the address that no packet forges.
                let is_heavy = random.happens(self.heavy);
                let last = forged.size() - 1;
                let mut source = forged.at(if is_heavy { last } else { index });
                source.country = self.countries.of_ipv4(source.address);
                let sender = match self.scenario.shape {
                    Shape::FloodMixed => flood::mixed,
                    _ => bots::flood as fn(&mut Probe<'_>) -> _,
                };
                (sender, is_heavy.then_some(0), source)
            }
            (None, None) => {
                let (role, number, source) = self.population.draw(random, time_us);
                let role = &ROLES[role];
                let is_noisy = self.noise != 0 && source.bits(NOISE_SALT) <= self.noise;
                (
                    if is_noisy { role.noisy } else { role.send },
                    Some(number),
                    source,
                )
            }
        };
        let outside = random.happens(self.outside);
        let destination = if outside {
            self.scenario.telescope.draw_outside(random)
        } else {
            self.scenario.telescope.draw(random)
        };
        let mut probe = Probe {
            random,
            source,
            destination,
            time_us,
            packet: &mut bench.packet,
        };
        let family = member.map(|(index, _, _)| &FAMILIES[index]);
        let ports = family.and_then(|family| family.ports(day));
        let sent = match (family, ports) {
            (Some(family), Some(ports)) => family::planned(family, ports, &mut probe),
            _ => sender(&mut probe),
        };
        let wire_bytes = self.frame(time_us, out, bench);
        if sent.ip_header_damaged {
            bench.tally.damaged_ipv4 += 1;
            bench.say(|labels| label::unobserved(labels, "malformed ipv4"));
        } else if outside {
            bench.tally.outside += 1;
            bench.say(|labels| label::unobserved(labels, "outside"));
        } else {
            bench.say(|labels| label::observed(labels, &sent));
            bench.tally.observe(&Counted {
                sent,
                source: number,
                country: source.country,
                time_us,
                wire_bytes,
                version: 4,
                family: member.map(|(index, _, source)| (index, source.address)),
            });
        }
        wire_bytes
    }

    fn one_ipv6(&self, index: u64, time_us: i64, out: &mut Vec<u8>, bench: &mut Bench) -> u32 {
        let random = &mut bench.random;
        let (number, source) = match &self.forged {
            Some(forged) => (None, forged.at_ipv6(index)),
            None => {
                let (number, source) = self.population.draw_ipv6(random);
                (Some(number), source)
            }
        };
        let destination = self.scenario.telescope.draw_ipv6(random);
        let sent = ipv6::send(&mut Probe6 {
            random,
            source,
            destination,
            packet: &mut bench.packet,
        });
        let wire_bytes = self.frame(time_us, out, bench);
        bench.say(|labels| label::observed(labels, &sent));
        bench.tally.observe(&Counted {
            sent,
            source: number,
            country: source.country,
            time_us,
            wire_bytes,
            version: 6,
            family: None,
        });
        wire_bytes
    }

    fn frame(&self, time_us: i64, out: &mut Vec<u8>, bench: &mut Bench) -> u32 {
        let extra_ns = match self.scenario.format {
            Format::PcapNanosecond => bench.random.below(1000) as u32,
            Format::Pcap | Format::Pcapng => 0,
        };
        self.framing.packet(out, time_us, &bench.packet, extra_ns)
    }
}
