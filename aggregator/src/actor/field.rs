//! Lists in the formats of the field. NICT's survey scanners and its table of organisations: <https://github.com/nict-csl/survey-scanner>;
//! MISP's warning lists: <https://github.com/MISP/misp-warninglists>. A row that is not understood is left out and counted.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::entry::{Actor, Days, NAME_BYTES_MAX};
use super::name;

/// Bad rows that are kept to be shown.
const ROWS_SHOWN_MAX: usize = 3;
/// Characters of a bad row that are shown.
const SHOWN_MAX: usize = 80;

/// What the rows of a list gave.
#[derive(Debug, Default)]
pub(super) struct ListRows {
    pub(super) actors: Vec<Actor>,
    /// The day of the list, if it says so.
    pub(super) date: Option<Date>,
    /// All rows, the bad ones included.
    pub(super) rows: usize,
    pub(super) bad: usize,
    pub(super) bad_shown: Vec<String>,
}

impl ListRows {
    /// The rows of a list without bad ones.
    pub(super) fn good(actors: Vec<Actor>) -> ListRows {
        let date = actors.iter().filter_map(|actor| actor.read).max();
        ListRows {
            rows: actors.len(),
            actors,
            date,
            ..ListRows::default()
        }
    }

    fn refuse(&mut self, place: &str, number: usize, found: &str, reason: &str) {
        self.bad += 1;
        if self.bad_shown.len() < ROWS_SHOWN_MAX {
            let found: String = found.chars().take(SHOWN_MAX).collect();
            self.bad_shown
                .push(format!("{place} {number}: {found:?}: {reason}"));
        }
    }
}

/// A name for the tables: trimmed, and cut if it is too long.
fn name_of(text: &str) -> Option<String> {
    let text = text.trim().trim_matches('"').trim();
    let is_plain = |letter: char| !letter.is_control();
    let mut name: String = text.chars().filter(|letter| is_plain(*letter)).collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    let name = name.trim_end().to_owned();
    (!name.is_empty()).then_some(name)
}

fn day(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

#[derive(Deserialize)]
struct SurveyRow {
    ip: String,
    scanner: String,
    #[serde(default)]
    last_seen: String,
}

/// A JSON array of `ip`, `scanner`, `last_seen`.
pub(super) fn survey_scanners(list: &str, text: &str) -> Result<ListRows, String> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut rows = ListRows {
        rows: values.len(),
        ..ListRows::default()
    };
    let mut actors: BTreeMap<String, Actor> = BTreeMap::new();
    for (index, value) in values.into_iter().enumerate() {
        let shown = value.to_string();
        let added = survey_row(value).and_then(|(name, ip, seen)| {
            let fresh = || Actor::new(&name, &format!("{list} of NICT's survey scanners"), None);
            let actor = actors.entry(name.clone()).or_insert_with(fresh);
            actor.read = actor.read.max(seen);
            let days = Days {
                seen,
                ..Days::default()
            };
            actor.add_prefix(&ip, days)
        });
        if let Err(reason) = added {
            rows.refuse("row", index + 1, &shown, &reason);
        }
    }
    rows.actors = actors
        .into_values()
        .filter(Actor::claims_anything)
        .collect();
    rows.date = rows.actors.iter().filter_map(|actor| actor.read).max();
    Ok(rows)
}

fn survey_row(value: Value) -> Result<(String, String, Option<Date>), String> {
    let row: SurveyRow = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let name = name_of(&row.scanner).ok_or("it has no scanner")?;
    let seen = match row.last_seen.trim() {
        "" | "-" => None,
        text => Some(day(text).ok_or("last_seen is no day such as 2026-03-31")?),
    };
    Ok((name, row.ip.trim().to_owned(), seen))
}

#[derive(Deserialize)]
struct MispList {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    version: Value,
    list: Vec<Value>,
}

/// A MISP warning list of type `cidr` or `string`.
pub(super) fn misp(text: &str) -> Result<ListRows, String> {
    let list: MispList = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let name = name_of(organisation_of(&list.name)).ok_or("it has no name")?;
    let date = date_of_version(&list.version.to_string());
    let statement = name_of_statement(&list.description, &list.name);
    let mut rows = ListRows {
        rows: list.list.len(),
        date,
        ..ListRows::default()
    };
    let mut actor = Actor::new(&name, &statement, date);
    for (index, value) in list.list.iter().enumerate() {
        let added = match value.as_str() {
            Some(prefix) => actor.add_prefix(prefix.trim(), Days::default()),
            None => Err("it is no text".to_owned()),
        };
        if let Err(reason) = added {
            rows.refuse("entry", index + 1, &value.to_string(), &reason);
        }
    }
    rows.actors.push(actor);
    rows.actors.retain(Actor::claims_anything);
    Ok(rows)
}

/// The address in a description, or else the list's own statement.
fn name_of_statement(description: &str, name: &str) -> String {
    let address = description.find("http").map(|at| &description[at..]);
    let address = address.and_then(|rest| rest.split([' ', ']', ')', ',']).next());
    match address {
        Some(address) if address.contains("://") => address.to_owned(),
        _ => format!("MISP warning list: {}", name.trim()),
    }
}

/// `Censys` of `Censys IP Ranges Used for Scanning`, `CIRCL` of `CIRCL IP address used for SSH scanning`.
fn organisation_of(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let ends = [" ip range", " ip-range", " ip address", " ips "];
    let end = ends.iter().filter_map(|end| lower.find(end)).min();
    // `Research scanner IP Ranges` belongs to the Research scanner.
    let end = end.or_else(|| {
        [" scanner", " scanning"]
            .iter()
            .find_map(|end| lower.find(end))
    });
    let name = end.map_or(name, |end| &name[..end]);
    let begins = ["List of known ", "List of "];
    let cut = begins.iter().find_map(|begin| name.strip_prefix(begin));
    cut.unwrap_or(name)
}

/// Versions are days, as 20260810 or as 26081010 with a number after it, or plain numbers.
fn date_of_version(version: &str) -> Option<Date> {
    let digits: String = version.chars().filter(char::is_ascii_digit).collect();
    let whole = digits.get(..8)?;
    let short = format!("20{}", &digits[..6]);
    [whole, &short].into_iter().find_map(|digits| {
        let date = Date::strptime("%Y%m%d", digits).ok()?;
        (2000..2100).contains(&date.year()).then_some(date)
    })
}

/// A prefix or an address a line; the text after a comma, a tab or a blank is the organisation's name, otherwise the file's name is used.
pub(super) fn prefixes(list: &str, text: &str) -> ListRows {
    let stem = list.split('.').next().unwrap_or(list);
    let of_file = name_of(stem).unwrap_or_else(|| "unnamed".to_owned());
    let mut rows = ListRows::default();
    let mut actors: BTreeMap<String, Actor> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        rows.rows += 1;
        let (prefix, rest) = line.split_once([',', '\t', ' ']).unwrap_or((line, ""));
        let name = name_of(rest).unwrap_or_else(|| of_file.clone());
        let mut actor = Actor::new(&name, list, None);
        match actor.add_prefix(prefix.trim().trim_matches('"'), Days::default()) {
            Ok(()) => {
                let known = actors
                    .entry(name)
                    .or_insert_with(|| Actor::new(&actor.name, list, None));
                known.prefixes_v4.append(&mut actor.prefixes_v4);
                known.prefixes_v6.append(&mut actor.prefixes_v6);
            }
            Err(reason) => rows.refuse("line", index + 1, line, &reason),
        }
    }
    rows.actors = actors.into_values().collect();
    rows
}

/// Whether a line is the head of NICT's table of organisations.
pub(super) fn is_organisations_head(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.starts_with("scanner name,") && line.contains("reference")
}

/// NICT's table: the first column is the name, the last one the reference address, whose owner's name is another name.
pub(super) fn organisations(text: &str) -> ListRows {
    let mut rows = ListRows::default();
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let data = text.lines().enumerate().skip(1);
    for (index, line) in data.filter(|(_, line)| !line.trim().is_empty()) {
        rows.rows += 1;
        let fields = csv_fields(line);
        let (Some(name), Some(reference), true) = (
            fields.first().and_then(|name| name_of(name)),
            fields.last().map(|field| field.trim()),
            fields.len() >= 2,
        ) else {
            rows.refuse("line", index + 1, line, "expected a name and a reference");
            continue;
        };
        let statement = if reference.contains("://") {
            reference
        } else {
            "NICT's table of organisations"
        };
        let mut actor = Actor::new(&name, statement, None);
        if let Some(owner) = name::of_address(reference) {
            *owners.entry(owner.clone()).or_default() += 1;
            actor.aliases.push(owner);
        }
        rows.actors.push(actor);
    }
    // The host of several organisations is no name of any of them.
    for actor in &mut rows.actors {
        actor.aliases.retain(|owner| owners.get(owner) == Some(&1));
    }
    rows
}

/// The fields of a line of CSV; commas in quotes do not separate.
fn csv_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => fields
                .last_mut()
                .expect("there is a first field")
                .push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::error::ActorError;
    use super::super::read::{ReadList, read};
    use super::*;

    fn list(name: &str, text: &str) -> ReadList {
        read(name, text.as_bytes()).expect(text)
    }

    fn names(list: &ReadList) -> Vec<&str> {
        list.actors
            .iter()
            .map(|actor| actor.name.as_str())
            .collect()
    }

    #[test]
    fn survey_scanners_are_read_with_the_day_they_were_seen() {
        let list = list(
            "q1.json",
            r#"[{"ip":"192.0.2.7","scanner":"Modat ","last_seen":"2026-03-30"},
               {"ip":"2001:db8::7","scanner":"Modat","last_seen":"2026-03-31"},
               {"ip":"192.0.2","scanner":"Odd","last_seen":"2026-03-30"},
               {"ip":"192.0.2.8","scanner":"Late","last_seen":"soon"},
               {"ip":"192.0.2.9","scanner":"Shodan"}]"#,
        );
        assert_eq!(names(&list), ["Modat", "Shodan"]);
        let modat = &list.actors[0];
        assert_eq!(modat.prefixes_v4[0].0, (0xc000_0207, 0xc000_0207));
        assert_eq!(modat.prefixes_v4[0].1.seen, Some(date(2026, 3, 30)));
        assert_eq!(modat.prefixes_v6.len(), 1);
        assert_eq!(list.about.date, Some(date(2026, 3, 31)));
        let left_out = list.about.left_out().expect("two bad rows");
        for part in ["2 of its rows", "row 3: ", "row 4: ", "last_seen is no day"] {
            assert!(left_out.contains(part), "{left_out}");
        }
    }

    #[test]
    fn a_warning_list_is_one_organisation_by_its_name() {
        let text = r#"{"name":"Censys IP Ranges Used for Scanning","version":26081010,"type":"cidr",
            "description":"List of [https://support.censys.example/faq?a=b]",
            "list":["192.0.2.0/24","2001:db8::/80","192.0.2.1/24","198.51.100.7"]}"#;
        let list = list("censys.json", text);
        assert_eq!(names(&list), ["Censys"]);
        assert_eq!(
            list.actors[0].statement,
            "https://support.censys.example/faq?a=b"
        );
        assert_eq!(list.actors[0].read, Some(date(2026, 8, 10)));
        assert_eq!(
            (list.about.bad_rows, list.actors[0].prefixes_v4.len()),
            (1, 2)
        );
        for (name, expected) in [
            ("Shodan IP-Ranges, pot. used for Scanning", "Shodan"),
            ("CIRCL IP address used for SSH scanning", "CIRCL"),
            ("List of known Example scanners", "Example"),
            (
                "Research scanner IP Ranges Used for Scanning",
                "Research scanner",
            ),
            ("Example", "Example"),
        ] {
            assert_eq!(organisation_of(name), expected);
        }
        for (version, expected) in [
            ("20260810", Some(date(2026, 8, 10))),
            ("25121022", Some(date(2025, 12, 10))),
            ("3", None),
            ("\"x\"", None),
        ] {
            assert_eq!(date_of_version(version), expected, "{version}");
        }
    }

    #[test]
    fn lines_of_prefixes_carry_a_name_or_take_the_files() {
        let text =
            "# comment\n192.0.2.0/24\n198.51.100.7 # host\n2001:db8::/32,Other Org\nrubbish\n";
        let list = list("shodan.txt", text);
        assert_eq!(names(&list), ["Other Org", "shodan"]);
        assert_eq!(list.actors[1].prefixes_v4.len(), 2);
        let left_out = list.about.left_out().expect("a bad row");
        assert!(left_out.contains("line 5: \"rubbish\""), "{left_out}");
    }

    #[test]
    fn the_table_of_organisations_gives_addresses_and_further_names() {
        let text = "\u{feff}scanner name,type,TCP port count,reference\nbitsight,\"a, b\",355,https://www.internet-census.org/\nOne,x,1,https://shared.example/1\nTwo,x,1,https://shared.example/2\nThree,x,1, - \n";
        let list = list("scanorg.csv", text);
        assert_eq!(names(&list), ["bitsight", "One", "Two", "Three"]);
        assert_eq!(list.actors[0].aliases, ["internet-census"]);
        assert_eq!(list.actors[0].statement, "https://www.internet-census.org/");
        assert!(list.actors[1].aliases.is_empty());
        assert_eq!(list.actors[3].statement, "NICT's table of organisations");
    }

    #[test]
    fn a_list_that_is_mostly_bad_or_empty_is_refused() {
        for (text, part) in [
            ("192.0.2.0/24\nx\ny\n", "2 of 3 rows"),
            ("[{\"ip\":1},{\"ip\":2}]", "2 of 2 rows"),
            ("[]", "holds no address"),
            ("[{\"ip\"", "EOF"),
            ("{\"name\":\"x\",\"list\":[]}", "holds no address"),
            ("{\"list\":[]}", "missing field `name`"),
            ("<html>\n", "1 of 1 rows"),
        ] {
            let error = read("list", text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = read("list", b"192.0.2.1\n\xff\n").expect_err("no text");
        assert!(matches!(error, ActorError::Form { .. }));
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
