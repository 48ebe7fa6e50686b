//! The faults and oddities of a capture, collected while it is read, and the text of its report.

use std::fmt;

/// Places that a report names; the others are counted.
const NAMED_MAX: usize = 3;

/// Places of one kind.
#[derive(Debug, Default)]
pub(super) struct Places {
    named: Vec<String>,
    count: u64,
}

impl Places {
    /// Adds one; its text is only computed for the places that the report names.
    pub(super) fn note(&mut self, place: impl FnOnce() -> String) {
        if self.named.len() < NAMED_MAX {
            self.named.push(place());
        }
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Places {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.named.join(", "))?;
        match self.count - self.named.len() as u64 {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    error: Option<String>,
    /// Packets with an implausible time.
    pub implausible: Places,
    /// Records whose fraction of a second is more than one.
    pub fractions: Places,
    /// Captures that begin within the file.
    pub appended: Places,
    /// Whether times are nanoseconds though a header says otherwise.
    pub hidden_nanoseconds: bool,
}

impl Findings {
    /// Adds an error to those before.
    pub(super) fn fail(&mut self, error: &str) {
        self.error = Some(match self.error.take() {
            Some(before) => format!("{before}; {error}"),
            None => error.to_owned(),
        });
    }

    /// The errors.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Remarks, though nothing is missing.
    pub(super) fn note(&self) -> Option<String> {
        let mut notes = Vec::new();
        if self.hidden_nanoseconds {
            notes.push(
                "its header speaks of microseconds, its times are nanoseconds and are read as such"
                    .to_owned(),
            );
        }
        for (places, what) in [
            (
                &self.appended,
                "other captures begin within the file and are read",
            ),
            (
                &self.fractions,
                "fractions of more than a second, of which only the second is used",
            ),
            (&self.implausible, "implausible times, in no hour"),
        ] {
            if places.count > 0 {
                notes.push(format!("{what}: {places}"));
            }
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}
