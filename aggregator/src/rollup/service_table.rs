//! Sums by service, which sources of a day ask for over and over.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::event::service::AskedService;

/// Ports, and one more place for packets without.
const PLACES: usize = (1 << 16) + 1;
/// Protocols whose ports have a place each: TCP and UDP, of which nearly all services are.
const DIRECT: [u8; 2] = [6, 17];

/// Something of each service. Of TCP and UDP it is found without hashing: a source that asks for every port would miss the cache at each of them.
#[derive(Debug)]
pub(super) struct ServiceTable<T> {
    /// By port, the number of the entry and 1; 0 where there is none. Only protocols that came have places.
    places: [Option<Box<[u32]>>; DIRECT.len()],
    others: HashMap<AskedService, u32, RandomState>,
    entries: Vec<(AskedService, T)>,
}

impl<T> Default for ServiceTable<T> {
    fn default() -> Self {
        ServiceTable {
            places: [None, None],
            others: HashMap::default(),
            entries: Vec::new(),
        }
    }
}

impl<T: Default> ServiceTable<T> {
    /// What there is of a service, or its default.
    pub(super) fn entry(&mut self, service: AskedService) -> &mut T {
        let number = match DIRECT.iter().position(|it| *it == service.protocol()) {
            Some(direct) => {
                let places =
                    self.places[direct].get_or_insert_with(|| vec![0; PLACES].into_boxed_slice());
                let place = service.port().map_or(0, |port| usize::from(port) + 1);
                &mut places[place]
            }
            None => self.others.entry(service).or_default(),
        };
        if *number == 0 {
            self.entries.push((service, T::default()));
            *number = self.entries.len() as u32;
        }
        let place = *number as usize - 1;
        &mut self.entries[place].1
    }
}

impl<T> ServiceTable<T> {
    /// The services that were asked for, in the order in which they first were.
    pub(super) fn entries(&self) -> &[(AskedService, T)] {
        &self.entries
    }

    /// The same, in no table any more.
    pub(super) fn into_entries(self) -> Vec<(AskedService, T)> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_an_entry_of_its_own() {
        let mut services = Vec::new();
        for protocol in [0, 1, 6, 17, 132, 255] {
            for port in [None, Some(0), Some(1), Some(65_535)] {
                services.push(AskedService::new(protocol, port));
            }
        }
        let mut table = ServiceTable::<u64>::default();
        for round in 1..3 {
            for (number, service) in (1..).zip(&services) {
                *table.entry(*service) += number * round;
            }
        }
        let expected: Vec<(AskedService, u64)> = services
            .iter()
            .zip(1..)
            .map(|(service, number)| (*service, number * 3))
            .collect();
        assert_eq!(table.entries(), expected);
    }
}
