//! An organisation that scans openly, or is known to scan: its name, the source of that statement, and its addresses, networks and host
//! names with their days.

use std::net::IpAddr;

use jiff::civil::Date;
use teiten_observation::{Address, Family};

/// Longest name, bytes; every row of its sources has it.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// The days of an entry, both included; without an end it still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub until: Option<Date>,
    /// The last day on which it was seen; it may hold later too.
    pub seen: Option<Date>,
}

impl Days {
    pub(super) fn hold(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// First and last address.
pub(super) type AddressRange<A> = (A, A);

/// An organisation, from its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name, as the tables have it.
    pub name: String,
    /// The statement of its addresses: by the organisation itself, or by the list.
    pub statement: String,
    /// The day on which that was read, or the day of the list; `None` if the list has none.
    pub read: Option<Date>,
    /// Endings of its hosts' names in reverse DNS, lower case, without a leading dot.
    pub rdns_suffixes: Vec<String>,
    /// Other names under which lists have it.
    pub aliases: Vec<String>,
    /// The lists from which `import` took it.
    pub lists: Vec<String>,
    pub(super) prefixes_v4: Vec<(AddressRange<u32>, Days)>,
    pub(super) prefixes_v6: Vec<(AddressRange<u128>, Days)>,
    pub(super) asns: Vec<(u32, Days)>,
}

impl Actor {
    /// One without any address yet.
    pub(super) fn new(name: &str, statement: &str, read: Option<Date>) -> Actor {
        Actor {
            name: name.to_owned(),
            statement: statement.to_owned(),
            read,
            rdns_suffixes: Vec::new(),
            aliases: Vec::new(),
            lists: Vec::new(),
            prefixes_v4: Vec::new(),
            prefixes_v6: Vec::new(),
            asns: Vec::new(),
        }
    }

    /// Adds a prefix; the error says why the text is none.
    pub(super) fn add_prefix(&mut self, text: &str, days: Days) -> Result<(), String> {
        match prefix_bounds(text)? {
            (IpAddr::V4(first), length) => {
                let first = first.to_bits();
                let last = first | u32::MAX.checked_shr(length).unwrap_or(0);
                self.prefixes_v4.push(((first, last), days));
            }
            (IpAddr::V6(first), length) => {
                let first = first.to_bits();
                let last = first | u128::MAX.checked_shr(length).unwrap_or(0);
                self.prefixes_v6.push(((first, last), days));
            }
        }
        Ok(())
    }

    /// Address ranges of one family on a day.
    pub(super) fn prefixes<A: Address>(
        &self,
        date: Date,
    ) -> impl Iterator<Item = (u128, u128)> + '_ {
        let (v4, v6) = match A::FAMILY {
            Family::Ipv4 => (self.prefixes_v4.as_slice(), [].as_slice()),
            Family::Ipv6 => ([].as_slice(), self.prefixes_v6.as_slice()),
        };
        let v4 = v4
            .iter()
            .map(|((first, last), days)| ((u128::from(*first), u128::from(*last)), days));
        v4.chain(v6.iter().map(|(bounds, days)| (*bounds, days)))
            .filter(move |(_, days)| days.hold(date))
            .map(|(bounds, _)| bounds)
    }

    /// Whether it claims any address or network.
    pub(super) fn claims_anything(&self) -> bool {
        !(self.prefixes_v4.is_empty() && self.prefixes_v6.is_empty() && self.asns.is_empty())
    }
}

/// The first address and the length of a prefix; a lone address is the longest one.
///
/// # Errors
/// Why the text is none.
pub(crate) fn prefix_bounds(text: &str) -> Result<(IpAddr, u32), String> {
    let form = || format!("{text:?} is no prefix such as 192.0.2.0/24 or 2001:db8::/32");
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| form())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| form())?;
    let (bits, length_max) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let length = length.unwrap_or(length_max);
    if length == 0 || length > length_max {
        return Err(form());
    }
    if bits.checked_shl(length).unwrap_or(0) != 0 {
        return Err(format!("{text:?} has bits set beyond its length"));
    }
    Ok((address, length))
}
