//! Scan events of one source: packets of one traffic type to one port, as long as no silence is longer than the rules allow.

use std::sync::Arc;

use crate::by_source::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::destinations::{DestinationSet, NoSet, merge_packed, pack_of};
use crate::event::silence::Silence;
use crate::event::{DarkAddresses, ScanRules};
use crate::schema::ScanRow;
use crate::text::hexadecimal;
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
    fn begin(source: SourceKey, line: &SourceLine, set: &[u8], names: &LineNames) -> Self {
        let mut tools = [0; Tool::ALL.len()];
        tools[line.tool as usize] = line.packets;
        Scan {
            source,
            key: ScanKey::of(line),
            start_us: line.first_us,
            end_us: line.last_us,
            packets: line.packets,
            bytes: line.bytes,
            set: set.to_vec(),
            destinations_min: line.destinations,
            tools,
            stack: Arc::clone(names.text(line.stack)),
            actor: Arc::clone(names.text(line.actor)),
            country: line.country,
            asn: line.asn,
        }
    }

    /// Adds a row of the same key that begins no earlier.
    fn add(&mut self, line: &SourceLine, set: &[u8], names: &LineNames) -> Result<(), NoSet> {
        if self.set != set {
            let mut union = DestinationSet::<u128>::new();
            merge_packed(&self.set, &mut union)?;
            merge_packed(set, &mut union)?;
            self.set.clear();
            let family = match self.source.ip_version {
                4 => Family::Ipv4,
                _ => Family::Ipv6,
            };
            pack_of(family, &union.view(), &mut self.set);
        }
        self.destinations_min = self.destinations_min.max(line.destinations);
        self.packets = self.packets.saturating_add(line.packets);
        self.bytes = self.bytes.saturating_add(line.bytes);
        let of_tool = &mut self.tools[line.tool as usize];
        *of_tool = of_tool.saturating_add(line.packets);
        self.end_us = self.end_us.max(line.last_us);
        if self.stack.is_empty() {
            self.stack = Arc::clone(names.text(line.stack));
        }
        self.actor = Arc::clone(names.text(line.actor));
        (self.country, self.asn) = (line.country, line.asn);
        Ok(())
    }

    /// Distinct dark addresses.
    ///
    /// # Errors
    /// When the set is damaged.
    pub(crate) fn destinations(&self) -> Result<u64, NoSet> {
        let mut set = DestinationSet::<u128>::new();
        merge_packed(&self.set, &mut set)?;
        Ok(set.count().max(self.destinations_min))
    }

    /// The same on every machine, for any cutting of the input.
    fn id(&self, sensor: &str) -> String {
        let mut text = Vec::new();
        self.source.write_text(&mut text);
        let port = self.key.port.map_or(-1, i32::from);
        let (name, protocol) = (self.key.traffic_type.name(), self.key.protocol);
        let rest = format!(" {sensor} {name} {protocol} {port} {}", self.start_us);
        text.extend_from_slice(rest.as_bytes());
        hexadecimal(&XxHash64::oneshot(0, &text).to_be_bytes())
    }

    /// The event with the number of its destinations in place of which they are, where it is one: enough destinations, and fast enough.
    ///
    /// # Errors
    /// When the set is damaged.
    pub(crate) fn counted(
        self,
        rules: &ScanRules,
        telescope: &DarkAddresses,
    ) -> Result<Option<Self>, NoSet> {
        let destinations = self.destinations()?;
        let [_, internet] = self.rates(telescope);
        let is_slow = internet.is_some_and(|rate| rate < rules.internet_rate_min);
        if destinations < rules.destinations_min || is_slow {
            return Ok(None);
        }
        Ok(Some(Scan {
            set: Vec::new(),
            destinations_min: destinations,
            ..self
        }))
    }

    /// Packets per second, here and to the whole of IPv4. One packet, or several at one moment, have no rate.
    fn rates(&self, telescope: &DarkAddresses) -> [Option<f64>; 2] {
        let seconds = (self.end_us - self.start_us) as f64 / 1e6;
        let rate_pps = (seconds > 0.0).then(|| self.packets as f64 / seconds);
        let version = self.source.ip_version;
        let internet = rate_pps.and_then(|rate| ScanRules::internet_rate(rate, version, telescope));
        [rate_pps, internet]
    }

    /// An event that was counted, as a row.
    #[must_use]
    pub(crate) fn row(
        self,
        sensor: &str,
        rules: &ScanRules,
        telescope: &DarkAddresses,
        ongoing: bool,
    ) -> ScanRow {
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
            id: self.id(sensor),
            source: self.source.text(),
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

/// Puts the places of a source's rows into the order of their events: key by key, and by time.
pub(crate) fn in_order(lines: &[SourceLine], order: &mut Vec<u32>) {
    order.clear();
    order.extend(0..lines.len() as u32);
    order.sort_unstable_by_key(|place| {
        let line = &lines[*place as usize];
        let times = (line.first_us, line.last_us);
        (ScanKey::of(line), times, line.class, line.tool, *place)
    });
}

/// Follows a source over its rows of one key, whose places are in order: takes the event that is open, gives those that have ended to `ended`, and
/// returns the last one.
///
/// # Errors
/// When a set of destinations is damaged.
pub(crate) fn follow(
    source: SourceKey,
    open: Option<Scan>,
    of_key: &[u32],
    (lines, names): (&SourceLines, &LineNames),
    silence: &Silence<'_>,
    mut ended: impl FnMut(Scan),
) -> Result<Option<Scan>, NoSet> {
    let mut current = open;
    for place in of_key {
        let line = &lines.lines[*place as usize];
        let set = lines.set(line);
        match &mut current {
            Some(scan) if !silence.ends(scan.end_us, line.first_us) => {
                scan.add(line, set, names)?;
            }
            current => {
                let before = current.replace(Scan::begin(source, line, set, names));
                before.into_iter().for_each(&mut ended);
            }
        }
    }
    Ok(current)
}
