//! `campaigns_daily` of a day, and which of its sources belong to which campaign: sources are noted aside while the day is read, and read
//! again when their groups are known.

use std::cmp::Reverse;
use std::io::{self, Read};
use std::ops::Range;

use super::day_payloads::DayPayloads;
use super::day_things::countries_text;
use super::scratch::{ScratchReader, ScratchWriter};
use crate::by_source::{LineNames, SourceKey, SourceLines};
use crate::event::CampaignRules;
use crate::event::campaign::follow::{
    DayGroup, FollowDay, FollowedGroup, KnownCampaign, follow_groups,
};
use crate::event::campaign::group::{AlikeGroup, CoreGathering};
use crate::event::campaign::infected::is_infected;
use crate::event::campaign::profile::{CampaignMember, GroupProfile, MEMBER_BYTES};
use crate::event::campaign::traits::{Core, SHARE_MIN, TraitReader, WindowTrait};
use crate::event::groups::ServiceGroup;
use crate::event::novelty::tally::Thing;
use crate::event::service::AskedService;
use crate::schema::{CampaignRow, CampaignState, NoveltyWhat, SourceDay};
use crate::sketch::Member;
use crate::store::Store;
use teiten_observation::Tool;

/// Sources of a day that are grouped, at most; more are counted.
const MEMBERS_MAX: u64 = 1 << 23;
/// Share of a campaign's packets that must have carried a payload for it to be named: one in so many.
const PAYLOAD_SHARE: u64 = 2;
/// Hours on end that hold most of a campaign are named up to here.
const HOURS_NAMED_MAX: usize = 6;
/// Most of it: per cent of the hours in which its sources came.
const HOURS_MOST: u64 = 80;

/// The sources of a day on their way into groups.
pub(super) struct CampaignDay<'s> {
    rules: CampaignRules,
    first_hour: i64,
    traits: TraitReader,
    cores: CoreGathering,
    noted: ScratchWriter<'s>,
    members: u64,
    left_out: u64,
}

/// The campaigns of a day.
pub(super) struct DayCampaigns {
    /// In the order of the table.
    pub rows: Vec<CampaignRow>,
    /// What the next day goes on with.
    pub known: Vec<KnownCampaign>,
    /// Groups that are followed, campaigns or not yet, with their sources.
    pub things: Vec<Thing>,
    /// Which source is in which campaign.
    pub members: CampaignMembers,
    /// What the metadata says.
    pub notes: Vec<(String, String)>,
}

impl<'s> CampaignDay<'s> {
    /// No source yet of the day that begins with this hour.
    pub(super) fn new(store: &'s Store, rules: CampaignRules, first_hour: i64) -> Self {
        CampaignDay {
            rules,
            first_hour,
            traits: TraitReader::default(),
            cores: CoreGathering::default(),
            noted: ScratchWriter::new(store, "members"),
            members: 0,
            left_out: 0,
        }
    }

    /// Takes the next source with the services that it asked for, in the row `row` of `sources_daily`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn source(
        &mut self,
        row: u64,
        key: SourceKey,
        (source, services): (&SourceLines, &[ServiceGroup]),
        names: &LineNames,
        day: &SourceDay,
    ) -> io::Result<()> {
        let (least, first_hour) = (self.rules.packets_min, self.first_hour);
        let rows = (source, services);
        let Some(traits) = self.traits.read(key, rows, names, least, first_hour) else {
            return Ok(());
        };
        if self.members == MEMBERS_MAX {
            self.left_out += 1;
            return Ok(());
        }
        let Some(core) = self.cores.add(&traits) else {
            return Ok(());
        };
        self.members += 1;
        let latest = source.lines.last();
        let member = CampaignMember {
            row,
            core,
            packets: traits.packets,
            heaviest: traits.heaviest.0.bits(),
            heaviest_packets: traits.heaviest.1,
            hours: traits.hours,
            first_us: traits.first_us,
            hash: CampaignMember::hash_of(&day.source),
            sketch: Member::of(&day.source).bits(),
            network: CampaignMember::network_of(key.ip_version, key.number),
            actor: latest.map_or(0, |line| line.actor),
            country: day.country,
        };
        self.noted.push(&member.to_bytes())
    }

    /// Groups the sources, and follows the groups from the days before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn finish(
        self,
        known: Vec<KnownCampaign>,
        day: FollowDay<'_>,
        names: &LineNames,
        payloads: &DayPayloads,
        packets_of: impl Fn(AskedService) -> u64,
    ) -> io::Result<DayCampaigns> {
        let left_out = self.left_out + self.cores.left_out();
        let (groups, places) = self.cores.finish(day.rules.followed_min());
        let mut members = CampaignMembers::new(self.noted.finish()?, self.members);
        let mut profiles: Vec<GroupProfile> =
            groups.iter().map(|_| GroupProfile::default()).collect();
        while let Some(member) = members.next()? {
            if let Some(place) = places[member.core as usize] {
                profiles[place as usize].add(&member);
            }
        }
        let of_day: Vec<DayGroup> = groups
            .iter()
            .zip(&profiles)
            .map(|(group, profile)| DayGroup {
                core: group.core,
                shares: group.shares.clone(),
                sample: profile.sample(),
            })
            .collect();
        let known_before = known.clone();
        let (followed, known) = follow_groups(&of_day, known, day);
        let mut things = Vec::with_capacity(groups.len());
        let mut rows = Vec::new();
        for ((group, profile), followed) in groups.iter().zip(&profiles).zip(&followed) {
            things.push(Thing {
                what: NoveltyWhat::Campaign,
                value: followed.id.clone(),
                sources: profile.sources,
                packets: profile.packets,
                first_us: profile.first_us,
                countries: countries_text(&profile.countries),
            });
            if followed.is_campaign {
                let context = RowContext {
                    shape: self.traits.shape_text(group.core.shape).to_string(),
                    actor: names.text(profile.actor()),
                    payload: payload(group, profile, payloads, &packets_of),
                };
                rows.push(context.row(group, profile, followed));
            }
        }
        things.sort_unstable();
        rows.sort_by(|left, right| left.id.cmp(&right.id));
        let is_gone = |campaign: &&KnownCampaign| {
            let was_there = campaign.days.map(|(_, last)| last) == day.day_before;
            let is_here = followed
                .iter()
                .any(|it| it.is_campaign && it.id == campaign.id);
            campaign.days.is_some() && was_there && !is_here
        };
        let gone = known_before.iter().filter(is_gone).count();
        members.ids = places
            .into_iter()
            .map(|place| {
                let followed = &followed[place? as usize];
                followed.is_campaign.then(|| followed.id.clone())
            })
            .collect();
        members.rewind()?;
        let notes = [
            ("campaigns_sources_min", day.rules.sources_min),
            ("campaigns_packets_min", day.rules.packets_min),
            ("campaigns_gone", gone as u64),
            ("campaigns_left_out", left_out),
        ];
        Ok(DayCampaigns {
            rows,
            known,
            things,
            members,
            notes: notes
                .map(|(key, value)| (key.to_owned(), value.to_string()))
                .into(),
        })
    }
}

/// The payload that at least half of the packets to the first service must have carried, of sources that send most there. Of all packets to
/// the service so many carry it and so many are the campaign's that the two must overlap by as much.
fn payload(
    group: &AlikeGroup,
    profile: &GroupProfile,
    payloads: &DayPayloads,
    packets_of: impl Fn(AskedService) -> u64,
) -> String {
    let first = by_weight(group).first().map(|(service, _)| *service);
    let Some(service) = first else {
        return String::new();
    };
    let ours = profile.heaviest.get(&service.bits()).copied().unwrap_or(0);
    match payloads.leading(service) {
        Some((name, carrying)) => {
            let both = (carrying + ours).saturating_sub(packets_of(service));
            match ours > 0 && both * PAYLOAD_SHARE >= ours {
                true => name,
                false => String::new(),
            }
        }
        None => String::new(),
    }
}

/// The services of a group, the heaviest first; what only some of the sources ask for is left out.
fn by_weight(group: &AlikeGroup) -> Vec<(AskedService, u16)> {
    let mut shares = group.shares.clone();
    shares.retain(|(_, share)| u64::from(*share) >= SHARE_MIN);
    shares.sort_by_key(|(service, share)| (Reverse(*share), *service));
    shares
}

/// What a row is made of besides its group.
struct RowContext<'r> {
    shape: String,
    actor: &'r std::sync::Arc<str>,
    payload: String,
}

impl RowContext<'_> {
    fn row(
        self,
        group: &AlikeGroup,
        profile: &GroupProfile,
        followed: &FollowedGroup,
    ) -> CampaignRow {
        let core = &group.core;
        let services = by_weight(group);
        let ports = services.iter().filter_map(|(service, _)| service.port());
        let ports: Vec<String> = ports.map(|port| port.to_string()).collect();
        let first = services.first().map(|(service, _)| *service);
        let heaviest = profile
            .heaviest
            .iter()
            .max_by_key(|(service, of)| (**of, Reverse(**service)));
        let wide = heaviest.map(|(service, _)| AskedService::from_bits(*service));
        CampaignRow {
            id: followed.id.clone(),
            state: followed.state,
            ip_version: core.ip_version,
            protocol: first.or(wide).map_or(0, AskedService::protocol),
            traffic_type: core.traffic_type,
            ports: ports.join(","),
            tool: core.tool,
            stack: stack_text(core, &self.shape),
            actor: std::sync::Arc::clone(self.actor),
            sources: profile.sources,
            sketch: profile.sketch(),
            packets: profile.packets,
            countries: countries_text(&profile.countries),
            networks: profile.networks(),
            first_day: followed.first_day,
            infected: is_infected(
                core,
                profile.sources,
                profile.networks(),
                !self.actor.is_empty(),
            ),
            why: self.why(group, profile, followed),
            payload: self.payload,
        }
    }

    /// What the sources share, in words.
    fn why(&self, group: &AlikeGroup, profile: &GroupProfile, followed: &FollowedGroup) -> String {
        let core = &group.core;
        let shares = by_weight(group);
        let services: Vec<String> = shares
            .iter()
            .map(|(service, share)| format!("{} {} %", service.text(), (share + 5) / 10))
            .collect();
        let services = match (core.is_wide, core.network) {
            (false, _) => services.join(", "),
            (true, 0) => "every port".to_owned(),
            (true, network) => format!("every port, from AS{}", network - 1),
        };
        let stack = match core.shape {
            0 => "no stack signature".to_owned(),
            _ => format!("stack {}", stack_text(core, &self.shape)),
        };
        let tool = match core.tool {
            Tool::None => "no known tool".to_owned(),
            tool => format!("tool {}", tool.name()),
        };
        let mut why = format!(
            "{} of class {} to {services}; {stack}; {tool}; {} networks of {} countries; {}",
            core.traffic_type.name(),
            core.class.name(),
            profile.networks(),
            profile.countries.len(),
            hours_text(&profile.hours),
        );
        if !self.actor.is_empty() {
            why.push_str(&format!("; organisation {}", self.actor));
        }
        if !self.payload.is_empty() {
            why.push_str(&format!("; payload {}", self.payload));
        }
        if let (Some((alike, shared)), true) =
            (followed.before, followed.state != CampaignState::New)
        {
            why.push_str(&format!(
                "; {} from before: {} % alike, {} % of the sources the same",
                followed.state.name(),
                alike / 10,
                shared / 10
            ));
        }
        why
    }
}

/// `1024:M1460:df0:64`, with a star for a window that varies.
fn stack_text(core: &Core, shape: &str) -> String {
    match (core.shape, core.window) {
        (0, _) => String::new(),
        (_, WindowTrait::Fixed(window)) => format!("{window}:{shape}"),
        (_, WindowTrait::Any) => format!("*:{shape}"),
    }
}

/// When the sources came: the least hours on end that hold most of it, where those are few.
fn hours_text(hours: &[u64; 32]) -> String {
    let all: u64 = hours.iter().sum();
    let came = hours.iter().filter(|sources| **sources > 0).count();
    for length in 1..=HOURS_NAMED_MAX.min(came.saturating_sub(1)) {
        for (from, window) in hours.windows(length).enumerate() {
            let within: u64 = window.iter().sum();
            if within * 100 >= all * HOURS_MOST {
                let share = within * 100 / all;
                return format!(
                    "{share} % within hours {from} to {} of the day",
                    from + length
                );
            }
        }
    }
    format!("spread over {came} hours of the day")
}

/// The sources of a day again, in their order, and which campaign each belongs to.
pub(super) struct CampaignMembers {
    noted: ScratchReader,
    left: u64,
    count: u64,
    /// By the number of a core.
    ids: Vec<Option<String>>,
    waiting: Option<CampaignMember>,
}

impl CampaignMembers {
    fn new(noted: ScratchReader, count: u64) -> Self {
        CampaignMembers {
            noted,
            left: count,
            count,
            ids: Vec::new(),
            waiting: None,
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.noted.rewind()?;
        (self.left, self.waiting) = (self.count, None);
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<CampaignMember>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut bytes = [0; MEMBER_BYTES];
        self.noted.read_exact(&mut bytes)?;
        Ok(Some(CampaignMember::from_bytes(&bytes)))
    }

    /// The campaigns of these rows of `sources_daily`, which follow those that were asked for before; empty of sources without one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn of_rows(&mut self, rows: Range<u64>) -> io::Result<Vec<&str>> {
        let mut cores = vec![None; (rows.end - rows.start) as usize];
        loop {
            let member = match self.waiting.take() {
                Some(member) => member,
                None => match self.next()? {
                    Some(member) => member,
                    None => break,
                },
            };
            if member.row >= rows.end {
                self.waiting = Some(member);
                break;
            }
            cores[(member.row - rows.start) as usize] = Some(member.core as usize);
        }
        let id = |core: Option<usize>| self.ids[core?].as_deref();
        Ok(cores
            .into_iter()
            .map(|core| id(core).unwrap_or(""))
            .collect())
    }
}
