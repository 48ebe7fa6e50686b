//! The scenario: one value that decides every byte of a capture.

use std::path::PathBuf;

use crate::clock::{HOUR_US, SECOND_US};
use crate::telescope::{Prefix, Telescope};
use crate::{Error, Result};

/// Packets per dark address and day in 2025 (NICTER: 7,010 x 10^8 packets a year over about 280,000 addresses).
pub const PACKETS_PER_ADDRESS_DAY: u64 = 6_850;
/// Default telescope: a /24 of the benchmarking space (RFC 2544). A day of it has 1.75 million packets.
pub const DEFAULT_TELESCOPE: Prefix = Prefix::Ipv4(0xc612_0000, 24);
/// Default IPv6 telescope, documentation space (RFC 3849), when IPv6 is asked for.
pub const DEFAULT_TELESCOPE_IPV6: Prefix = Prefix::Ipv6(0x2001_0db8 << 96, 32);
/// Default start: 2026-11-05T00:00:00Z.
pub const DEFAULT_START_US: i64 = 1_793_836_800 * SECOND_US;
/// Default Zipf exponent.
pub const DEFAULT_ZIPF: f64 = 1.1;
/// Most sources of one capture: what the address blocks of the model hold in every country's share.
pub const SOURCES_MAX: u32 = 16_000_000;
/// Packets for each source when the number of sources is not given.
pub const PACKETS_PER_SOURCE: u64 = 40;
/// Longest span: what keeps the exact counting of sources by hour in memory.
pub const SPAN_US_MAX: i64 = 400 * 24 * HOUR_US;
/// Time that planted attacks take.
pub const ATTACKS_SPAN_US: i64 = 3 * HOUR_US;
/// The version of the model: raised whenever the same scenario gives other bytes.
pub const MODEL_VERSION: u32 = 1;

/// How the packets are spread over sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The model: few sources send most.
    Mixed,
    /// The same kinds of traffic, each source alike.
    Flat,
    /// A SYN flood in which every packet forges a new source.
    Flood,
    /// A flood of all kinds of packets in which every packet forges a new source.
    FloodMixed,
}

impl Shape {
    /// Whether sources are forged, each for one packet.
    #[must_use]
    pub fn is_flood(self) -> bool {
        matches!(self, Shape::Flood | Shape::FloodMixed)
    }
}

/// The file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap, microseconds, little-endian.
    Pcap,
    /// Classic pcap, nanoseconds.
    PcapNanosecond,
    /// pcapng with one interface.
    Pcapng,
}

/// The link layer before the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet, padded to 60 bytes.
    Ethernet,
    /// Nothing (LINKTYPE_RAW).
    Raw,
    /// Linux cooked capture, version 1.
    Sll,
}

/// A capture to make. The same value gives the same bytes on every machine, with any number of threads.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Dark prefixes.
    pub telescope: Telescope,
    /// Number of records.
    pub packets: u64,
    /// Number of sources to draw from; those that are drawn at least once are fewer.
    pub sources: u32,
    /// Exponent of the Zipf–Mandelbrot law within a kind of sender.
    pub zipf_exponent: f64,
    /// Start of the first minute, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// Length, microseconds.
    pub span_us: i64,
    /// Seed of all randomness.
    pub seed: u64,
    /// Spread over sources.
    pub shape: Shape,
    /// File format.
    pub format: Format,
    /// Link layer.
    pub link: Link,
    /// VLAN of each frame (Ethernet only).
    pub vlan: Option<u16>,
    /// Share of packets over IPv6.
    pub ipv6_share: f64,
    /// Share of a flood's IPv4 packets that one source sends.
    pub heavy_share: f64,
    /// Where a flood forges its IPv4 sources: address and bits.
    pub forged_from: (u32, u8),
    /// Share of packets to addresses outside the telescope.
    pub outside_share: f64,
    /// Share of packets that come up to two seconds late in the file.
    pub out_of_order_share: f64,
    /// Share of ARP frames (Ethernet and SLL).
    pub arp_share: f64,
    /// Share of IPv4 sources that make noise (`send/noise.rs`), where their kind has any.
    pub noise_share: f64,
    /// Share of IPv4 packets that planted families send (`families.rs`).
    pub family_share: f64,
    /// Whether attacks around the usual thresholds are planted (`attack.rs`), beside the packets that are asked for.
    pub attacks: bool,
    /// Times without packets: start and end, microseconds.
    pub outages: Vec<(i64, i64)>,
    /// Whether to count the rows (hour, source, protocol, port, type, class, tool) as well; 16 bytes of memory a packet.
    pub count_rows: bool,
    /// tor's `geoip` file that the truth's countries come from; the built-in table when there is none.
    pub country_file: Option<PathBuf>,
    /// Worker threads; they change nothing in the result.
    pub threads: usize,
}

impl Default for Scenario {
    fn default() -> Self {
        let packets = PACKETS_PER_ADDRESS_DAY * 256;
        Scenario {
            telescope: [DEFAULT_TELESCOPE].into_iter().collect(),
            packets,
            sources: default_sources(packets),
            zipf_exponent: DEFAULT_ZIPF,
            start_us: DEFAULT_START_US,
            span_us: 24 * HOUR_US,
            seed: 1,
            shape: Shape::Mixed,
            format: Format::Pcap,
            link: Link::Ethernet,
            vlan: None,
            ipv6_share: 0.0,
            heavy_share: 0.0,
            forged_from: (0, 0),
            outside_share: 0.0,
            out_of_order_share: 0.0,
            arp_share: 0.0,
            noise_share: 0.0,
            family_share: 0.0,
            attacks: false,
            outages: Vec::new(),
            count_rows: false,
            country_file: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Default number of sources for a number of packets.
#[must_use]
pub fn default_sources(packets: u64) -> u32 {
    (packets / PACKETS_PER_SOURCE).clamp(500, u64::from(SOURCES_MAX)) as u32
}

impl Scenario {
    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &'static str| Err(Error::Contradiction(what));
        if self.telescope.addresses() == 0 {
            return refuse("the telescope has no IPv4 prefix: give one with --telescope");
        }
        if self.ipv6_share > 0.0 && !self.telescope.has_ipv6() {
            return refuse("--ipv6 needs an IPv6 prefix: give one with --telescope");
        }
        if self.vlan.is_some() && self.link != Link::Ethernet {
            return refuse("--vlan needs --link ethernet");
        }
        if self.arp_share > 0.0 && self.link == Link::Raw {
            return refuse("--arp needs a link layer: raw IP has none");
        }
        if self.shape == Shape::Flood && self.ipv6_share > 0.0 {
            return refuse(
                "--flood forges IPv4 sources only: leave --ipv6 out, or take --flood-mixed",
            );
        }
        if !self.shape.is_flood() && (self.heavy_share > 0.0 || self.forged_from.1 > 0) {
            return refuse(
                "--heavy and --forged-from belong to a flood: give --flood or --flood-mixed",
            );
        }
        if self.shape.is_flood() && self.family_share > 0.0 {
            return refuse("a flood has no families: leave --families out");
        }
        if !(1..=SPAN_US_MAX).contains(&self.span_us) {
            return refuse("--span must be between a microsecond and 400 days");
        }
        if self.attacks && self.span_us < ATTACKS_SPAN_US {
            return refuse("--attacks needs --span 3h or longer");
        }
        if self.attacks && !self.outages.is_empty() {
            return refuse("--attacks plants packets at all times: leave --outage out");
        }
        if self.start_us < 0 || self.start_us + self.span_us > i64::from(u32::MAX) * SECOND_US {
            return refuse(
                "--start and --span must be between 1970 and 2106, which is what a capture can say",
            );
        }
        let shares = [
            self.ipv6_share,
            self.outside_share,
            self.out_of_order_share,
            self.arp_share,
            self.noise_share,
            self.family_share,
            self.heavy_share,
        ];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return refuse("a share is between 0 and 1");
        }
        if !(0.0..=4.0).contains(&self.zipf_exponent) {
            return refuse("--zipf must be between 0 and 4");
        }
        if self.sources > SOURCES_MAX {
            return Err(Error::TooManySources {
                asked: self.sources,
            });
        }
        Ok(())
    }
}
