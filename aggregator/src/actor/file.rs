//! Parses a list of actors in TOML into valid entries. Each entry is a table `[[actor]]` with `name`, `statement`, `read`, and any of
//! `prefixes`, `asns`, `rdns` and `aliases`; `actor/default.toml` documents them. Parsing is strict, because people write these lists by
//! hand: the first mistake is reported and nothing is used.

use jiff::civil::Date;
use serde::Deserialize;
use toml::value::Datetime;

use super::entry::{Actor, Days, NAME_BYTES_MAX};
use super::error::ActorError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListText {
    #[serde(default)]
    actor: Vec<ActorText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActorText {
    name: String,
    statement: String,
    read: Datetime,
    #[serde(default)]
    prefixes: Vec<PrefixText>,
    #[serde(default)]
    asns: Vec<AsnText>,
    #[serde(default)]
    rdns: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    /// The lists from which `import` took it; for readers.
    #[serde(default)]
    lists: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a prefix, or { prefix, from, until, seen }")]
enum PrefixText {
    Plain(String),
    Dated(DatedPrefix),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatedPrefix {
    prefix: String,
    from: Option<Datetime>,
    until: Option<Datetime>,
    seen: Option<Datetime>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an AS number, or { asn, from, until }")]
enum AsnText {
    Plain(u32),
    Dated(DatedAsn),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatedAsn {
    asn: u32,
    from: Option<Datetime>,
    until: Option<Datetime>,
}

/// The entries of a list, in the order of the text.
pub(super) fn read(list: &str, text: &str) -> Result<Vec<Actor>, ActorError> {
    let parsed: ListText = toml::from_str(text).map_err(|error| ActorError::Form {
        list: list.to_owned(),
        reason: error.to_string(),
    })?;
    let mut actors: Vec<Actor> = Vec::with_capacity(parsed.actor.len());
    for entry in parsed.actor {
        let name = entry.name.clone();
        let refused = |reason| ActorError::Entry {
            list: list.to_owned(),
            actor: name.clone(),
            reason,
        };
        let actor = actor(entry).map_err(refused)?;
        if actors.iter().any(|known| known.name == actor.name) {
            return Err(refused("a second entry of this name".to_owned()));
        }
        actors.push(actor);
    }
    Ok(actors)
}

fn actor(entry: ActorText) -> Result<Actor, String> {
    if entry.name.trim().is_empty() || entry.name.len() > NAME_BYTES_MAX {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes"));
    }
    if entry.statement.trim().is_empty() {
        return Err("the statement is empty: give the address where the organisation says what it scans from".to_owned());
    }
    let mut actor = Actor::new(&entry.name, &entry.statement, Some(date(entry.read)?));
    actor.rdns_suffixes = entry.rdns.iter().map(|suffix| suffix_of(suffix)).collect();
    actor.aliases = entry.aliases;
    actor.lists = entry.lists;
    for prefix in entry.prefixes {
        let (text, days) = match prefix {
            PrefixText::Plain(text) => (text, Days::default()),
            PrefixText::Dated(it) => (it.prefix, days(it.from, it.until, it.seen)?),
        };
        actor.add_prefix(&text, days)?;
    }
    for asn in entry.asns {
        let (asn, days) = match asn {
            AsnText::Plain(asn) => (asn, Days::default()),
            AsnText::Dated(it) => (it.asn, days(it.from, it.until, None)?),
        };
        if asn == 0 {
            return Err("AS 0 is reserved (RFC 7607)".to_owned());
        }
        actor.asns.push((asn, days));
    }
    Ok(actor)
}

fn suffix_of(text: &str) -> String {
    text.trim_matches('.').to_ascii_lowercase()
}

fn days(
    from: Option<Datetime>,
    until: Option<Datetime>,
    seen: Option<Datetime>,
) -> Result<Days, String> {
    let days = Days {
        from: from.map(date).transpose()?,
        until: until.map(date).transpose()?,
        seen: seen.map(date).transpose()?,
    };
    match (days.from, days.until) {
        (Some(from), Some(until)) if from > until => Err("`until` lies before `from`".to_owned()),
        _ => Ok(days),
    }
}

fn date(datetime: Datetime) -> Result<Date, String> {
    let form = || format!("{datetime} is no day such as 2026-11-24");
    match (datetime.date, datetime.time) {
        (Some(day), None) => {
            let (month, of_month) = (day.month.cast_signed(), day.day.cast_signed());
            Date::new(day.year.cast_signed(), month, of_month).map_err(|_| form())
        }
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// An entry with these further lines.
    fn entry(lines: &str) -> Result<Vec<Actor>, ActorError> {
        let head =
            "[[actor]]\nname = \"A\"\nstatement = \"https://a.example\"\nread = 2026-11-24\n";
        read("list.toml", &format!("{head}{lines}\n"))
    }

    #[test]
    fn every_field_is_read_into_its_form() {
        let actors = entry(
            "prefixes = [\"192.0.2.7\", { prefix = \"2001:db8::/33\", from = 2025-01-02 }]\nasns = [64496]\nrdns = [\".Scan.A.Example\"]",
        )
        .expect("a good entry");
        let actor = &actors[0];
        assert_eq!(actor.read, Some(date(2026, 11, 24)));
        assert_eq!(actor.rdns_suffixes, ["scan.a.example"]);
        assert_eq!(actor.prefixes_v4[0].0, (0xc000_0207, 0xc000_0207));
        let first = 0x2001_0db8_u128 << 96;
        assert_eq!(actor.prefixes_v6[0].0, (first, first | u128::MAX >> 33));
        assert_eq!(actor.prefixes_v6[0].1.from, Some(date(2025, 1, 2)));
        assert_eq!(actor.asns[0].0, 64_496);
    }

    #[test]
    fn what_cannot_be_is_refused_with_list_actor_and_reason() {
        for (lines, expected) in [
            (
                "prefixes = [\"192.0.2.1/24\"]",
                "actor \"A\": \"192.0.2.1/24\" has bits set",
            ),
            ("prefixes = [\"192.0.2.0/33\"]", "is no prefix"),
            ("prefixes = [\"0.0.0.0/0\"]", "is no prefix"),
            ("prefixes = [\"example.org\"]", "is no prefix"),
            (
                "prefixes = [{ prefix = \"192.0.2.0/24\", from = 2026-02-02, until = 2026-02-01 }]",
                "before `from`",
            ),
            (
                "asns = [{ asn = 5, from = 2026-02-02T10:00:00Z }]",
                "is no day",
            ),
            ("asns = [0]", "AS 0"),
            ("asns = [\"AS5\"]", "an AS number, or { asn"),
            ("prefix = [\"192.0.2.0/24\"]", "unknown field `prefix`"),
            (
                "[[actor]]\nname = \"A\"\nstatement = \"s\"\nread = 2026-11-24",
                "a second entry",
            ),
            (
                "[[actor]]\nname = \"\"\nstatement = \"s\"\nread = 2026-11-24",
                "a name has",
            ),
            (
                "[[actor]]\nname = \"B\"\nstatement = \"\"\nread = 2026-11-24",
                "statement is empty",
            ),
            (
                "[[actor]]\nname = \"B\"\nread = 2026-11-24",
                "missing field `statement`",
            ),
        ] {
            let error = entry(lines).expect_err(lines).to_string();
            assert!(
                error.contains(expected) && error.contains("list.toml"),
                "{error}"
            );
        }
    }
}
