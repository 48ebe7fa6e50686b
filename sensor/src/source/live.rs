//! Packets from interfaces, and the clock of a live capture: the only place where the time of day enters the data, so that quiet hours
//! close. Interfaces may go down, vanish and come back; the capture continues with the others and waits for them. Packets are not
//! interpreted here.

mod clock;
mod device_counts;
mod interface;
mod library;

use std::fmt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clock::{ClockStep, Implausible, LiveClock};
use device_counts::dropped_by_interface;
use interface::{Interface, InterfaceChange};

use super::error::SourceError;
use super::ring::wait_for;
use crate::source::block::Block;
use teiten_aggregator::minute::MINUTE_US;
use teiten_aggregator::text;
use teiten_packet::telescope::Prefix;

/// How long the kernel may collect packets before it delivers them, and the longest wait of [`Live::next_block`].
pub const LIVE_WAIT: Duration = Duration::from_millis(100);

/// How long to wait after a ring was readable without a block: the time of one block at a million packets a second.
const LOAN_WAIT: Duration = Duration::from_millis(2);

/// How often an idle interface is polled through libpcap; often enough that its buffer cannot fill meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How often drops are counted and interfaces are checked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How far the clock lags behind the time of day on a quiet interface, so that a packet that is still in a buffer is not late.
const IDLE_LAG_US: i64 = 1_000_000;

/// What libpcap calls all interfaces together. No ring can be bound to them, and they neither go down nor vanish.
pub const ANY: &str = "any";

/// How packets are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// A ring if the kernel and the interface support it, else libpcap.
    #[default]
    Automatic,
    /// Rings of TPACKET_V3.
    Ring,
    /// libpcap.
    Library,
}

/// What to capture, and how.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    /// How.
    pub method: Method,
    /// Most bytes kept of a packet.
    pub snap_length_bytes: u32,
    /// Bytes of the kernel's buffer for each interface.
    pub buffer_bytes: usize,
    /// Whether packets to other hosts' hardware addresses are captured.
    pub promiscuous: bool,
    /// Rings that share an interface's packets.
    pub rings: usize,
    /// The dark prefixes; if there are any, the kernel filters for them.
    pub telescope: Vec<Prefix>,
    /// Whether packets to other addresses are received and counted as outside.
    pub all_packets: bool,
    /// A further filter (pcap-filter(7)).
    pub filter: Option<String>,
}

/// A message for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An interface is captured on: its name and how.
    Opened(String, String),
    /// An interface is not there yet, or cannot be opened: its name and why.
    Missing(String, String),
    /// An interface went down.
    Down(String),
    /// An interface has vanished.
    Gone(String),
    /// An interface is there again: its name and how it is captured on.
    Back(String, String),
    /// The time of day stepped by this many seconds; the step is not confirmed yet.
    Stepped(i64),
    /// The time of day came back to where it was before it stepped.
    Returned,
    /// The step by this many seconds lasted and is confirmed: the clock follows it.
    Followed(i64),
    /// Number of packets with implausible times, and the first such time, microseconds since 1970-01-01 UTC.
    Implausible(u64, i64),
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Opened(name, how) => write!(formatter, "capturing on {name} by {how}"),
            Notice::Missing(name, why) => write!(formatter, "{why}; waiting for {name}"),
            Notice::Down(name) => write!(formatter, "{name} went down; waiting for it"),
            Notice::Gone(name) => write!(formatter, "{name} has vanished; waiting for its return"),
            Notice::Back(name, how) => write!(formatter, "{name} is back; capturing by {how}"),
            Notice::Stepped(seconds) => write!(
                formatter,
                "the clock stepped by {seconds:+} s; until the step has lasted a minute, packets keep the old time"
            ),
            Notice::Returned => write!(
                formatter,
                "the clock stepped back; no packet has a wrong time"
            ),
            Notice::Followed(seconds) => write!(
                formatter,
                "the step of the clock by {seconds:+} s lasted; hours follow it"
            ),
            Notice::Implausible(packets, first_us) => write!(
                formatter,
                "{packets} packets came with times that are implausibly far from the time of day, the first with {}: they are in no hour",
                text::time(*first_us)
            ),
        }
    }
}

/// A capture on one or more interfaces.
pub struct Live {
    interfaces: Vec<Interface>,
    wanted: CaptureRequest,
    /// Which interface is first in turn.
    turn: usize,
    clock_us: i64,
    /// The start on a clock that never steps.
    begun: Instant,
    clock: LiveClock,
    looked: Instant,
    implausible: Implausible,
    /// The time of day when drops were last counted.
    drops_counted_us: i64,
    notices: Vec<Notice>,
}

/// What [`Live::next_block`] returns: perhaps no packets, but always a time.
pub struct LiveBlock {
    /// The packets, in the order of each interface's ring.
    pub block: Block,
    /// Which of an interface's rings they come from; a source is always in the same ring.
    pub ring: Option<usize>,
    /// Clock of the capture, microseconds since 1970-01-01 UTC: the latest packet's time and, on quiet interfaces, the time of day less a
    /// second. It goes back only after the time of day did.
    pub time_us: i64,
    /// Whether every interface could be captured on.
    pub complete: bool,
    /// Drops since the previous block.
    pub drops: Drops,
}

/// Packets that were lost before this program could see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// When they were lost: the time of day when the counts were last read before, microseconds since 1970-01-01 UTC. The counts are
    /// read once a second and at each minute's end, so all of them are of this minute.
    pub since_us: i64,
    /// Because the kernel's buffer was full.
    pub kernel: u64,
    /// By the interface or its driver.
    pub interface: u64,
}

impl Live {
    /// Opens a capture on each of `interfaces` (names given twice count once). If at least one opens, the capture waits for the others.
    ///
    /// # Errors
    /// Why the first could not be opened, when none could.
    pub fn open(interfaces: &[String], wanted: CaptureRequest) -> Result<Live, SourceError> {
        let is_any = |name: &String| name == ANY;
        if interfaces.iter().any(is_any) && !interfaces.iter().all(is_any) {
            return Err(SourceError::InterfaceChoice {
                interface: ANY.to_owned(),
                reason: "it is all interfaces together, so packets of the others would count twice: name it alone, or name each interface".to_owned(),
            });
        }
        let mut opened: Vec<Interface> = Vec::new();
        let (mut notices, mut refused) = (Vec::new(), None);
        for name in interfaces {
            if opened.iter().any(|interface| interface.name == *name) {
                continue;
            }
            let mut interface = Interface::away(name);
            match interface.open(&wanted) {
                Ok(()) => {
                    let how = interface.described().unwrap_or_default();
                    notices.push(Notice::Opened(name.clone(), how));
                }
                Err(error) => {
                    notices.push(Notice::Missing(name.clone(), error.to_string()));
                    refused.get_or_insert(error);
                }
            }
            opened.push(interface);
        }
        if !opened.iter().any(Interface::is_open) {
            return Err(refused.unwrap_or(SourceError::NoInterface));
        }
        let mut live = Live {
            interfaces: opened,
            wanted,
            turn: 0,
            clock_us: 0,
            begun: Instant::now(),
            clock: LiveClock::new(Duration::ZERO, time_of_day_us()),
            looked: Instant::now(),
            implausible: Implausible::default(),
            drops_counted_us: time_of_day_us(),
            notices,
        };
        // Drops before this capture do not count.
        live.drops();
        Ok(live)
    }

    /// Packets as soon as there are any, else an empty block after [`LIVE_WAIT`].
    pub fn next_block(&mut self, reuse: Block) -> LiveBlock {
        let begin = Instant::now();
        let (mut block, mut ring) = self.take(reuse);
        while block.records.is_empty() && begin.elapsed() < LIVE_WAIT {
            self.wait(LIVE_WAIT.saturating_sub(begin.elapsed()));
            (block, ring) = self.take(block);
            if block.records.is_empty() {
                // The kernel reports a ring as readable while the previous block is on loan (`packet_poll` checks that one), so polling
                // again at once would busy-wait while a worker reads.
                thread::sleep(LOAN_WAIT.min(LIVE_WAIT.saturating_sub(begin.elapsed())));
            }
        }
        let step = self.clock.look(self.begun.elapsed(), time_of_day_us());
        let mut drops = Drops::default();
        let looks = self.looked.elapsed() >= LOOK_INTERVAL;
        if looks || is_of_another_minute(self.drops_counted_us, self.clock.now_us()) {
            drops = self.drops();
        }
        if looks {
            self.look();
        }
        self.advance(step, &mut block);
        LiveBlock {
            block,
            ring,
            time_us: self.clock_us,
            complete: self.interfaces.iter().all(Interface::is_open),
            drops,
        }
    }

    /// Drops since the last call. Call it once more at the end of a capture.
    pub fn drops(&mut self) -> Drops {
        let counted = dropped_by_interface();
        let mut drops = Drops {
            since_us: self.drops_counted_us,
            ..Drops::default()
        };
        self.drops_counted_us = self.clock.now_us();
        for interface in &mut self.interfaces {
            let (kernel, by_interface) = interface.drops(counted.get(&interface.name).copied());
            drops.kernel += kernel;
            drops.interface += by_interface;
        }
        drops
    }

    /// The interfaces that cannot be captured on now.
    #[must_use]
    pub fn away(&self) -> Vec<&str> {
        let away = self.interfaces.iter().filter(|one| !one.is_open());
        away.map(|one| one.name.as_str()).collect()
    }

    /// Notices since the last call.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The first of the interfaces that has packets, beginning with another one each time.
    fn take(&mut self, mut block: Block) -> (Block, Option<usize>) {
        for _ in 0..self.interfaces.len() {
            self.turn = (self.turn + 1) % self.interfaces.len();
            let ring;
            (block, ring) = self.interfaces[self.turn].take(block);
            if !block.records.is_empty() {
                return (block, ring);
            }
        }
        (block, None)
    }

    fn wait(&self, longest: Duration) {
        let mut descriptors = Vec::new();
        for interface in &self.interfaces {
            interface.descriptors(&mut descriptors);
        }
        let polled = self.interfaces.iter().any(Interface::is_polled);
        if descriptors.is_empty() {
            thread::sleep(longest);
        } else if polled {
            thread::sleep(POLL_INTERVAL.min(longest));
        } else {
            wait_for(&descriptors, longest);
        }
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        let Implausible { packets, first_us } = std::mem::take(&mut self.implausible);
        if packets > 0 {
            self.notices.push(Notice::Implausible(packets, first_us));
        }
        for interface in &mut self.interfaces {
            let name = interface.name.clone();
            self.notices
                .extend(interface.look(&self.wanted).map(|change| match change {
                    InterfaceChange::Down => Notice::Down(name),
                    InterfaceChange::Gone => Notice::Gone(name),
                    InterfaceChange::Back => {
                        Notice::Back(name, interface.described().unwrap_or_default())
                    }
                }));
        }
    }

    /// Advances the clock by the confirmed times.
    fn advance(&mut self, step: Option<ClockStep>, block: &mut Block) {
        if let Some(step) = step {
            self.notices.push(match step {
                ClockStep::Doubted(seconds) => Notice::Stepped(seconds),
                ClockStep::Returned => Notice::Returned,
                ClockStep::Believed(seconds) => Notice::Followed(seconds),
            });
        }
        let packets_us = self
            .clock
            .correct_times(&mut block.records, &mut self.implausible);
        let now_us = packets_us.unwrap_or_else(|| self.clock.now_us() - IDLE_LAG_US);
        self.clock_us = match step {
            // Backwards too: otherwise no hour would close until the old time comes again.
            Some(ClockStep::Believed(_)) => now_us,
            _ => self.clock_us.max(now_us),
        };
    }
}

/// Whether a minute ends between two times, or the clock went back.
fn is_of_another_minute(one_us: i64, other_us: i64) -> bool {
    one_us.div_euclid(MINUTE_US) != other_us.div_euclid(MINUTE_US)
}

fn time_of_day_us() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "live/tests.rs"]
mod tests;
