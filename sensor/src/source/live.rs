//! Packets from interfaces, through libpcap, and the clock of a live capture: the only place of this program that lets the time of
//! day into the data, so that quiet hours close. What a packet holds is not looked at here.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, Device};

use super::error::SourceError;
use super::walk::BLOCK_BYTES_MAX;
use crate::decode::supported;
use crate::packet::{BLOCK_RECORDS_MAX, Block, BlockBytes, LinkType, Record};

/// How long the kernel may keep packets back to hand over many at once, and the longest that [`Live::next_block`] waits.
pub const LIVE_WAIT: Duration = Duration::from_millis(100);

/// How often an idle interface is looked at: often enough that its buffer cannot fill meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// How often libpcap is asked for what was dropped: it reads files of /sys for that.
const DROPS_INTERVAL: Duration = Duration::from_secs(1);

/// How far the clock stays behind the time of day on a quiet interface, so that no packet that is still on its way is late.
const IDLE_LAG_US: i64 = 1_000_000;

/// Packets taken from one interface before the block's size is looked at again.
const TAKEN_AT_ONCE: usize = 64;

/// DLT_RAW as Linux and OpenBSD number it, and what capture files say instead (<https://www.tcpdump.org/linktypes.html>).
const RAW_IP_LIVE: [i32; 2] = [12, 14];
const RAW_IP: LinkType = LinkType(101);

/// A capture on one or more interfaces.
pub struct Live {
    interfaces: Vec<Interface>,
    /// Which interface is first in turn.
    turn: usize,
    clock_us: i64,
    drops_asked: Instant,
    failure: Option<SourceError>,
}

struct Interface {
    name: String,
    capture: Capture<Active>,
    link_type: LinkType,
    /// libpcap's counters when they were last read: they wrap.
    dropped_kernel: u32,
    dropped_interface: u32,
}

/// What a look at the interfaces gives: maybe no packets, always a time.
pub struct LiveBlock {
    /// The packets, in the order of each interface.
    pub block: Block,
    /// Clock of the capture, microseconds since 1970-01-01 UTC: the latest packet's time and, on quiet interfaces, the time of day
    /// less a second. It never runs backwards.
    pub time_us: i64,
    /// What was dropped since the block before.
    pub drops: Drops,
}

/// Packets that were lost before this program could see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// For want of room in the kernel's buffer.
    pub kernel: u64,
    /// By the interface or its driver.
    pub interface: u64,
}

impl Live {
    /// Opens a capture on each of `interfaces` (names given twice count once). `snap_length_bytes` is the most that is kept of a
    /// packet, `buffer_bytes` the kernel's buffer for each interface.
    pub fn open(
        interfaces: &[String],
        snap_length_bytes: u32,
        buffer_bytes: usize,
        promiscuous: bool,
    ) -> Result<Live, SourceError> {
        if interfaces.is_empty() {
            return Err(SourceError::NoInterface);
        }
        let mut opened: Vec<Interface> = Vec::new();
        for name in interfaces {
            if opened.iter().all(|interface| interface.name != *name) {
                let interface =
                    Interface::open(name, snap_length_bytes, buffer_bytes, promiscuous)?;
                opened.push(interface);
            }
        }
        Ok(Live {
            interfaces: opened,
            turn: 0,
            clock_us: 0,
            drops_asked: Instant::now(),
            failure: None,
        })
    }

    /// Packets as soon as there are any, else an empty block after [`LIVE_WAIT`]. Fails when an interface does, after what was
    /// captured before was handed over.
    pub fn next_block(&mut self, reuse: Block) -> Result<LiveBlock, SourceError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut filling = Filling::new(reuse);
        let begin = Instant::now();
        loop {
            self.take(&mut filling);
            if !filling.records.is_empty() || self.failure.is_some() || begin.elapsed() >= LIVE_WAIT
            {
                break;
            }
            thread::sleep(LOOK_INTERVAL);
        }
        let packets_us = filling.records.iter().map(|record| record.time_us).max();
        let now_us = packets_us.unwrap_or_else(|| time_of_day_us() - IDLE_LAG_US);
        self.clock_us = self.clock_us.max(now_us);
        let drops = if self.drops_asked.elapsed() >= DROPS_INTERVAL {
            self.drops()
        } else {
            Drops::default()
        };
        Ok(LiveBlock {
            block: filling.into_block(),
            time_us: self.clock_us,
            drops,
        })
    }

    /// What was dropped since it was last told. To be asked once more at the end of a capture.
    pub fn drops(&mut self) -> Drops {
        self.drops_asked = Instant::now();
        let mut drops = Drops::default();
        for interface in &mut self.interfaces {
            let (kernel, by_interface) = interface.drops();
            drops.kernel += u64::from(kernel);
            drops.interface += u64::from(by_interface);
        }
        drops
    }

    /// Takes what the interfaces have, beginning with another one each time, until all are empty or the block is full.
    fn take(&mut self, filling: &mut Filling) {
        self.turn = (self.turn + 1) % self.interfaces.len();
        let (before, from) = self.interfaces.split_at_mut(self.turn);
        for interface in from.iter_mut().chain(before) {
            while filling.room() > 0 {
                match interface.take(filling) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        self.failure = Some(interface.failure(&error));
                        return;
                    }
                }
            }
        }
    }
}

impl Interface {
    fn open(
        name: &str,
        snap_length_bytes: u32,
        buffer_bytes: usize,
        promiscuous: bool,
    ) -> Result<Interface, SourceError> {
        let wait_ms = i32::try_from(LIVE_WAIT.as_millis()).unwrap_or(i32::MAX);
        // Immediate mode stays off: with it libpcap falls back from TPACKET_V3 to one frame at a time.
        let capture = Capture::from_device(name)
            .map(|inactive| {
                inactive
                    .snaplen(i32::try_from(snap_length_bytes).unwrap_or(i32::MAX))
                    .buffer_size(i32::try_from(buffer_bytes).unwrap_or(i32::MAX))
                    .promisc(promiscuous)
                    .timeout(wait_ms)
            })
            .and_then(Capture::open)
            .and_then(Capture::setnonblock)
            .map_err(|error| explained(name, &error))?;
        let link_type = link_type(capture.get_datalink().0);
        if !supported(link_type) {
            return Err(SourceError::UnsupportedInterface {
                interface: name.to_string(),
                link_type: link_type.0,
            });
        }
        let mut interface = Interface {
            name: name.to_string(),
            capture,
            link_type,
            dropped_kernel: 0,
            dropped_interface: 0,
        };
        // Some drivers count from the start of the machine.
        interface.drops();
        Ok(interface)
    }

    fn take(&mut self, filling: &mut Filling) -> Result<usize, pcap::Error> {
        let link_type = self.link_type;
        let count = filling.room().min(TAKEN_AT_ONCE);
        self.capture.dispatch(Some(count), |packet| {
            let time = packet.header.ts;
            let time_us = time
                .tv_sec
                .saturating_mul(1_000_000)
                .saturating_add(time.tv_usec);
            filling.push(time_us, packet.header.len, link_type, packet.data);
        })
    }

    /// (kernel, interface) drops since the last call; none where libpcap cannot tell.
    fn drops(&mut self) -> (u32, u32) {
        let Ok(stat) = self.capture.stats() else {
            return (0, 0);
        };
        let kernel = stat.dropped.wrapping_sub(self.dropped_kernel);
        let interface = stat.if_dropped.wrapping_sub(self.dropped_interface);
        (self.dropped_kernel, self.dropped_interface) = (stat.dropped, stat.if_dropped);
        (kernel, interface)
    }

    fn failure(&self, error: &pcap::Error) -> SourceError {
        SourceError::Interface {
            interface: self.name.clone(),
            reason: error.to_string(),
        }
    }
}

/// A block that is being filled.
struct Filling {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

impl Filling {
    fn new(reuse: Block) -> Filling {
        let Block { bytes, mut records } = reuse;
        records.clear();
        let mut bytes = match bytes {
            BlockBytes::Owned(bytes) => bytes,
            BlockBytes::Mapped(..) => Vec::new(),
        };
        bytes.clear();
        Filling { bytes, records }
    }

    /// Packets that may still be taken.
    fn room(&self) -> usize {
        if self.bytes.len() >= BLOCK_BYTES_MAX {
            return 0;
        }
        BLOCK_RECORDS_MAX - self.records.len()
    }

    fn push(&mut self, time_us: i64, wire_bytes: u32, link_type: LinkType, packet: &[u8]) {
        self.records.push(Record {
            time_us,
            offset: self.bytes.len() as u32,
            captured_bytes: packet.len() as u32,
            wire_bytes,
            link_type,
        });
        self.bytes.extend_from_slice(packet);
    }

    fn into_block(self) -> Block {
        Block {
            bytes: BlockBytes::Owned(self.bytes),
            records: self.records,
        }
    }
}

fn link_type(live: i32) -> LinkType {
    if RAW_IP_LIVE.contains(&live) {
        return RAW_IP;
    }
    LinkType(u16::try_from(live).unwrap_or(u16::MAX))
}

fn time_of_day_us() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

/// Why an interface could not be opened, in words that help.
fn explained(name: &str, error: &pcap::Error) -> SourceError {
    let reason = match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    };
    let present: Vec<String> = Device::list()
        .unwrap_or_default()
        .into_iter()
        .map(|device| device.name)
        .collect();
    let interface = name.to_string();
    if !present.is_empty() && !present.contains(&interface) {
        return SourceError::UnknownInterface { interface, present };
    }
    // libpcap tells these apart by text only.
    let lowered = reason.to_lowercase();
    if lowered.contains("permi") || lowered.contains("cap_net") {
        let program = std::env::current_exe().map_or_else(
            |_| "teiten-sensor".into(),
            |path| path.display().to_string(),
        );
        return SourceError::NotPermitted {
            interface,
            reason,
            program,
        };
    }
    SourceError::Interface { interface, reason }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const SNAP_LENGTH_BYTES: u32 = 2048;
    const BUFFER_BYTES: usize = 1 << 20;

    /// A capture on loopback; none, and a loud word, where this user may not.
    fn loopback() -> Option<Live> {
        match Live::open(
            &["lo".into(), "lo".into()],
            SNAP_LENGTH_BYTES,
            BUFFER_BYTES,
            false,
        ) {
            Ok(live) => Some(live),
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                None
            }
        }
    }

    #[test]
    fn packets_on_loopback_are_seen_once() {
        let Some(mut live) = loopback() else { return };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let payload = format!("teiten live test of process {}", std::process::id());
        for _ in 0..3 {
            socket
                .send_to(payload.as_bytes(), socket.local_addr().expect("an address"))
                .expect("sent");
        }
        let mut seen = Vec::new();
        let mut reuse = Block::empty();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(2) {
            let LiveBlock { block, time_us, .. } =
                live.next_block(reuse).expect("a capture that goes on");
            for record in &block.records {
                assert!(record.time_us <= time_us);
                let packet =
                    &block.bytes()[record.offset as usize..][..record.captured_bytes as usize];
                if packet.ends_with(payload.as_bytes()) {
                    seen.push((record.wire_bytes, record.link_type));
                }
            }
            reuse = block;
        }
        let expected_bytes = (14 + 20 + 8 + payload.len()) as u32;
        assert_eq!(seen, [(expected_bytes, LinkType(1)); 3]);
    }

    #[test]
    fn a_quiet_interface_advances_its_clock_and_never_waits_long() {
        let Some(mut live) = loopback() else { return };
        let mut last_us = 0;
        for _ in 0..5 {
            let begin = Instant::now();
            let time_us = live
                .next_block(Block::empty())
                .expect("a capture that goes on")
                .time_us;
            assert!(begin.elapsed() < 10 * LIVE_WAIT);
            assert!(time_us >= last_us);
            last_us = time_us;
        }
        assert!(last_us > time_of_day_us() - 60_000_000);
        assert_eq!(live.drops().kernel, 0);
    }

    #[test]
    fn an_interface_that_does_not_exist_is_answered_with_those_that_do() {
        let error = Live::open(&["no-such0".into()], SNAP_LENGTH_BYTES, BUFFER_BYTES, false)
            .err()
            .expect("no such interface");
        match error {
            SourceError::UnknownInterface { present, .. } => {
                assert!(present.contains(&"lo".to_string()));
            }
            other => eprintln!("SKIPPED: this user is told another thing first: {other}"),
        }
        assert!(matches!(
            Live::open(&[], 1, 1, false),
            Err(SourceError::NoInterface)
        ));
    }

    #[test]
    fn raw_ip_has_the_number_it_has_in_files() {
        assert_eq!(link_type(12), LinkType(101));
        assert_eq!(link_type(276), LinkType(276));
    }
}
