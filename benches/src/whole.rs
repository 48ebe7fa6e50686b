//! The whole job, measured as a user runs it: the built sensor as a process, from a capture to durable tables.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::case::{CASES, Case, TASKSET, Work};
use crate::dataset::{hash, sums};
use crate::files::remove;
use crate::input::{Capture, Scale, TELESCOPE, input};
use crate::outcome::{Left, Outcome};
use crate::program::installed;
use crate::usage::{Usage, measure};

/// How the whole job is measured.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The sensor's binary.
    pub sensor: PathBuf,
    /// Folder for captures and datasets.
    pub work: PathBuf,
    /// Packets.
    pub scale: Scale,
    /// Runs of each case.
    pub runs: usize,
}

impl Whole {
    /// Runs the cases of these names, all when there is no name. `say` gets every outcome as soon as it is known.
    ///
    /// # Errors
    /// When a name is no case's, or a program fails.
    pub fn run(&self, names: &[String], say: &mut dyn FnMut(&Outcome)) -> Result<Vec<Outcome>> {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        for name in names {
            ensure!(
                known.contains(&name.as_str()),
                "there is no case {name}; there are {}",
                known.join(", ")
            );
        }
        let asked = |case: &&Case| {
            case.is_possible() && (names.is_empty() || names.iter().any(|name| name == case.name))
        };
        let mut outcomes: Vec<Outcome> = Vec::new();
        for case in CASES.iter().filter(asked) {
            if outcomes
                .iter()
                .any(|outcome| outcome.case.name == case.name)
            {
                continue;
            }
            let together: Vec<&'static Case> = CASES
                .iter()
                .filter(asked)
                .filter(|other| other.input == case.input)
                .collect();
            let measured = self
                .alternate(case.input, &together)
                .with_context(|| format!("cases of the capture {}", case.input))?;
            measured.iter().for_each(&mut *say);
            outcomes.extend(measured);
        }
        Ok(outcomes)
    }

    /// Runs the cases of one capture in turn, round by round, so that other load affects all of them alike.
    fn alternate(&self, name: &str, cases: &[&'static Case]) -> Result<Vec<Outcome>> {
        let input = input(name).context("no such capture")?;
        let capture = input.capture(&self.work, self.scale.packets_of(input))?;
        capture.warm()?;
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        for round in 0..self.runs.max(1) {
            for (index, case) in cases.iter().enumerate() {
                let last = round + 1 == self.runs.max(1);
                let (usage, left) = self.once(case, &capture, last)?;
                let outcome = outcomes.entry(index).or_insert_with(|| Outcome {
                    case,
                    capture: capture.clone(),
                    runs: Vec::new(),
                    left: None,
                    problems: Vec::new(),
                });
                outcome.runs.push(usage);
                if let (Some(before), Some(now)) = (&outcome.left, &left)
                    && before.hash != now.hash
                {
                    let problem = format!("run {} gave other tables than those before", round + 1);
                    outcome.problems.push(problem);
                }
                outcome.left = left;
            }
        }
        let finished = outcomes.into_values().map(|mut outcome| {
            outcome.runs.sort_by_key(|usage| usage.wall);
            outcome.check_against_truth();
            outcome
        });
        Ok(finished.collect())
    }

    fn once(&self, case: &Case, capture: &Capture, summed: bool) -> Result<(Usage, Option<Left>)> {
        match case.work {
            Work::Decompress => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("decompress").arg(&capture.path);
                let usage = self.finish(case.name, &mut command)?;
                remove(&self.printed(case.name))?;
                Ok((usage, None))
            }
            Work::Peer(program, arguments) => {
                let program = installed(program).context("it was there before")?;
                let path = fs::canonicalize(&capture.path)?;
                let path = path.to_string_lossy();
                // Some write files where they run.
                let folder = self.work.join(format!("peer-{}", case.name));
                remove(&folder)?;
                fs::create_dir(&folder)?;
                let mut command = Command::new(program);
                let arguments = arguments
                    .iter()
                    .map(|text| text.replace("{capture}", &path));
                command.args(arguments).current_dir(&folder);
                let usage = self.finish(case.name, &mut command)?;
                remove(&self.printed(case.name))?;
                remove(&folder)?;
                Ok((usage, None))
            }
            Work::Replay(flags) | Work::Within(_, flags) => {
                // A repeated replay replaces the parts; a new folder makes each run like a user's first.
                let data = self.work.join(format!("data-{}", case.name));
                remove(&data)?;
                let mut command = match case.work {
                    Work::Within(processors, _) => {
                        let mut command = Command::new(TASKSET);
                        command.args(["-c", processors]).arg(&self.sensor);
                        command
                    }
                    _ => Command::new(&self.sensor),
                };
                Whole::asking(&mut command, capture, &data, flags);
                let usage = self.finish(case.name, &mut command)?;
                let left = self.left(case.name, &data, summed)?;
                remove(&data)?;
                Ok((usage, Some(left)))
            }
        }
    }

    /// Replays a capture into `data`, and stores the printed account there.
    ///
    /// # Errors
    /// When the sensor fails.
    pub fn replay(
        &self,
        name: &str,
        sensor: &Path,
        capture: &Capture,
        data: &Path,
        flags: &[&str],
    ) -> Result<Usage> {
        let mut command = Command::new(sensor);
        Whole::asking(&mut command, capture, data, flags);
        self.finish(name, &mut command)
    }

    /// Has the sensor replay a capture into `data`.
    fn asking(command: &mut Command, capture: &Capture, data: &Path, flags: &[&str]) {
        command
            .arg("replay")
            .arg(&capture.path)
            .arg("--data")
            .arg(data)
            .args(["--telescope", TELESCOPE, "--sensor", "bench", "--json"])
            .args(flags);
    }

    /// Measures a program whose output goes to files of the working folder.
    fn finish(&self, name: &str, command: &mut Command) -> Result<Usage> {
        let messages = self.work.join(format!("{name}.messages"));
        command
            .stdin(Stdio::null())
            .stdout(File::create(self.printed(name))?)
            .stderr(File::create(&messages)?);
        let usage = measure(command)?;
        ensure!(
            usage.status.success(),
            "{name} ended with {}: {}",
            usage.status,
            fs::read_to_string(&messages).unwrap_or_default().trim()
        );
        remove(&messages)?;
        Ok(usage)
    }

    fn printed(&self, name: &str) -> PathBuf {
        self.work.join(format!("{name}.printed"))
    }

    fn left(&self, name: &str, data: &Path, summed: bool) -> Result<Left> {
        let printed = self.printed(name);
        let accounting = serde_json::from_slice(&fs::read(&printed)?)
            .context("the sensor's accounting is no JSON")?;
        remove(&printed)?;
        let mut left = Left {
            hash: hash(data)?,
            accounting,
            ..Left::default()
        };
        if summed {
            left.sources = sums(data, "sources")?;
            left.traffic = sums(data, "traffic")?;
        }
        Ok(left)
    }
}
