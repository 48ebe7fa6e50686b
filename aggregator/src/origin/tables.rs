//! The tables of a subject, one per family, with lookup by an address of either.

use teiten_observation::{Address, Family};

use crate::ranges::table::{Lookup, TableV4, TableV6, Value};

/// The values of all addresses of both families.
#[derive(Clone, Debug)]
pub(super) struct Tables<V> {
    pub(super) v4: TableV4<V>,
    pub(super) v6: TableV6<V>,
}

impl<V: Value> Tables<V> {
    pub(super) fn empty() -> Self {
        Tables {
            v4: TableV4::new(&[]),
            v6: TableV6::new(&[]),
        }
    }

    #[inline]
    pub(super) fn find<A: Address>(&self, source: A) -> V {
        match A::FAMILY {
            Family::Ipv4 => self.v4.find(source.number() as u32),
            Family::Ipv6 => self.v6.find(source.number()),
        }
    }

    #[inline]
    pub(super) fn answer<A: Address>(&self, source: A) -> Lookup<A, V> {
        let (first, last, value) = match A::FAMILY {
            Family::Ipv4 => {
                let answer = self.v4.answer(source.number() as u32);
                (
                    u128::from(answer.first),
                    u128::from(answer.last),
                    answer.value,
                )
            }
            Family::Ipv6 => {
                let answer = self.v6.answer(source.number());
                (answer.first, answer.last, answer.value)
            }
        };
        Lookup {
            first: A::from_number(first),
            last: A::from_number(last),
            value,
        }
    }
}
