//! The actors of all lists together, by number, and the lookup of a source's actor on the day of its hour.

use std::path::PathBuf;

use jiff::civil::Date;
use teiten_observation::Address;

use super::entry::Actor;
use super::error::{ACTORS_MAX, ActorError};
use super::name::ActorNames;
use super::read::{ActorList, ListForm, ReadList, read, read_file};
use crate::hour::Hour;
use crate::ranges::flatten::{Range, flatten};
use crate::ranges::table::RangeStep;

/// The list that is compiled in.
const DEFAULT_TEXT: &[u8] = include_bytes!("default.toml");
/// What metadata calls it.
const DEFAULT_NAME: &str = "default";

/// Every actor of every list, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Actors {
    actors: Vec<KnownActor>,
    lists: Vec<ActorList>,
}

/// An actor with what each list says of it.
#[derive(Clone, Debug)]
struct KnownActor {
    name: String,
    names: ActorNames,
    /// By the number of the list; later lists win.
    entries: Vec<(usize, Actor)>,
}

impl Actors {
    /// Reads the default list, if wanted, and `files`, in rising precedence. An entry of a list in our own form replaces one of the same
    /// name in an earlier list; entries of other lists are added to it.
    ///
    /// # Errors
    /// The first file that cannot be read or is not what it should be, and why.
    pub fn load(files: &[PathBuf], with_default: bool) -> Result<Actors, ActorError> {
        let mut actors = Actors::default();
        if with_default {
            actors.add(read(DEFAULT_NAME, DEFAULT_TEXT)?)?;
        }
        for path in files {
            actors.add(read_file(path)?)?;
        }
        Ok(actors)
    }

    fn add(&mut self, list: ReadList) -> Result<(), ActorError> {
        let number = self.lists.len();
        let (replaced, replaces) = (self.actors.len(), list.form == ListForm::Own);
        for actor in list.actors {
            let names = ActorNames::of(&actor);
            // Only names of earlier lists count: two entries of one list are two actors, unless their names are alike.
            let known = self
                .actors
                .iter()
                .position(|known| known.names.meet(&names));
            match known {
                Some(place) => {
                    let known = &mut self.actors[place];
                    if replaces && place < replaced {
                        known.name.clone_from(&actor.name);
                        known.entries.retain(|(list, _)| *list == number);
                    }
                    known.names.add(names);
                    known.entries.push((number, actor));
                }
                None => self.actors.push(KnownActor {
                    name: actor.name.clone(),
                    names,
                    entries: vec![(number, actor)],
                }),
            }
        }
        if self.actors.len() > ACTORS_MAX {
            return Err(ActorError::TooMany {
                list: list.about.name,
            });
        }
        self.actors.sort_by(|one, other| one.name.cmp(&other.name));
        self.lists.push(list.about);
        Ok(())
    }

    /// Every entry, in the order of the actors' numbers, which is that of their names.
    pub fn all(&self) -> impl Iterator<Item = &Actor> {
        let entries = self.actors.iter().flat_map(|known| &known.entries);
        entries.map(|(_, actor)| actor)
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
        actor.map_or("", |known| &known.name)
    }

    /// The actors of the day of an hour, in one family.
    #[must_use]
    pub fn on<A: Address>(&self, hour: Hour) -> ActorsOfDay<A> {
        let date: Date = hour.day();
        let mut ranges: Vec<Vec<Range<A, u16>>> = vec![Vec::new(); self.lists.len()];
        let mut asns: Vec<(u32, usize, u16)> = Vec::new();
        for (index, known) in self.actors.iter().enumerate() {
            let value = index as u16 + 1;
            for (list, actor) in &known.entries {
                let held = actor.prefixes::<A>(date).map(|(first, last)| Range {
                    first: A::from_number(first),
                    last: A::from_number(last),
                    value,
                });
                ranges[*list].extend(held);
                let of_day = actor.asns.iter().filter(|(_, days)| days.hold(date));
                asns.extend(of_day.map(|(asn, _)| (*asn, *list, value)));
            }
        }
        asns.sort_unstable();
        // If several claim a network, the last name of the last list wins.
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

/// The actors of one day and family by address and by network.
#[derive(Clone, Debug)]
pub struct ActorsOfDay<A> {
    steps: Vec<RangeStep<A, u16>>,
    /// Ascending.
    asns: Vec<(u32, u16)>,
}

impl<A: Address> ActorsOfDay<A> {
    /// A cursor for sources in ascending order; any other order works, without being faster.
    #[must_use]
    pub fn cursor(&self) -> ActorCursor<'_, A> {
        ActorCursor {
            actors: self,
            next: 0,
        }
    }
}

/// Looks up one source after the other.
#[derive(Clone, Debug)]
pub struct ActorCursor<'a, A> {
    actors: &'a ActorsOfDay<A>,
    /// The first step after the last source.
    next: usize,
}

impl<A: Address> ActorCursor<'_, A> {
    /// The number of the actor of a source in a network; 0 if none is known.
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
    use jiff::civil::date;

    use super::super::entry::AddressRange;
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
                .add(read(&format!("{index}.toml"), text.as_bytes()).expect("a good list"))
                .expect("not too many");
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
    fn lists_of_others_add_to_what_is_known_and_names_are_merged() {
        let nict = br#"[{"ip":"203.0.113.9","scanner":"WIDE ","last_seen":"2026-03-30"},
            {"ip":"203.0.113.10","scanner":"Other (Narrow)","last_seen":"2026-03-31"}]"#;
        let mut actors = actors(&[LIST]);
        actors
            .add(read("nict.json", nict).expect("a good list"))
            .expect("not too many");
        for (source, expected) in [
            (0xcb00_7109_u32, "Wide"),
            (0xc000_0200, "Wide"),
            (0xcb00_710a, "Narrow"),
            (0xc000_0280, "Narrow"),
        ] {
            assert_eq!(name(&actors, HOUR, source, None), expected, "{source:x}");
        }
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
        let today = HOUR.day();
        for actor in actors.all() {
            let host = actor.statement.split_once("://").expect("an address");
            assert!(["https", "http"].contains(&host.0), "{}", actor.name);
            assert!(
                !host.1.is_empty() && !host.1.contains(' '),
                "{}",
                actor.name
            );
            assert!(
                actor
                    .read
                    .is_some_and(|read| read >= date(2026, 11, 1) && read.year() <= today.year()),
                "{}",
                actor.name
            );
            let says_something = actor.claims_anything() || !actor.rdns_suffixes.is_empty();
            assert!(says_something, "{}", actor.name);
        }
    }

    /// Overlapping prefixes, as the names of their claimants.
    fn overlaps<A: Ord + Copy>(mut claims: Vec<(AddressRange<A>, &str)>) -> Vec<(&str, &str)> {
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
