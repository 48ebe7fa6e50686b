//! The live capture: a capture's packets are sent through a pair of virtual interfaces between two network namespaces, and the tables of
//! the sensor that listens there are compared with those of a replay of the same file, row by row. `send.rs` sends the packets.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::dataset::{Counts, counts};
use crate::files::remove;
use crate::input::{Capture, Scale, TELESCOPE, input};
use crate::send::Sent;
use crate::usage::{Usage, measure, watched};

/// How packets are sent.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name in the table.
    pub name: &'static str,
    /// What the case represents.
    pub about: &'static str,
    /// The input whose packets are sent.
    pub input: &'static str,
    /// They are a fraction of the input's, the denominator.
    pub part: u64,
    /// Threads that send.
    pub senders: usize,
    /// Packets a second of all senders; none: as many as they can.
    pub rate: Option<u64>,
    /// Prefixes of the telescope besides [`TELESCOPE`].
    pub more_telescope: &'static [&'static str],
    /// The sensor's `--memory`, MiB; none: its default. Its own memory may then be so much and [`BESIDE_MIB`].
    pub memory_mib: Option<u64>,
}

impl Case {
    fn telescope_flags(&self) -> impl Iterator<Item = &'static str> {
        let prefixes = self.more_telescope.iter();
        prefixes.flat_map(|prefix| ["--telescope", prefix])
    }
}

/// What the sensor may hold besides `--memory`, MiB.
pub const BESIDE_MIB: u64 = 128;

/// Every case, in the order of the table.
pub const CASES: &[Case] = &[
    Case {
        name: "full-rate",
        about: "one thread sends as fast as it can",
        input: "plain",
        part: 1,
        senders: 1,
        rate: None,
        more_telescope: &[],
        memory_mib: None,
    },
    Case {
        name: "two-senders",
        about: "two threads send, and the sensor uses the rest of two processors",
        input: "plain",
        part: 1,
        senders: 2,
        rate: None,
        more_telescope: &[],
        memory_mib: None,
    },
    Case {
        name: "steady",
        about: "20,000 packets a second",
        input: "plain",
        part: 5,
        senders: 1,
        rate: Some(20_000),
        more_telescope: &[],
        memory_mib: None,
    },
    Case {
        name: "flood-mixed",
        about: "forged packets of all kinds as fast as one thread can, with little memory",
        input: "flood-mixed",
        // All of it comes in one hour here, and an hour of more sources is folded, which a replay of two hours is not.
        part: 2,
        senders: 1,
        rate: None,
        more_telescope: &["2001:db8::/32"],
        memory_mib: Some(64),
    },
];
/// The target: the sensor's processor time for the whole job, microseconds a packet.
pub const AIM_US: f64 = 0.5;
/// Heads of the columns of [`Outcome::row`].
pub const HEADINGS: &str = "case        Mpackets  s sent  M/s sent  dropped  missing  CPU s  µs/packet      aim  sender µs  own MiB by quarter        rows  differ";
/// Longest wait for the sensor to open its interface.
const OPENING_MAX: Duration = Duration::from_secs(30);
/// Longest time of a case.
const CASE_MAX: Duration = Duration::from_secs(900);
/// How long the kernel may still be handing packets on after the last was sent.
const SETTLING: Duration = Duration::from_millis(300);
const LOOKING: Duration = Duration::from_millis(20);
const MEBIBYTE: f64 = 1_048_576.0;

/// How the live capture is measured.
#[derive(Clone, Debug)]
pub struct LiveBench {
    /// The sensor's binary.
    pub sensor: PathBuf,
    /// Folder for captures and datasets.
    pub work: PathBuf,
    /// Packets.
    pub scale: Scale,
    /// Only these cases; none: all.
    pub names: Vec<String>,
}

/// The result of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    case: &'static Case,
    sent: Sent,
    sender: Usage,
    sensor: Usage,
    /// Largest memory of the sensor's own in each quarter of the sending, bytes.
    own_bytes: [u64; 4],
    accounting: Value,
    /// Rows of a replay of the same packets, and how many of them differ in the live tables.
    rows: usize,
    differing: usize,
}

/// Two network namespaces and the pair of interfaces between them; removed when this value is dropped.
struct Network {
    sending: String,
    dark: String,
}

impl Network {
    fn new() -> Result<Network> {
        let number = std::process::id();
        let network = Network {
            sending: format!("teiten-bench-{number}-sending"),
            dark: format!("teiten-bench-{number}-dark"),
        };
        let (sending, dark) = (&network.sending, &network.dark);
        ip(&["netns", "add", sending])?;
        ip(&["netns", "add", dark])?;
        ip(&[
            "link", "add", "sending", "netns", sending, "type", "veth", "peer", "name", "dark",
            "netns", dark,
        ])?;
        // Larger than any packet of the captures.
        ip(&["-n", sending, "link", "set", "sending", "mtu", "9000", "up"])?;
        ip(&["-n", dark, "link", "set", "dark", "mtu", "9000", "up"])?;
        Ok(network)
    }

    /// `program` in a namespace; the process is the program itself.
    fn command(namespace: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [&self.sending, &self.dark] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("`ip`")?;
    ensure!(
        output.status.success(),
        "`ip {}`: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

impl LiveBench {
    /// Runs the cases; `say` gets every outcome as soon as it is known. None, where this user may make no network namespace: the
    /// reason then.
    ///
    /// # Errors
    /// When a name is no case's, a program fails, or a file cannot be read.
    pub fn run(
        &self,
        say: &mut dyn FnMut(&Outcome),
    ) -> Result<std::result::Result<Vec<Outcome>, String>> {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        if let Some(name) = self
            .names
            .iter()
            .find(|name| !known.contains(&name.as_str()))
        {
            bail!("there is no case {name}; there are {}", known.join(", "));
        }
        if let Err(error) = Network::new() {
            return Ok(Err(format!("{error:#}; run as root")));
        }
        let mut outcomes = Vec::new();
        for case in CASES {
            if self.names.is_empty() || self.names.iter().any(|name| name == case.name) {
                let outcome = self.once(case).with_context(|| case.name)?;
                say(&outcome);
                outcomes.push(outcome);
            }
        }
        Ok(Ok(outcomes))
    }

    fn once(&self, case: &'static Case) -> Result<Outcome> {
        let of_case = input(case.input).context("no such input")?;
        let packets = self.scale.packets_of(of_case) / case.part;
        let capture = of_case.capture(&self.work, packets.max(1))?;
        capture.warm()?;
        let (data, replayed) = (self.work.join("data-live"), self.work.join("data-replayed"));
        remove(&data)?;
        remove(&replayed)?;
        let expected = self.replayed(case, &capture, &replayed)?;
        let network = Network::new()?;
        let messages = self.work.join("live.messages");
        let printed = self.work.join("live.printed");
        let child = self.listen(case, &network, &data, &messages, &printed)?;
        let sensor_id = child.id();
        let watch = std::thread::spawn(move || {
            let mut looks: Vec<(Instant, u64)> = Vec::new();
            let mut look = |own| looks.push((Instant::now(), own));
            let usage = watched(child, CASE_MAX, &mut look);
            (usage, looks)
        });
        let sent = wait_for_words(&messages, "capturing on")
            .and_then(|()| self.send(case, &capture, &network));
        std::thread::sleep(SETTLING);
        // Should it not end by this, it is killed when its time is over.
        let _ = Command::new("kill")
            .args(["-TERM", &sensor_id.to_string()])
            .status();
        let (usage, looks) = watch.join().ok().context("the watch broke off")?;
        let (sensor, (sent, sender, begin)) = (usage?, sent?);
        ensure!(
            matches!(sensor.status.code(), Some(0 | 1)),
            "the sensor ended with {}: {}",
            sensor.status,
            std::fs::read_to_string(&messages)
                .unwrap_or_default()
                .trim()
        );
        let accounting = serde_json::from_slice(&std::fs::read(&printed)?)
            .context("the sensor's accounting is no JSON")?;
        let found = counts(&data)?;
        let outcome = Outcome {
            case,
            sent,
            sender,
            sensor,
            own_bytes: quarters(&looks, begin, sent.wall),
            accounting,
            rows: expected.len(),
            differing: differing(&expected, &found),
        };
        for left in [&data, &replayed, &messages, &printed] {
            remove(left)?;
        }
        Ok(outcome)
    }

    fn replayed(&self, case: &Case, capture: &Capture, data: &Path) -> Result<Counts> {
        let mut command = Command::new(&self.sensor);
        command
            .arg("replay")
            .arg(&capture.path)
            .arg("--data")
            .arg(data);
        command.args(["--telescope", TELESCOPE, "--json"]);
        command.args(case.telescope_flags());
        let usage = measure(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        ensure!(
            usage.status.success(),
            "the replay ended with {}",
            usage.status
        );
        counts(data)
    }

    fn listen(
        &self,
        case: &Case,
        network: &Network,
        data: &Path,
        messages: &Path,
        printed: &Path,
    ) -> Result<Child> {
        let mut command = Network::command(&network.dark, &self.sensor.canonicalize()?);
        command.args([
            "capture",
            "--interface",
            "dark",
            "--telescope",
            TELESCOPE,
            "--json",
            "--data",
        ]);
        command.arg(data).args(case.telescope_flags());
        if let Some(memory_mib) = case.memory_mib {
            command.args(["--memory", &format!("{memory_mib}M")]);
        }
        command
            .stdin(Stdio::null())
            .stdout(File::create(printed)?)
            .stderr(File::create(messages)?);
        Ok(command.spawn()?)
    }

    /// What was sent, how long it took, and when it began.
    fn send(
        &self,
        case: &Case,
        capture: &Capture,
        network: &Network,
    ) -> Result<(Sent, Usage, Instant)> {
        let printed = self.work.join("sent.printed");
        let mut command = Network::command(&network.sending, &std::env::current_exe()?);
        command
            .arg("send")
            .arg(&capture.path)
            .args(["--interface", "sending", "--threads"]);
        command.arg(case.senders.to_string());
        if let Some(rate) = case.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        let usage = measure(command.stdout(File::create(&printed)?))?;
        let end = Instant::now();
        ensure!(
            usage.status.success(),
            "the sender ended with {}",
            usage.status
        );
        let object: Value = serde_json::from_slice(&std::fs::read(&printed)?)?;
        remove(&printed)?;
        let sent = Sent::of(&object).context("the sender said something else")?;
        Ok((sent, usage, end.checked_sub(sent.wall).unwrap_or(end)))
    }
}

fn wait_for_words(file: &Path, words: &str) -> Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < OPENING_MAX {
        if std::fs::read_to_string(file)?.contains(words) {
            return Ok(());
        }
        std::thread::sleep(LOOKING);
    }
    bail!(
        "the sensor opened no interface: {}",
        std::fs::read_to_string(file)?.trim()
    )
}

/// The largest sample in each quarter of the time from `begin` on.
fn quarters(looks: &[(Instant, u64)], begin: Instant, length: Duration) -> [u64; 4] {
    std::array::from_fn(|quarter| {
        let from = begin + length.mul_f64(quarter as f64 / 4.0);
        let to = begin + length.mul_f64((quarter as f64 + 1.0) / 4.0);
        let within = looks.iter().filter(|(time, _)| (from..=to).contains(time));
        within.map(|(_, own)| *own).max().unwrap_or(0)
    })
}

/// Rows that differ between the sides, or that one side lacks.
fn differing(expected: &Counts, found: &Counts) -> usize {
    let other = expected
        .iter()
        .filter(|(key, count)| found.get(key) != Some(count));
    let more = found.keys().filter(|key| !expected.contains_key(key));
    other.count() + more.count()
}

impl Outcome {
    fn reported(&self, name: &str) -> u64 {
        self.accounting
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    }

    fn dropped(&self) -> u64 {
        self.reported("dropped")
    }

    /// Packets that were sent and are neither received nor counted as lost.
    fn missing(&self) -> i64 {
        self.sent.packets as i64 - self.reported("records") as i64 - self.dropped() as i64
    }

    fn sensor_us(&self) -> f64 {
        self.sensor.processor.as_secs_f64() * 1e6 / self.sent.packets.max(1) as f64
    }

    /// The row.
    #[must_use]
    pub fn row(&self) -> String {
        let seconds = self.sent.wall.as_secs_f64();
        let own = self
            .own_bytes
            .map(|bytes| format!("{:.0}", bytes as f64 / MEBIBYTE));
        format!(
            "{:<12}{:>8.2}{:>8.2}{:>10.3}{:>9}{:>9}{:>7.2}{:>11.3}{:>9.2}{:>11.3}  {:<20}{:>10}{:>8}",
            self.case.name,
            self.sent.packets as f64 / 1e6,
            seconds,
            self.sent.packets as f64 / 1e6 / seconds,
            self.dropped(),
            self.missing(),
            self.sensor.processor.as_secs_f64(),
            self.sensor_us(),
            AIM_US,
            self.sender.processor.as_secs_f64() * 1e6 / self.sent.packets.max(1) as f64,
            own.join(" "),
            self.rows,
            self.differing,
        )
    }

    /// The object of the record.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "case": self.case.name,
            "about": self.case.about,
            "sent": self.sent.json(),
            "sender_processor_seconds": self.sender.processor.as_secs_f64(),
            "processor_seconds": self.sensor.processor.as_secs_f64(),
            "processor_microseconds_per_packet": self.sensor_us(),
            "aim_processor_microseconds_per_packet": AIM_US,
            "peak_bytes": self.sensor.peak_bytes,
            "own_bytes_by_quarter": self.own_bytes,
            "memory_mib": self.case.memory_mib,
            "received": self.reported("records"),
            "dropped": self.dropped(),
            "missing": self.missing(),
            "rows": self.rows,
            "rows_that_differ": self.differing,
        })
    }

    /// Errors: packets that were not counted, and rows that differ although nothing was lost.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.missing() != 0 {
            problems.push(format!(
                "{}: {} packets are neither received nor counted as lost",
                self.case.name,
                self.missing()
            ));
        }
        let own_mib = self.own_bytes.iter().max().unwrap_or(&0) >> 20;
        if let Some(memory_mib) = self.case.memory_mib
            && own_mib > memory_mib + BESIDE_MIB
        {
            problems.push(format!(
                "{}: {own_mib} MiB of own memory, more than {memory_mib} and {BESIDE_MIB}",
                self.case.name
            ));
        }
        if self.dropped() == 0 && self.differing > 0 {
            problems.push(format!(
                "{}: {} rows differ from a replay's",
                self.case.name, self.differing
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_differ_by_value_by_absence_and_by_excess() {
        let counts = |rows: &[(u64, i64)]| -> Counts {
            rows.iter()
                .map(|(key, packets)| (*key, (*packets, 0)))
                .collect()
        };
        let expected = counts(&[(1, 5), (2, 5), (3, 5)]);
        assert_eq!(differing(&expected, &expected), 0);
        assert_eq!(differing(&expected, &counts(&[(1, 5), (2, 4), (9, 1)])), 3);
    }

    #[test]
    fn each_quarter_has_its_own_peak() {
        let begin = Instant::now();
        let looks: Vec<(Instant, u64)> = (0..8)
            .map(|second| (begin + Duration::from_millis(500 + 1000 * second), second))
            .collect();
        assert_eq!(
            quarters(&looks, begin, Duration::from_secs(8)),
            [1, 3, 5, 7]
        );
    }
}
