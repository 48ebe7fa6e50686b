//! Groups of cores that are alike. Sources of equal traits are a core; the largest cores lead, smaller ones join the leader that they are most
//! like, and groups whose services are alike in the end become one.
//!
//! No core joins another that joined a third: everything that is in a group is alike to what leads it, so groups do not grow together over a
//! chain of neighbours. Only cores of equal stack, tool and traffic type that share a service are compared, and of those the largest
//! [`COMPARED_MAX`] for each service, so the work grows with the cores and not with their square. The order of sources has no part in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::likeness::{ALIKE_MIN, Shares, likeness};
use super::traits::{Core, SERVICES_MAX, SourceTraits, WHOLE, WindowTrait};
use crate::event::service::AskedService;

/// Cores of a day: the sources of more are counted.
pub(crate) const CORES_MAX: usize = 1 << 19;
/// Groups that a core is compared with for each of its services.
pub(crate) const COMPARED_MAX: usize = 64;
/// Sources of a core that leads.
const LEADER_MIN: u64 = 3;
/// A window of a stack is a trait where at least so many sources have it,
const WINDOW_SOURCES_MIN: u64 = 10;
/// and one source in so many of those with the stack.
const WINDOW_SHARE: u64 = 1000;
/// Services of a group that are kept.
pub(crate) const GROUP_SERVICES_MAX: usize = 16;

/// Sources of a core, and the sums of their shares.
#[derive(Clone, Copy, Debug, Default)]
struct CoreSums {
    sources: u64,
    shares: [u64; SERVICES_MAX],
}

impl CoreSums {
    fn add(&mut self, other: &CoreSums) {
        self.sources += other.sources;
        for (ours, theirs) in self.shares.iter_mut().zip(other.shares) {
            *ours += theirs;
        }
    }
}

/// Cores of a day, gathered source by source.
#[derive(Debug, Default)]
pub(crate) struct CoreGathering {
    numbers: HashMap<Core, u32, RandomState>,
    sums: Vec<CoreSums>,
    left_out: u64,
}

impl CoreGathering {
    /// Takes a source: the number of its core; none of those beyond the limit.
    pub(crate) fn add(&mut self, traits: &SourceTraits) -> Option<u32> {
        let next = self.sums.len();
        let number = match self.numbers.get(&traits.core) {
            Some(number) => *number,
            None if next == CORES_MAX => {
                self.left_out += 1;
                return None;
            }
            None => {
                self.numbers.insert(traits.core, next as u32);
                self.sums.push(CoreSums::default());
                next as u32
            }
        };
        let sums = &mut self.sums[number as usize];
        sums.sources += 1;
        for (sum, share) in sums.shares.iter_mut().zip(traits.shares) {
            *sum += u64::from(share);
        }
        Some(number)
    }

    /// Sources whose core is beyond the limit.
    pub(crate) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The groups of at least so many sources, the largest first, and for each number of a core the place of its group.
    pub(crate) fn finish(self, sources_min: u64) -> (Vec<AlikeGroup>, Vec<Option<u32>>) {
        let cores = self.numbers.len();
        let windows = common_windows(&self.numbers, &self.sums);
        // What hardly any other source shares is no trait: such cores become one.
        let mut merged: BTreeMap<Core, (CoreSums, Vec<u32>)> = BTreeMap::new();
        for (core, number) in self.numbers {
            let mut core = core;
            if !windows.contains(&(core.shape, core.window)) {
                core.window = WindowTrait::Any;
            }
            let (sums, numbers) = merged.entry(core).or_default();
            sums.add(&self.sums[number as usize]);
            numbers.push(number);
        }
        let mut nodes: Vec<(Core, CoreSums, Vec<u32>)> = merged
            .into_iter()
            .map(|(core, (sums, numbers))| (core, sums, numbers))
            .collect();
        // Stable: equal sizes stay in the order of the cores.
        nodes.sort_by_key(|(_, sums, _)| Reverse(sums.sources));
        let (groups, alone) = lead(&nodes);
        let mut groups = unite(groups, &alone, &nodes);
        groups.retain(|group| group.sources >= sources_min);
        groups.sort_by_key(|group| (Reverse(group.sources), group.core));
        let mut places = vec![None; cores];
        for (place, group) in groups.iter().enumerate() {
            for node in &group.nodes {
                for number in &nodes[*node].2 {
                    places[*number as usize] = Some(place as u32);
                }
            }
        }
        (groups, places)
    }
}

/// A group of cores that are alike.
#[derive(Clone, Debug)]
pub(crate) struct AlikeGroup {
    /// The core that leads; its own services are those of [`AlikeGroup::shares`].
    pub core: Core,
    /// Services of all sources together, ascending, with their shares, per mille.
    pub shares: Shares,
    /// Sources.
    pub sources: u64,
    nodes: Vec<usize>,
}

/// The windows of each shape that are traits.
fn common_windows(
    numbers: &HashMap<Core, u32, RandomState>,
    sums: &[CoreSums],
) -> BTreeSet<(u64, WindowTrait)> {
    let (mut shapes, mut windows) = (BTreeMap::new(), BTreeMap::new());
    for (core, number) in numbers {
        let sources = sums[*number as usize].sources;
        *shapes.entry(core.shape).or_insert(0) += sources;
        *windows.entry((core.shape, core.window)).or_insert(0) += sources;
    }
    let is_common = |(shape, sources): (u64, u64)| {
        let all: u64 = shapes.get(&shape).copied().unwrap_or(0);
        sources >= WINDOW_SOURCES_MIN.max(all / WINDOW_SHARE)
    };
    let windows = windows.into_iter();
    windows
        .filter(|((shape, _), sources)| is_common((*shape, *sources)))
        .map(|(window, _)| window)
        .collect()
}

/// Services that all sources of these nodes have together.
fn shares_of(nodes: &[(Core, CoreSums, Vec<u32>)], places: &[usize]) -> Shares {
    let mut sums: BTreeMap<AskedService, u64> = BTreeMap::new();
    for place in places {
        let (core, of, _) = &nodes[*place];
        for (service, share) in core.services().iter().zip(of.shares) {
            *sums.entry(*service).or_default() += share;
        }
    }
    let mut sums: Vec<(AskedService, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(service, sum)| (Reverse(*sum), *service));
    sums.truncate(GROUP_SERVICES_MAX);
    let all: u64 = sums.iter().map(|(_, sum)| sum).sum();
    let share = |sum: u64| (u128::from(sum) * u128::from(WHOLE) / u128::from(all.max(1))) as u16;
    let mut shares: Shares = sums
        .into_iter()
        .map(|(service, sum)| (service, share(sum)))
        .collect();
    shares.sort_unstable();
    shares
}

/// What has to be equal for two to be compared: everything but the services.
type CoreBlock = (u8, u8, u8, u64, WindowTrait, u32);

fn block(core: &Core) -> CoreBlock {
    (
        core.ip_version,
        core.traffic_type as u8,
        core.tool as u8,
        core.shape,
        core.window,
        core.network,
    )
}

/// Groups by the services that they can be found by, the first ones of each.
#[derive(Default)]
struct Postings(HashMap<(CoreBlock, AskedService), Vec<usize>, RandomState>);

impl Postings {
    fn add(&mut self, place: usize, core: &Core, shares: &[(AskedService, u16)]) {
        for service in services_of(core, shares) {
            let of_service = self.0.entry((block(core), service)).or_default();
            if of_service.len() < COMPARED_MAX {
                of_service.push(place);
            }
        }
    }

    /// Which of `groups` these services are most like, where one is alike; of equals the first.
    fn find(
        &self,
        core: &Core,
        shares: &[(AskedService, u16)],
        groups: &[AlikeGroup],
    ) -> Option<usize> {
        let mut candidates = BTreeSet::<&usize>::new();
        for service in services_of(core, shares) {
            candidates.extend(self.0.get(&(block(core), service)).into_iter().flatten());
        }
        let mut best = None;
        for place in candidates {
            let other = &groups[*place];
            let alike = likeness((core, shares), (&other.core, &other.shares));
            if alike >= ALIKE_MIN && best.is_none_or(|(most, _)| alike > most) {
                best = Some((alike, *place));
            }
        }
        best.map(|(_, place)| place)
    }
}

/// Those of a source that goes for every port are none in particular.
fn services_of(core: &Core, shares: &[(AskedService, u16)]) -> impl Iterator<Item = AskedService> {
    let wide = core.is_wide.then(AskedService::default);
    let named: Vec<AskedService> = shares.iter().map(|(service, _)| *service).collect();
    wide.into_iter().chain(named)
}

/// Lets large cores lead and small ones join, then lets small ones lead together that have their first service by far in common; gives the
/// groups, and the cores that are like none.
fn lead(nodes: &[(Core, CoreSums, Vec<u32>)]) -> (Vec<AlikeGroup>, Vec<usize>) {
    let mut groups: Vec<AlikeGroup> = Vec::new();
    let mut alone = Vec::new();
    let mut postings = Postings::default();
    for (place, (core, sums, _)) in nodes.iter().enumerate() {
        let shares = shares_of(nodes, &[place]);
        if let Some(leader) = postings.find(core, &shares, &groups) {
            groups[leader].sources += sums.sources;
            groups[leader].nodes.push(place);
        } else if sums.sources >= LEADER_MIN {
            postings.add(groups.len(), core, &shares);
            groups.push(AlikeGroup {
                core: *core,
                shares,
                sources: sums.sources,
                nodes: vec![place],
            });
        } else {
            alone.push(place);
        }
    }
    // What else each of them asks for is its own.
    let mut together: BTreeMap<Core, Vec<usize>> = BTreeMap::new();
    for place in &alone {
        if let Some(core) = of_first(&nodes[*place].0) {
            together.entry(core).or_default().push(*place);
        }
    }
    let sources = |places: &[usize]| -> u64 { places.iter().map(|at| nodes[*at].1.sources).sum() };
    together.retain(|_, places| sources(places) >= LEADER_MIN);
    let led: BTreeSet<usize> = together.values().flatten().copied().collect();
    alone.retain(|place| !led.contains(place));
    groups.extend(together.into_iter().map(|(core, places)| AlikeGroup {
        core,
        shares: shares_of(nodes, &places),
        sources: sources(&places),
        nodes: places,
    }));
    (groups, alone)
}

/// The core of which only the service that is the first by far is left; none where no one is.
fn of_first(core: &Core) -> Option<Core> {
    let first = core.services()[usize::from(core.first?)];
    let mut only = *core;
    only.services = [AskedService::default(); SERVICES_MAX];
    only.services[0] = first;
    (only.count, only.first) = (1, Some(0));
    Some(only)
}

/// Joins groups that are alike by what all of their sources do together, the smaller to the larger, and then the cores that are alone.
fn unite(
    mut groups: Vec<AlikeGroup>,
    alone: &[usize],
    nodes: &[(Core, CoreSums, Vec<u32>)],
) -> Vec<AlikeGroup> {
    for group in &mut groups {
        group.shares = shares_of(nodes, &group.nodes);
    }
    groups.sort_by_key(|group| (Reverse(group.sources), group.core));
    let mut kept: Vec<AlikeGroup> = Vec::new();
    let mut postings = Postings::default();
    // What they are compared by stays that of the larger, so that none is drawn along.
    for group in groups {
        match postings.find(&group.core, &group.shares, &kept) {
            Some(place) => {
                kept[place].sources += group.sources;
                kept[place].nodes.extend(group.nodes);
            }
            None => {
                postings.add(kept.len(), &group.core, &group.shares);
                kept.push(group);
            }
        }
    }
    for place in alone {
        let (core, sums, _) = &nodes[*place];
        let shares = shares_of(nodes, &[*place]);
        if let Some(group) = postings.find(core, &shares, &kept) {
            kept[group].sources += sums.sources;
            kept[group].nodes.push(*place);
        }
    }
    for group in &mut kept {
        group.shares = shares_of(nodes, &group.nodes);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use teiten_observation::{Class, Tool, TrafficType};

    fn traits(ports: &[(u16, u16)], shape: u64, window: WindowTrait) -> SourceTraits {
        let mut core = Core {
            ip_version: 4,
            traffic_type: TrafficType::TcpSyn,
            class: Class::Scan,
            tool: Tool::None,
            shape,
            window,
            network: 0,
            is_wide: false,
            first: None,
            count: ports.len() as u8,
            services: [AskedService::default(); SERVICES_MAX],
        };
        let mut shares = [0; SERVICES_MAX];
        for (place, (port, share)) in ports.iter().enumerate() {
            core.services[place] = AskedService::new(6, Some(*port));
            shares[place] = *share;
            if *share > 500 {
                core.first = Some(place as u8);
            }
        }
        SourceTraits {
            core,
            shares,
            heaviest: (AskedService::default(), 0),
            packets: 10,
            hours: 1,
            first_us: 0,
        }
    }

    /// Sizes of the groups, and which group each of the sources is in.
    fn grouped(sources: &[SourceTraits]) -> (Vec<u64>, Vec<Option<u32>>) {
        let mut gathering = CoreGathering::default();
        let numbers: Vec<u32> = sources
            .iter()
            .map(|source| gathering.add(source).expect("below the limit"))
            .collect();
        let (groups, places) = gathering.finish(5);
        let of = numbers.iter().map(|number| places[*number as usize]);
        (
            groups.iter().map(|group| group.sources).collect(),
            of.collect(),
        )
    }

    #[test]
    fn sources_with_some_of_the_services_join_those_with_all() {
        let window = WindowTrait::Fixed(7);
        let mut sources = vec![traits(&[(80, 500), (81, 300), (82, 200)], 1, window); 8];
        sources.extend(vec![traits(&[(80, 600), (81, 400)], 1, window); 3]);
        // Hardly like what leads, but like what the group does together.
        sources.push(traits(&[(81, 600), (82, 400)], 1, window));
        // Another stack, and other services.
        sources.extend(vec![traits(&[(80, 500), (81, 500)], 2, window); 5]);
        sources.extend(vec![traits(&[(443, 1000)], 1, window); 6]);
        let (sizes, of) = grouped(&sources);
        assert_eq!(sizes, [12, 6, 5]);
        assert!(of[..12].iter().all(|group| *group == Some(0)));
        assert!(of[12..17].iter().all(|group| *group == Some(2)));
    }

    #[test]
    fn neighbours_of_neighbours_do_not_grow_together() {
        let window = WindowTrait::Fixed(7);
        let chain = (0..20_u16).flat_map(|port| {
            let step = traits(&[(port, 500), (port + 1, 500)], 1, window);
            vec![step; 10]
        });
        let (sizes, _) = grouped(&chain.collect::<Vec<_>>());
        assert!(sizes.len() >= 5, "{sizes:?}");
        assert_eq!(sizes.iter().sum::<u64>(), 200);
    }

    #[test]
    fn rare_windows_of_a_shape_become_one_and_common_ones_stay_apart() {
        let mut sources: Vec<_> = (0..40)
            .map(|window| traits(&[(23, 1000)], 1, WindowTrait::Fixed(window)))
            .collect();
        sources.extend(vec![traits(&[(23, 1000)], 1, WindowTrait::Fixed(1337)); 12]);
        let (sizes, of) = grouped(&sources);
        assert_eq!(sizes, [40, 12]);
        assert_eq!((of[0], of[40]), (Some(0), Some(1)));
    }

    #[test]
    fn sources_that_share_their_first_service_alone_are_a_group() {
        let window = WindowTrait::Fixed(7);
        let sources: Vec<_> = (0..6)
            .map(|own| traits(&[(445, 800), (1_000 + own, 200)], 1, window))
            .collect();
        let (sizes, of) = grouped(&sources);
        assert_eq!((sizes, of), (vec![6], vec![Some(0); 6]));
    }

    #[test]
    fn the_order_of_sources_changes_nothing() {
        let window = WindowTrait::Fixed(7);
        let mut sources: Vec<_> = (0..300_u16)
            .map(|number| {
                let (port, share) = (number % 7, 300 + number % 5 * 100);
                traits(
                    &[(port, share), (port + 1 + number % 3, 1000 - share)],
                    1,
                    window,
                )
            })
            .collect();
        let (sizes, of) = grouped(&sources);
        sources.reverse();
        let (again, mut reversed) = grouped(&sources);
        reversed.reverse();
        assert_eq!((sizes, of), (again, reversed));
    }
}
