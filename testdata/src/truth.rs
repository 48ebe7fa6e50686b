//! The truth of a capture, as JSON: the packets sent, by every kind of the contract. `tally.rs` counts them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::HOUR_US;
use crate::families::{FAMILIES, day_of};
use crate::geo::CountryTable;
use crate::kinds::Class;
use crate::scenario::{MODEL_VERSION, Scenario, Shape};
use crate::tally::{FamilyPackets, SourceSet, Tally, kind_at};

/// Counts by name, without zeros.
pub type Counts = BTreeMap<String, u64>;

/// What is in a capture. Every map but those of [`Sources`] partitions `packets`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// What made the capture.
    pub generator: Generator,
    /// Prefixes of the telescope.
    pub telescope: Vec<String>,
    /// IPv4 addresses of the telescope.
    pub addresses: u64,
    /// First possible time, UTC.
    pub start: String,
    /// End of the span, UTC.
    pub end: String,
    /// Packets that a sensor observes: a sound IP header, to a dark address.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Everything in the file, in the contract's words.
    pub accounting: Accounting,
    /// `ipv4`, `ipv6`.
    pub families: Counts,
    /// By protocol number.
    pub protocols: Counts,
    /// By class.
    pub classes: Counts,
    /// By traffic type.
    pub traffic_types: Counts,
    /// By tool.
    pub tools: Counts,
    /// By class, traffic type and tool.
    pub kinds: Vec<Kind>,
    /// By protocol and port, `6/23`; `1/none` where there is no port.
    pub ports: Counts,
    /// By the source's country.
    pub countries: Counts,
    /// By hour, `2026-11-05T07`.
    pub hours: Counts,
    /// Distinct sources.
    pub sources: Sources,
    /// Distinct (hour, source, protocol, port, traffic type, class, tool), when counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Planted families, where there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub planted: Vec<FamilyTruth>,
    /// Where the countries come from.
    pub country_data: CountryData,
    /// Attacks that were planted, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attacks: Vec<PlantedAttack>,
}

/// What is known of a planted attack: replies that no long silence parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlantedAttack {
    /// Why it was planted.
    pub name: String,
    /// What its replies show, or `carpet`.
    pub kind: String,
    /// Its victim; empty for a carpet.
    pub victim_ip: String,
    /// The victims' /24.
    pub victim_prefix: String,
    /// Distinct victims.
    pub victims: u64,
    /// Attacked protocol.
    pub protocol: u8,
    /// Distinct attacked ports.
    pub port_count: u64,
    /// The attacked port where there is one, else empty.
    pub port: String,
    /// First reply, UTC.
    pub start: String,
    /// First reply, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// Last reply, the same.
    pub end_us: i64,
    /// Replies.
    pub packets: u64,
    /// Distinct dark addresses.
    pub destinations: u64,
    /// Most replies in a minute that begins at a full ten seconds.
    pub packets_per_minute_max: u64,
    /// Whether it is an event: at least 25 replies over at least 60 s, 30 of them in a minute and, as a carpet, 10 victims.
    pub event: bool,
}

/// The program that made a capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generator {
    /// `teiten-synth`
    pub name: String,
    /// Its version.
    pub version: String,
    /// Version of the model: the same model, options and seed give the same bytes.
    pub model: u32,
    /// The seed.
    pub seed: u64,
    /// Sources to draw from.
    pub sources_asked: u32,
    /// Zipf exponent.
    pub zipf: f64,
    /// `mixed`, `flat`, `flood`.
    pub shape: String,
}

/// All records of a capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accounting {
    /// Records.
    pub records: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Observed packets.
    pub observed: u64,
    /// Packets to addresses outside the telescope.
    pub outside: u64,
    /// Always 0: nothing is excluded by the synthesiser.
    pub excluded: u64,
    /// Frames without IP.
    pub not_ip: u64,
    /// Damaged packets by layer.
    pub malformed: Damaged,
}

/// Records with a damaged link or IP header, or an implausible time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Damaged {
    /// Link layer.
    pub link: u64,
    /// IPv4.
    pub ipv4: u64,
    /// IPv6.
    pub ipv6: u64,
    /// Time.
    pub time: u64,
}

/// A planted family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyTruth {
    /// Its name.
    pub name: String,
    /// Its tool.
    pub tool: String,
    /// The days on which it came, in order.
    pub days: Vec<FamilyDay>,
}

/// A day of a planted family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyDay {
    /// As in `2026-11-05`, UTC.
    pub day: String,
    /// Ports that it asks for.
    pub ports: Vec<u16>,
    /// Packets by the addresses of the members that came.
    pub members: Counts,
}

/// Packets of one class, type and tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kind {
    /// Class.
    pub class: String,
    /// Traffic type.
    pub traffic_type: String,
    /// Tool.
    pub tool: String,
    /// Packets.
    pub packets: u64,
}

/// Distinct sources, exact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sources {
    /// Of the whole capture.
    pub total: u64,
    /// Of each hour.
    pub hours: Counts,
    /// Of each class.
    pub classes: Counts,
}

/// Country data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryData {
    /// File, or what it is.
    pub name: String,
    /// SHA-256 of the IPv4 file.
    pub sha256: Option<String>,
}

/// The truth of what `tally` counted.
pub(crate) fn truth(
    scenario: &Scenario,
    countries: &CountryTable,
    tally: Tally,
    attacks: Vec<PlantedAttack>,
) -> Truth {
    let flood = scenario.shape.is_flood();
    let hour_name = |index: usize| {
        let hour_us = scenario.start_us.div_euclid(HOUR_US) * HOUR_US + index as i64 * HOUR_US;
        time_text(hour_us)[..13].to_owned()
    };
    let class_name = |index: usize| Class::ALL[index].name().to_owned();
    let hours = counts(&tally.hours, hour_name);
    let classes = kind_counts(&tally, |names| names.0);
    let of_sets = |sets: &[SourceSet], name: &dyn Fn(usize) -> String| {
        let lengths: Vec<u64> = sets.iter().map(SourceSet::len).collect();
        counts(&lengths, name)
    };
    let sources = if flood {
        // Each packet has its own source, except those of numbered sources.
        let with_sets = |packets: &[u64], numbered: &[u64], sets: &[SourceSet]| -> Vec<u64> {
            let each = packets.iter().zip(numbered).zip(sets);
            each.map(|((packets, numbered), set)| packets - numbered + set.len())
                .collect()
        };
        let mut of_classes = vec![0; Class::ALL.len()];
        for (index, packets) in tally.kinds.iter().enumerate() {
            of_classes[kind_at(index).1 as usize] += packets;
        }
        let of_hours = with_sets(&tally.hours, &tally.numbered_hours, &tally.hour_sources);
        let of_classes = with_sets(&of_classes, &tally.numbered_classes, &tally.class_sources);
        Sources {
            total: tally.forged() + tally.all_sources.len(),
            hours: counts(&of_hours, hour_name),
            classes: counts(&of_classes, class_name),
        }
    } else {
        Sources {
            total: tally.all_sources.len(),
            hours: of_sets(&tally.hour_sources, &hour_name),
            classes: of_sets(&tally.class_sources, &class_name),
        }
    };
    let forged = if flood { tally.forged() } else { 0 };
    Truth {
        generator: generator(scenario),
        telescope: scenario
            .telescope
            .prefixes()
            .iter()
            .map(ToString::to_string)
            .collect(),
        addresses: scenario.telescope.addresses(),
        start: time_text(scenario.start_us),
        end: time_text(scenario.start_us + scenario.span_us),
        packets: tally.observed,
        bytes: tally.bytes,
        accounting: accounting(&tally),
        families: counts(&tally.families, |index| ["ipv4", "ipv6"][index].to_owned()),
        protocols: counts(&tally.protocols, |index| index.to_string()),
        traffic_types: kind_counts(&tally, |names| names.1),
        tools: kind_counts(&tally, |names| names.2),
        kinds: kinds(&tally),
        ports: ports(&tally),
        countries: country_counts(&tally, countries),
        hours,
        classes,
        sources,
        planted: planted(scenario, &tally.planted),
        rows: row_count(tally.rows, forged),
        country_data: CountryData {
            name: countries.name.clone(),
            sha256: countries.sha256.clone(),
        },
        attacks,
    }
}

/// Time in UTC, ISO 8601.
#[must_use]
pub fn time_text(time_us: i64) -> String {
    jiff::Timestamp::from_microsecond(time_us)
        .map_or_else(|_| time_us.to_string(), |time| time.to_string())
}

fn generator(scenario: &Scenario) -> Generator {
    let shape = match scenario.shape {
        Shape::Mixed => "mixed",
        Shape::Flat => "flat",
        Shape::Flood => "flood",
        Shape::FloodMixed => "flood of mixed kinds",
    };
    Generator {
        name: "teiten-synth".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: MODEL_VERSION,
        seed: scenario.seed,
        sources_asked: scenario.sources,
        zipf: scenario.zipf_exponent,
        shape: shape.to_owned(),
    }
}

fn planted(scenario: &Scenario, packets: &FamilyPackets) -> Vec<FamilyTruth> {
    let mut families: BTreeMap<usize, Vec<FamilyDay>> = BTreeMap::new();
    for (&(family, day), members) in packets {
        let start_us = day * 24 * HOUR_US;
        let ports = FAMILIES[family].ports(day_of(start_us, scenario.start_us));
        let address = |address: u32| std::net::Ipv4Addr::from(address).to_string();
        families.entry(family).or_default().push(FamilyDay {
            day: time_text(start_us)[..10].to_owned(),
            ports: ports
                .unwrap_or_default()
                .iter()
                .map(|(_, port)| *port)
                .collect(),
            members: members
                .iter()
                .map(|(of, &count)| (address(*of), count))
                .collect(),
        });
    }
    let family = |(index, days): (usize, Vec<FamilyDay>)| FamilyTruth {
        name: FAMILIES[index].name.to_owned(),
        tool: FAMILIES[index].tool.name().to_owned(),
        days,
    };
    families.into_iter().map(family).collect()
}

fn accounting(tally: &Tally) -> Accounting {
    Accounting {
        records: tally.records,
        bytes: tally.record_bytes,
        observed: tally.observed,
        outside: tally.outside,
        excluded: 0,
        not_ip: tally.not_ip,
        malformed: Damaged {
            link: 0,
            ipv4: tally.damaged_ipv4,
            ipv6: 0,
            time: 0,
        },
    }
}

fn counts(numbers: &[u64], name: impl Fn(usize) -> String) -> Counts {
    let present = numbers.iter().enumerate().filter(|(_, count)| **count > 0);
    present
        .map(|(index, &count)| (name(index), count))
        .collect()
}

type Names = (&'static str, &'static str, &'static str);

fn kind_counts(tally: &Tally, pick: impl Fn(Names) -> &'static str) -> Counts {
    let mut result = Counts::new();
    for (index, &count) in tally
        .kinds
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
    {
        *result.entry(pick(names_at(index)).to_owned()).or_default() += count;
    }
    result
}

fn names_at(index: usize) -> Names {
    let (traffic_type, class, tool) = kind_at(index);
    (class.name(), traffic_type.name(), tool.name())
}

fn kinds(tally: &Tally) -> Vec<Kind> {
    let present = tally
        .kinds
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0);
    let kind = |(index, &packets): (usize, &u64)| {
        let (class, traffic_type, tool) = names_at(index);
        Kind {
            class: class.to_owned(),
            traffic_type: traffic_type.to_owned(),
            tool: tool.to_owned(),
            packets,
        }
    };
    present.map(kind).collect()
}

fn ports(tally: &Tally) -> Counts {
    let port_text = |place: usize| match u16::try_from(place) {
        Ok(port) => port.to_string(),
        Err(_) => "none".to_owned(),
    };
    let mut result = counts(&tally.tcp_ports, |place| format!("6/{}", port_text(place)));
    result.extend(counts(&tally.udp_ports, |place| {
        format!("17/{}", port_text(place))
    }));
    for (&(protocol, port), &count) in &tally.other_ports {
        let port = port.map_or_else(|| "none".to_owned(), |port| port.to_string());
        result.insert(format!("{protocol}/{port}"), count);
    }
    result
}

/// Unknown codes share index 0, so names are distinct.
fn country_counts(tally: &Tally, countries: &CountryTable) -> Counts {
    counts(&tally.countries, |index| {
        countries.name_of(index as u8).to_owned()
    })
}

fn row_count(rows: Option<Vec<u128>>, forged: u64) -> Option<u64> {
    rows.map(|mut rows| {
        rows.sort_unstable();
        rows.dedup();
        forged + rows.len() as u64
    })
}
