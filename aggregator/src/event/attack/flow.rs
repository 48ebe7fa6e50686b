//! Replies that no long silence parts, and the densest minute among them.

use std::collections::BTreeMap;

use super::minute::{FollowedKey, ReplyMinute, ReplyTally, key_of};
use super::rule::AttackRules;
use super::{AttackScope, Followed};
use crate::event::silence::Silence;
use crate::reply_table::MINUTE_SLOTS;

/// Replies of one event, or of what may become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttackFlow {
    /// Their sums.
    pub tally: ReplyTally,
    /// Their density.
    pub rate: RateWindow,
}

/// The most replies in a minute that begins at a full ten seconds, of minutes that come in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateWindow {
    /// The last minute, since 1970-01-01 UTC.
    pub minute: i64,
    /// Its replies by ten seconds.
    pub slots: [u64; MINUTE_SLOTS],
    /// Those of the minute before.
    pub before: [u64; MINUTE_SLOTS],
    /// The most in a window that ended before the last minute.
    pub most: u64,
}

impl RateWindow {
    fn of(minute: i64, slots: [u64; MINUTE_SLOTS]) -> Self {
        RateWindow {
            minute,
            slots,
            before: [0; MINUTE_SLOTS],
            most: 0,
        }
    }

    fn add(&mut self, minute: i64, slots: [u64; MINUTE_SLOTS]) {
        if minute == self.minute {
            for (ours, theirs) in self.slots.iter_mut().zip(slots) {
                *ours = ours.saturating_add(theirs);
            }
            return;
        }
        *self = RateWindow {
            minute,
            slots,
            before: if minute == self.minute + 1 {
                self.slots
            } else {
                [0; MINUTE_SLOTS]
            },
            most: self.most(),
        };
    }

    /// The most in any window so far.
    fn most(&self) -> u64 {
        let windows = (0..MINUTE_SLOTS).map(|last| {
            let (old, new) = (&self.before[last + 1..], &self.slots[..=last]);
            old.iter()
                .chain(new)
                .fold(0_u64, |sum, slot| sum.saturating_add(*slot))
        });
        windows.max().unwrap_or(0).max(self.most)
    }
}

impl AttackFlow {
    fn begin(minute: &ReplyMinute) -> Self {
        AttackFlow {
            tally: minute.tally.clone(),
            rate: RateWindow::of(minute.minute, minute.slots),
        }
    }

    fn add(&mut self, minute: &ReplyMinute) {
        self.tally.add(&minute.tally);
        self.rate.add(minute.minute, minute.slots);
    }

    /// Last reply, microseconds since 1970-01-01 UTC.
    pub(super) const fn end_us(&self) -> i64 {
        self.tally.last_us
    }

    /// The most replies in a minute that begins at a full ten seconds.
    pub(super) fn per_minute_max(&self) -> u64 {
        self.rate.most()
    }

    /// Whether they are an event.
    pub(super) fn is_attack(&self, scope: AttackScope, rules: &AttackRules) -> bool {
        let tally = &self.tally;
        let victims_min = match scope {
            AttackScope::Prefix => rules.carpet_victims_min,
            AttackScope::Service | AttackScope::Victim => 1,
        };
        let micros = tally.last_us.abs_diff(tally.first_us);
        tally.packets >= rules.packets_min
            && micros >= rules.seconds_min.saturating_mul(1_000_000)
            && self.per_minute_max() >= rules.per_minute_min
            && tally.victims.len() as u64 >= victims_min
    }
}

/// Replies without a long silence, and the minutes that they came in, but for those that an event had before.
pub(super) struct Built {
    pub flow: AttackFlow,
    pub minutes: Vec<Followed>,
}

/// Parts minutes by what they belong to in a step, and by silence. Events under way go on.
pub(super) fn flows(
    scope: AttackScope,
    mut minutes: Vec<Followed>,
    open: Vec<AttackFlow>,
    silence: &Silence<'_>,
) -> Vec<Built> {
    let order = |it: &Followed| {
        let (tally, minute) = (&it.minute.tally, it.minute.minute);
        (it.minute.key(scope), minute, tally.first_us)
    };
    minutes.sort_by_key(order);
    let mut current: BTreeMap<FollowedKey, Built> = BTreeMap::new();
    for flow in open {
        let key = key_of(&flow.tally, scope);
        let minutes = Vec::new();
        current.insert(key, Built { flow, minutes });
    }
    let mut done = Vec::new();
    for it in minutes {
        let key = it.minute.key(scope);
        let first_us = it.minute.tally.first_us;
        match current.get_mut(&key) {
            Some(built) if !silence.ends(built.flow.end_us(), first_us) => {
                built.flow.add(&it.minute);
                built.minutes.push(it);
            }
            _ => {
                let flow = AttackFlow::begin(&it.minute);
                let minutes = vec![it];
                done.extend(current.insert(key, Built { flow, minutes }));
            }
        }
    }
    done.extend(current.into_values());
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: the densest of all windows, slot by slot.
    fn defined(slots: &[u64]) -> u64 {
        slots
            .windows(6)
            .map(|six| six.iter().sum())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn the_densest_minute_is_found_wherever_it_begins() {
        let mut state = 3_u64;
        for _ in 0..500 {
            let mut all = vec![0_u64; 12 * MINUTE_SLOTS];
            for slot in &mut all {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *slot = (state >> 33) % 7;
            }
            // A minute without any replies has no row.
            all[30..36].fill(0);
            let mut rate = None::<RateWindow>;
            for (minute, slots) in all.chunks(MINUTE_SLOTS).enumerate() {
                let slots: [u64; MINUTE_SLOTS] = slots.try_into().expect("six");
                if slots == [0; MINUTE_SLOTS] {
                    continue;
                }
                // In two halves, as two runs of a sensor give it.
                let (half, rest) = (
                    slots.map(|slot| slot / 2),
                    slots.map(|slot| slot - slot / 2),
                );
                match &mut rate {
                    None => rate = Some(RateWindow::of(minute as i64, half)),
                    Some(rate) => rate.add(minute as i64, half),
                }
                if let Some(rate) = &mut rate {
                    rate.add(minute as i64, rest);
                }
            }
            let mut padded = vec![0; 6];
            padded.extend(&all);
            padded.extend([0; 6]);
            assert_eq!(rate.map(|rate| rate.most()), Some(defined(&padded)));
        }
    }
}
