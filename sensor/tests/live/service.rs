//! The built program as a service: what it gives up, what it shows, what it does on SIGHUP. In a network of the test's own; needs root
//! and `ip`; skipped, and said so, without them.

use crate::dataset;
use crate::program;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dataset::{Workshop, broken_sums, hour_sums};
use serde_json::Value;

/// The address of the status server; every test has its own network.
const STATUS: &str = "127.0.0.1:9898";
/// Longest wait for anything to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// A user whom every Debian has and who may do nothing.
const NOBODY: &str = "nobody";
/// CAP_NET_RAW as a bit of /proc/PID/status (linux/capability.h: 13).
const NET_RAW: u64 = 1 << 13;

/// Runs `test` on a thread that has a loopback interface of its own, which ends with the thread and its children.
fn in_a_network_of_its_own(test: fn()) {
    let thread = std::thread::spawn(move || {
        // SAFETY: unshare takes no pointers, and changes the network of this thread and its later children alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            let reason = std::io::Error::last_os_error();
            eprintln!("SKIPPED: no network namespace can be made ({reason}); run as root");
            return;
        }
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        if !up.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: `ip link set lo up` gave {up:?}");
            return;
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A capture on loopback that serves its status.
struct Service {
    child: program::Running,
    log: PathBuf,
}

impl Service {
    fn start(mut command: Command, workshop: &Workshop, flags: &[&str]) -> Self {
        let log = workshop.path("messages");
        command
            .args([
                "capture",
                "--interface",
                "lo",
                "--telescope",
                "127.9.0.0/16",
                "--json",
            ])
            .args([
                "--workers",
                "2",
                "--memory",
                "64M",
                "--status",
                STATUS,
                "--log",
                "json",
            ])
            .arg("--data")
            .arg(workshop.path("data"))
            .arg("--geo")
            .arg(workshop.countries())
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a file"));
        let mut service = Service {
            child: program::Running(command.spawn().expect("the program starts")),
            log,
        };
        let begun = Instant::now();
        while TcpStream::connect(STATUS).is_err() {
            let ended = service.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{ended:?}: {}", service.messages());
            assert!(begun.elapsed() < PATIENCE, "{}", service.messages());
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }

    fn messages(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until a message holds `part`.
    fn wait_for(&self, part: &str) {
        wait(
            || self.messages().contains(part),
            || format!("{part}: {}", self.messages()),
        );
    }

    /// A line of /proc/PID/status.
    fn kernel_says(&self, name: &str) -> String {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {text}"))
            .trim_start_matches(':')
            .trim()
            .to_owned()
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(&self.kernel_says(set), 16).expect("hexadecimal")
    }

    fn signal(&self, signal: &str) {
        let number = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Ends the capture; its accounting, when its exit code is 0.
    fn end(mut self) -> Value {
        self.signal("-TERM");
        let mut output = String::new();
        let mut pipe = self.child.stdout.take().expect("a pipe");
        pipe.read_to_string(&mut output).expect("text");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{status:?} {}", self.messages());
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }
}

fn wait(until: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The body of an answer.
fn get(target: &str) -> String {
    let mut stream = TcpStream::connect(STATUS).expect("somebody listens");
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
    body.to_owned()
}

fn live() -> Value {
    serde_json::from_str(&get("/live")).expect("JSON")
}

/// A source that can have a country: loopback's own never has one.
const ABROAD: &str = "75.0.0.1";

/// Sends numbered datagrams to the telescope, and waits until the capture has seen them.
fn send(count: u16, expected: u64) {
    send_from("127.0.0.1", count, expected);
}

fn send_from(source: &str, count: u16, expected: u64) {
    let socket = UdpSocket::bind((source, 0)).expect("a socket");
    for number in 0..count {
        let address: SocketAddr = format!("127.9.0.1:{}", 20_000 + number)
            .parse()
            .expect("one");
        socket.send_to(b"x", address).expect("sent");
    }
    wait(
        || live()["since_start"]["observed"] == expected,
        || live().to_string(),
    );
}

/// Has the pages read by Prometheus' own parser, where Python has it: .ci/crosscheck puts it into a venv.
fn parsed_by_prometheus(pages: &[&Path]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let venv = target.join("crosscheck-venv/bin/python");
    let python = if venv.exists() {
        venv
    } else {
        "python3".into()
    };
    let has_it = Command::new(&python)
        .args(["-c", "import prometheus_client"])
        .stderr(Stdio::null())
        .status();
    if !has_it.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED: {} has no prometheus_client; .ci/crosscheck installs it",
            python.display()
        );
        return;
    }
    let script = root.join("testdata/crosscheck/metrics.py");
    let output = Command::new(python)
        .arg(script)
        .args(pages)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// A folder that anybody may write into.
fn open_to_all(path: &Path) {
    std::fs::create_dir_all(path).expect("a folder");
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(path, all).expect("it is ours");
}

fn assert_whole(workshop: &Workshop, accounting: &Value, packets: i64) {
    let data = workshop.path("data");
    assert_eq!(accounting["observed"], packets, "{accounting}");
    assert_eq!(broken_sums(&data), [""; 0]);
    let summed: i64 = hour_sums(&data, "traffic").values().map(|sum| sum.0).sum();
    assert_eq!(summed, packets);
}

#[test]
fn root_goes_on_as_another_user_with_one_capability_and_captures_all() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        open_to_all(&workshop.path(""));
        let service = Service::start(program::program(), &workshop, &["--user", NOBODY]);
        service.wait_for("serving");
        let nobody = service.kernel_says("Uid");
        assert!(
            nobody.split_whitespace().all(|number| number == "65534"),
            "{nobody}"
        );
        for set in ["CapEff", "CapPrm"] {
            assert_eq!(service.capabilities(set), NET_RAW, "{set}");
        }
        for set in ["CapInh", "CapAmb", "CapBnd"] {
            assert_eq!(service.capabilities(set), 0, "{set}");
        }
        assert_eq!(service.kernel_says("NoNewPrivs"), "1");
        if service.messages().contains("confined: 1") {
            assert_eq!(service.kernel_says("Seccomp"), "2");
        }
        send(300, 300);
        let accounting = service.end();
        assert_whole(&workshop, &accounting, 300);
    });
}

#[test]
fn a_program_with_the_capability_needs_no_root() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        open_to_all(&workshop.path(""));
        let copy = workshop.path("teiten-sensor");
        std::fs::copy(program::program().get_program(), &copy).expect("copied");
        let granted = Command::new("setcap")
            .arg("cap_net_raw=ep")
            .arg(&copy)
            .status();
        if !granted.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: setcap gave {granted:?}");
            return;
        }
        let as_nobody = || {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", NOBODY, "--regid", "nogroup", "--clear-groups"]);
            command
        };
        let mut command = as_nobody();
        command.arg(&copy);
        let service = Service::start(command, &workshop, &[]);
        service.wait_for("serving");
        assert_eq!(service.capabilities("CapEff"), NET_RAW);
        send(50, 50);
        let accounting = service.end();
        assert_whole(&workshop, &accounting, 50);
        // Without the capability: a word that helps.
        let output = as_nobody()
            .arg(program::program().get_program())
            .args(["capture", "--interface", "lo", "--data"])
            .arg(workshop.path("other"))
            .output();
        let output = output.expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("cannot execute") || text.contains("failed to execute") {
            eprintln!("SKIPPED: {NOBODY} cannot reach the program: {text}");
            return;
        }
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("setcap cap_net_raw=ep"), "{text}");
    });
}

#[test]
fn the_status_shows_what_was_captured() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let service = Service::start(program::program(), &workshop, &[]);
        send(200, 200);
        let view = live();
        assert_eq!(view["exact"], true);
        assert_eq!(view["sources"][0]["src_ip"], "127.0.0.1");
        assert_eq!(view["sources"][0]["packets"], 200);
        assert_eq!(view["ports"].as_array().map(Vec::len), Some(20));
        let page = get("/metrics");
        assert!(
            page.contains("teiten_packets_total{outcome=\"observed\"} 200.0"),
            "{page}"
        );
        assert!(
            page.contains("teiten_telescope_addresses 65536.0"),
            "{page}"
        );
        let later = get("/metrics");
        parsed_by_prometheus(&[
            &workshop.file("before", page.as_bytes()),
            &workshop.file("after", later.as_bytes()),
        ]);
        let health: Value = serde_json::from_str(&get("/health")).expect("JSON");
        assert_eq!(health["interfaces"][0], "lo");
        let accounting = service.end();
        assert_whole(&workshop, &accounting, 200);
    });
}

#[test]
fn the_service_manager_hears_that_it_lives() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let path = workshop.path("notify");
        let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let heard = |part: &str| {
            let mut bytes = [0; 512];
            let begun = Instant::now();
            loop {
                let count = socket.recv(&mut bytes).expect("a word in time");
                let text = String::from_utf8_lossy(&bytes[..count]);
                if text.lines().any(|line| line == part) {
                    return;
                }
                assert!(begun.elapsed() < PATIENCE, "{part}: {text}");
            }
        };
        let mut command = program::program();
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "2000000");
        let service = Service::start(command, &workshop, &[]);
        heard("READY=1");
        heard("WATCHDOG=1");
        heard("WATCHDOG=1");
        service.signal("-TERM");
        heard("STOPPING=1");
        service.end();
    });
}

#[test]
fn a_status_address_that_is_taken_is_named_before_anything_is_captured() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let service = Service::start(program::program(), &workshop, &[]);
        let other = workshop.path("other");
        let words = ["capture", "--interface", "lo", "--status", STATUS, "--data"];
        let mut arguments: Vec<&std::ffi::OsStr> =
            words.iter().map(std::convert::AsRef::as_ref).collect();
        arguments.push(other.as_os_str());
        let run = program::run(arguments.clone());
        assert_eq!(run.exit_code, Some(2), "{}", run.messages);
        assert!(run.messages.contains(STATUS), "{}", run.messages);
        arguments[0] = "check".as_ref();
        let run = program::run(arguments);
        assert_eq!(run.exit_code, Some(2), "{}", run.output);
        assert!(
            run.output.contains("is a sensor running?"),
            "{}",
            run.output
        );
        service.end();
    });
}

#[test]
fn sighup_reloads_the_lists_and_loses_no_packet() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let countries = workshop.countries();
        let added = Command::new("ip")
            .args(["address", "add", ABROAD, "dev", "lo"])
            .status();
        assert!(added.is_ok_and(|status| status.success()), "{ABROAD} on lo");
        let list = workshop.file("actors.toml", actor("Before").as_bytes());
        let flags = ["--user", "root", "--actors", dataset::text(&list)];
        let service = Service::start(program::program(), &workshop, &flags);
        send_from(ABROAD, 100, 100);
        let before = live()["sources"][0]["country"].clone();
        // A new file takes the old one's place, as a package manager does it.
        let next = countries.with_extension("next");
        std::fs::write(&next, "75.0.0.0,75.255.255.255,JP\n").expect("written");
        std::fs::rename(&next, &countries).expect("renamed");
        std::fs::write(&list, actor("After")).expect("written");
        service.signal("-HUP");
        service.wait_for("lists reloaded");
        assert_ne!(before, "JP");
        assert_eq!(
            live()["sources"][0]["country"],
            "JP",
            "{}",
            service.messages()
        );
        // An invalid list of actors changes nothing, not even the countries.
        std::fs::write(&countries, "75.0.0.0,75.255.255.255,BR\n").expect("written");
        std::fs::write(&list, "no such list\n").expect("written");
        service.signal("-HUP");
        service.wait_for("lists not reloaded");
        send_from(ABROAD, 100, 200);
        let page = get("/metrics");
        assert!(
            page.contains("teiten_reloads_total{result=\"done\"} 1.0"),
            "{page}"
        );
        assert!(
            page.contains("teiten_reloads_total{result=\"failed\"} 1.0"),
            "{page}"
        );
        let accounting = service.end();
        assert_whole(&workshop, &accounting, 200);
        let mut origins = std::collections::BTreeSet::new();
        dataset::each_row(&workshop.path("data"), "sources", |row| {
            let text = |wanted: &str| {
                let mut columns = row.get_column_iter();
                let column = columns.find(|(name, _)| *name == wanted);
                column.map(|(_, field)| field.to_string().trim_matches('"').to_owned())
            };
            origins.insert((text("country"), text("actor")));
        });
        let expected = (Some("JP".to_owned()), Some("After".to_owned()));
        assert_eq!(Vec::from_iter(origins), [expected]);
    });
}

/// A list that holds one actor.
fn actor(name: &str) -> String {
    format!(
        "[[actor]]\nname = \"{name}\"\nstatement = \"https://{name}.example/\"\nread = 2026-11-24\nprefixes = [\"{ABROAD}\"]\n"
    )
}
