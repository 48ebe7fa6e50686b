//! The thresholds of denial-of-service events, and what a rate of replies says of an attack.

use crate::event::rule::DarkAddresses;

/// Addresses of IPv4.
const INTERNET: f64 = 4_294_967_296.0;
/// The shortest silence: rows of `backscatter` are of a minute, so a shorter one does not show.
pub const ATTACK_SILENCE_SECONDS_MIN: u64 = 60;
/// The longest silence.
pub const ATTACK_SILENCE_SECONDS_MAX: u64 = 86_400;

/// What makes a denial-of-service event. The defaults are those of corsaro (`corsaro_dos.c`), after Moore et al. 2006; they hold for replies
/// as the telescope sees them, so what they mean for an attack depends on its size ([`AttackRules::attack_pps`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackRules {
    /// Replies, at least.
    pub packets_min: u64,
    /// Seconds from the first reply to the last, at least.
    pub seconds_min: u64,
    /// Replies in some minute that begins at a full ten seconds, at least.
    pub per_minute_min: u64,
    /// Seconds of silence that an event survives; a longer one ends it.
    pub silence_seconds: u64,
    /// Addresses of a prefix that make a carpet, at least.
    pub carpet_victims_min: u64,
}

impl Default for AttackRules {
    fn default() -> Self {
        AttackRules {
            packets_min: 25,
            seconds_min: 60,
            per_minute_min: 30,
            silence_seconds: 300,
            carpet_victims_min: 10,
        }
    }
}

impl AttackRules {
    /// The longest silence within an event, microseconds.
    pub(crate) fn silence_us(&self) -> i64 {
        let range = ATTACK_SILENCE_SECONDS_MIN..=ATTACK_SILENCE_SECONDS_MAX;
        // At most a day.
        self.silence_seconds.clamp(*range.start(), *range.end()) as i64 * 1_000_000
    }

    /// Packets per second that a victim is sent, from its replies in a minute: as many times more as all of IPv4 has more addresses than the
    /// telescope. The attacker is assumed to forge sources evenly, and the victim to answer each packet once.
    #[must_use]
    pub fn attack_pps(per_minute: u64, ip_version: u8, telescope: &DarkAddresses) -> Option<f64> {
        let addresses = telescope.addresses(4).filter(|_| ip_version == 4)?;
        Some(per_minute as f64 / 60.0 * (INTERNET / addresses as f64))
    }

    /// The settings as text, for a note of what events are made of.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_that_of_the_telescope() {
        // Half a packet per second, for a /8, a /16 and a /24.
        for (bits, floor) in [(24, 128.0), (16, 32_768.0), (8, 8_388_608.0)] {
            let telescope = DarkAddresses {
                ipv4: Some(1 << bits),
                ipv6: Some(1 << 48),
            };
            let rules = AttackRules::default();
            let of = |version| AttackRules::attack_pps(rules.per_minute_min, version, &telescope);
            assert_eq!((of(4), of(6)), (Some(floor), None));
        }
        let unknown = DarkAddresses::default();
        assert_eq!(AttackRules::attack_pps(30, 4, &unknown), None);
    }
}
