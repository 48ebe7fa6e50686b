//! Checks whether the interfaces exist and are up, and describes the telescope.

use std::path::Path;

use super::{CheckStatus, Plan};
use crate::source::live::ANY;
use teiten_observation::TelescopeSize;
use teiten_packet::telescope::Telescope;

/// Where the kernel shows its interfaces.
const INTERFACES: &str = "/sys/class/net";
/// Bit of an interface's flags that says it is up (linux/if.h: IFF_UP).
const UP: u32 = 1;

pub(super) fn interfaces(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let names = plan.capture.interfaces.iter();
    names
        .map(|name| match name.as_str() {
            ANY => {
                let text = "any: all interfaces together, read through libpcap at a fraction of a ring's speed";
                (CheckStatus::Ok, text.to_owned())
            }
            name => interface(Path::new(INTERFACES), name),
        })
        .collect()
}

fn interface(folder: &Path, name: &str) -> (CheckStatus, String) {
    let read = |file: &str| {
        let text = std::fs::read_to_string(folder.join(name).join(file)).unwrap_or_default();
        text.trim().to_owned()
    };
    if name.contains('/') || !folder.join(name).exists() {
        let text = format!(
            "{name} does not exist; there are: {}",
            present(folder).join(", ")
        );
        return (CheckStatus::Fail, text);
    }
    let flags = u32::from_str_radix(read("flags").trim_start_matches("0x"), 16).unwrap_or(0);
    if flags & UP == 0 {
        return (
            CheckStatus::Warn,
            format!("{name} is down: ip link set {name} up"),
        );
    }
    let state = read("operstate");
    let dropped = read("statistics/rx_dropped");
    let text = format!("{name} is up (link {state}), {dropped} packets dropped by it so far");
    // Loopback and tunnels have no link state.
    let verdict = if state == "down" {
        CheckStatus::Warn
    } else {
        CheckStatus::Ok
    };
    (verdict, text)
}

fn present(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(super) fn telescope(plan: &Plan) -> Vec<(CheckStatus, String)> {
    let settings = &plan.settings;
    if settings.telescope.is_empty() {
        let text = "none given: every destination counts, and figures per address cannot be drawn; give --telescope PREFIX";
        return vec![(CheckStatus::Warn, text.to_owned())];
    }
    let telescope = Telescope::new(&settings.telescope, &settings.exclude);
    let size = match telescope.size() {
        Some(TelescopeSize { ipv4, ipv6: 0 }) => format!("{ipv4} dark addresses"),
        Some(TelescopeSize { ipv4: 0, ipv6 }) => format!("{ipv6} dark IPv6 addresses"),
        Some(TelescopeSize { ipv4, ipv6 }) => {
            format!("{ipv4} dark IPv4 and {ipv6} dark IPv6 addresses")
        }
        None => "an unknown size".to_owned(),
    };
    let text = format!(
        "{} prefixes, {size}; {} excluded",
        settings.telescope.len(),
        settings.exclude.len()
    );
    vec![(CheckStatus::Ok, text)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_down_is_told_from_one_that_is_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, flags, state) in [
            ("up0", "0x1003", "up"),
            ("down0", "0x1002", "down"),
            ("cable0", "0x1003", "down"),
        ] {
            let inner = folder.path().join(name);
            std::fs::create_dir(&inner).expect("a folder");
            std::fs::write(inner.join("flags"), flags).expect("written");
            std::fs::write(inner.join("operstate"), state).expect("written");
        }
        let found = |name| interface(folder.path(), name);
        assert_eq!(found("up0").0, CheckStatus::Ok);
        assert_eq!(found("cable0").0, CheckStatus::Warn);
        let (verdict, text) = found("down0");
        assert_eq!(verdict, CheckStatus::Warn);
        assert!(text.contains("ip link set down0 up"), "{text}");
        let (verdict, text) = found("../x");
        assert_eq!(verdict, CheckStatus::Fail);
        assert!(text.contains("cable0, down0, up0"), "{text}");
    }
}
