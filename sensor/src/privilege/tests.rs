//! What the confinement allows and forbids. It cannot be undone, so each case runs in its own process: this test program again, with an
//! environment variable that names the case.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::*;

/// Names the case to the child process.
const CASE: &str = "TEITEN_PRIVILEGE_CASE";
/// Names the folder that it may write to.
const FOLDER: &str = "TEITEN_PRIVILEGE_FOLDER";

/// Runs `case` in a child process that is confined to a temporary folder; returns its exit status and output.
fn play(test: &str, case: fn(&Path)) -> Option<(ExitStatus, String)> {
    if std::env::var(CASE).is_ok_and(|name| name == test) {
        let folder = std::env::var(FOLDER).expect("a folder is named");
        let needs = Needs {
            sandbox: true,
            written: vec![folder.clone().into()],
            ..Needs::default()
        };
        let steps = confine(&needs).expect("confined");
        for step in &steps {
            eprintln!("STEP {step}");
        }
        case(Path::new(&folder));
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("this program");
    let name = format!("privilege::tests::{test}");
    let output = Command::new(program)
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, test)
        .env(FOLDER, folder.path().join("data"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    Some((output.status, text.into_owned()))
}

/// Whether a step took effect in that process; prints it if it could not.
fn has(text: &str, step: &str) -> bool {
    let done = text.contains(&format!("STEP {step}: "));
    if !done {
        eprintln!("SKIPPED: this kernel left out the confinement of {step}: {text}");
    }
    done
}

#[test]
fn files_outside_are_out_of_reach_and_those_inside_are_not() {
    let played = play(
        "files_outside_are_out_of_reach_and_those_inside_are_not",
        |folder| {
            let inner = folder.join("table/hour");
            std::fs::create_dir_all(&inner).expect("a folder within");
            std::fs::write(inner.join("part.tmp"), b"rows").expect("a file within");
            std::fs::rename(inner.join("part.tmp"), folder.join("part")).expect("renamed");
            assert_eq!(std::fs::read(folder.join("part")).expect("read"), b"rows");
            std::fs::remove_file(folder.join("part")).expect("removed");
            std::fs::read_dir("/sys/class/net").expect("interfaces are listed");
            std::fs::read_to_string("/proc/self/stat").expect("its own figures");
            for path in ["/etc/passwd", "/etc/hostname"] {
                match std::fs::read(path) {
                    Err(error) => println!("READ {path}: {:?}", error.kind()),
                    Ok(_) => println!("READ {path}: all of it"),
                }
            }
            let outside = folder.parent().expect("a parent").join("outside");
            println!(
                "WRITE: {:?}",
                std::fs::write(outside, b"x").map_err(|error| error.kind())
            );
        },
    );
    let Some((status, text)) = played else { return };
    assert!(status.success(), "{text}");
    if has(&text, "files") {
        let refused = format!("{:?}", ErrorKind::PermissionDenied);
        assert!(
            text.contains(&format!("READ /etc/passwd: {refused}")),
            "{text}"
        );
        assert!(text.contains(&format!("WRITE: Err({refused})")), "{text}");
    }
}

#[test]
fn what_a_capture_does_still_works_when_it_is_confined() {
    let played = play(
        "what_a_capture_does_still_works_when_it_is_confined",
        |folder| {
            let threads = (0..4).map(|number| {
                let path = folder.join(format!("{number}"));
                std::thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .spawn(move || {
                        let file = std::fs::File::create(&path).expect("a file");
                        file.sync_all().expect("durable");
                        std::thread::sleep(std::time::Duration::from_millis(2));
                        std::fs::rename(&path, path.with_extension("part")).expect("renamed");
                    })
            });
            for thread in threads.collect::<Vec<_>>() {
                thread.expect("a thread").join().expect("it ends well");
            }
            let manager = UnixDatagram::unbound().expect("a socket to the service manager");
            manager.send_to(b"x", folder.join("no-such-socket")).err();
            let mut memory: Vec<u8> = Vec::new();
            memory.resize(64 << 20, 1);
            memory.shrink_to(1 << 20);
            std::panic::catch_unwind(|| panic!("a panic is told and survived"))
                .expect_err("it panics");
            println!("DONE");
        },
    );
    let Some((status, text)) = played else { return };
    assert!(status.success() && text.contains("DONE"), "{text}");
}

#[test]
fn a_call_that_no_capture_makes_ends_the_process() {
    let played = play("a_call_that_no_capture_makes_ends_the_process", |_| {
        let _ = nix::unistd::setgid(nix::unistd::getgid());
        println!("STILL HERE");
    });
    let Some((status, text)) = played else { return };
    if has_system_calls(&text) {
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{text}");
        assert!(!text.contains("STILL HERE"), "{text}");
    }
}

/// Sockets as family, type and protocol, and whether a confined capture may open them.
const SOCKETS: [(&str, i32, i32, i32, bool); 17] = [
    ("TCP", libc::AF_INET, libc::SOCK_STREAM, 0, false),
    (
        "TCP over IPv6",
        libc::AF_INET6,
        libc::SOCK_STREAM,
        libc::IPPROTO_TCP,
        false,
    ),
    (
        "MPTCP",
        libc::AF_INET,
        libc::SOCK_STREAM,
        libc::IPPROTO_MPTCP,
        false,
    ),
    (
        "SCTP",
        libc::AF_INET,
        libc::SOCK_STREAM,
        libc::IPPROTO_SCTP,
        false,
    ),
    ("UDP", libc::AF_INET, libc::SOCK_DGRAM, 0, false),
    (
        "UDP over IPv6",
        libc::AF_INET6,
        libc::SOCK_DGRAM,
        libc::IPPROTO_UDP,
        false,
    ),
    (
        "ping",
        libc::AF_INET,
        libc::SOCK_DGRAM,
        libc::IPPROTO_ICMP,
        false,
    ),
    (
        "raw IPv4",
        libc::AF_INET,
        libc::SOCK_RAW,
        libc::IPPROTO_RAW,
        false,
    ),
    (
        "raw IPv6",
        libc::AF_INET6,
        libc::SOCK_RAW,
        libc::IPPROTO_ICMPV6,
        false,
    ),
    ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0, false),
    (
        "kernel cryptography",
        libc::AF_ALG,
        libc::SOCK_SEQPACKET,
        0,
        false,
    ),
    (
        "netfilter",
        libc::AF_NETLINK,
        libc::SOCK_RAW,
        libc::NETLINK_NETFILTER,
        false,
    ),
    (
        "sequenced local packets",
        libc::AF_UNIX,
        libc::SOCK_SEQPACKET,
        0,
        false,
    ),
    (
        "interfaces",
        libc::AF_NETLINK,
        libc::SOCK_RAW | libc::SOCK_CLOEXEC,
        libc::NETLINK_ROUTE,
        true,
    ),
    (
        "service manager",
        libc::AF_UNIX,
        libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
        0,
        true,
    ),
    (
        "local stream",
        libc::AF_UNIX,
        libc::SOCK_STREAM | libc::SOCK_NONBLOCK,
        0,
        true,
    ),
    (
        "packets",
        libc::AF_PACKET,
        libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        0,
        true,
    ),
];

#[test]
fn only_the_sockets_of_a_capture_can_be_opened() {
    let played = play("only_the_sockets_of_a_capture_can_be_opened", |_| {
        for (name, family, kind, protocol, _) in SOCKETS {
            // SAFETY: no pointers; the process ends soon after.
            let number = unsafe { libc::socket(family, kind, protocol) };
            let error = std::io::Error::last_os_error().raw_os_error();
            let filtered = number < 0 && error == Some(libc::ENOSYS);
            println!(
                "SOCKET {name}: {}",
                if filtered { "filtered" } else { "let through" }
            );
        }
    });
    let Some((status, text)) = played else { return };
    assert!(status.success(), "{text}");
    if has_system_calls(&text) {
        for (name, _, _, _, allowed) in SOCKETS {
            // Beyond the filter the kernel's own answer counts: a packet socket needs its capability.
            let expected = if allowed { "let through" } else { "filtered" };
            assert!(
                text.contains(&format!("SOCKET {name}: {expected}")),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn another_program_can_not_be_started() {
    let played = play("another_program_can_not_be_started", |_| {
        println!("STARTED: {:?}", Command::new("/bin/true").status());
    });
    let Some((_, text)) = played else { return };
    if has_system_calls(&text) {
        assert!(!text.contains("STARTED: Ok"), "{text}");
    }
}

/// A killed process may have reported only the step before.
fn has_system_calls(text: &str) -> bool {
    has(text, "system calls")
}

#[test]
fn a_user_who_does_not_exist_is_named() {
    let needs = Needs {
        user: Some("nobody-of-that-name".into()),
        ..Needs::default()
    };
    let error = identity::take(&needs).expect_err("no such user");
    assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
}
