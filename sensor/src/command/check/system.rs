//! Checks the privileges and limits of the process, and whether the status address is free.

use std::net::TcpListener;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::User;

use super::{CheckStatus, Plan};
use crate::options::machine_memory_bytes;
use crate::privilege::{OPEN_FILES_MAX, PrivilegeError};

/// Security modules that the kernel runs, with commas between.
const SECURITY_MODULES: &str = "/sys/kernel/security/lsm";
/// The actions of seccomp; the file is missing without seccomp.
const SECCOMP: &str = "/proc/sys/kernel/seccomp/actions_avail";

pub(super) fn privileges(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let held = crate::privilege::privileges();
    let mut findings = Vec::new();
    if held.capture {
        findings.push((
            CheckStatus::Ok,
            format!("{} may capture (CAP_NET_RAW)", held.user),
        ));
    } else {
        let program = std::env::current_exe().unwrap_or_default();
        let text = format!(
            "{} may not capture: setcap cap_net_raw=ep {}, or run it as root or by the systemd unit",
            held.user,
            program.display()
        );
        findings.push((CheckStatus::Fail, text));
    }
    match &plan.capture.service.user {
        None if held.root => {
            let text = "would stay root: --user NAME drops that";
            findings.push((CheckStatus::Warn, text.to_owned()));
        }
        None => {}
        Some(name) => findings.push(user(name, &held.user, held.root)),
    }
    findings
}

fn user(name: &str, present: &str, root: bool) -> (CheckStatus, String) {
    let user = name.to_owned();
    match User::from_name(name) {
        Ok(Some(_)) if root || name == present => {
            (CheckStatus::Ok, format!("would go on as {name}"))
        }
        Ok(Some(_)) => (
            CheckStatus::Fail,
            PrivilegeError::NotRoot { user }.to_string(),
        ),
        _ => (
            CheckStatus::Fail,
            PrivilegeError::NoSuchUser { user }.to_string(),
        ),
    }
}

pub(super) fn sandbox(plan: &Plan) -> Vec<(CheckStatus, String)> {
    if !plan.capture.service.sandbox {
        return vec![(CheckStatus::Warn, "off because of --no-sandbox".to_owned())];
    }
    let files = match std::fs::read_to_string(SECURITY_MODULES) {
        Ok(modules) if modules.split(',').any(|name| name.trim() == "landlock") => {
            (CheckStatus::Ok, "files can be confined (landlock)")
        }
        Ok(_) => (
            CheckStatus::Warn,
            "files cannot be confined: this kernel runs without landlock",
        ),
        Err(_) => (
            CheckStatus::Ok,
            "unknown until the start whether files can be confined: securityfs cannot be read",
        ),
    };
    let calls = match std::fs::read_to_string(SECCOMP) {
        Ok(_) => (CheckStatus::Ok, "system calls can be filtered (seccomp)"),
        Err(_) => (
            CheckStatus::Warn,
            "system calls cannot be filtered: this kernel has no seccomp",
        ),
    };
    [files, calls]
        .map(|(verdict, text)| (verdict, text.to_owned()))
        .into()
}

pub(super) fn memory(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let machine = machine_memory_bytes();
    let rows = plan.settings.memory_bytes as u64;
    let interfaces = plan.capture.interfaces.len() as u64;
    let buffers = interfaces * plan.capture.buffer_bytes;
    let text = format!(
        "{} MiB for rows, {} MiB for the kernel's buffers, of {} MiB",
        rows >> 20,
        buffers >> 20,
        machine >> 20
    );
    let verdict = if rows + buffers > machine {
        CheckStatus::Warn
    } else {
        CheckStatus::Ok
    };
    vec![(verdict, text)]
}

pub(super) fn limits(_: &Plan) -> Vec<(CheckStatus, String)> {
    let finding = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard < OPEN_FILES_MAX => {
            let text = format!(
                "{hard} open files at most: {OPEN_FILES_MAX} are better (LimitNOFILE, ulimit -n)"
            );
            (CheckStatus::Warn, text)
        }
        Ok((_, hard)) => (CheckStatus::Ok, format!("{hard} open files")),
        Err(error) => (CheckStatus::Warn, error.to_string()),
    };
    vec![finding]
}

pub(super) fn status(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let finding = match plan.capture.service.status {
        None => (
            CheckStatus::Ok,
            "off; --status 127.0.0.1:9898 serves metrics and the live view".to_owned(),
        ),
        Some(address) => match TcpListener::bind(address) {
            Ok(_) => (
                CheckStatus::Ok,
                format!("http://{address}/metrics, /health and /live"),
            ),
            Err(error) => {
                let text = format!("{address} cannot be used: {error}; is a sensor running?");
                (CheckStatus::Fail, text)
            }
        },
    };
    vec![finding]
}
