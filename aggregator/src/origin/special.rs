//! Removes special-purpose space from the data: its addresses have no country and no autonomous system, even if a data file has one. This is
//! applied when tables are built, so a lookup does not pay for it.

use std::sync::LazyLock;

use crate::ranges::flatten::{Range, flatten};
use crate::ranges::table::RangeStep;
use teiten_observation::{Address, SPECIAL_IPV4, SPECIAL_IPV6, SpecialBlock};

/// The addresses at which IPv4 special-purpose space begins (true) and ends (false).
pub(crate) static MASK_V4: LazyLock<Vec<RangeStep<u32, bool>>> =
    LazyLock::new(|| mask(SPECIAL_IPV4));
/// The same for IPv6.
pub(crate) static MASK_V6: LazyLock<Vec<RangeStep<u128, bool>>> =
    LazyLock::new(|| mask(SPECIAL_IPV6));

fn mask<A: Address>(blocks: &[SpecialBlock<A>]) -> Vec<RangeStep<A, bool>> {
    let ranges = blocks.iter().map(|block| Range {
        first: block.first,
        last: block.last(),
        value: !block.is_globally_reachable(),
    });
    flatten(&[ranges.collect::<Vec<_>>()])
}

#[cfg(test)]
mod tests {
    use super::super::Origins;
    use super::*;

    /// Files that give every address a country and a network.
    fn everything() -> Origins {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("room for it");
            path
        };
        let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let geo = write("geo", &format!("0,4294967295,JP\n::,{last},JP\n"));
        let asn = write("asn", &format!("0,4294967295,64496\n::,{last},64496\n"));
        Origins::load(&[geo], &[asn]).expect("good files")
    }

    /// Whether the narrowest block that holds an address is not reachable.
    fn is_special<A: Address>(blocks: &[SpecialBlock<A>], address: A) -> bool {
        let holding = blocks
            .iter()
            .filter(|block| block.first <= address && address <= block.last());
        holding
            .max_by_key(|block| block.length)
            .is_some_and(|block| !block.is_globally_reachable())
    }

    fn check<A: Address>(origins: &Origins, blocks: &[SpecialBlock<A>]) {
        let mut cursor = origins.newest().cursor::<A>();
        for block in blocks {
            let outer = [
                block.first.number().wrapping_sub(1),
                block.last().number().wrapping_add(1),
            ];
            let edges = outer.map(A::from_number).into_iter();
            for address in edges.chain([block.first, block.last()]) {
                let (country, asn) = if is_special(blocks, address) {
                    ("ZZ", None)
                } else {
                    ("JP", Some(64_496))
                };
                assert_eq!(origins.country(address).as_str(), country, "{block:?}");
                assert_eq!(origins.asn(address), asn, "{block:?}");
                assert_eq!(cursor.country(address).as_str(), country, "{block:?}");
                assert_eq!(cursor.asn(address), asn, "{block:?}");
            }
        }
    }

    #[test]
    fn special_space_has_no_country_and_no_network_up_to_its_edges() {
        let origins = everything();
        check(&origins, SPECIAL_IPV4);
        check(&origins, SPECIAL_IPV6);
        for (address, country) in [
            ("9.255.255.255", "JP"),
            ("10.0.0.0", "ZZ"),
            ("100.127.255.255", "ZZ"),
            ("100.128.0.0", "JP"),
            ("192.0.0.8", "ZZ"),
            ("192.0.0.9", "JP"),
            ("192.0.0.11", "ZZ"),
            ("192.88.99.1", "JP"),
            ("198.18.0.0", "ZZ"),
            ("223.255.255.255", "JP"),
            ("255.255.255.255", "ZZ"),
        ] {
            let number = u32::from(address.parse::<std::net::Ipv4Addr>().expect("IPv4"));
            assert_eq!(origins.country(number).as_str(), country, "{address}");
        }
        for (address, country) in [
            ("2001::1", "JP"),
            ("2001:1::1", "JP"),
            ("2001:1::4", "ZZ"),
            ("2001:10::1", "ZZ"),
            ("2001:200::", "JP"),
            ("2001:db8::1", "ZZ"),
            ("2002::1", "JP"),
            ("64:ff9b::1", "JP"),
            ("fe80::1", "ZZ"),
        ] {
            let number = u128::from(address.parse::<std::net::Ipv6Addr>().expect("IPv6"));
            assert_eq!(origins.country(number).as_str(), country, "{address}");
        }
    }
}
