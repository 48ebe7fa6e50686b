//! What the kernel counts for an interface, as `/proc/net/dev` gives it: the one such list that is of the thread's own network
//! namespace wherever the process was started.

use std::collections::BTreeMap;

/// The list.
const PATH: &str = "/proc/thread-self/net/dev";
/// Receive columns before `drop` (proc_pid_net(5)): bytes, packets, errs.
const DROP_COLUMN: usize = 3;

/// Dropped packets by interface: without room in the device (`rx_missed_errors`) or thrown away on their way (`rx_dropped`), which
/// the kernel adds up here (net/core/net-procfs.c, `dev_seq_printf_stats`).
#[must_use]
pub fn dropped_by_interface() -> BTreeMap<String, u64> {
    parse(&std::fs::read_to_string(PATH).unwrap_or_default())
}

fn parse(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (name, columns) = line.split_once(':')?;
        let dropped = columns.split_whitespace().nth(DROP_COLUMN)?.parse().ok()?;
        Some((name.trim().to_owned(), dropped))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_column_of_an_interface_is_what_it_dropped() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n    \
                    lo:     100       2    0    0    0     0          0         0      100       2    0\n  \
                    eth0: 41233921   41233    1   17    3     0          0         0 9\n";
        let expected = BTreeMap::from([("eth0".to_owned(), 17), ("lo".to_owned(), 0)]);
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        assert!(dropped_by_interface().contains_key("lo"));
    }
}
