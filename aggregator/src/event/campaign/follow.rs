//! Campaigns over days: which of a day's groups is one that is known, and what is known afterwards.
//!
//! A group may be a known campaign where it is alike to what that did last (its members may all be others), or where it has the same stack and
//! tool and shares [`MOVED_SHARED_MIN`] of the members (its services may all be others). Between several the greatest sum of likeness and shared
//! members decides. What was seen the day before continues; what was not, returns, for [`REMEMBERED_DAYS`]; all else is new.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use twox_hash::XxHash64;

use super::CampaignRules;
use super::likeness::{ALIKE_MIN, Shares, likeness};
use super::matching::{MatchPair, best_pairs};
use super::profile::MemberSample;
use super::traits::{Core, WindowTrait};
use crate::event::service::AskedService;
use crate::schema::CampaignState;
use crate::text::hexadecimal;
use teiten_observation::Tool;

/// Shared members from which on a group that went to other services is the same campaign, per mille.
pub(crate) const MOVED_SHARED_MIN: u64 = 300;
/// Days after which a campaign that did not come is forgotten.
pub(crate) const REMEMBERED_DAYS: i64 = 90;
/// Campaigns that are known, at most: of more, those that did not come for longest are forgotten.
pub(crate) const KNOWN_MAX: usize = 1 << 12;

/// A group of a day.
#[derive(Clone, Debug)]
pub(crate) struct DayGroup {
    pub core: Core,
    pub shares: Shares,
    pub sample: MemberSample,
}

/// A campaign of the days before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownCampaign {
    /// 16 hexadecimal digits.
    pub id: String,
    /// What it did last; its services are those of `shares`.
    pub core: Core,
    pub shares: Shares,
    pub sample: MemberSample,
    /// The day it was last followed, also with too few sources for a campaign; days since 1970-01-01.
    pub seen_day: i64,
    /// The first and last day as a campaign; none yet of what has always been too small.
    pub days: Option<(i64, i64)>,
}

/// What has become of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FollowedGroup {
    pub id: String,
    pub state: CampaignState,
    /// First day as a campaign.
    pub first_day: i64,
    /// Whether it is a campaign, or only followed because it may become one again.
    pub is_campaign: bool,
    /// How much it is like what it did before, and shared members, per mille; none of new ones.
    pub before: Option<(u64, u64)>,
}

/// The day of groups that are followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowDay<'f> {
    pub sensor: &'f str,
    /// Days since 1970-01-01.
    pub day: i64,
    /// The day that is known before it.
    pub day_before: Option<i64>,
    pub rules: &'f CampaignRules,
}

/// Follows the groups of a day: what each is, and what is known afterwards. `known` is in any order; the result does not depend on it.
#[must_use]
pub(crate) fn follow_groups(
    groups: &[DayGroup],
    mut known: Vec<KnownCampaign>,
    day: FollowDay<'_>,
) -> (Vec<FollowedGroup>, Vec<KnownCampaign>) {
    known.retain(|campaign| day.day - campaign.seen_day <= REMEMBERED_DAYS);
    // The order that decides between equals: the latest, then the oldest, then by name.
    known.sort_by(|left, right| order(left).cmp(&order(right)));
    let candidates = candidates(groups, &known);
    let pairs: Vec<MatchPair> = candidates.iter().map(|(pair, _)| *pair).collect();
    let matched: BTreeMap<usize, usize> = best_pairs(&pairs)
        .into_iter()
        .map(|pair| (pair.group, pair.campaign))
        .collect();
    let why: BTreeMap<(usize, usize), (u64, u64)> = candidates
        .into_iter()
        .map(|(pair, why)| ((pair.group, pair.campaign), why))
        .collect();
    let mut followed = Vec::with_capacity(groups.len());
    let mut now: BTreeMap<String, KnownCampaign> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        let campaign = matched.get(&place).map(|campaign| &known[*campaign]);
        let days = campaign.and_then(|campaign| campaign.days);
        let continues = days.is_some_and(|(_, last)| Some(last) == day.day_before);
        let least = match continues {
            true => day.rules.followed_min(),
            false => day.rules.sources_min,
        };
        let is_campaign = group.sample.sources >= least;
        let state = match days {
            None => CampaignState::New,
            Some(_) if continues => CampaignState::Continues,
            Some(_) => CampaignState::Returned,
        };
        let first_day = days.map_or(day.day, |(first, _)| first);
        let id = campaign.map_or_else(|| id(group, &day), |campaign| campaign.id.clone());
        let before = matched
            .get(&place)
            .and_then(|campaign| why.get(&(place, *campaign)));
        now.insert(
            id.clone(),
            KnownCampaign {
                id: id.clone(),
                core: group.core,
                shares: group.shares.clone(),
                sample: group.sample.clone(),
                seen_day: day.day,
                days: match is_campaign {
                    true => Some((first_day, day.day)),
                    false => days,
                },
            },
        );
        followed.push(FollowedGroup {
            id,
            state,
            first_day,
            is_campaign,
            before: before.copied(),
        });
    }
    for campaign in known {
        now.entry(campaign.id.clone()).or_insert(campaign);
    }
    let mut known: Vec<KnownCampaign> = now.into_values().collect();
    known.sort_by(|left, right| order(left).cmp(&order(right)));
    known.truncate(KNOWN_MAX);
    (followed, known)
}

fn order(campaign: &KnownCampaign) -> (Reverse<i64>, i64, Reverse<u64>, &str) {
    let first = campaign.days.map_or(i64::MAX, |(first, _)| first);
    let sources = Reverse(campaign.sample.sources);
    (Reverse(campaign.seen_day), first, sources, &campaign.id)
}

/// The same on every machine, for any cutting of the input.
fn id(group: &DayGroup, day: &FollowDay<'_>) -> String {
    let core = &group.core;
    let window = match core.window {
        WindowTrait::Fixed(window) => i64::from(window),
        WindowTrait::Any => -1,
    };
    let mut text = format!(
        "{} {} {} {} {} {} {:016x} {window} {} {:?}",
        day.sensor,
        day.day,
        core.ip_version,
        core.traffic_type.name(),
        core.class.name(),
        core.tool.name(),
        core.shape,
        core.network,
        core.first,
    );
    for service in core.services() {
        text.push_str(&format!(" {}", service.bits()));
    }
    hexadecimal(&XxHash64::oneshot(0, text.as_bytes()).to_be_bytes())
}

/// What has to be equal of a group and a campaign that are one.
type KeptTraits = (u8, Tool, u64, WindowTrait);

fn kept(core: &Core) -> KeptTraits {
    (core.ip_version, core.tool, core.shape, core.window)
}

/// The pairs that may be the same, each with its likeness and shared members. Only those are compared that share a service or a member.
fn candidates(groups: &[DayGroup], known: &[KnownCampaign]) -> Vec<(MatchPair, (u64, u64))> {
    let mut by_service: BTreeMap<(KeptTraits, Option<AskedService>), Vec<usize>> = BTreeMap::new();
    let mut by_member: Vec<(u64, usize)> = Vec::new();
    for (place, campaign) in known.iter().enumerate() {
        for service in services_of(&campaign.core, &campaign.shares) {
            let of_service = by_service.entry((kept(&campaign.core), service));
            of_service.or_default().push(place);
        }
        by_member.extend(campaign.sample.hashes.iter().map(|hash| (*hash, place)));
    }
    by_member.sort_unstable();
    let mut found = Vec::new();
    for (group_place, group) in groups.iter().enumerate() {
        let mut places = BTreeSet::new();
        for service in services_of(&group.core, &group.shares) {
            let of_service = by_service.get(&(kept(&group.core), service));
            places.extend(of_service.into_iter().flatten().copied());
        }
        for hash in &group.sample.hashes {
            let from = by_member.partition_point(|(member, _)| member < hash);
            let same = by_member[from..]
                .iter()
                .take_while(|(member, _)| member == hash);
            places.extend(same.map(|(_, place)| *place));
        }
        for place in places {
            let campaign = &known[place];
            if kept(&campaign.core) != kept(&group.core) {
                continue;
            }
            let alike = likeness(
                (&group.core, &group.shares),
                (&campaign.core, &campaign.shares),
            );
            let shared = group.sample.shared(&campaign.sample);
            if alike >= ALIKE_MIN || shared >= MOVED_SHARED_MIN {
                let pair = MatchPair {
                    group: group_place,
                    campaign: place,
                    weight: alike + shared,
                };
                found.push((pair, (alike, shared)));
            }
        }
    }
    found
}

/// Those of a source that goes for every port are none in particular.
fn services_of<'s>(
    core: &Core,
    shares: &'s [(AskedService, u16)],
) -> impl Iterator<Item = Option<AskedService>> + use<'s> {
    let wide = core.is_wide.then_some(None);
    wide.into_iter()
        .chain(shares.iter().map(|(service, _)| Some(*service)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::traits::SERVICES_MAX;
    use super::*;
    use teiten_observation::{Class, TrafficType};

    pub(in super::super) fn group(
        ports: &[u16],
        shape: u64,
        members: std::ops::Range<u64>,
    ) -> DayGroup {
        let mut hashes: Vec<u64> = members
            .map(|member| XxHash64::oneshot(0, &member.to_le_bytes()))
            .collect();
        hashes.sort_unstable();
        let mut services = [AskedService::default(); SERVICES_MAX];
        for (service, port) in services.iter_mut().zip(ports) {
            *service = AskedService::new(6, Some(*port));
        }
        let share = 1000 / ports.len().max(1) as u16;
        DayGroup {
            core: Core {
                ip_version: 4,
                traffic_type: TrafficType::TcpSyn,
                class: Class::Scan,
                tool: Tool::None,
                shape,
                window: WindowTrait::Fixed(1),
                network: 0,
                is_wide: ports.is_empty(),
                first: None,
                count: ports.len() as u8,
                services,
            },
            shares: services[..ports.len()]
                .iter()
                .map(|it| (*it, share))
                .collect(),
            sample: MemberSample {
                sources: hashes.len() as u64,
                hashes,
            },
        }
    }

    fn day(day: i64, day_before: i64) -> FollowDay<'static> {
        FollowDay {
            sensor: "tokyo",
            day,
            day_before: Some(day_before),
            rules: &CampaignRules {
                sources_min: 10,
                packets_min: 3,
            },
        }
    }

    /// The states and ids over days, each day's groups as given.
    fn over_days(days: &[Vec<DayGroup>]) -> Vec<Vec<FollowedGroup>> {
        let mut known = Vec::new();
        let mut all = Vec::new();
        for (number, groups) in days.iter().enumerate() {
            let number = number as i64;
            let (followed, next) = follow_groups(groups, known, day(number, number - 1));
            known = next;
            all.push(followed);
        }
        all
    }

    fn states(days: &[Vec<FollowedGroup>], group: usize) -> Vec<Option<CampaignState>> {
        let state =
            |day: &Vec<FollowedGroup>| Some(day.get(group).filter(|it| it.is_campaign)?.state);
        days.iter().map(state).collect()
    }

    use CampaignState::{Continues, New, Returned};

    #[test]
    fn a_campaign_continues_with_other_members_and_with_other_ports_but_not_with_both() {
        let days = over_days(&[
            vec![group(&[80, 81], 1, 0..50)],
            vec![group(&[80, 81], 1, 100..150)],
            vec![group(&[443, 444], 1, 120..170)],
            vec![group(&[22], 1, 500..550)],
        ]);
        assert_eq!(
            states(&days, 0),
            [Some(New), Some(Continues), Some(Continues), Some(New)]
        );
        let ids: Vec<&str> = days.iter().map(|day| day[0].id.as_str()).collect();
        assert_eq!((ids[0], ids[1]), (ids[1], ids[2]));
        assert_ne!(ids[2], ids[3]);
        // Another stack is another campaign, whoever its members are.
        let days = over_days(&[vec![group(&[80], 1, 0..50)], vec![group(&[80], 2, 0..50)]]);
        assert_eq!(states(&days, 0), [Some(New), Some(New)]);
    }

    #[test]
    fn what_stays_away_returns_until_it_is_forgotten() {
        let here = || vec![group(&[80], 1, 0..50)];
        let mut days = vec![here(), vec![], here()];
        days.extend(vec![vec![]; REMEMBERED_DAYS as usize]);
        days.push(here());
        let days = over_days(&days);
        let found = states(&days, 0);
        assert_eq!(found[..3], [Some(New), None, Some(Returned)]);
        assert_eq!(found.last(), Some(&Some(New)));
        assert_eq!(days[0][0].first_day, days[2][0].first_day);
    }

    #[test]
    fn a_campaign_that_shrinks_keeps_its_name_and_a_small_group_has_none_yet() {
        let of = |members: u64| vec![group(&[80], 1, 0..members)];
        let days = over_days(&[of(7), of(9), of(10), of(6), of(4), of(12)]);
        let id = &days[0][0].id;
        assert!(days.iter().all(|day| day[0].id == *id));
        let expected = [None, None, Some(New), Some(Continues), None, Some(Returned)];
        assert_eq!(states(&days, 0), expected);
        assert_eq!(days[5][0].first_day, 2);
    }

    #[test]
    fn of_two_that_fit_the_one_with_the_members_is_the_campaign() {
        let first = vec![group(&[80], 1, 0..50), group(&[80, 81], 1, 100..150)];
        let second = vec![group(&[80], 1, 100..150), group(&[80, 81], 1, 0..50)];
        let days = over_days(&[first, second]);
        assert_eq!(days[0][0].id, days[1][1].id);
        assert_eq!(days[0][1].id, days[1][0].id);
    }
}
