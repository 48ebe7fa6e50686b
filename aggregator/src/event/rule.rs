//! The thresholds of scan events, and the silence that ends one, which follows from the telescope's size.

/// Share of the gaps of the slowest scanner that may split its event.
const SPLIT_SHARE: f64 = 0.001;
/// Rate of the slowest scanner that is followed, packets per second to the whole of IPv4. With it the silence is 624 s for 475,136 dark
/// addresses, as Merit has it (darknet-events).
const SLOWEST_PPS: f64 = 100.0;
/// Addresses of IPv4.
const INTERNET: f64 = 4_294_967_296.0;
/// The shortest silence: rows of `sources` are of an hour, so a shorter one within an hour does not show.
pub const SILENCE_SECONDS_MIN: u64 = 3_600;
/// The longest silence, for the smallest telescopes.
pub const SILENCE_SECONDS_MAX: u64 = 31 * 86_400;

/// Dark addresses, where they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DarkAddresses {
    /// Of IPv4.
    pub ipv4: Option<u64>,
    /// Of IPv6.
    pub ipv6: Option<u64>,
}

impl DarkAddresses {
    /// Of a family.
    #[must_use]
    pub const fn addresses(&self, ip_version: u8) -> Option<u64> {
        let addresses = match ip_version {
            4 => self.ipv4,
            _ => self.ipv6,
        };
        match addresses {
            Some(0) => None,
            addresses => addresses,
        }
    }
}

/// What makes a scan event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanRules {
    /// Seconds of silence that end an event; none: from the telescope's size.
    pub silence_seconds: Option<u64>,
    /// Distinct dark addresses, at least.
    pub destinations_min: u64,
    /// Packets per second to the whole of IPv4, at least, where the telescope's size is known.
    pub internet_rate_min: f64,
    /// Share of the dark addresses from which on an event is large.
    pub large_share: f64,
}

impl Default for ScanRules {
    fn default() -> Self {
        ScanRules {
            silence_seconds: None,
            destinations_min: 10,
            internet_rate_min: 10.0,
            large_share: 0.1,
        }
    }
}

impl ScanRules {
    /// The silence that ends an event, microseconds: T = -ln(e) 2^32 / (N r).
    #[must_use]
    pub fn silence_us(&self, telescope: &DarkAddresses) -> i64 {
        let of_size = |addresses: u64| {
            let seconds = -SPLIT_SHARE.ln() * INTERNET / (addresses as f64 * SLOWEST_PPS);
            seconds.ceil() as u64
        };
        let seconds = self.silence_seconds.or(telescope.addresses(4).map(of_size));
        let seconds = seconds.unwrap_or(SILENCE_SECONDS_MIN);
        let seconds = seconds.clamp(SILENCE_SECONDS_MIN, SILENCE_SECONDS_MAX);
        // At most 31 days.
        seconds as i64 * 1_000_000
    }

    /// What a rate seen by the telescope comes to for the whole of IPv4, packets per second.
    #[must_use]
    pub fn internet_rate(rate_pps: f64, ip_version: u8, telescope: &DarkAddresses) -> Option<f64> {
        let addresses = telescope.addresses(4).filter(|_| ip_version == 4)?;
        Some(rate_pps * INTERNET / addresses as f64)
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
    fn the_silence_follows_from_the_size_and_is_an_hour_at_least() {
        let silence = |ipv4| {
            let telescope = DarkAddresses { ipv4, ipv6: None };
            ScanRules::default().silence_us(&telescope) / 1_000_000
        };
        // A /16, a /24, and one that the formula gives 624 s.
        assert_eq!(silence(Some(65_536)), 4_528);
        assert_eq!(silence(Some(256)), 1_158_930);
        assert_eq!(silence(Some(475_136)), 3_600);
        assert_eq!(silence(Some(1)), 31 * 86_400);
        assert_eq!((silence(None), silence(Some(0))), (3_600, 3_600));
        let set = ScanRules {
            silence_seconds: Some(7_200),
            ..ScanRules::default()
        };
        assert_eq!(set.silence_us(&DarkAddresses::default()), 7_200_000_000);
    }
}
