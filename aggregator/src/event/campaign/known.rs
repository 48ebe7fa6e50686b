//! Known campaigns on disk: what the next day goes on with. A line of JSON for each.

use std::io::{self, Read, Write};

use serde_json::{Value, json};

use super::follow::{KNOWN_MAX, KnownCampaign};
use super::profile::{MemberSample, SAMPLE_MAX};
use super::traits::{Core, SERVICES_MAX, WindowTrait};
use crate::event::lines::{read_lines, write_lines};
use crate::event::service::AskedService;
use teiten_observation::{Class, Tool, TrafficType};

/// First line of the file.
const FORM: &str = "teiten-campaigns-1";
/// Bytes of a line, at most.
const LINE_BYTES_MAX: u64 = 1 << 16;

/// Writes known campaigns.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_known<W: Write>(file: W, known: &[KnownCampaign]) -> io::Result<W> {
    write_lines(file, FORM, known.iter().map(to_json))
}

/// Reads known campaigns.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub(crate) fn read_known(file: impl Read) -> io::Result<Vec<KnownCampaign>> {
    let mut known = Vec::new();
    read_lines(file, (FORM, LINE_BYTES_MAX), damaged, |line| {
        let campaign = serde_json::from_str(line).ok();
        let campaign = campaign.and_then(|value| from_json(&value));
        let is_known = campaign.is_some() && known.len() < KNOWN_MAX;
        known.extend(campaign);
        is_known
    })?;
    Ok(known)
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the known campaigns are damaged: remove the file, and the days behind it are made anew from the hours",
    )
}

fn to_json(campaign: &KnownCampaign) -> Value {
    let core = &campaign.core;
    let window = match core.window {
        WindowTrait::Fixed(window) => Some(window),
        WindowTrait::Any => None,
    };
    let shares: Vec<(u32, u16)> = campaign
        .shares
        .iter()
        .map(|(service, share)| (service.bits(), *share))
        .collect();
    json!({
        "id": campaign.id,
        "version": core.ip_version,
        "type": core.traffic_type.name(),
        "class": core.class.name(),
        "tool": core.tool.name(),
        "shape": core.shape,
        "window": window,
        "network": core.network,
        "wide": core.is_wide,
        "shares": shares,
        "members": campaign.sample.hashes,
        "of": campaign.sample.sources,
        "seen": campaign.seen_day,
        "days": campaign.days,
    })
}

fn from_json(value: &Value) -> Option<KnownCampaign> {
    let text = |key: &str| value[key].as_str();
    let number = |key: &str| value[key].as_u64();
    let mut shares = Vec::new();
    for share in value["shares"].as_array()? {
        let service = u32::try_from(share[0].as_u64()?).ok()?;
        shares.push((
            AskedService::from_bits(service),
            u16::try_from(share[1].as_u64()?).ok()?,
        ));
    }
    let hashes: Option<Vec<u64>> = value["members"]
        .as_array()?
        .iter()
        .map(Value::as_u64)
        .collect();
    let hashes = hashes.filter(|hashes| hashes.len() <= SAMPLE_MAX && hashes.is_sorted())?;
    let days = &value["days"];
    Some(KnownCampaign {
        id: text("id")?.to_owned(),
        core: Core {
            ip_version: u8::try_from(number("version")?).ok()?,
            traffic_type: TrafficType::from_name(text("type")?)?,
            class: Class::from_name(text("class")?)?,
            tool: Tool::from_name(text("tool")?)?,
            shape: number("shape")?,
            window: match &value["window"] {
                Value::Null => WindowTrait::Any,
                window => WindowTrait::Fixed(u16::try_from(window.as_u64()?).ok()?),
            },
            network: u32::try_from(number("network")?).ok()?,
            is_wide: value["wide"].as_bool()?,
            first: None,
            count: 0,
            services: [AskedService::default(); SERVICES_MAX],
        },
        shares,
        sample: MemberSample {
            hashes,
            sources: number("of")?,
        },
        seen_day: value["seen"].as_i64()?,
        days: match days {
            Value::Null => None,
            days => Some((days[0].as_i64()?, days[1].as_i64()?)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::follow::tests::group;
    use super::*;

    fn some() -> Vec<KnownCampaign> {
        let campaign = |number: u64| {
            let group = group(&[80, 81], number, number..number * 30);
            KnownCampaign {
                id: format!("{number:016x}"),
                core: Core {
                    // What the shares say better is not kept.
                    count: 0,
                    services: [AskedService::default(); SERVICES_MAX],
                    window: [WindowTrait::Any, WindowTrait::Fixed(7)][number as usize % 2],
                    ..group.core
                },
                shares: group.shares,
                sample: group.sample,
                seen_day: -3,
                days: (number > 2).then_some((-9, -3)),
            }
        };
        (1..6).map(campaign).collect()
    }

    #[test]
    fn known_campaigns_come_back_and_damage_is_found() {
        let bytes = write_known(Vec::new(), &some()).expect("a Vec takes all");
        assert_eq!(read_known(&bytes[..]).expect("sound"), some());
        assert_eq!(
            read_known(&write_known(Vec::new(), &[]).expect("written")[..]).expect("sound"),
            []
        );
        for length in 0..bytes.len() {
            assert!(read_known(&bytes[..length]).is_err(), "{length}");
        }
        for place in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[place] ^= 4;
            let read = read_known(&bad[..]);
            assert!(
                read.is_err() || read.is_ok_and(|read| read == some()),
                "{place}"
            );
        }
    }
}
