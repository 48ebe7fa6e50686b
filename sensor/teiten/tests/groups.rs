//! The built program beside programs that say how they were called.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Completion scripts of `teiten`, which name the commands themselves.
const COMPLETIONS: [&str; 3] = [
    include_str!("../../packaging/completions/teiten.bash"),
    include_str!("../../packaging/completions/_teiten"),
    include_str!("../../packaging/completions/teiten.fish"),
];

/// Held while a program is written and while one is started: a child that inherits the descriptor
/// of a program that is being written makes the start of that program fail with "text file busy".
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `teiten` from a folder that holds `teiten-sensor` alone, which prints its arguments and ends with 7.
fn run(arguments: &[&str]) -> Output {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = |name: &str| folder.path().join(name);
    std::fs::copy(Path::new(env!("CARGO_BIN_EXE_teiten")), place("teiten")).expect("copied");
    let sensor = "#!/bin/sh\nfor word; do echo \"<$word>\"; done\nexit 7\n";
    std::fs::write(place("teiten-sensor"), sensor).expect("writable");
    std::fs::set_permissions(place("teiten-sensor"), PermissionsExt::from_mode(0o755))
        .expect("ours");
    let mut command = Command::new(place("teiten"));
    command.args(arguments).env("PATH", "/usr/bin:/bin");
    command.output().expect("it starts")
}

#[test]
fn a_group_is_its_program_with_the_same_arguments_and_exit_code() {
    let output = run(&["sensor", "replay", "a b", "--json"]);
    assert_eq!(output.stdout, b"<replay>\n<a b>\n<--json>\n");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_command_needs_no_group() {
    let output = run(&["replay", "a b"]);
    assert_eq!(output.stdout, b"<replay>\n<a b>\n");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn what_is_no_group_or_not_installed_is_told() {
    let check = |arguments: &[&str], part: &str| {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(part), "{text}");
        assert_eq!(output.status.code(), Some(2));
    };
    check(&["sensors"], "no group or command `sensors`");
    check(&["schema"], "cannot start teiten-aggregator");
    check(&["report", "build"], "cannot start teiten-report");
}

#[test]
fn help_names_every_group() {
    let output = run(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    for group in ["sensor", "aggregator", "report"] {
        assert!(text.contains(&format!("\n  {group} ")), "{text}");
    }
    assert_eq!(output.status.code(), Some(0));
}

/// The programs are beside `teiten` if the whole workspace was built.
#[test]
fn every_command_of_every_program_is_found_without_its_group() {
    let _alone = alone();
    let teiten = Path::new(env!("CARGO_BIN_EXE_teiten"));
    for group in ["teiten-sensor", "teiten-aggregator", "teiten-report"] {
        let program = teiten.with_file_name(group);
        if !program.exists() {
            eprintln!("SKIPPED: {group} is not built");
            continue;
        }
        let help = Command::new(program).arg("--help").output();
        let help = String::from_utf8(help.expect("it starts").stdout).expect("UTF-8");
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names: Vec<_> = commands
            .take_while(|line| !line.is_empty())
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .collect();
        assert!(names.len() >= 3, "{help}");
        for name in names {
            let mut command = Command::new(teiten);
            let output = command.args([name, "--help"]).output().expect("it starts");
            let text = String::from_utf8_lossy(&output.stdout);
            let usage = format!("Usage: {group} {name}");
            assert!(text.contains(&usage), "teiten {name} --help: {text}");
            for script in COMPLETIONS {
                let mut words = script.split(|letter: char| !letter.is_ascii_alphabetic());
                assert!(words.any(|word| word == name), "{name}: {script}");
            }
        }
    }
}
