//! Values by port: those of TCP and UDP are found by their number, without a hash, as a report has hundreds of thousands of them a day.

use super::tally::{Map, Port};

/// Ports of a protocol.
const PORTS: usize = 1 << 16;
/// The place of a port that has no value.
const NONE: u32 = u32::MAX;

/// A value for each port that has one, in the order in which they came.
#[derive(Clone, Debug)]
pub struct PortMap<T> {
    /// The place of each port of TCP and of UDP; empty until one has a value.
    places: [Vec<u32>; 2],
    others: Map<Port, u32>,
    values: Vec<(Port, T)>,
}

impl<T> Default for PortMap<T> {
    fn default() -> Self {
        PortMap {
            places: Default::default(),
            others: Map::default(),
            values: Vec::new(),
        }
    }
}

/// The protocol's table of places, and the port's number; `None` for all but TCP and UDP.
fn numbered(port: Port) -> Option<(usize, usize)> {
    let table = match port.protocol {
        6 => 0,
        17 => 1,
        _ => return None,
    };
    Some((table, usize::from(port.port?)))
}

impl<T> PortMap<T> {
    /// The value of a port.
    #[must_use]
    pub fn get(&self, port: Port) -> Option<&T> {
        let place = match numbered(port) {
            Some((table, number)) => *self.places[table].get(number)?,
            None => *self.others.get(&port)?,
        };
        self.values.get(place as usize).map(|(_, value)| value)
    }

    /// The value of a port; `new` gives it if there is none.
    pub fn at(&mut self, port: Port, new: impl FnOnce() -> T) -> &mut T {
        let next = self.values.len() as u32;
        let place = match numbered(port) {
            Some((table, number)) => {
                let places = &mut self.places[table];
                if places.is_empty() {
                    *places = vec![NONE; PORTS];
                }
                let place = &mut places[number];
                if *place == NONE {
                    *place = next;
                }
                *place
            }
            None => *self.others.entry(port).or_insert(next),
        };
        if place == next {
            self.values.push((port, new()));
        }
        &mut self.values[place as usize].1
    }

    /// Every port with its value, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (Port, &T)> {
        self.values.iter().map(|(port, value)| (*port, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Port, &mut T)> {
        self.values.iter_mut().map(|(port, value)| (*port, value))
    }

    /// Number of ports that have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no port has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<T> IntoIterator for PortMap<T> {
    type Item = (Port, T);
    type IntoIter = std::vec::IntoIter<(Port, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_value_whatever_its_protocol() {
        let port = |protocol, port| Port { protocol, port };
        let ports = [
            port(6, Some(0)),
            port(6, Some(65_535)),
            port(17, Some(0)),
            port(17, Some(65_535)),
            port(6, None),
            port(1, Some(53)),
            port(1, None),
        ];
        let mut map = PortMap::default();
        for _ in 0..3 {
            for (number, port) in ports.iter().enumerate() {
                *map.at(*port, || number * 10) += 1;
            }
        }
        let found: Vec<(Port, usize)> = map.iter().map(|(port, value)| (port, *value)).collect();
        let wanted = ports.iter().enumerate();
        let wanted: Vec<(Port, usize)> = wanted.map(|(n, port)| (*port, n * 10 + 3)).collect();
        assert_eq!(found, wanted);
        assert_eq!(map.get(ports[3]), Some(&33));
        assert_eq!(map.get(port(17, Some(1))), None);
        assert_eq!(map.get(port(17, None)), None);
        assert_eq!(PortMap::<u8>::default().get(ports[0]), None);
        assert_eq!((map.len(), map.is_empty()), (7, false));
    }
}
