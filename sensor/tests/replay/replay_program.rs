//! The built program in a replay: damaged input, unreadable or unwritable files, pipes, and its messages.

use crate::capture_file;
use crate::dataset;
use crate::program;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use capture_file::{made, pcap_of_link_type, pcapng_at, scenario, shared};
use dataset::{Workshop, broken_sums, files, rows, text};
use serde_json::Value;

#[test]
fn a_file_that_breaks_off_is_counted_up_to_there_and_the_others_are_read() {
    let workshop = Workshop::new();
    let (whole, truth) = made(&scenario(2_000, 9));
    let cut = workshop.file("cut.pcap", &whole[..whole.len() - 3]);
    let sound = workshop.file("sound.pcap", &made(&scenario(1_000, 10)).0);
    let paths = [text(&cut), text(&sound)];
    let run = program::run(workshop.arguments("data", &paths));
    assert_eq!(run.exit_code, Some(1), "{}", run.messages);
    let records = truth.accounting.records;
    assert!(
        run.messages
            .contains(&format!("cut.pcap: record {records}, byte ")),
        "{}",
        run.messages
    );
    let accounting = run.json();
    assert_eq!(accounting["records"], records - 1 + 1_000);
    let files = accounting["files"].as_array().expect("a list");
    let of = |name: &str| {
        let is_it = |file: &&Value| {
            file["path"]
                .as_str()
                .is_some_and(|path| path.ends_with(name))
        };
        files.iter().find(is_it).expect("a report").clone()
    };
    assert_eq!(of("cut.pcap")["records"], records - 1);
    assert!(of("cut.pcap")["error"].is_string());
    assert_eq!(of("sound.pcap")["records"], 1_000);
    assert!(of("sound.pcap")["error"].is_null());
    assert_eq!(broken_sums(&workshop.path("data")), [""; 0]);
}

#[test]
fn when_nothing_can_be_read_nothing_is_done() {
    let workshop = Workshop::new();
    let notes = workshop.file("notes.txt", b"notes on the captures");
    let missing = workshop.path("missing.pcap");
    let paths = [text(&notes), text(&missing)];
    let run = program::run(workshop.arguments("data", &paths));
    assert_eq!(run.exit_code, Some(2));
    assert_eq!(run.output, "");
    for part in ["notes.txt: is no capture", "missing.pcap: does not exist"] {
        assert!(run.messages.contains(part), "{}", run.messages);
    }
    assert!(!workshop.path("data").exists());
}

#[test]
fn an_unsupported_link_type_is_said_by_number() {
    let workshop = Workshop::new();
    let usb = workshop.file("usb.pcap", &pcap_of_link_type(189));
    let sound = workshop.file("sound.pcap", &made(&scenario(1_000, 11)).0);
    for (paths, exit_code, records) in [
        (&[text(&usb)][..], 2, 1),
        (&[text(&usb), text(&sound)], 1, 1_001),
    ] {
        let run = program::run(workshop.arguments("data", paths));
        assert_eq!(run.exit_code, Some(exit_code), "{}", run.messages);
        let expected = "usb.pcap: link type 189 (USB_LINUX) is not supported: its 1 record is counted as not_ip";
        assert!(run.messages.contains(expected), "{}", run.messages);
        assert_eq!(run.json()["records"], records);
    }
}

#[test]
fn a_dataset_that_cannot_be_written_is_an_error_that_names_it() {
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    // A file where the folder should be stops even root.
    workshop.file("data", b"");
    let run = program::run(workshop.arguments("data", &[text(&path)]));
    assert_eq!(run.exit_code, Some(2), "{}", run.messages);
    assert_eq!(run.output, "");
    assert!(run.messages.contains("is no folder"), "{}", run.messages);
    assert!(
        run.messages.contains(text(&workshop.path("data"))),
        "{}",
        run.messages
    );
}

#[test]
fn a_read_only_dataset_is_left_as_it_is() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    let data = workshop.path("data");
    std::fs::create_dir(&data).expect("writable");
    let set = |path: &Path, mode: u32| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("our own file");
    };
    set(&workshop.path(""), 0o755);
    set(&data, 0o555);
    let mut command = program::program();
    command.args(workshop.arguments("data", &[text(&path)]));
    let is_root = std::fs::metadata(&data).expect("there").uid() == 0;
    if is_root {
        command.uid(NOBODY);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if is_root => {
            eprintln!("SKIPPED: the built program cannot be run as nobody: {error}");
            return;
        }
        Err(error) => panic!("the program does not start: {error}"),
    };
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{messages}");
    assert!(messages.contains("Permission denied"), "{messages}");
    assert_eq!(files(&data), BTreeMap::new());
}

#[test]
fn times_that_cannot_be_stop_nothing() {
    let workshop = Workshop::new();
    let ticks = [0, 5, 1 << 62, u64::MAX, u64::MAX - 3_600_000_000];
    for offset_seconds in [i64::MIN, -(1 << 62), -1, 0, 1 << 40, i64::MAX] {
        let path = workshop.file("in.pcapng", &pcapng_at(&ticks, offset_seconds));
        let name = format!("at{offset_seconds}");
        let run = program::run(workshop.arguments(&name, &[text(&path)]));
        // Without an offset the first two are of 1970; all others are before that or beyond the year 9999.
        let (exit_code, observed) = if offset_seconds == 0 { (0, 2) } else { (2, 0) };
        assert_eq!(
            run.exit_code,
            Some(exit_code),
            "{offset_seconds}: {}",
            run.messages
        );
        let accounting = run.json();
        assert_eq!(accounting["observed"], observed, "{offset_seconds}");
        assert_eq!(
            accounting["implausible"],
            ticks.len() - observed,
            "{offset_seconds}"
        );
        assert_eq!(broken_sums(&workshop.path(&name)), [""; 0]);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    let explain = vec!["explain".to_owned(), text(&path).to_owned()];
    for arguments in [workshop.arguments("data", &[text(&path)]), explain] {
        let mut child = program::program()
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let mut messages = String::new();
        let mut stderr = child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut messages).expect("text");
        let code = child.wait().expect("it ends").code();
        assert_eq!((code, messages.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn in_a_pipe_the_program_prints_its_result_alone() {
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    let arguments = workshop.arguments("data", &[text(&path)]);
    let run = program::run(&arguments);
    assert_eq!((run.exit_code, run.messages.as_str()), (Some(0), ""));
    assert_eq!(run.output.lines().count(), 1);
    let mut arguments = workshop.arguments("other", &[text(&path)]);
    arguments.pop();
    let run = program::run(&arguments);
    assert_eq!((run.exit_code, run.messages.as_str()), (Some(0), ""));
    assert!(run.output.starts_with("records"), "{}", run.output);
    assert!(!run.output.contains(['\r', '\u{1b}']), "{}", run.output);
}

#[test]
fn without_a_telescope_every_destination_counts_and_that_is_said() {
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    let run = program::run([
        "replay",
        text(&path),
        "--json",
        "--data",
        text(&workshop.path("data")),
        "--geo",
        text(&workshop.countries()),
    ]);
    assert_eq!(run.exit_code, Some(0));
    assert!(run.messages.contains("no --telescope"), "{}", run.messages);
    assert_eq!(run.json()["outside"], 0);
    let addresses = rows(&workshop.path("data"), "coverage", &[]);
    assert!(
        addresses
            .iter()
            .all(|row| row.contains("(\"addresses\", Null)"))
    );
}

#[test]
fn nothing_observed_is_told_with_what_the_telescope_may_be() {
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", &shared().0);
    let replayed = |telescope: &str, data: &str| {
        program::run([
            "replay",
            text(&path),
            "--data",
            text(&workshop.path(data)),
            "--telescope",
            telescope,
            "--geo",
            text(&workshop.countries()),
        ])
    };
    let run = replayed("203.0.113.0/24,2001:db8:ffff::/48", "elsewhere");
    assert_eq!(run.exit_code, Some(1), "{}", run.messages);
    for part in [
        "nothing was observed of ",
        "most packets went to",
        " packets",
    ] {
        assert!(run.messages.contains(part), "{part}: {}", run.messages);
    }
    let (_, meant) = run
        .messages
        .split_once("did you mean --telescope ")
        .expect("a suggestion");
    let meant = meant.split([' ', '?']).next().expect("a prefix");
    let run = replayed(meant, "there");
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    for part in [
        "first ports",
        "first countries",
        "dataset: ",
        "next: teiten-report build",
    ] {
        assert!(run.output.contains(part), "{part}: {}", run.output);
    }
}
