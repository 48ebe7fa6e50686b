//! How much two cores or groups are alike: a weighted Jaccard index, the weight of what they share over the weight of what either has.
//!
//! The services have 40 % of the weight, spread over them as the packets are; stack and tool a quarter each; traffic type and class a tenth.
//! From [`ALIKE_MIN`] on two are alike. It follows that what differs in its stack or its tool is never alike, and that otherwise two fifths
//! of the packets must go to the same services. So only those with equal stack, tool and type need to be compared that share a service.

use super::traits::{Core, WHOLE};
use crate::event::service::AskedService;

const SERVICES_WEIGHT: u64 = 400;
const STACK_WEIGHT: u64 = 250;
const TOOL_WEIGHT: u64 = 250;
const TYPE_WEIGHT: u64 = 100;
const _: () = assert!(SERVICES_WEIGHT + STACK_WEIGHT + TOOL_WEIGHT + TYPE_WEIGHT == WHOLE);

/// Two are alike from here on, per mille.
pub(crate) const ALIKE_MIN: u64 = 610;
// What differs in stack or tool alone shares at most the rest.
const _: () = assert!(
    (WHOLE - STACK_WEIGHT) * WHOLE / (WHOLE + STACK_WEIGHT) < ALIKE_MIN
        && (WHOLE - TOOL_WEIGHT) * WHOLE / (WHOLE + TOOL_WEIGHT) < ALIKE_MIN
);

/// Services with their shares, per mille, ascending by service.
pub(crate) type Shares = Vec<(AskedService, u16)>;

/// How much two are alike, per mille. Of `left` and `right` everything but the services counts.
#[must_use]
pub(crate) fn likeness(
    (left, left_shares): (&Core, &[(AskedService, u16)]),
    (right, right_shares): (&Core, &[(AskedService, u16)]),
) -> u64 {
    let weight = |is_equal: bool, weight: u64| if is_equal { weight } else { 0 };
    let stack = |core: &Core| (core.shape, core.window);
    let kind = |core: &Core| (core.ip_version, core.traffic_type, core.class);
    let shared = SERVICES_WEIGHT * overlap(left, left_shares, right, right_shares).min(WHOLE)
        / WHOLE
        + weight(stack(left) == stack(right), STACK_WEIGHT)
        + weight(left.tool == right.tool, TOOL_WEIGHT)
        + weight(kind(left) == kind(right), TYPE_WEIGHT);
    shared * WHOLE / (2 * WHOLE - shared)
}

/// The share of packets that go to the same services, per mille.
fn overlap(
    left: &Core,
    left_shares: &[(AskedService, u16)],
    right: &Core,
    right_shares: &[(AskedService, u16)],
) -> u64 {
    if left.is_wide || right.is_wide {
        let is_same = left.is_wide == right.is_wide && left.network == right.network;
        return if is_same { WHOLE } else { 0 };
    }
    let mut sum = 0;
    let (mut left, mut right) = (left_shares, right_shares);
    while let ([(one, ours), ..], [(other, theirs), ..]) = (left, right) {
        match one.cmp(other) {
            std::cmp::Ordering::Less => left = &left[1..],
            std::cmp::Ordering::Greater => right = &right[1..],
            std::cmp::Ordering::Equal => {
                sum += u64::from(*ours.min(theirs));
                (left, right) = (&left[1..], &right[1..]);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::traits::{SERVICES_MAX, WindowTrait};
    use super::*;
    use proptest::prelude::*;
    use teiten_observation::{Class, Tool, TrafficType};

    fn core(shape: u64, tool: Tool) -> Core {
        Core {
            ip_version: 4,
            traffic_type: TrafficType::TcpSyn,
            class: Class::Scan,
            tool,
            shape,
            window: WindowTrait::Fixed(1),
            network: 0,
            is_wide: false,
            first: None,
            count: 0,
            services: [AskedService::default(); SERVICES_MAX],
        }
    }

    fn shares(of: &[(u16, u16)]) -> Shares {
        let service = |(port, share): &(u16, u16)| (AskedService::new(6, Some(*port)), *share);
        of.iter().map(service).collect()
    }

    #[test]
    fn equals_are_wholly_alike_and_stack_or_tool_alone_make_two_unlike() {
        let all = shares(&[(23, 700), (2323, 300)]);
        let plain = core(1, Tool::None);
        let with = |other: &Core, shares: &Shares| likeness((&plain, &all), (other, shares));
        assert_eq!(with(&plain, &all), WHOLE);
        assert!(with(&core(2, Tool::None), &all) < ALIKE_MIN);
        assert!(with(&core(1, Tool::Mirai), &all) < ALIKE_MIN);
        // Two fifths of the packets to the same services, and less.
        assert!(with(&plain, &shares(&[(23, 400), (80, 600)])) >= ALIKE_MIN);
        assert!(with(&plain, &shares(&[(23, 390), (80, 610)])) < ALIKE_MIN);
        assert!(with(&plain, &shares(&[(80, 1000)])) < ALIKE_MIN);
    }

    proptest! {
        #[test]
        fn likeness_is_the_same_both_ways_and_no_more_than_the_whole(
            left in prop::collection::btree_map(0..9u16, 1..110u16, 1..9),
            right in prop::collection::btree_map(0..9u16, 1..110u16, 1..9),
        ) {
            let of = |map: std::collections::BTreeMap<u16, u16>| shares(&map.into_iter().collect::<Vec<_>>());
            let (left, right) = (of(left), of(right));
            let plain = core(1, Tool::None);
            let one = likeness((&plain, &left), (&plain, &right));
            prop_assert_eq!(one, likeness((&plain, &right), (&plain, &left)));
            prop_assert!(one <= WHOLE);
        }
    }
}
