//! Several lists into one of our own form: merges names and equal prefixes, and records for each actor the lists that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use jiff::civil::Date;

use super::entry::{Actor, AddressRange, Days};
use super::error::ActorError;
use super::name::ActorNames;
use super::read::{ActorList, ListForm, ReadList, read, read_file};

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The list, TOML.
    pub text: String,
    /// What was read, in the order of the files.
    pub lists: Vec<ActorList>,
    /// Organisations in the list.
    pub actors: usize,
    /// Prefixes in the list.
    pub prefixes: usize,
    /// Entries that were merged: organisations with several spellings, or in several lists.
    pub merged: usize,
    /// Prefixes that several organisations claim; the later file wins.
    pub contested: usize,
    /// Prefixes left out because they were last seen before the requested day.
    pub too_old: usize,
}

/// Reads `files`, in rising precedence, and makes one list of them; without the prefixes that were last seen before `seen_since`.
///
/// # Errors
/// The first file that cannot be read or is not what it should be, and why.
pub fn import(files: &[PathBuf], seen_since: Option<Date>) -> Result<Imported, ActorError> {
    let lists = files.iter().map(|path| read_file(path));
    Ok(merge(lists.collect::<Result<_, _>>()?, seen_since))
}

/// An actor under way.
struct MergedActor {
    actor: Actor,
    names: ActorNames,
    sources: BTreeSet<String>,
    v4: BTreeMap<AddressRange<u32>, Days>,
    v6: BTreeMap<AddressRange<u128>, Days>,
    asns: BTreeMap<u32, Days>,
}

impl MergedActor {
    fn new(actor: &Actor) -> MergedActor {
        MergedActor {
            actor: Actor::new(&actor.name, &actor.statement, actor.read),
            names: ActorNames::default(),
            sources: BTreeSet::new(),
            v4: BTreeMap::new(),
            v6: BTreeMap::new(),
            asns: BTreeMap::new(),
        }
    }

    /// Adds an actor of a list; returns how many prefixes were too old.
    fn add(&mut self, actor: Actor, list: &str, seen_since: Option<Date>) -> usize {
        self.names.add(ActorNames::of(&actor));
        self.sources.insert(list.to_owned());
        self.sources.extend(actor.lists);
        let known = &mut self.actor;
        known.read = known.read.max(actor.read);
        // A web address is a better statement than the name of a list.
        if !known.statement.contains("://") && actor.statement.contains("://") {
            known.statement = actor.statement;
        }
        let others = std::iter::once(actor.name).chain(actor.aliases);
        for name in others {
            if name != known.name && !known.aliases.contains(&name) {
                known.aliases.push(name);
            }
        }
        for suffix in actor.rdns_suffixes {
            if !known.rdns_suffixes.contains(&suffix) {
                known.rdns_suffixes.push(suffix);
            }
        }
        let is_too_old = |days: &Days| days.seen.is_some_and(|seen| Some(seen) < seen_since);
        let too_old = |days: &Days| usize::from(is_too_old(days));
        let mut left_out = 0;
        for (bounds, days) in actor.prefixes_v4 {
            left_out += too_old(&days);
            if !is_too_old(&days) {
                let before = self.v4.entry(bounds).or_insert(days);
                *before = newer(*before, days);
            }
        }
        for (bounds, days) in actor.prefixes_v6 {
            left_out += too_old(&days);
            if !is_too_old(&days) {
                let before = self.v6.entry(bounds).or_insert(days);
                *before = newer(*before, days);
            }
        }
        self.asns.extend(actor.asns);
        left_out
    }
}

/// The days of a prefix in two lists: those of the later list, with the later day on which it was seen.
fn newer(before: Days, days: Days) -> Days {
    Days {
        seen: before.seen.max(days.seen),
        ..days
    }
}

fn merge(lists: Vec<ReadList>, seen_since: Option<Date>) -> Imported {
    let mut all: Vec<MergedActor> = Vec::new();
    let mut about = Vec::new();
    let (mut merged, mut too_old) = (0, 0);
    for list in lists {
        for actor in list.actors {
            let names = ActorNames::of(&actor);
            let place = all.iter().position(|known| known.names.meet(&names));
            // A table of organisations adds to entries of lists; that does not count as merging.
            merged += usize::from(place.is_some() && list.form != ListForm::Organisations);
            let place = place.unwrap_or_else(|| {
                all.push(MergedActor::new(&actor));
                all.len() - 1
            });
            too_old += all[place].add(actor, &list.about.name, seen_since);
        }
        about.push(list.about);
    }
    // The last one in the order of the files wins.
    let contested = resolve_contested(&mut all);
    all.retain(|known| {
        let has_address = !(known.v4.is_empty() && known.v6.is_empty() && known.asns.is_empty());
        has_address || !known.actor.rdns_suffixes.is_empty()
    });
    all.sort_by(|one, other| one.actor.name.cmp(&other.actor.name));
    Imported {
        text: written(&all, &about),
        actors: all.len(),
        prefixes: all
            .iter()
            .map(|known| known.v4.len() + known.v6.len())
            .sum(),
        lists: about,
        merged,
        contested,
        too_old,
    }
}

/// Removes a prefix that several claim from all but the last claimant; returns the number of such prefixes.
fn resolve_contested(all: &mut [MergedActor]) -> usize {
    let (mut v4, mut v6) = (BTreeMap::new(), BTreeMap::new());
    let mut contested = BTreeSet::new();
    for (place, known) in all.iter().enumerate() {
        for bounds in known.v4.keys() {
            if v4.insert(*bounds, place).is_some() {
                contested.insert((u128::from(bounds.0), u128::from(bounds.1)));
            }
        }
        for bounds in known.v6.keys() {
            if v6.insert(*bounds, place).is_some() {
                contested.insert(*bounds);
            }
        }
    }
    for (place, known) in all.iter_mut().enumerate() {
        known.v4.retain(|bounds, _| v4[bounds] == place);
        known.v6.retain(|bounds, _| v6[bounds] == place);
    }
    contested.len()
}

fn written(all: &[MergedActor], lists: &[ActorList]) -> String {
    let mut text =
        String::from("# Made by `teiten-aggregator actors import`, for --actors, from:\n");
    for list in lists {
        let date = list
            .date
            .map_or("no date".to_owned(), |date| date.to_string());
        let name = list.name.replace(char::is_control, " ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "#   {name}, {}, {date}, sha256:{}",
            list.form, list.sha256
        );
    }
    let newest = lists.iter().filter_map(|list| list.date).max();
    for known in all {
        write_actor(&mut text, known, newest);
    }
    text
}

fn write_actor(text: &mut String, known: &MergedActor, newest: Option<Date>) {
    let actor = &known.actor;
    // The format requires a day: if no list has one, the newest of all lists, or 1970-01-01.
    let read = actor.read.or(newest).unwrap_or(Date::constant(1970, 1, 1));
    let _ = writeln!(text, "\n[[actor]]\nname = {}", quoted(&actor.name));
    let _ = writeln!(
        text,
        "statement = {}\nread = {read}",
        quoted(&actor.statement)
    );
    let mut list = |key: &str, values: Vec<String>| {
        let one_line = values.join(", ");
        let _ = match (values.is_empty(), one_line.len() < 100) {
            (true, _) => Ok(()),
            (false, true) => writeln!(text, "{key} = [{one_line}]"),
            (false, false) => writeln!(text, "{key} = [\n    {},\n]", values.join(",\n    ")),
        };
    };
    list(
        "aliases",
        actor.aliases.iter().map(|name| quoted(name)).collect(),
    );
    list(
        "lists",
        known.sources.iter().map(|name| quoted(name)).collect(),
    );
    let v4 = known.v4.iter().map(|((first, last), days)| {
        let length = (first ^ last).leading_zeros();
        dated(
            "prefix",
            &quoted(&format!("{}/{length}", Ipv4Addr::from(*first))),
            days,
        )
    });
    let v6 = known.v6.iter().map(|((first, last), days)| {
        let length = (first ^ last).leading_zeros();
        dated(
            "prefix",
            &quoted(&format!("{}/{length}", Ipv6Addr::from(*first))),
            days,
        )
    });
    list("prefixes", v4.chain(v6).collect());
    let asns = known.asns.iter();
    list(
        "asns",
        asns.map(|(asn, days)| dated("asn", &asn.to_string(), days))
            .collect(),
    );
    list(
        "rdns",
        actor
            .rdns_suffixes
            .iter()
            .map(|suffix| quoted(suffix))
            .collect(),
    );
}

/// A value alone, or with its days.
fn dated(key: &str, value: &str, days: &Days) -> String {
    let fields = [
        ("from", days.from),
        ("until", days.until),
        ("seen", days.seen),
    ];
    let fields = fields
        .iter()
        .filter_map(|(name, date)| Some(format!(", {name} = {}", (*date)?)));
    let fields: String = fields.collect();
    if fields.is_empty() {
        value.to_owned()
    } else {
        format!("{{ {key} = {value}{fields} }}")
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Any bytes as a list of actors: for fuzzing, where nothing may crash and what `import` writes must be read again.
#[doc(hidden)]
pub fn fuzz_list(bytes: &[u8]) {
    if let Ok(list) = read("fuzz", bytes) {
        let text = merge(vec![list], None).text;
        if let Err(error) = read("again", text.as_bytes()) {
            panic!("{error}: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NICT: &str = r#"[{"ip":"192.0.2.7","scanner":"Modat ","last_seen":"2026-03-30"},
        {"ip":"192.0.2.8","scanner":"driftnet (internet-measurement.com)","last_seen":"2026-01-05"},
        {"ip":"192.0.2.9","scanner":"bitsight","last_seen":"2026-03-31"}]"#;
    const MISP: &str = r#"{"name":"Internet census IP Ranges Used for Scanning","version":26081010,
        "list":["192.0.2.9","198.51.100.0/24","192.0.2.7"]}"#;
    const TABLE: &str = "scanner name,type,reference\nModat,x,https://www.modat.example/scanning\nbitsight,x,https://www.internet-census.org/\nNobody Else,x, - \n";

    fn made(seen_since: Option<Date>) -> Imported {
        let lists = [("t.csv", TABLE), ("n.json", NICT), ("m.json", MISP)];
        let lists = lists.map(|(name, text)| read(name, text.as_bytes()).expect(name));
        merge(lists.into(), seen_since)
    }

    #[test]
    fn several_lists_become_one_that_can_be_read_again() {
        let imported = made(None);
        // 192.0.2.7 is claimed by Modat, who has nothing else, and by the later list.
        assert_eq!((imported.actors, imported.prefixes), (2, 4));
        assert_eq!((imported.contested, imported.too_old), (1, 0));
        let again = read("again.toml", imported.text.as_bytes()).expect(&imported.text);
        let names: Vec<_> = again
            .actors
            .iter()
            .map(|actor| actor.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["bitsight", "driftnet (internet-measurement.com)"],
            "{}",
            imported.text
        );
    }

    #[test]
    fn every_entry_says_where_it_is_from() {
        let text = made(None).text;
        for line in [
            "#   n.json, survey scanners, 2026-03-31, sha256:",
            "statement = \"https://www.internet-census.org/\"",
            "aliases = [\"internet-census\", \"Internet census\"]",
            "lists = [\"m.json\", \"n.json\", \"t.csv\"]",
            "{ prefix = \"192.0.2.9/32\", seen = 2026-03-31 }",
            "\"198.51.100.0/24\"",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn prefixes_that_were_seen_long_ago_can_be_left_out() {
        let imported = made(Some(Date::constant(2026, 2, 1)));
        assert_eq!(imported.too_old, 1);
        assert!(!imported.text.contains("192.0.2.8"), "{}", imported.text);
    }

    #[test]
    fn the_lists_of_the_field_become_one_that_can_be_read_again() {
        let folder =
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/actors"));
        if !folder.is_dir() {
            eprintln!("SKIPPED: no lists of the field at {}", folder.display());
            return;
        }
        let mut files = vec![
            folder.join("scanorg_2026_1Q.csv"),
            folder.join("surveyscanner_2026_1Q.json"),
        ];
        let misp = std::fs::read_dir(folder.join("misp")).expect("a folder");
        let mut misp: Vec<_> = misp.map(|entry| entry.expect("readable").path()).collect();
        misp.sort();
        files.append(&mut misp);
        let imported = import(&files, None).expect("lists of known forms");
        assert!(imported.lists.iter().all(|list| list.bad_rows == 0));
        assert!((83..100).contains(&imported.actors), "{}", imported.actors);
        let again = read("again.toml", imported.text.as_bytes()).expect("our own form");
        assert_eq!(again.actors.len(), imported.actors);
        // NICT and MISP write these in different ways.
        for (name, other) in [
            ("bitsight", "Internet census"),
            ("Rapid7 (Project Sonar)", "Rapid7"),
        ] {
            let actor = again.actors.iter().find(|actor| actor.name == name);
            let actor = actor.unwrap_or_else(|| panic!("{name}"));
            assert!(
                actor.aliases.iter().any(|alias| alias == other),
                "{actor:?}"
            );
        }
    }
}
