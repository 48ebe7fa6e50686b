//! Checks whether the machine's clock is synchronised: packets of several sensors are only as comparable as their clocks. The call into the
//! C library only reads.

use super::{CheckStatus, Plan};

pub(super) fn clock(_: &Plan) -> Vec<(CheckStatus, String)> {
    // SAFETY: timex is plain numbers, for which all zeros is a value; with `modes` 0 adjtimex changes nothing (adjtimex(2)).
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of our own that outlives the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    vec![finding(answer, state.status, state.maxerror)]
}

/// `answer` and `status` as adjtimex gives them, the greatest error in microseconds.
fn finding(answer: i32, status: i32, error_us: i64) -> (CheckStatus, String) {
    if answer < 0 {
        return (
            CheckStatus::Warn,
            "the kernel does not say whether it is synchronised".to_owned(),
        );
    }
    if answer == libc::TIME_ERROR || status & libc::STA_UNSYNC != 0 {
        let text = "not synchronised by NTP: times of several sensors will differ; install chrony or systemd-timesyncd";
        return (CheckStatus::Warn, text.to_owned());
    }
    (
        CheckStatus::Ok,
        format!("synchronised by NTP, at most {} ms off", error_us / 1000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_keeps_is_told() {
        assert_eq!(
            finding(libc::TIME_OK, 0, 12_500).1,
            "synchronised by NTP, at most 12 ms off"
        );
        for (answer, status) in [
            (libc::TIME_ERROR, 0),
            (libc::TIME_OK, libc::STA_UNSYNC),
            (-1, 0),
        ] {
            assert_eq!(finding(answer, status, 0).0, CheckStatus::Warn);
        }
    }
}
