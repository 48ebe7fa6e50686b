//! A list of actors from a file of any form, recognised by content: our own TOML, NICT's survey scanners and MISP's warning lists in JSON,
//! lines of prefixes, and NICT's table of organisations. This file recognises the form; each form has its own parser.

use std::path::Path;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::entry::Actor;
use super::error::ActorError;
use super::{field, file};
use crate::text::hexadecimal;

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListForm {
    /// TOML, written by hand or by `import`.
    Own,
    /// A JSON array of `ip`, `scanner`, `last_seen`.
    SurveyScanners,
    /// A MISP warning list.
    Misp,
    /// A prefix or an address a line.
    Prefixes,
    /// NICT's CSV of organisations: names and reference addresses, no prefixes.
    Organisations,
}

impl ListForm {
    /// Its name in metadata and messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            ListForm::Own => "list of actors",
            ListForm::SurveyScanners => "survey scanners",
            ListForm::Misp => "MISP warning list",
            ListForm::Prefixes => "lines of prefixes",
            ListForm::Organisations => "table of organisations",
        }
    }
}

/// A list that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorList {
    /// The file's name without its folder, or `default`.
    pub name: String,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
    /// What kind of list it is.
    pub form: &'static str,
    /// The day of the list; `None` if it has none.
    pub date: Option<Date>,
    /// Rows that are left out because they are not understood.
    pub bad_rows: usize,
    /// The first of them, each with its place.
    pub bad_shown: Vec<String>,
}

impl ActorList {
    /// A message about the rows that were left out; `None` if every row was understood.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let shown = self.bad_shown.join("; ");
        let more = if self.bad_rows > self.bad_shown.len() {
            "; …"
        } else {
            ""
        };
        let (name, count) = (&self.name, self.bad_rows);
        (count > 0).then(|| {
            format!("{name}: {count} of its rows are left out, not understood: {shown}{more}")
        })
    }
}

/// What a list says.
#[derive(Debug)]
pub(super) struct ReadList {
    pub(super) about: ActorList,
    pub(super) form: ListForm,
    pub(super) actors: Vec<Actor>,
}

/// Reads a file.
pub(super) fn read_file(path: &Path) -> Result<ReadList, ActorError> {
    let bytes = std::fs::read(path).map_err(|source| ActorError::Read {
        path: path.to_owned(),
        source,
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    read(&name, &bytes)
}

/// Reads the bytes of a list of this name.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<ReadList, ActorError> {
    let not_understood = |reason: String| ActorError::Form {
        list: name.to_owned(),
        reason,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        not_understood(format!("line {line}: it is no UTF-8 text"))
    })?;
    // Windows puts a byte-order mark before UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let form = form_of(text);
    let rows = match form {
        ListForm::Own => field::ListRows::good(file::read(name, text)?),
        ListForm::SurveyScanners => field::survey_scanners(name, text).map_err(not_understood)?,
        ListForm::Misp => field::misp(text).map_err(not_understood)?,
        ListForm::Prefixes => field::prefixes(name, text),
        ListForm::Organisations => field::organisations(text),
    };
    if rows.bad * 2 > rows.rows {
        return Err(ActorError::MostlyBad {
            list: name.to_owned(),
            bad: rows.bad,
            rows: rows.rows,
            first: rows.bad_shown.join("; "),
        });
    }
    if form != ListForm::Own && rows.actors.is_empty() {
        return Err(not_understood("it holds no address".to_owned()));
    }
    let digest = Sha256::digest(bytes);
    Ok(ReadList {
        about: ActorList {
            name: name.to_owned(),
            sha256: hexadecimal(&digest),
            form: form.name(),
            date: rows.date,
            bad_rows: rows.bad,
            bad_shown: rows.bad_shown,
        },
        form,
        actors: rows.actors,
    })
}

/// JSON and our TOML can both begin with a bracket; the character after it decides.
fn form_of(text: &str) -> ListForm {
    let mut data = text.lines().map(str::trim).filter(|line| {
        let is_comment = line.starts_with(['#', ';']) || line.starts_with("//");
        !line.is_empty() && !is_comment
    });
    let first = data.next().unwrap_or_default();
    let is_array_of_objects = || {
        let rest = text.trim_start().strip_prefix('[').map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['{', ']']))
    };
    if first.starts_with('{') {
        ListForm::Misp
    } else if first.starts_with('[') && is_array_of_objects() {
        ListForm::SurveyScanners
    } else if field::is_organisations_head(first) {
        ListForm::Organisations
    } else if first.is_empty() || first.starts_with('[') || first.contains('=') {
        ListForm::Own
    } else {
        ListForm::Prefixes
    }
}
