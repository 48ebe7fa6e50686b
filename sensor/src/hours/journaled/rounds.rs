//! What workers hand over, round by round: a round is kept once every worker has finished it. Rows are set aside here while memory is
//! short.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam::channel::Receiver;
use teiten_aggregator::close::{Closer, HourRuns};
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use super::{ACCOUNT_HOURS, DURATIONS_MAX, Keeper, RETRY_INTERVAL};
use crate::hours::once::{Handover, Written};

/// What the workers hand over between two closes or checkpoints.
#[derive(Default)]
struct Round {
    hours: BTreeMap<i64, Open>,
    before: i64,
    workers_finished: usize,
}

/// Shares of an hour, and rows of it that were set aside.
#[derive(Default)]
pub(super) struct Open {
    pub parts: Vec<HourPart>,
    pub spilled: HourRuns,
}

/// The thread's loop: until every worker is gone. An error that waiting does not cure ends the writing; `failed` tells the reader.
pub fn run(
    mut keeper: Keeper<'_>,
    closer: &Closer,
    handovers: &Receiver<Handover>,
    workers: usize,
    written: &mut Written,
    failed: &AtomicBool,
) -> Result<(), WriteError> {
    let mut rounds = VecDeque::<Round>::new();
    let mut finished = vec![0usize; workers];
    let mut outcome = Ok(());
    for handover in handovers {
        if outcome.is_err() {
            continue;
        }
        outcome = take(
            &mut keeper,
            closer,
            handover,
            &mut rounds,
            &mut finished,
            written,
        );
        failed.store(outcome.is_err(), Ordering::Relaxed);
    }
    outcome?;
    keeper.end(closer, written)
}

fn take(
    keeper: &mut Keeper<'_>,
    closer: &Closer,
    handover: Handover,
    rounds: &mut VecDeque<Round>,
    finished: &mut [usize],
    written: &mut Written,
) -> Result<(), WriteError> {
    match handover {
        Handover::Part(worker, part) => {
            let hours = &mut round_of(rounds, finished[worker]).hours;
            hours.entry(part.hour).or_default().parts.push(*part);
        }
        Handover::Spill(worker, part) => {
            let hour = part.hour;
            let open = round_of(rounds, finished[worker])
                .hours
                .entry(hour)
                .or_default();
            spill(keeper, closer, written, *part, open)?;
        }
        Handover::Closed { worker, before } => {
            let round = round_of(rounds, finished[worker]);
            round.before = before;
            round.workers_finished += 1;
            finished[worker] += 1;
            while let Some(round) =
                rounds.pop_front_if(|round| round.workers_finished == finished.len())
            {
                finished.iter_mut().for_each(|count| *count -= 1);
                let begun = Instant::now();
                for (hour, open) in round.hours {
                    keeper.hold(closer, hour, open, written);
                }
                keeper.close_before(round.before);
                keeper.settle_within_memory(closer, written)?;
                if round.before != i64::MAX {
                    keeper.forget_before(round.before.saturating_sub(ACCOUNT_HOURS), written);
                }
                if written.durations.len() < DURATIONS_MAX {
                    written.durations.push(begun.elapsed());
                }
            }
        }
    }
    Ok(())
}

fn round_of(rounds: &mut VecDeque<Round>, index: usize) -> &mut Round {
    while rounds.len() <= index {
        rounds.push_back(Round::default());
    }
    &mut rounds[index]
}

/// Sets rows aside while memory is short. While the disk refuses, this waits, and the workers with it.
fn spill(
    keeper: &mut Keeper<'_>,
    closer: &Closer,
    written: &Written,
    part: HourPart,
    open: &mut Open,
) -> Result<(), WriteError> {
    let mut sorted = closer.sort(vec![part]);
    loop {
        match closer.set_aside(sorted) {
            Ok(spilled) => {
                open.spilled.append(spilled);
                return Ok(());
            }
            Err((kept, error)) => {
                keeper.tell(Some(&error), written);
                sorted = *kept;
            }
        }
        if keeper.is_stopped() {
            open.spilled.append(sorted);
            return Ok(());
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
}
