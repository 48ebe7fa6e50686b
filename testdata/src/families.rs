//! Families: groups of hosts that act alike, planted into a capture to be found again. A row says which stack and ports they share, how their
//! members change from day to day, and when they come. Days are those of UTC, counted from the first day of the capture.

use crate::clock::HOUR_US;
use crate::kinds::Tool;
use crate::stack::{BARE, BSD, LINUX, Layout, MSS_ONLY, OLD_WINDOWS};

/// Ports with their weights.
type Ports = &'static [(u32, u16)];

/// A group of hosts that act alike.
#[derive(Debug)]
pub struct Family {
    /// Its name in the truth.
    pub name: &'static str,
    /// Members of a day.
    pub members: u32,
    /// Members that others take the place of every day.
    pub replaced: u32,
    /// Days on which it does not come.
    pub away: &'static [i64],
    /// Days from which on these ports are asked for; the first is its first day.
    pub phases: &'static [(i64, Ports)],
    /// Options of its SYNs.
    pub layout: &'static Layout,
    /// Window of its SYNs; none: another in each.
    pub window: Option<u16>,
    /// TTL at the sender.
    pub initial_ttl: u8,
    /// Whether DF is set.
    pub dont_fragment: bool,
    /// Mirai's mark or none.
    pub tool: Tool,
}

impl Family {
    /// The ports of a day; none where it does not come.
    #[must_use]
    pub fn ports(&self, day: i64) -> Option<Ports> {
        if self.away.contains(&day) {
            return None;
        }
        let begun = self.phases.iter().rev().find(|(from, _)| *from <= day);
        begun.map(|(_, ports)| *ports)
    }

    /// Numbers of the members of a day.
    #[must_use]
    pub fn members(&self, day: i64) -> std::ops::Range<u32> {
        let first = u32::try_from(day).unwrap_or(0) * self.replaced;
        first..first + self.members
    }
}

/// The families that are planted.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "steady",
        members: 60,
        replaced: 0,
        away: &[],
        phases: &[(0, &[(5, 8000), (3, 9000), (2, 9001)])],
        layout: &MSS_ONLY,
        window: Some(1337),
        initial_ttl: 64,
        dont_fragment: true,
        tool: Tool::None,
    },
    Family {
        name: "changing members",
        members: 60,
        replaced: 25,
        away: &[],
        phases: &[(0, &[(1, 60_001), (1, 60_002)])],
        layout: &LINUX,
        window: Some(4321),
        initial_ttl: 64,
        dont_fragment: true,
        tool: Tool::None,
    },
    Family {
        name: "late, moving ports",
        members: 50,
        replaced: 5,
        away: &[],
        phases: &[(2, &[(1, 5554)]), (4, &[(1, 7777), (1, 37_777)])],
        layout: &BARE,
        window: Some(2048),
        initial_ttl: 128,
        dont_fragment: false,
        tool: Tool::None,
    },
    Family {
        name: "returning",
        members: 40,
        replaced: 2,
        away: &[2, 3],
        phases: &[(0, &[(2, 6001), (1, 6002)])],
        layout: &BSD,
        window: Some(3333),
        initial_ttl: 64,
        dont_fragment: true,
        tool: Tool::None,
    },
    Family {
        name: "Mirai's descendant",
        members: 50,
        replaced: 10,
        away: &[],
        phases: &[(0, &[(9, 26), (1, 2626)])],
        layout: &BARE,
        window: None,
        initial_ttl: 64,
        dont_fragment: false,
        tool: Tool::Mirai,
    },
    Family {
        name: "ports of others, own stack",
        members: 50,
        replaced: 10,
        away: &[],
        phases: &[(0, &[(4, 23), (1, 2323)])],
        layout: &OLD_WINDOWS,
        window: Some(999),
        initial_ttl: 64,
        dont_fragment: false,
        tool: Tool::None,
    },
    Family {
        name: "stack of another, own ports",
        members: 40,
        replaced: 10,
        away: &[],
        phases: &[(0, &[(1, 445), (1, 139)])],
        layout: &OLD_WINDOWS,
        window: Some(999),
        initial_ttl: 64,
        dont_fragment: false,
        tool: Tool::None,
    },
];

/// The day of a time, from the first day of a capture that starts at `start_us`.
#[must_use]
pub fn day_of(time_us: i64, start_us: i64) -> i64 {
    time_us.div_euclid(24 * HOUR_US) - start_us.div_euclid(24 * HOUR_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_comes_when_its_row_says() {
        let late = &FAMILIES[2];
        assert!(late.ports(1).is_none());
        assert_eq!(late.ports(3), Some(&[(1, 5554)][..]));
        assert_eq!(late.ports(9).map(<[_]>::len), Some(2));
        assert_eq!(late.members(2), 10..60);
        assert!(FAMILIES[3].ports(2).is_none() && FAMILIES[3].ports(4).is_some());
        assert_eq!(day_of(24 * HOUR_US, HOUR_US), 1);
    }
}
