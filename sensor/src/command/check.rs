//! `teiten-sensor check`: checks everything that a capture needs, without capturing, and says what it would do. Each check is a row of
//! [`CHECKS`]; nothing is changed, except for a trial file in the data folder that is removed at once.

mod clock;
mod data;
mod interfaces;
mod system;

pub use data::{NO_NETWORKS, folder_refusal};

use std::io::{Result, Write};

use serde::Serialize;

use crate::options::{CaptureSettings, Settings};

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// A capture would run, but not as well as it could.
    Warn,
    /// A capture would not run.
    Fail,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    /// What was checked.
    pub check: &'static str,
    /// The status.
    pub verdict: CheckStatus,
    /// The result, with advice if something is wrong.
    pub text: String,
}

/// A check.
pub struct Check {
    /// Its name.
    pub name: &'static str,
    look: fn(&Plan) -> Vec<(CheckStatus, String)>,
}

/// The settings of the capture that is checked.
#[derive(Debug)]
pub struct Plan {
    /// The capture.
    pub capture: CaptureSettings,
    /// The other settings.
    pub settings: Settings,
}

/// Every check, in the order of the report.
pub const CHECKS: &[Check] = &[
    Check {
        name: "privileges",
        look: system::privileges,
    },
    Check {
        name: "sandbox",
        look: system::sandbox,
    },
    Check {
        name: "interface",
        look: interfaces::interfaces,
    },
    Check {
        name: "telescope",
        look: interfaces::telescope,
    },
    Check {
        name: "data",
        look: data::folder,
    },
    Check {
        name: "space",
        look: data::room,
    },
    Check {
        name: "kept",
        look: data::kept,
    },
    Check {
        name: "alerts",
        look: data::alerts,
    },
    Check {
        name: "countries",
        look: data::countries,
    },
    Check {
        name: "clock",
        look: clock::clock,
    },
    Check {
        name: "memory",
        look: system::memory,
    },
    Check {
        name: "limits",
        look: system::limits,
    },
    Check {
        name: "status",
        look: system::status,
    },
];

/// Runs every check.
#[must_use]
pub fn findings(plan: &Plan) -> Vec<CheckFinding> {
    let found = |check: &Check| {
        let name = check.name;
        let finding = move |(verdict, text)| CheckFinding {
            check: name,
            verdict,
            text,
        };
        (check.look)(plan)
            .into_iter()
            .map(finding)
            .collect::<Vec<_>>()
    };
    CHECKS.iter().flat_map(found).collect()
}

/// The worst status.
#[must_use]
pub fn worst(findings: &[CheckFinding]) -> CheckStatus {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(CheckStatus::Ok)
}

/// Writes the findings for a person, and what a capture would do.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_table(plan: &Plan, findings: &[CheckFinding], out: &mut dyn Write) -> Result<()> {
    for CheckFinding {
        check,
        verdict,
        text,
    } in findings
    {
        let word = match verdict {
            CheckStatus::Ok => "ok",
            CheckStatus::Warn => "WARN",
            CheckStatus::Fail => "FAIL",
        };
        writeln!(out, "{word:<5} {check:<11} {text}")?;
    }
    let (capture, settings) = (&plan.capture, &plan.settings);
    writeln!(
        out,
        "\nwould capture on {} as sensor `{}` into {}, with {} workers",
        capture.interfaces.join(", "),
        settings.sensor,
        settings.data.display(),
        settings.workers
    )?;
    let failed = findings
        .iter()
        .filter(|finding| finding.verdict == CheckStatus::Fail);
    match failed.count() {
        0 => writeln!(out, "a capture would run"),
        1 => writeln!(out, "one problem would prevent it"),
        count => writeln!(out, "{count} problems would prevent it"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::options::{Command, parse};

    fn plan(flags: &[&str]) -> Plan {
        let line = ["teiten-sensor", "capture"]
            .iter()
            .chain(flags)
            .map(OsString::from);
        let Command::Capture(arguments) = parse(line).expect("a good line").command else {
            panic!("another command")
        };
        let (capture, settings) = arguments.resolve().expect("good settings");
        Plan { capture, settings }
    }

    fn verdicts(findings: &[CheckFinding], name: &str) -> Vec<(CheckStatus, String)> {
        let of_name = findings.iter().filter(|finding| finding.check == name);
        of_name
            .map(|finding| (finding.verdict, finding.text.clone()))
            .collect()
    }

    #[test]
    fn everything_is_looked_at_and_the_folder_is_left_as_it_was() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().to_str().expect("plain");
        let plan = plan(&[
            "--interface",
            "lo",
            "--data",
            data,
            "--telescope",
            "192.0.2.0/24",
        ]);
        let findings = findings(&plan);
        for check in CHECKS {
            assert!(
                !verdicts(&findings, check.name).is_empty(),
                "{}",
                check.name
            );
        }
        assert_eq!(
            verdicts(&findings, "data")[0].0,
            CheckStatus::Ok,
            "{findings:?}"
        );
        assert!(
            verdicts(&findings, "telescope")[0].1.contains("256"),
            "{findings:?}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("readable").count(),
            0
        );
    }

    #[test]
    fn what_a_capture_could_not_do_without_fails_with_a_word_that_helps() {
        let plan = plan(&[
            "--interface",
            "no-such0",
            "--data",
            "/proc/no/such",
            "--user",
            "nobody-of-that-name",
        ]);
        let findings = findings(&plan);
        assert_eq!(worst(&findings), CheckStatus::Fail);
        for (name, part) in [
            ("interface", "lo"),
            ("data", "/proc/no"),
            ("privileges", "adduser"),
        ] {
            let found = verdicts(&findings, name);
            let told = found
                .iter()
                .any(|(verdict, text)| *verdict == CheckStatus::Fail && text.contains(part));
            assert!(told, "{name}: {found:?}");
        }
        assert_eq!(verdicts(&findings, "telescope")[0].0, CheckStatus::Warn);
        let mut text = Vec::new();
        write_table(&plan, &findings, &mut text).expect("written");
        assert!(String::from_utf8_lossy(&text).contains("would prevent it"));
    }
}
