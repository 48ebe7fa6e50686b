//! The counters of an account: a row for each, with its name and meaning. The minutes of an open hour, the journal, the columns of
//! `coverage`, the metrics and the report all read these rows, so a new counter is one more row.

/// A counter: its name, which is also its column in `coverage`, and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Name, as in `coverage`, the accounting of a replay, and the metrics.
    pub name: &'static str,
    /// Its label in the account that a replay prints.
    pub label: &'static str,
    /// What it counts, a sentence.
    pub meaning: &'static str,
}

/// Makes of each row a field of [`Counts`] and an entry of [`COUNTERS`], in the order of the rows.
macro_rules! counters {
    ($($name:ident $label:literal $meaning:literal,)+) => {
        /// A number for each counter.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts<N> {
            $(#[doc = $meaning] pub $name: N,)+
        }

        /// Every counter of `coverage`, in the order of its columns.
        pub const COUNTERS: &[Counter] = &[
            $(Counter { name: stringify!($name), label: $label, meaning: $meaning },)+
        ];

        /// The name of each counter.
        pub const NAMES: Counts<&'static str> = Counts {
            $($name: stringify!($name),)+
        };

        impl<N> Counts<N> {
            /// The numbers, in the order of [`COUNTERS`].
            #[must_use]
            pub fn numbers(&self) -> [&N; COUNTERS.len()] {
                [$(&self.$name),+]
            }

            /// The numbers, in the order of [`COUNTERS`].
            pub fn numbers_mut(&mut self) -> [&mut N; COUNTERS.len()] {
                [$(&mut self.$name),+]
            }
        }
    };
}

// received = observed + outside + excluded + not_ip + malformed, in every minute.
counters! {
    received "records" "Packets that were read or received in the minute.",
    observed "observed" "Packets that are counted in the other tables.",
    outside "outside the telescope" "Packets to addresses outside the telescope.",
    excluded "excluded" "Packets to or from an excluded prefix.",
    not_ip "not IP" "Frames that hold no IP packet.",
    malformed "malformed" "Packets whose link layer or IP header is damaged.",
    dropped_kernel "dropped by the kernel" "Packets that the kernel dropped because the sensor was too slow.",
    dropped_interface "dropped by the interface" "Packets that the network interface dropped.",
    late "late" "Observed packets that came after their hour was closed.",
    collapsed "collapsed" "Observed packets whose source was folded into its prefix because the hour had too many sources.",
}

/// The range of [`COUNTERS`] that partitions the first one, received packets.
pub const OUTCOMES: std::ops::Range<usize> = 1..6;

/// Records with an implausible time. They belong to no minute, so only the accounting of a run has this counter.
pub const IMPLAUSIBLE: Counter = Counter {
    name: "implausible",
    label: "implausible time",
    meaning: "Records whose time is implausibly far from that of their neighbours; also counted in malformed.time.",
};

/// What is counted in a minute.
pub type MinuteCounts = Counts<u64>;

impl<N: Copy> Counts<N> {
    /// Each counter's name with its number, in the order of [`COUNTERS`].
    #[must_use]
    pub fn rows(&self) -> [(&'static str, N); COUNTERS.len()] {
        let numbers = self.numbers();
        std::array::from_fn(|index| (COUNTERS[index].name, *numbers[index]))
    }
}

impl<N: std::ops::AddAssign + Copy> Counts<N> {
    /// Adds the numbers of `other`.
    pub fn add(&mut self, other: &Counts<N>) {
        for (ours, theirs) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *ours += *theirs;
        }
    }
}

impl MinuteCounts {
    /// Subtracts the numbers of `other`, which were added before.
    pub fn subtract(&mut self, other: &MinuteCounts) {
        for (ours, theirs) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *ours = ours.saturating_sub(*theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_adds_to_itself_and_is_taken_away_again() {
        let mut counts = MinuteCounts::default();
        for (number, count) in counts.numbers_mut().into_iter().enumerate() {
            *count = number as u64 + 1;
        }
        let once = counts;
        counts.add(&once);
        for (index, (name, count)) in counts.rows().into_iter().enumerate() {
            assert_eq!(
                (name, count),
                (COUNTERS[index].name, 2 * (index as u64 + 1))
            );
        }
        counts.subtract(&once);
        assert_eq!(counts, once);
    }
}
