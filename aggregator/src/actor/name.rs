//! Names of organisations as lists write them: decides which two are the same. Case, punctuation, a company's legal form and the end of a
//! domain name make no difference; text in parentheses is another name.

use super::entry::Actor;

/// Words for the kind of an organisation, which do not distinguish it.
const FORMS: &[&str] = &["the", "inc", "ltd", "llc", "gmbh", "corp", "co", "ag"];

/// Second-level domains under which organisations register names.
const SECOND_LEVELS: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org",
];

/// Hosts of many organisations, whose names identify none.
const SHARED_HOSTS: &[&str] = &[
    "github",
    "gitlab",
    "google",
    "medium",
    "twitter",
    "x",
    "wordpress",
    "blogspot",
    "archive",
    "linkedin",
    "notion",
];

/// Every name of an actor in its plain form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ActorNames(Vec<String>);

impl ActorNames {
    pub(super) fn of(actor: &Actor) -> ActorNames {
        let mut names = ActorNames::default();
        for name in std::iter::once(&actor.name).chain(&actor.aliases) {
            names.push(plain(name));
            names.push(plain(without_domain(name)));
            if let Some((outer, inner)) = name.split_once('(') {
                names.push(plain(outer));
                let inner = inner.trim_end().trim_end_matches(')');
                names.push(plain(inner));
                names.push(plain(without_domain(inner)));
            }
        }
        names
    }

    fn push(&mut self, name: String) {
        if !name.is_empty() && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    pub(super) fn meet(&self, other: &ActorNames) -> bool {
        self.0.iter().any(|name| other.0.contains(name))
    }

    pub(super) fn add(&mut self, other: ActorNames) {
        other.0.into_iter().for_each(|name| self.push(name));
    }
}

/// Lower-case letters and digits, without the words for a company's form.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !FORMS.contains(word)).collect()
}

/// `example` of `example.com`; other names as they are.
fn without_domain(name: &str) -> &str {
    let name = name.trim();
    match name.rsplit_once('.') {
        Some((before, end)) if !name.contains(' ') && end.len() >= 2 => before,
        _ => name,
    }
}

/// The name in an address such as `https://docs.example.org/scan`: `example`; `None` if many share the host.
pub(super) fn of_address(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let host = rest.split(['/', ':', '?']).next()?.to_lowercase();
    let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
    let mut place = labels.len().checked_sub(2)?;
    if SECOND_LEVELS.contains(&labels[place]) && place > 0 {
        place -= 1;
    }
    let label = labels[place];
    (!SHARED_HOSTS.contains(&label)).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> ActorNames {
        ActorNames::of(&Actor::new(name, "", None))
    }

    #[test]
    fn names_that_differ_in_writing_alone_are_the_same() {
        for (one, other, expected) in [
            ("Onyphe", "ONYPHE", true),
            ("Modat ", "modat", true),
            (
                "Limes Security (Alpha Strike Labs)",
                "AlphaStrike Labs",
                true,
            ),
            (
                "driftnet (internet-measurement.com)",
                "Internet Measurement",
                true,
            ),
            ("bufferover.run", "Bufferover", true),
            ("research-scanner.com", "Research scanner", true),
            ("UpGuard (CyberResilience)", "Cyberresilience", true),
            ("Censys, Inc.", "Censys", true),
            ("The Recyber Project", "Recyber Project", true),
            ("University of Maryland", "University of Michigan", false),
            ("ipip", "ipinfo", false),
            ("F6", "A10", false),
            ("()", "( )", false),
        ] {
            assert_eq!(names(one).meet(&names(other)), expected, "{one}, {other}");
        }
    }

    #[test]
    fn an_address_tells_its_owner_where_it_has_one() {
        for (address, expected) in [
            ("https://www.internet-census.org/", Some("internet-census")),
            (
                "https://docs-cortex.paloaltonetworks.com/r/1",
                Some("paloaltonetworks"),
            ),
            ("https://scan.example.ac.jp/", Some("example")),
            ("https://github.com/example/scan", None),
            ("https://localhost/", None),
            (" - ", None),
        ] {
            assert_eq!(of_address(address).as_deref(), expected, "{address}");
        }
    }
}
