//! The ports of a day: packets and hosts of each, in tables by number. A year of a large telescope has nearly fifty million of them.

use super::tally::{Map, Port, PortDay};

/// Ports of TCP, then those of UDP.
const PORTS: usize = 1 << 16;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Stands for packets that need more bits; those are apart.
const MANY: u32 = u32::MAX;

/// The ports of one day.
#[derive(Clone, Debug, Default)]
pub struct DayPorts {
    /// Packets to each port of TCP and UDP; empty until one has some.
    packets: Vec<u32>,
    hosts: Vec<f32>,
    /// Those of other protocols, and of ports with very many packets.
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

impl DayPorts {
    /// Sets what a port had on the day.
    pub(crate) fn set(&mut self, port: Port, of_day: PortDay) {
        let packets = u32::try_from(of_day.packets).unwrap_or(MANY);
        let place = place_of(port);
        if packets == MANY || place.is_none() {
            self.apart.insert(port, of_day);
        }
        if let Some(place) = place {
            if self.packets.is_empty() {
                self.packets = vec![0; 2 * PORTS];
                self.hosts = vec![0.0; 2 * PORTS];
            }
            self.packets[place] = packets;
            self.hosts[place] = of_day.hosts;
        }
    }

    /// What a port had on the day; zero if nothing.
    #[must_use]
    pub fn get(&self, port: Port) -> PortDay {
        let place = place_of(port).filter(|_| !self.packets.is_empty());
        match place.map(|place| (self.packets[place], self.hosts[place])) {
            Some((packets, hosts)) if packets != MANY => PortDay {
                packets: packets.into(),
                hosts,
            },
            _ => self.apart.get(&port).copied().unwrap_or_default(),
        }
    }

    /// Hosts of all ports of TCP and UDP by place; empty if none had any.
    pub(crate) fn hosts(&self) -> &[f32] {
        &self.hosts
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
        if self.packets.is_empty() && self.apart.is_empty() {
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
                    hosts: packets as f32,
                },
            )
        });
        let mut day = DayPorts::default();
        assert_eq!(day.get(DayPorts::port_at(3)), PortDay::default());
        rows.clone()
            .for_each(|(port, of_day)| day.set(port, of_day));
        let mut taken = DayPorts::default();
        taken.merge(day);
        taken.merge(DayPorts::default());
        for (port, of_day) in rows.clone() {
            assert_eq!(taken.get(port), of_day);
        }
        assert_eq!(
            taken.get(Port {
                protocol: 17,
                port: Some(54)
            }),
            PortDay::default()
        );
        let sums = PacketSums::of([&taken, &DayPorts::default(), &taken].into_iter());
        for (port, of_day) in rows {
            assert_eq!(sums.get(port), 2 * of_day.packets);
        }
        let place = PORTS + 53;
        assert_eq!(taken.hosts()[place], (1_u64 << 40) as f32);
        assert_eq!(
            DayPorts::port_at(place),
            Port {
                protocol: 17,
                port: Some(53)
            }
        );
    }
}
