//! The ports of a day: packets and hosts of each, in tables by number. A year of a large telescope has nearly fifty million of them.

use teiten_observation::Family;

use super::tally::{Map, Port, PortDay};

/// Ports of TCP, then those of UDP.
const PORTS: usize = 1 << 16;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Stands for packets that need more bits; those are apart.
const MANY: u32 = u32::MAX;

/// The place of an IP version.
const fn number_of(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}

/// The ports of one day.
#[derive(Clone, Debug, Default)]
pub struct DayPorts {
    /// IPv4 packets to each port of TCP and UDP; empty until one has some.
    packets: Vec<u32>,
    /// Hosts of IPv4 and of IPv6, likewise.
    hosts: [Vec<f32>; 2],
    /// Those of other protocols, and the packets of ports with very many.
    apart: Map<Port, PortDay>,
}

/// The place of a port in the tables; `None` for all but TCP and UDP.
fn place_of(port: Port) -> Option<usize> {
    let first = match port.protocol {
        TCP => 0,
        UDP => PORTS,
        _ => return None,
    };
    Some(first + usize::from(port.port?))
}

/// Sets a value of a table that has no place until it has a value.
fn set_in<T: Copy + Default>(table: &mut Vec<T>, place: usize, value: T) {
    if table.is_empty() {
        *table = vec![T::default(); 2 * PORTS];
    }
    table[place] = value;
}

impl DayPorts {
    /// Sets the packets and hosts that a port had over an IP version on the day. Packets of IPv6 are not kept.
    pub(crate) fn set(&mut self, port: Port, family: Family, packets: i64, hosts: f32) {
        let place = place_of(port);
        if let Some(place) = place {
            set_in(&mut self.hosts[number_of(family)], place, hosts);
        } else {
            let of_day = self.apart.entry(port).or_default();
            match family {
                Family::Ipv4 => of_day.hosts_ipv4 = hosts,
                Family::Ipv6 => of_day.hosts_ipv6 = hosts,
            }
        }
        if family == Family::Ipv6 {
            return;
        }
        let few = u32::try_from(packets).unwrap_or(MANY);
        if let Some(place) = place {
            set_in(&mut self.packets, place, few);
        }
        if place.is_none() || few == MANY {
            self.apart.entry(port).or_default().packets = packets;
        }
    }

    /// What a port had on the day; zero if nothing.
    #[must_use]
    pub fn get(&self, port: Port) -> PortDay {
        let apart = || self.apart.get(&port).copied().unwrap_or_default();
        let Some(place) = place_of(port) else {
            return apart();
        };
        let hosts = |family| self.hosts(family).get(place).copied().unwrap_or(0.0);
        PortDay {
            packets: match self.packets.get(place).copied().unwrap_or(0) {
                MANY => apart().packets,
                packets => packets.into(),
            },
            hosts_ipv4: hosts(Family::Ipv4),
            hosts_ipv6: hosts(Family::Ipv6),
        }
    }

    /// Hosts of an IP version of all ports of TCP and UDP by place; empty if none had any.
    pub(crate) fn hosts(&self, family: Family) -> &[f32] {
        &self.hosts[number_of(family)]
    }

    /// The port of a place of [`DayPorts::hosts`].
    pub(crate) fn port_at(place: usize) -> Port {
        Port {
            protocol: if place < PORTS { TCP } else { UDP },
            port: Some((place % PORTS) as u16),
        }
    }

    /// Takes the ports of the same day from another worker, which read it if this one has none.
    pub(crate) fn merge(&mut self, other: DayPorts) {
        let has_hosts = self.hosts.iter().any(|hosts| !hosts.is_empty());
        if self.packets.is_empty() && !has_hosts && self.apart.is_empty() {
            *self = other;
        }
    }
}

/// Packets of the ports of several days.
#[derive(Clone, Debug, Default)]
pub struct PacketSums {
    /// By place; empty until a port has some.
    packets: Vec<i64>,
    apart: Map<Port, i64>,
}

impl PacketSums {
    /// Adds days up.
    pub fn of<'d>(days: impl Iterator<Item = &'d DayPorts>) -> Self {
        let mut sums = PacketSums::default();
        for day in days {
            if sums.packets.is_empty() && !day.packets.is_empty() {
                sums.packets = vec![0; 2 * PORTS];
            }
            for (sum, packets) in sums.packets.iter_mut().zip(&day.packets) {
                // Those that need more bits are apart.
                *sum += i64::from(if *packets == MANY { 0 } else { *packets });
            }
            for (port, of_day) in &day.apart {
                *sums.apart.entry(*port).or_default() += of_day.packets;
            }
        }
        sums
    }

    /// The packets of a port.
    #[must_use]
    pub fn get(&self, port: Port) -> i64 {
        let place = place_of(port).and_then(|place| self.packets.get(place));
        let apart = self.apart.get(&port);
        place.copied().unwrap_or(0) + apart.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_keeps_every_port_and_any_number_of_packets() {
        let ports = [
            (6, Some(0)),
            (6, Some(65_535)),
            (17, Some(0)),
            (17, Some(53)),
            (6, None),
            (1, None),
            (47, Some(53)),
        ];
        let counts = [
            1,
            i64::from(u32::MAX) - 1,
            u32::MAX.into(),
            1 << 40,
            7,
            8,
            9,
        ];
        let rows = ports.iter().zip(counts).map(|((protocol, port), packets)| {
            let port = Port {
                protocol: *protocol,
                port: *port,
            };
            (
                port,
                PortDay {
                    packets,
                    hosts_ipv4: packets as f32,
                    hosts_ipv6: packets as f32 / 2.0,
                },
            )
        });
        let mut day = DayPorts::default();
        assert_eq!(day.get(DayPorts::port_at(3)), PortDay::default());
        for (port, of_day) in rows.clone() {
            day.set(port, Family::Ipv6, 77, of_day.hosts_ipv6);
            day.set(port, Family::Ipv4, of_day.packets, of_day.hosts_ipv4);
        }
        let mut taken = DayPorts::default();
        taken.merge(day);
        taken.merge(DayPorts::default());
        for (port, of_day) in rows.clone() {
            assert_eq!(taken.get(port), of_day);
        }
        let other = Port {
            protocol: 17,
            port: Some(54),
        };
        assert_eq!(taken.get(other), PortDay::default());
        // A day of IPv6 alone is not empty.
        let mut alone = DayPorts::default();
        alone.set(other, Family::Ipv6, 3, 2.0);
        alone.merge(taken.clone());
        assert_eq!(
            (alone.get(other).packets, alone.get(other).hosts_ipv6),
            (0, 2.0)
        );
        let sums = PacketSums::of([&taken, &DayPorts::default(), &taken].into_iter());
        for (port, of_day) in rows {
            assert_eq!(sums.get(port), 2 * of_day.packets);
        }
        let place = PORTS + 53;
        let hosts = (1_u64 << 40) as f32;
        assert_eq!(taken.hosts(Family::Ipv4)[place], hosts);
        assert_eq!(taken.hosts(Family::Ipv6)[place], hosts / 2.0);
        assert_eq!(
            DayPorts::port_at(place),
            Port {
                protocol: 17,
                port: Some(53)
            }
        );
    }
}
