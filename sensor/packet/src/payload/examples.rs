//! A payload for every signature without an example in `tests.rs`: bytes as the protocol's document or its tool writes them, and the row
//! that matches them. A signature without one fails the test below.

mod tcp;
mod udp;
mod udp_replies;

use super::*;

/// From, to, bytes, and the name of the row.
type Example = (u16, u16, Vec<u8>, &'static str);

fn check(examples: Vec<Example>, find: fn(&Payload) -> Option<&'static Signature>) {
    for (from, to, bytes, name) in examples {
        let found = find(&Payload::new(&bytes, from, to)).map(|row| row.name);
        assert_eq!(found, Some(name), "{from} to {to}: {bytes:02x?}");
    }
}

/// A request from a port of no service.
fn to(port: u16, bytes: &[u8], name: &'static str) -> Example {
    (40_001, port, bytes.to_vec(), name)
}

/// A reply to a port of no service.
fn from(port: u16, bytes: &[u8], name: &'static str) -> Example {
    (port, 40_001, bytes.to_vec(), name)
}

/// Zeros behind a start, up to a length.
fn long(start: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = start.to_vec();
    bytes.resize(length, 0);
    bytes
}

#[test]
fn every_signature_is_tested_by_an_example() {
    let sources = [
        include_str!("tests.rs"),
        include_str!("examples/tcp.rs"),
        include_str!("examples/udp.rs"),
        include_str!("examples/udp_replies.rs"),
    ];
    for row in UDP.iter().chain(&TCP) {
        let quoted = format!("\"{}\"", row.name);
        let is_tested = sources.iter().any(|source| source.contains(&quoted));
        assert!(is_tested, "{} has no example", row.name);
    }
}
