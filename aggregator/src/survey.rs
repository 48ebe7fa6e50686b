//! What sources of a day are by what they ask for: survey scanners (ports a day, named organisation), hosts that look infected, and how
//! concentrated the packets are. Reports read sources into this, and a rollup does once a day, so both say the same.
//!
//! Only packets over IPv4 that ask count, and no prefix into which small sources were folded. No file is opened here.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map with a seeded hash, because its keys come from packets.
type SurveyMap<K, V> = HashMap<K, V, RandomState>;

/// Distinct ports of a source are counted up to this number, above the largest threshold of [`RULES`].
const PORTS_MAX: usize = 101;

/// Protocol and port of services that scans mostly look for in embedded devices: routers, cameras, recorders.
/// Ascending.
pub const DEVICE_PORTS: &[(u8, u16)] = &[
    (6, 23),
    (6, 26),
    (6, 81),
    (6, 82),
    (6, 83),
    (6, 84),
    (6, 85),
    (6, 88),
    (6, 554),
    (6, 1023),
    (6, 2323),
    (6, 2601),
    (6, 4028),
    (6, 4567),
    (6, 5358),
    (6, 5555),
    (6, 7547),
    (6, 8081),
    (6, 8090),
    (6, 8181),
    (6, 8291),
    (6, 8728),
    (6, 8729),
    (6, 9530),
    (6, 23231),
    (6, 30005),
    (6, 34567),
    (6, 37215),
    (6, 37777),
    (6, 52869),
    (6, 60001),
    (17, 1900),
    (17, 3702),
    (17, 10001),
    (17, 32414),
    (17, 37810),
];

/// Whether scans of a port mostly look for embedded devices.
#[must_use]
pub fn is_device(protocol: u8, port: u16) -> bool {
    DEVICE_PORTS.binary_search(&(protocol, port)).is_ok()
}

/// From this many packets on, a host is hardly counted twice because its address changed.
pub const SEVERAL_PACKETS: i64 = 3;

/// A rule that calls a source of a day a survey scanner.
#[derive(Clone, Copy, Debug)]
pub struct SurveyRule {
    /// Name in files.
    pub name: &'static str,
    /// Least distinct ports in a day.
    pub ports: usize,
    /// Least packets in a day.
    pub packets: i64,
}

/// The published rules (NICTER, National Police Agency, JPCERT/CC), all of them because the share depends on the threshold.
pub const RULES: [SurveyRule; 4] = [
    SurveyRule {
        name: "ports-11",
        ports: 11,
        packets: 0,
    },
    SurveyRule {
        name: "ports-30",
        ports: 30,
        packets: 0,
    },
    SurveyRule {
        name: "ports-100",
        ports: 100,
        packets: 0,
    },
    SurveyRule {
        name: "ports-30-packets-300000",
        ports: 30,
        packets: 300_000,
    },
];
/// The rule of "without survey scans": named organisations, and [`RULES`] at this place.
pub const DEFAULT_RULE: usize = 1;

/// Hosts of a day that look infected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Infected {
    /// Hosts.
    pub hosts: i64,
    /// Hosts with [`SEVERAL_PACKETS`] and more.
    pub several: i64,
    /// Hosts of the network with most of them; zero if networks are unknown.
    pub largest_network: i64,
}

/// The survey statistics of one day's sources.
#[derive(Clone, Debug, Default)]
pub struct SurveyDay {
    /// Whether the day's `sources` were read.
    pub known: bool,
    /// Distinct IPv4 hosts that scan.
    pub hosts: i64,
    /// IPv4 packets of scans, reflector scans and exploits.
    pub packets: i64,
    /// Of these, packets of the sources each of [`RULES`] names.
    pub rule_packets: [i64; RULES.len()],
    /// Sources each of [`RULES`] names.
    pub rule_hosts: [i64; RULES.len()],
    /// Packets of named organisations.
    pub named_packets: i64,
    /// Packets of sources that are named or fall under [`DEFAULT_RULE`].
    pub survey_packets: i64,
    /// Packets of the one percent of hosts that send most.
    pub top_packets: i64,
    /// With the fingerprint of Mirai, by country.
    pub mirai: SurveyMap<[u8; 2], Infected>,
    /// Without it, towards Telnet and other ports of devices, by country.
    pub devices: SurveyMap<[u8; 2], Infected>,
    /// The same two over all countries.
    pub world: [Infected; 2],
}

impl SurveyDay {
    /// What `survey_daily` calls all sources.
    pub const ALL: &str = "all";
    /// What it calls named organisations.
    pub const NAMED: &str = "named";
    /// What it calls sources that are named or fall under [`DEFAULT_RULE`].
    pub const SURVEY: &str = "survey";
    /// What it calls the one percent of hosts that send most.
    pub const TOP: &str = "top-1-percent";

    /// Sets what a row of `survey_daily` says of a rule. `None` for a rule that is not known.
    pub fn set_rule(&mut self, name: &str, packets: i64, hosts: i64) -> Option<()> {
        match name {
            SurveyDay::ALL => (self.packets, self.hosts) = (packets, hosts),
            SurveyDay::NAMED => self.named_packets = packets,
            SurveyDay::SURVEY => self.survey_packets = packets,
            SurveyDay::TOP => self.top_packets = packets,
            _ => {
                let place = RULES.iter().position(|rule| rule.name == name)?;
                (self.rule_packets[place], self.rule_hosts[place]) = (packets, hosts);
            }
        }
        Some(())
    }
}

/// A source of a day.
#[derive(Clone, Debug, Default)]
pub struct SurveySource {
    ports: Vec<u32>,
    packets: i64,
    is_named: bool,
    is_mirai: bool,
    device_packets: i64,
    country: [u8; 2],
    asn: i64,
}

/// What a source asked for, in one row.
#[derive(Clone, Copy, Debug)]
pub struct AskedRow {
    /// IANA protocol number.
    pub protocol: u8,
    /// Port, if the protocol has one.
    pub port: Option<u16>,
    /// Packets.
    pub packets: i64,
    /// Whether an organisation is known to be behind the source.
    pub is_named: bool,
    /// Whether the packets have the fingerprint of Mirai.
    pub is_mirai: bool,
    /// Country of the source.
    pub country: [u8; 2],
    /// Network of the source; 0 if it is not known.
    pub asn: i64,
}

impl SurveySource {
    /// Adds a row; country and network are those of the last one.
    pub fn add(&mut self, row: AskedRow) {
        self.packets += row.packets;
        self.is_named |= row.is_named;
        self.is_mirai |= row.is_mirai;
        self.country = row.country;
        self.asn = row.asn;
        if let Some(port) = row.port {
            self.asks_for(u32::from(row.protocol) << 16 | u32::from(port));
            if is_device(row.protocol, port) {
                self.device_packets += row.packets;
            }
        }
    }

    fn asks_for(&mut self, key: u32) {
        if self.ports.len() < PORTS_MAX
            && let Err(place) = self.ports.binary_search(&key)
        {
            self.ports.insert(place, key);
        }
    }

    fn falls_under(&self, rule: &SurveyRule) -> bool {
        self.ports.len() >= rule.ports && self.packets >= rule.packets
    }

    /// Whether the source is taken for a survey scanner.
    #[must_use]
    pub fn surveys(&self) -> bool {
        self.is_named || self.falls_under(&RULES[DEFAULT_RULE])
    }

    /// Whether it sent anything that counts.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.packets > 0
    }

    /// As before its first row; keeps its memory.
    pub fn clear(&mut self) {
        let mut ports = std::mem::take(&mut self.ports);
        ports.clear();
        *self = SurveySource {
            ports,
            ..SurveySource::default()
        };
    }
}

/// Hosts that look infected by network: Mirai, and other scanners of devices.
type Networks<K> = [SurveyMap<K, i64>; 2];

/// Sums over the sources of a day.
#[derive(Clone, Debug, Default)]
pub struct SurveySums {
    day: SurveyDay,
    counts: Vec<i64>,
    networks: Networks<([u8; 2], i64)>,
    world_networks: Networks<i64>,
}

impl SurveySums {
    /// Adds a source, once all its rows are known.
    pub fn add(&mut self, source: &SurveySource) {
        let day = &mut self.day;
        self.counts.push(source.packets);
        for (place, rule) in RULES.iter().enumerate() {
            if source.falls_under(rule) {
                day.rule_packets[place] += source.packets;
                day.rule_hosts[place] += 1;
            }
        }
        day.named_packets += if source.is_named { source.packets } else { 0 };
        let surveys = source.surveys();
        day.survey_packets += if surveys { source.packets } else { 0 };
        let kind = if source.is_mirai {
            0
        } else if source.device_packets * 2 > source.packets && !surveys {
            1
        } else {
            return;
        };
        let several = i64::from(source.packets >= SEVERAL_PACKETS);
        let by_country = if kind == 0 {
            &mut day.mirai
        } else {
            &mut day.devices
        };
        for infected in [
            by_country.entry(source.country).or_default(),
            &mut day.world[kind],
        ] {
            infected.hosts += 1;
            infected.several += several;
        }
        if source.asn != 0 {
            let network = (source.country, source.asn);
            *self.networks[kind].entry(network).or_default() += 1;
            *self.world_networks[kind].entry(source.asn).or_default() += 1;
        }
    }

    /// The day, of which all packets that ask over IPv4 are `packets`, those of folded sources too.
    #[must_use]
    pub fn finish(self, packets: i64) -> SurveyDay {
        let SurveySums {
            mut day,
            mut counts,
            networks,
            world_networks,
        } = self;
        day.known = true;
        day.hosts = counts.len() as i64;
        day.packets = packets;
        counts.sort_unstable_by(|a, b| b.cmp(a));
        day.top_packets = counts.iter().take(counts.len().div_ceil(100)).sum();
        for kind in 0..2 {
            let largest = world_networks[kind].values().copied().max();
            day.world[kind].largest_network = largest.unwrap_or(0);
            let by_country = if kind == 0 {
                &mut day.mirai
            } else {
                &mut day.devices
            };
            for (&(country, _), &hosts) in &networks[kind] {
                if let Some(infected) = by_country.get_mut(&country) {
                    infected.largest_network = infected.largest_network.max(hosts);
                }
            }
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ports: u16, packets: i64, is_named: bool) -> SurveySource {
        let mut source = SurveySource::default();
        let row = AskedRow {
            protocol: 6,
            port: None,
            packets: 0,
            is_named,
            is_mirai: false,
            country: *b"ZZ",
            asn: 0,
        };
        for port in 0..ports {
            for _ in 0..2 {
                source.add(AskedRow {
                    port: Some(1000 + port),
                    ..row
                });
            }
        }
        source.add(AskedRow { packets, ..row });
        source
    }

    #[test]
    fn telnet_is_a_device_port_and_smb_is_not() {
        assert!(DEVICE_PORTS.is_sorted());
        assert!(is_device(6, 23) && !is_device(6, 445) && !is_device(17, 23));
    }

    #[test]
    fn the_share_of_survey_scans_hangs_on_the_threshold() {
        let mut sums = SurveySums::default();
        for one in [
            source(9, 10, false),
            source(11, 20, false),
            source(30, 40, false),
            source(150, 80, false),
            source(1, 5, true),
        ] {
            sums.add(&one);
        }
        let day = sums.finish(160);
        assert_eq!(day.rule_hosts, [3, 2, 1, 0]);
        assert_eq!(day.rule_packets, [140, 120, 80, 0]);
        assert_eq!((day.named_packets, day.survey_packets), (5, 125));
        assert_eq!(day.top_packets, 80);
        assert_eq!((day.hosts, day.packets), (5, 160));
    }
}
