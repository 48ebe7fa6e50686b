//! Tests that random bytes almost never match a signature; otherwise encrypted and damaged traffic would fill the classes.

use super::*;

/// Rows that match any datagram, because the service answers any.
const ANY_DATAGRAM: &[&str] = &[
    "chargen",
    "qotd",
    "daytime",
    "time",
    "echo",
    "users",
    "jenkins-discovery",
];
/// Lengths of the payloads, bytes: short ones, and those that rows ask for.
const LENGTHS: &[usize] = &[
    1, 2, 3, 4, 6, 8, 12, 14, 16, 18, 19, 20, 24, 27, 28, 32, 35, 44, 48, 54, 64, 100, 148, 512,
    1200, 1400,
];
/// Random payloads that may be taken for known ones on a port that no row names. Measured: 96 of a million over
/// UDP (nearly all of them eDonkey, whose headers have two bytes), 68 over TCP (nearly all of them Telnet, likewise).
const EVERYWHERE_MAX: f64 = 0.0002;
/// The same on a port that rows name. Measured: at most 10 of 1,000, for answers of CoAP from 5683.
const NAMED_PORT_MAX: f64 = 0.02;

/// Bytes that look random and are the same in every run (xorshift64*; Vigna, 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.next().to_be_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

/// Share of random payloads that `find` names, by port; rows that take anything are left out.
fn share(
    ports: impl Iterator<Item = (u16, u16)>,
    rounds: usize,
    find: fn(&Payload) -> Option<&'static Signature>,
) -> (f64, Vec<&'static str>) {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut bytes = vec![0; 2048];
    let (mut tried, mut names) = (0u64, Vec::new());
    for (source_port, destination_port) in ports {
        for _ in 0..rounds {
            for &length in LENGTHS {
                random.fill(&mut bytes[..length]);
                tried += 1;
                let payload = Payload::new(&bytes[..length], source_port, destination_port);
                let name = find(&payload).map(|row| row.name);
                names.extend(name.filter(|name| !ANY_DATAGRAM.contains(name)));
            }
        }
    }
    (names.len() as f64 / tried as f64, names)
}

fn by_name(names: &[&'static str]) -> std::collections::BTreeMap<&'static str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    names
        .iter()
        .for_each(|name| *counts.entry(*name).or_default() += 1);
    counts
}

#[test]
fn random_bytes_are_nothing_on_every_port() {
    for (find, what) in [(udp as fn(&Payload) -> _, "UDP"), (tcp, "TCP")] {
        let every_port = (0..=u16::MAX).map(|port| (port.wrapping_add(30_011), port));
        let (share, names) = share(every_port, 1, find);
        let found = by_name(&names);
        assert!(share < EVERYWHERE_MAX, "{what}: {share:.6} {found:?}");
    }
}

#[test]
fn random_bytes_are_almost_nothing_on_the_ports_of_rows() {
    let mut services: Vec<(u16, u16)> = UDP
        .iter()
        .flat_map(|row| match row.ports {
            Ports::Any => Vec::new(),
            Ports::To(ports) => ports.iter().map(|&port| (40_001, port)).collect(),
            Ports::From(ports) => ports.iter().map(|&port| (port, 40_001)).collect(),
        })
        .collect();
    services.sort_unstable();
    services.dedup();
    for service in services {
        let (share, names) = share([service].into_iter(), 400, udp);
        let found = by_name(&names);
        assert!(share < NAMED_PORT_MAX, "{service:?}: {share:.4} {found:?}");
    }
}
