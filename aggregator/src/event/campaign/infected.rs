//! The rule for "infected hosts that are not Mirai", which NICTER prints beside those with Mirai's mark: such hosts are found as campaigns.
//!
//! A campaign counts when its sources scan by SYN for a few services (not for every port), with no known tool, for no known organisation, and
//! come from many networks: from at least half as many /16 (IPv6: /32) as there are sources, or from [`NETWORKS_ENOUGH`]. Scanners that somebody
//! rents sit in a few networks of hosters; infected hosts are where people live. Hosts with Mirai's mark have that for their tool, and are not
//! counted here.

use super::traits::Core;
use teiten_observation::{Class, Tool, TrafficType};

/// Networks that are many for any number of sources.
const NETWORKS_ENOUGH: u64 = 100;
/// Sources for each network, at most, where there are fewer.
const SOURCES_A_NETWORK: u64 = 2;

/// Whether these are most likely infected hosts that are not Mirai.
#[must_use]
pub(crate) fn is_infected(core: &Core, sources: u64, networks: u64, is_named: bool) -> bool {
    core.traffic_type == TrafficType::TcpSyn
        && core.class == Class::Scan
        && core.tool == Tool::None
        && !core.is_wide
        && !is_named
        && networks >= sources.div_ceil(SOURCES_A_NETWORK).min(NETWORKS_ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::super::follow::tests::group;
    use super::*;

    #[test]
    fn hosts_of_many_networks_without_a_tool_are_infected() {
        let core = group(&[23], 1, 0..1).core;
        let with = |change: &dyn Fn(&mut Core)| {
            let mut core = core;
            change(&mut core);
            is_infected(&core, 50, 40, false)
        };
        assert!(with(&|_| {}));
        assert!(!with(&|core| core.tool = Tool::Mirai));
        assert!(!with(&|core| core.is_wide = true));
        assert!(!with(&|core| core.traffic_type = TrafficType::Udp));
        assert!(!with(&|core| core.class = Class::Exploit));
        assert!(!is_infected(&core, 50, 40, true));
        assert!(!is_infected(&core, 50, 24, false) && is_infected(&core, 50, 25, false));
        assert!(!is_infected(&core, 90_000, 99, false) && is_infected(&core, 90_000, 100, false));
    }
}
