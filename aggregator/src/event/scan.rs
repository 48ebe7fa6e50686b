//! Scan events of one source: packets of one traffic type to one port, as long as no silence is longer than the rules allow.

use std::sync::Arc;

use crate::by_source::{LineNames, SourceKey, SourceLine};
use crate::destinations::{NoSet, count_packed, unite_packed};
use crate::event::{DarkAddresses, ScanRules};
use crate::schema::ScanRow;
use crate::text::{hexadecimal_digits, push_decimal};
use teiten_observation::{Family, Tool, TrafficType};
use twox_hash::XxHash64;

/// What packets of a source belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScanKey {
    /// By the headers.
    pub traffic_type: TrafficType,
    /// The service: the source port of answers.
    pub port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
}

impl ScanKey {
    /// The key as a number of 33 bits, in the order of keys.
    pub(crate) fn bits(self) -> u64 {
        let port = self.port.map_or(0, |port| u64::from(port) + 1);
        (self.traffic_type as u64) << 25 | port << 8 | u64::from(self.protocol)
    }

    /// The key of a row.
    pub(crate) fn of(line: &SourceLine) -> Self {
        ScanKey {
            traffic_type: line.traffic_type,
            port: line.port,
            protocol: line.protocol,
        }
    }
}

/// An event under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Who.
    pub source: SourceKey,
    /// What.
    pub key: ScanKey,
    /// First packet, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// Last packet.
    pub end_us: i64,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Dark addresses, packed.
    pub set: Vec<u8>,
    /// Dark addresses where some row does not say which: at least so many.
    pub destinations_min: u64,
    /// Packets by tool, in the order of the tools.
    pub tools: [u64; Tool::ALL.len()],
    /// Stack signature of the first packet that has one.
    pub stack: Arc<str>,
    /// Organisation, by the latest row.
    pub actor: Arc<str>,
    /// Country, by the latest row.
    pub country: [u8; 2],
    /// Network, by the latest row.
    pub asn: Option<u32>,
}

impl Scan {
    /// No event: what one can begin in.
    pub(crate) fn none() -> Self {
        Scan {
            source: SourceKey::NONE,
            key: ScanKey {
                traffic_type: TrafficType::TcpSyn,
                port: None,
                protocol: 0,
            },
            start_us: 0,
            end_us: 0,
            packets: 0,
            bytes: 0,
            set: Vec::new(),
            destinations_min: 0,
            tools: [0; Tool::ALL.len()],
            stack: "".into(),
            actor: "".into(),
            country: *b"ZZ",
            asn: None,
        }
    }

    /// Begins an event in place of this one, whose memory it takes over.
    pub(crate) fn begin(
        &mut self,
        source: SourceKey,
        line: &SourceLine,
        set: &[u8],
        names: &LineNames,
    ) {
        self.source = source;
        self.key = ScanKey::of(line);
        (self.start_us, self.end_us) = (line.first_us, line.last_us);
        (self.packets, self.bytes) = (line.packets, line.bytes);
        self.set.clear();
        self.set.extend_from_slice(set);
        self.destinations_min = line.destinations;
        self.tools = [0; Tool::ALL.len()];
        self.tools[line.tool as usize] = line.packets;
        share(&mut self.stack, names.text(line.stack));
        share(&mut self.actor, names.text(line.actor));
        (self.country, self.asn) = (line.country, line.asn);
    }

    /// Adds a row of the same key that begins no earlier.
    pub(crate) fn add(
        &mut self,
        line: &SourceLine,
        set: &[u8],
        names: &LineNames,
    ) -> Result<(), NoSet> {
        if self.set != set {
            let family = match self.source.ip_version {
                4 => Family::Ipv4,
                _ => Family::Ipv6,
            };
            unite_packed(family, &mut self.set, set)?;
        }
        self.destinations_min = self.destinations_min.max(line.destinations);
        self.packets = self.packets.saturating_add(line.packets);
        self.bytes = self.bytes.saturating_add(line.bytes);
        let of_tool = &mut self.tools[line.tool as usize];
        *of_tool = of_tool.saturating_add(line.packets);
        self.end_us = self.end_us.max(line.last_us);
        if self.stack.is_empty() {
            share(&mut self.stack, names.text(line.stack));
        }
        share(&mut self.actor, names.text(line.actor));
        (self.country, self.asn) = (line.country, line.asn);
        Ok(())
    }

    /// Distinct dark addresses.
    ///
    /// # Errors
    /// When the set is damaged.
    pub(crate) fn destinations(&self) -> Result<u64, NoSet> {
        Ok(count_packed(&self.set)?.max(self.destinations_min))
    }

    /// The same on every machine, for any cutting of the input; `source` is its text, and `text` a buffer.
    fn id(&self, sensor: &str, source: &[u8], text: &mut Vec<u8>) -> [u8; 16] {
        text.clear();
        text.extend_from_slice(source);
        for word in [sensor, self.key.traffic_type.name()] {
            text.push(b' ');
            text.extend_from_slice(word.as_bytes());
        }
        let port = self.key.port.map_or(-1, i64::from);
        for number in [self.key.protocol.into(), port, self.start_us] {
            text.push(b' ');
            push_decimal(number, text);
        }
        hexadecimal_digits(XxHash64::oneshot(0, text))
    }

    /// The number of its destinations, where it is an event: enough of them, and fast enough.
    ///
    /// # Errors
    /// When the set is damaged.
    pub(crate) fn counted(
        &self,
        rules: &ScanRules,
        telescope: &DarkAddresses,
    ) -> Result<Option<u64>, NoSet> {
        let destinations = self.destinations()?;
        let [_, internet] = self.rates(telescope);
        let is_slow = internet.is_some_and(|rate| rate < rules.internet_rate_min);
        Ok((destinations >= rules.destinations_min && !is_slow).then_some(destinations))
    }

    /// Packets per second, here and to the whole of IPv4. One packet, or several at one moment, have no rate.
    fn rates(&self, telescope: &DarkAddresses) -> [Option<f64>; 2] {
        let seconds = (self.end_us - self.start_us) as f64 / 1e6;
        let rate_pps = (seconds > 0.0).then(|| self.packets as f64 / seconds);
        let version = self.source.ip_version;
        let internet = rate_pps.and_then(|rate| ScanRules::internet_rate(rate, version, telescope));
        [rate_pps, internet]
    }

    /// An event that was counted, as a row; the text of its source is appended to `sources`, and `text` is a buffer.
    #[must_use]
    pub(crate) fn row(
        self,
        sensor: &str,
        rules: &ScanRules,
        telescope: &DarkAddresses,
        ongoing: bool,
        (sources, text): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> ScanRow {
        let start = sources.len();
        self.source.write_text(sources);
        let destinations = self.destinations_min;
        let [rate_pps, internet] = self.rates(telescope);
        let version = self.source.ip_version;
        let large = telescope
            .addresses(version)
            .map(|addresses| destinations as f64 >= rules.large_share * addresses as f64);
        // The first of those with most packets.
        let tools = Tool::ALL.iter().rev();
        let tool = tools.max_by_key(|tool| self.tools[**tool as usize]);
        ScanRow {
            id: self.id(sensor, &sources[start..], text),
            source: start..sources.len(),
            ip_version: version,
            port: self.key.port,
            protocol: self.key.protocol,
            traffic_type: self.key.traffic_type,
            tool: tool.copied().unwrap_or(Tool::None),
            stack: self.stack,
            actor: self.actor,
            country: self.country,
            asn: self.asn,
            start_us: self.start_us,
            end_us: self.end_us,
            packets: self.packets,
            bytes: self.bytes,
            destinations,
            rate_pps,
            internet_rate_pps: internet,
            size: match large {
                Some(true) => "large",
                Some(false) => "small",
                None => "",
            },
            ongoing,
        }
    }
}

/// Makes `text` the same as `other`. Most have what the event before had.
fn share(text: &mut Arc<str>, other: &Arc<str>) {
    if !Arc::ptr_eq(text, other) {
        *text = Arc::clone(other);
    }
}
