//! Organisations that scan and say so: who stands behind a source, from lists in TOML (`actor/file.rs` says how they look).
//!
//! The default list is compiled in; the user's lists stand beside it. A prefix tells more than a network, a narrower prefix more than a
//! wider one, a later list more than an earlier one. Entries are dated: what holds is what held on the day of the hour. Reverse DNS is
//! never asked here; the suffixes of a list are kept for those who know a source's name.

mod file;

use std::path::PathBuf;

use sha2::{Digest, Sha256};

pub use file::ActorError;

use crate::dataset::Hour;
use crate::origin::flatten::{Range, flatten};
use crate::origin::table::Step;
use teiten_observation::{Address, Family};

/// The list that is compiled in.
const DEFAULT_TEXT: &str = include_str!("actor/default.toml");
/// What metadata calls it.
const DEFAULT_NAME: &str = "default";

/// Actors, at most: their numbers have 16 bits, and 0 is nobody.
pub const ACTORS_MAX: usize = u16::MAX as usize;

/// A day as year, month and day.
pub type Date = (i64, u32, u32);

/// The days on which an entry holds, both included; without an end it still does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub until: Option<Date>,
}

impl Days {
    fn hold(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// An organisation, as its entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name, as the tables have it.
    pub name: String,
    /// Where the organisation itself says what it scans from.
    pub statement: String,
    /// The day on which that was read.
    pub read: Date,
    /// Endings of its hosts' names in reverse DNS, lower case, without a leading dot.
    pub rdns_suffixes: Vec<String>,
    prefixes_v4: Vec<(Bounds<u32>, Days)>,
    prefixes_v6: Vec<(Bounds<u128>, Days)>,
    asns: Vec<(u32, Days)>,
}

/// First and last address.
type Bounds<A> = (A, A);

/// A list that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorList {
    /// The file's name without its folder, or `default`.
    pub name: String,
    /// SHA-256 of its text, lower-case hexadecimal.
    pub sha256: String,
}

/// Every actor of every list, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Actors {
    /// Each with the number of its list; later lists win.
    actors: Vec<(usize, Actor)>,
    lists: Vec<ActorList>,
}

impl Actors {
    /// Reads the default list, where it is wanted, and `files`, in rising precedence: an entry replaces one of the same name in an
    /// earlier list.
    ///
    /// # Errors
    /// The first file that cannot be read or is not what it should be, and why.
    pub fn load(files: &[PathBuf], with_default: bool) -> Result<Actors, ActorError> {
        let mut actors = Actors::default();
        if with_default {
            actors.add(DEFAULT_NAME, DEFAULT_TEXT)?;
        }
        for path in files {
            let text = std::fs::read_to_string(path).map_err(|source| ActorError::Read {
                path: path.clone(),
                source,
            })?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            actors.add(&name, &text)?;
        }
        Ok(actors)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), ActorError> {
        let list = self.lists.len();
        let read = file::read(name, text)?;
        self.actors
            .retain(|(_, known)| read.iter().all(|actor| actor.name != known.name));
        self.actors
            .extend(read.into_iter().map(|actor| (list, actor)));
        self.actors
            .sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        if self.actors.len() > ACTORS_MAX {
            return Err(ActorError::TooMany {
                list: name.to_owned(),
            });
        }
        self.lists.push(ActorList {
            name: name.to_owned(),
            sha256: format!("{:x}", HexOf(&Sha256::digest(text.as_bytes()))),
        });
        Ok(())
    }

    /// Every actor, in the order of their numbers, which is that of their names.
    pub fn all(&self) -> impl Iterator<Item = &Actor> {
        self.actors.iter().map(|(_, actor)| actor)
    }

    /// The lists that were read, in rising precedence.
    #[must_use]
    pub fn lists(&self) -> &[ActorList] {
        &self.lists
    }

    /// The name behind a number that [`ActorCursor::find`] gave; empty for 0.
    #[must_use]
    pub fn name(&self, number: u16) -> &str {
        let actor = usize::from(number)
            .checked_sub(1)
            .and_then(|index| self.actors.get(index));
        actor.map_or("", |(_, actor)| &actor.name)
    }

    /// What holds on the day of an hour, in one family.
    #[must_use]
    pub fn on<A: Address>(&self, hour: Hour) -> ActorsOfDay<A> {
        let (year, month, day, _) = hour.civil();
        let date = (year, month, day);
        let mut ranges: Vec<Vec<Range<A, u16>>> = vec![Vec::new(); self.lists.len()];
        let mut asns: Vec<(u32, usize, u16)> = Vec::new();
        for (index, (list, actor)) in self.actors.iter().enumerate() {
            let number = index as u16 + 1;
            let held = |value| {
                move |(first, last): (u128, u128)| Range {
                    first: A::from_number(first),
                    last: A::from_number(last),
                    value,
                }
            };
            ranges[*list].extend(actor.prefixes::<A>(date).map(held(number)));
            let of_day = actor.asns.iter().filter(|(_, days)| days.hold(date));
            asns.extend(of_day.map(|(asn, _)| (*asn, *list, number)));
        }
        asns.sort_unstable();
        // Of several that claim a network the last list's last name stands.
        asns.reverse();
        asns.dedup_by_key(|(asn, ..)| *asn);
        asns.reverse();
        ActorsOfDay {
            steps: flatten(&ranges),
            asns: asns
                .into_iter()
                .map(|(asn, _, number)| (asn, number))
                .collect(),
        }
    }
}

impl Actor {
    fn prefixes<A: Address>(&self, date: Date) -> impl Iterator<Item = (u128, u128)> + '_ {
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
}

/// Bytes that are written as lower-case hexadecimal.
struct HexOf<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexOf<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The actors of one day and family by address and by network.
#[derive(Clone, Debug)]
pub struct ActorsOfDay<A> {
    steps: Vec<Step<A, u16>>,
    /// Ascending.
    asns: Vec<(u32, u16)>,
}

impl<A: Address> ActorsOfDay<A> {
    /// A cursor for sources that are asked in ascending order; any other is answered as well, only not faster.
    #[must_use]
    pub fn cursor(&self) -> ActorCursor<'_, A> {
        ActorCursor {
            actors: self,
            next: 0,
        }
    }
}

/// Asks for one source after the other.
#[derive(Clone, Debug)]
pub struct ActorCursor<'a, A> {
    actors: &'a ActorsOfDay<A>,
    /// The first step behind the source that was asked last.
    next: usize,
}

impl<A: Address> ActorCursor<'_, A> {
    /// The number of the actor behind a source in a network; 0 for nobody that is known.
    #[inline]
    pub fn find(&mut self, source: A, asn: Option<u32>) -> u16 {
        let steps = &self.actors.steps;
        let is_here = steps.get(self.next).is_none_or(|step| source < step.start)
            && (self.next == 0 || steps[self.next - 1].start <= source);
        if !is_here {
            self.next = steps.partition_point(|step| step.start <= source);
        }
        let by_prefix = match self.next {
            0 => 0,
            next => steps[next - 1].value,
        };
        match asn {
            Some(asn) if by_prefix == 0 => self.of_network(asn),
            _ => by_prefix,
        }
    }

    fn of_network(&self, asn: u32) -> u16 {
        let asns = &self.actors.asns;
        let place = asns.binary_search_by_key(&asn, |(known, _)| *known);
        place.map_or(0, |place| asns[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-05T07.
    const HOUR: Hour = Hour(498_295);

    const LIST: &str = r#"
        [[actor]]
        name = "Wide"
        statement = "https://wide.example/scanning"
        read = 2026-11-01
        prefixes = ["192.0.2.0/24", { prefix = "198.51.100.0/24", until = 2026-11-04 }, "2001:db8::/32"]
        asns = [64496, { asn = 64497, from = 2026-11-05 }, { asn = 64498, from = 2026-11-06 }]

        [[actor]]
        name = "Narrow"
        statement = "https://narrow.example/"
        read = 2026-11-02
        prefixes = ["192.0.2.128/25"]
        rdns = ["scan.narrow.example"]
    "#;

    fn actors(texts: &[&str]) -> Actors {
        let mut actors = Actors::default();
        for (index, text) in texts.iter().enumerate() {
            actors
                .add(&format!("{index}.toml"), text)
                .expect("a good list");
        }
        actors
    }

    fn name<A: Address>(actors: &Actors, hour: Hour, source: A, asn: Option<u32>) -> String {
        let of_day = actors.on(hour);
        let number = of_day.cursor().find(source, asn);
        actors.name(number).to_owned()
    }

    #[test]
    fn the_narrower_prefix_wins_and_a_prefix_wins_over_a_network() {
        let actors = actors(&[LIST]);
        for (source, asn, expected) in [
            (0xc000_0200_u32, None, "Wide"),
            (0xc000_0280, None, "Narrow"),
            (0xc000_0280, Some(64_496), "Narrow"),
            (0xc000_0300, None, ""),
            (0xc000_0300, Some(64_496), "Wide"),
            (0xc000_0300, Some(1), ""),
            (0, None, ""),
            (u32::MAX, None, ""),
        ] {
            assert_eq!(name(&actors, HOUR, source, asn), expected, "{source:x}");
        }
        assert_eq!(name(&actors, HOUR, 0x2001_0db8_u128 << 96, None), "Wide");
    }

    #[test]
    fn an_entry_holds_on_its_days_alone() {
        let actors = actors(&[LIST]);
        let day_before = Hour(HOUR.0 - 24);
        assert_eq!(name(&actors, day_before, 0xc633_6401_u32, None), "Wide");
        assert_eq!(name(&actors, HOUR, 0xc633_6401_u32, None), "");
        assert_eq!(name(&actors, day_before, 1_u32, Some(64_497)), "");
        assert_eq!(name(&actors, HOUR, 1_u32, Some(64_497)), "Wide");
        assert_eq!(name(&actors, HOUR, 1_u32, Some(64_498)), "");
    }

    #[test]
    fn a_later_list_wins_and_replaces_an_entry_of_its_name() {
        let own = r#"
            [[actor]]
            name = "Wide"
            statement = "https://wide.example/scanning"
            read = 2026-11-03
            prefixes = ["203.0.113.0/24"]
            [[actor]]
            name = "Ours"
            statement = "our own scanner"
            read = 2026-11-03
            prefixes = ["192.0.2.0/24"]
            asns = [64496]
        "#;
        let actors = actors(&[LIST, own]);
        assert_eq!(name(&actors, HOUR, 0xc000_0280_u32, None), "Ours");
        assert_eq!(name(&actors, HOUR, 0xcb00_7101_u32, None), "Wide");
        assert_eq!(name(&actors, HOUR, 5_u32, Some(64_496)), "Ours");
        let names: Vec<_> = actors.all().map(|actor| actor.name.as_str()).collect();
        assert_eq!(names, ["Narrow", "Ours", "Wide"]);
        assert_eq!(actors.lists().len(), 2);
        assert_eq!(actors.lists()[0].sha256.len(), 64);
    }

    #[test]
    fn a_cursor_answers_in_any_order_as_a_fresh_one_does() {
        let of_day = actors(&[LIST]).on::<u32>(HOUR);
        let mut cursor = of_day.cursor();
        let ascending = (0xc000_0100_u32..0xc000_0400).step_by(3);
        let any = (0..500_u32).map(|index| index.wrapping_mul(0x9e37_79b9));
        for source in ascending.chain(any).chain([0xc000_0280, 0, 0xc000_0200]) {
            assert_eq!(
                cursor.find(source, None),
                of_day.cursor().find(source, None)
            );
        }
    }

    #[test]
    fn the_default_list_is_good_and_every_entry_says_where_from() {
        let actors = Actors::load(&[], true).expect("the list that is compiled in");
        assert_eq!(actors.lists()[0].name, DEFAULT_NAME);
        let today = HOUR.civil();
        for actor in actors.all() {
            let host = actor.statement.split_once("://").expect("an address");
            assert!(["https", "http"].contains(&host.0), "{}", actor.name);
            assert!(
                !host.1.is_empty() && !host.1.contains(' '),
                "{}",
                actor.name
            );
            assert!(
                (2026, 11, 1) <= actor.read && actor.read.0 <= today.0,
                "{}",
                actor.name
            );
            let claims = actor.prefixes_v4.len() + actor.prefixes_v6.len() + actor.asns.len();
            assert!(claims + actor.rdns_suffixes.len() > 0, "{}", actor.name);
        }
    }

    /// Prefixes that overlap, as the names of those who claim them.
    fn overlaps<A: Ord + Copy>(mut claims: Vec<(Bounds<A>, &str)>) -> Vec<(&str, &str)> {
        claims.sort_unstable();
        let neighbours = claims.windows(2);
        let touching = neighbours.filter(|pair| pair[1].0.0 <= pair[0].0.1);
        touching.map(|pair| (pair[0].1, pair[1].1)).collect()
    }

    #[test]
    fn no_two_prefixes_of_the_default_list_overlap() {
        let actors = Actors::load(&[], true).expect("the list that is compiled in");
        assert_eq!(overlaps(vec![((1, 5), "a"), ((5, 9), "b")]), [("a", "b")]);
        let v4 = actors.all().flat_map(|actor| {
            let bounds = actor.prefixes_v4.iter();
            bounds.map(|(bounds, _)| (*bounds, actor.name.as_str()))
        });
        let v6 = actors.all().flat_map(|actor| {
            let bounds = actor.prefixes_v6.iter();
            bounds.map(|(bounds, _)| (*bounds, actor.name.as_str()))
        });
        let (v4, v6): (Vec<_>, Vec<_>) = (v4.collect(), v6.collect());
        assert!(v4.len() >= 20 && v6.len() >= 4);
        assert_eq!((overlaps(v4), overlaps(v6)), (vec![], vec![]));
    }

    #[test]
    fn the_default_list_names_its_organisations_on_their_days() {
        let actors = Actors::load(&[], true).expect("the list that is compiled in");
        let hour_of = |day: i64| Hour(day * 24);
        // 2014-06-01, 2016-06-01, 2026-11-05.
        let (before, between, now) = (hour_of(16_222), hour_of(16_953), HOUR);
        for (hour, source, expected) in [
            (now, "141.212.121.9", "University of Michigan"),
            (now, "141.212.123.0", ""),
            (now, "153.231.215.15", "NICT NOTICE"),
            (between, "153.231.215.15", ""),
            (between, "71.6.216.33", "Rapid7 Project Sonar"),
            (now, "71.6.216.33", ""),
            (before, "198.143.173.161", "Rapid7 Project Sonar"),
            (between, "198.143.173.161", ""),
        ] {
            let number = u32::from(source.parse::<std::net::Ipv4Addr>().expect("IPv4"));
            assert_eq!(
                name(&actors, hour, number, None),
                expected,
                "{source} {hour}"
            );
        }
        let aachen = u128::from(
            "2a00:8a60:1014:88::7"
                .parse::<std::net::Ipv6Addr>()
                .expect("IPv6"),
        );
        assert_eq!(name(&actors, now, aachen, None), "RWTH Aachen University");
    }
}
