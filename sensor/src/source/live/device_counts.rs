//! Packets that an interface lost before this program could read them, from the kernel's link statistics (`struct rtnl_link_stats`,
//! linux/if_link.h), by getifaddrs(3): of the thread's own network namespace, wherever the process was started.
//!
//! Only `rx_fifo_errors` and `rx_missed_errors` count: frames for which the device had no room. What the kernel threw away later, such
//! as frames of protocols that nobody handles (`rx_dropped`, `rx_nohandler`), a packet socket has seen before.

use std::collections::BTreeMap;
use std::ffi::CStr;

/// The place of the two counters among those of 32 bits.
const RX_FIFO_ERRORS: usize = 14;
const RX_MISSED_ERRORS: usize = 15;
/// Counters up to the later of the two.
const COUNTERS: usize = RX_MISSED_ERRORS + 1;

/// Frames that each interface had no room for; the count wraps at 32 bits.
#[must_use]
pub(super) fn dropped_by_interface() -> BTreeMap<String, u32> {
    let mut dropped = BTreeMap::new();
    let mut list = std::ptr::null_mut();
    // SAFETY: getifaddrs stores one pointer, which is read only if it reports success.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return dropped;
    }
    let mut next = list;
    while !next.is_null() {
        // SAFETY: a member of the list, which lives until freeifaddrs below.
        let member = unsafe { &*next };
        if let Some((name, count)) = counted(member) {
            dropped.insert(name, count);
        }
        next = member.ifa_next;
    }
    // SAFETY: the list of getifaddrs, freed once; nothing of it is kept.
    unsafe { libc::freeifaddrs(list) };
    dropped
}

/// Name and count of a member that is a device; others are its addresses.
fn counted(member: &libc::ifaddrs) -> Option<(String, u32)> {
    if member.ifa_addr.is_null() || member.ifa_data.is_null() {
        return None;
    }
    // SAFETY: every address begins with its family.
    let family = unsafe { (*member.ifa_addr).sa_family };
    if i32::from(family) != libc::AF_PACKET {
        return None;
    }
    // SAFETY: of members with an address of this family the data are a `struct rtnl_link_stats` (getifaddrs(3)), which begins with more
    // counters than these; they are copied without a claim to their alignment.
    let counters = unsafe { member.ifa_data.cast::<[u32; COUNTERS]>().read_unaligned() };
    // SAFETY: a string that ends with a zero byte and belongs to the list.
    let name = unsafe { CStr::from_ptr(member.ifa_name) };
    let count = counters[RX_FIFO_ERRORS].wrapping_add(counters[RX_MISSED_ERRORS]);
    Some((name.to_str().ok()?.to_owned(), count))
}

/// Frames lost between two counts. One that is smaller has wrapped if it was near its end, and is another interface's if not.
#[must_use]
pub(super) fn lost_between(before: u32, now: u32) -> u64 {
    const NEAR: u32 = 1 << 30;
    let lost = now.wrapping_sub(before);
    let has_wrapped = now < before;
    if has_wrapped && (before < u32::MAX - NEAR || now > NEAR) {
        return 0;
    }
    lost.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_interface_that_lost_nothing() {
        assert_eq!(dropped_by_interface().get("lo"), Some(&0));
    }

    #[test]
    fn counts_wrap_and_begin_anew() {
        assert_eq!(lost_between(5, 12), 7);
        assert_eq!(lost_between(u32::MAX - 1, 3), 5);
        assert_eq!(lost_between(1000, 3), 0, "another interface of the name");
    }
}
