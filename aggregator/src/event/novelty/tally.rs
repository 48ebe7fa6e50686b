//! What a day leaves to the days behind it: every port, payload, stack signature and campaign of it with its sources. A line for each.

use std::io::{self, Read, Write};

use crate::event::lines::{read_lines, write_lines};
use crate::schema::NoveltyWhat;

/// First line of the file.
const FORM: &str = "teiten-things-1";
/// Bytes of a line, at most.
const LINE_BYTES_MAX: u64 = 1 << 12;

/// A thing of a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thing {
    pub what: NoveltyWhat,
    /// Without tabs and ends of lines.
    pub value: String,
    pub sources: u64,
    pub packets: u64,
    /// Of the first packet, or the start of its hour; microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// As tables have them.
    pub countries: String,
}

/// Writes the things of a day, which are in order.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_things<W: Write>(file: W, things: &[Thing]) -> io::Result<W> {
    let line = |it: &Thing| {
        format!(
            "{}\t{}\t{}\t{}\t{}\t{}",
            it.what.name(),
            it.value,
            it.sources,
            it.packets,
            it.first_us,
            it.countries
        )
    };
    write_lines(file, FORM, things.iter().map(line))
}

/// Reads the things of a day.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub(crate) fn read_things(file: impl Read) -> io::Result<Vec<Thing>> {
    let mut things = Vec::new();
    read_lines(file, (FORM, LINE_BYTES_MAX), damaged, |line| {
        let read = thing(line);
        let is_known = read.is_some();
        things.extend(read);
        is_known
    })?;
    Ok(things)
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the things of a day are damaged: remove the file, and it is made anew from the hours",
    )
}

fn thing(line: &str) -> Option<Thing> {
    let mut parts = line.split('\t');
    let mut next = || parts.next();
    Some(Thing {
        what: NoveltyWhat::from_name(next()?)?,
        value: next()?.to_owned(),
        sources: next()?.parse().ok()?,
        packets: next()?.parse().ok()?,
        first_us: next()?.parse().ok()?,
        countries: next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_back_and_damage_is_found() {
        let things: Vec<Thing> = NoveltyWhat::ALL
            .into_iter()
            .map(|what| Thing {
                what,
                value: format!("of {}", what.name()),
                sources: 7,
                packets: 9,
                first_us: -1,
                countries: "JP:3,US:4".to_owned(),
            })
            .collect();
        let bytes = write_things(Vec::new(), &things).expect("a Vec takes all");
        assert_eq!(read_things(&bytes[..]).expect("sound"), things);
        for length in 0..bytes.len() {
            assert!(read_things(&bytes[..length]).is_err(), "{length}");
        }
    }
}
