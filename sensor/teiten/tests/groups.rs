//! The built program beside programs that say how they were called.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `teiten` from a folder that holds `teiten-sensor` alone, which prints its arguments and ends with 7.
fn run(arguments: &[&str]) -> Output {
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
fn what_is_no_group_or_not_installed_is_told() {
    let check = |arguments: &[&str], part: &str| {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(part), "{text}");
        assert_eq!(output.status.code(), Some(2));
    };
    check(&["replay", "x"], "did you mean `teiten sensor replay`");
    check(&["sensors"], "no group `sensors`");
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
