//! The same rows for every split and order, and limits that lose no packet.

use super::*;

/// A payload that many numbers give.
#[derive(Clone, Debug)]
struct Sent {
    protocol: u8,
    port: u16,
    signature: &'static str,
    source: u32,
    bytes: Vec<u8>,
}

impl Sent {
    fn unknown(port: u16, payload: u64, source: u32) -> Self {
        Sent {
            protocol: 17,
            port,
            signature: "",
            source,
            bytes: payload.to_be_bytes().to_vec(),
        }
    }

    fn named(port: u16, signature: &'static str, source: u32) -> Self {
        Sent {
            signature,
            bytes: vec![source as u8, 2, 3],
            ..Sent::unknown(port, 0, source)
        }
    }
}

fn table<'s>(packets: impl IntoIterator<Item = &'s Sent>) -> PayloadTable {
    let mut table = PayloadTable::default();
    for sent in packets {
        table.observe(&PayloadPacket {
            protocol: sent.protocol,
            port: sent.port,
            signature: sent.signature,
            source: sent.source,
            bytes: &sent.bytes,
        });
    }
    table
}

/// Numbers that look random and are the same in every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |step| mixed(seed.wrapping_mul(0x1_0000_0001) ^ step))
}

/// Packets that pass every limit: a flood of random payloads on one port, payloads on all ports, names on all ports.
fn beyond_the_limits() -> Vec<Sent> {
    let mut packets = Vec::new();
    for (step, number) in numbers(1).take(120_000).enumerate() {
        let port = (number >> 48) as u16;
        packets.push(Sent::unknown(port, number & 7, number as u32 & 0xfff));
        if step % 4 == 0 {
            packets.push(Sent::unknown(4_000, number & 0xfff, number as u32));
            packets.push(Sent::named(
                port,
                ["one", "two"][step / 4 % 2],
                number as u32,
            ));
        }
    }
    // Frequent payloads and late ones.
    packets.extend((0..500).map(|source| Sent::unknown(53, 99, source)));
    packets
}

/// Every row of both tables is the same; panics with the first that is not.
fn assert_same(mut ours: PayloadTable, mut theirs: PayloadTable, what: &str) {
    let (ours, theirs) = (ours.rows(), theirs.rows());
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (left, right) in ours.iter().zip(&theirs) {
        assert_eq!(left, right, "{what}");
    }
}

#[test]
fn a_packet_is_counted_by_its_name_or_its_payload() {
    let mut table = table(&[
        Sent::unknown(53, 7, 1),
        Sent::unknown(53, 7, 2),
        Sent::unknown(53, 8, 2),
        Sent::named(53, "dns-query", 9),
        Sent::named(53, "dns-query", 3),
        Sent::named(5353, "mdns-query", 3),
    ]);
    let seven = 7u64.to_be_bytes();
    let hash = XxHash64::oneshot(0, &seven);
    let rows = table.rows();
    assert_eq!(rows.len(), 4);
    let own = rows
        .iter()
        .find(|row| row.hash == Some(hash))
        .expect("a row");
    assert_eq!((own.packets, own.sources), (2, 2));
    assert_eq!((own.port, own.signature), (Some(53), ""));
    assert_eq!(own.first_bytes, seven);
    let dns = rows.iter().find(|row| row.signature == "dns-query");
    let dns = dns.expect("a row");
    assert_eq!((dns.packets, dns.sources, dns.hash), (2, 2, None));
    assert_eq!(dns.first_bytes, [3, 2, 3], "the smallest of its payloads");
}

#[test]
fn the_hash_is_xxh64_and_long_payloads_keep_their_first_bytes() {
    // Of "abc" with seed 0: xxHash's own test vector (xxhsum).
    let mut abc = table(&[Sent {
        bytes: b"abc".to_vec(),
        ..Sent::unknown(1, 0, 1)
    }]);
    assert_eq!(abc.rows()[0].hash, Some(0x44bc_2cf5_ad77_0999));
    let long = |last: u8| Sent {
        bytes: [vec![1; 100], vec![last]].concat(),
        ..Sent::unknown(1, 0, 1)
    };
    let mut table = table(&[long(1), long(2)]);
    let rows = table.rows();
    assert_eq!(
        rows.len(),
        2,
        "the bytes after the first ones are hashed too"
    );
    assert_eq!(rows[0].first_bytes, [1; FIRST_BYTES]);
}

#[test]
fn any_split_and_order_gives_the_same_rows() {
    let packets = beyond_the_limits();
    for workers in [2, 3, 7] {
        let mut merged = PayloadTable::default();
        for worker in (0..workers).rev() {
            merged.merge(table(packets.iter().skip(worker).step_by(workers)));
        }
        assert_same(table(&packets), merged, &format!("{workers} workers"));
    }
    let halves = packets.split_at(packets.len() / 3);
    let mut merged = table(halves.1);
    merged.merge(table(halves.0));
    assert_same(table(&packets), merged, "parts one after the other");
    assert_same(table(&packets), table(packets.iter().rev()), "backwards");
}

fn stored(table: &PayloadTable) -> PayloadTable {
    let mut bytes = Vec::new();
    table.write_to(&mut bytes);
    let mut input = &bytes[..];
    let read = PayloadTable::read_from(&mut input, &mut Names::default()).expect("whole");
    assert!(input.is_empty(), "nothing is left");
    for length in [0, 1, 20, bytes.len() / 2, bytes.len() - 1] {
        let cut = PayloadTable::read_from(&mut &bytes[..length], &mut Names::default());
        assert!(cut.is_err(), "{length} of {} bytes", bytes.len());
    }
    read
}

#[test]
fn a_table_that_was_stored_in_stretches_gives_the_same_rows() {
    let packets = beyond_the_limits();
    for stretches in [1, 3, 40] {
        let mut merged = PayloadTable::default();
        for stretch in packets.chunks(packets.len().div_ceil(stretches)) {
            merged.merge(stored(&table(stretch)));
        }
        assert_same(table(&packets), merged, &format!("{stretches} stretches"));
    }
    assert!(stored(&PayloadTable::default()).is_empty());
}

#[test]
fn a_table_that_is_taken_again_and_again_gives_the_same_rows() {
    let packets = beyond_the_limits();
    for length in [700, 5_000, 60_000] {
        let (mut open, mut taken) = (PayloadTable::default(), Vec::new());
        for stretch in packets.chunks(length) {
            open.merge(table(stretch));
            taken.push(open.take());
            assert!(open.is_empty());
        }
        // The last taken comes first: an order that no run has.
        for later in taken.into_iter().rev() {
            open.merge(later);
        }
        assert_same(open, table(&packets), &format!("stretches of {length}"));
    }
}

#[test]
fn few_packets_take_few_bytes() {
    let mut bytes = Vec::new();
    table(&[Sent::unknown(53, 7, 1), Sent::named(53, "dns-query", 9)]).write_to(&mut bytes);
    assert!(bytes.len() < 100, "{}", bytes.len());
}

#[test]
fn no_packet_is_lost_beyond_the_limits() {
    let packets = beyond_the_limits();
    let mut table = table(&packets);
    let rows = table.rows();
    let sum: u64 = rows.iter().map(|row| row.packets).sum();
    assert_eq!(sum, packets.len() as u64);
    let own = rows.iter().filter(|row| row.hash.is_some()).count();
    assert_eq!(own, PAYLOADS_MAX);
    let with_port = |row: &&PayloadRow| !row.signature.is_empty() && row.port.is_some();
    assert_eq!(rows.iter().filter(with_port).count(), NAMED_MAX);
    let portless = rows.iter().filter(|row| row.port.is_none());
    assert_eq!(portless.count(), 2, "a row for each name");
}

#[test]
fn a_flood_on_one_port_leaves_the_others_alone() {
    let flood = numbers(2)
        .take(300_000)
        .map(|number| Sent::unknown(9, number, number as u32));
    let mut packets: Vec<Sent> = flood.collect();
    packets.extend((0..200).map(|number| Sent::unknown(10, number, 1)));
    let mut table = table(&packets);
    let rows = table.rows();
    let of = |port: u16| rows.iter().filter(move |row| row.port == Some(port));
    assert_eq!(of(9).count(), PER_PORT_MAX + 1);
    assert_eq!(of(10).count(), 200);
    let others = of(9).find(|row| row.hash.is_none()).expect("a row");
    assert_eq!(others.packets, 300_000 - PER_PORT_MAX as u64);
    assert!((250_000..350_000).contains(&others.sources), "{others:?}");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut table = PayloadTable::default();
    for (step, number) in numbers(3).take(1_500_000).enumerate() {
        table.observe(&PayloadPacket {
            protocol: if step % 2 == 0 { 6 } else { 17 },
            port: (number >> 48) as u16,
            signature: ["", "one", "", "two"][step % 4],
            source: number as u32,
            bytes: &number.to_be_bytes(),
        });
    }
    assert!(table.unknown.rows().count() > PAYLOADS_MAX);
    let bytes = table.memory_bytes();
    assert!(bytes < MEMORY_BYTES_MAX, "{bytes}");
}

proptest::proptest! {
    #[test]
    fn few_payloads_are_counted_exactly(
        sent in proptest::collection::vec((0u16..4, 0u64..6, 0u32..3), 1..200),
        cut in 0usize..200,
    ) {
        let packets: Vec<Sent> = sent
            .iter()
            .map(|&(port, payload, source)| Sent::unknown(port, payload, source))
            .collect();
        let (first, second) = packets.split_at(cut.min(packets.len()));
        let mut merged = table(first);
        merged.merge(table(second));
        let mut expected = std::collections::BTreeMap::new();
        for packet in &packets {
            *expected.entry((packet.port, packet.bytes.clone())).or_insert(0u64) += 1;
        }
        let rows = merged.rows();
        proptest::prop_assert_eq!(rows.len(), expected.len());
        for row in rows {
            let key = (row.port.unwrap_or(0), row.first_bytes.to_vec());
            proptest::prop_assert_eq!(Some(&row.packets), expected.get(&key));
        }
    }
}
