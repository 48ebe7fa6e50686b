//! Work on several threads whose results are taken in order, with a bound on how many wait.

use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded, select_biased, unbounded};

/// Most results in work or waiting, per thread.
pub(crate) const WINDOW_PER_THREAD: usize = 2;

/// The result of a thread; its panic is resumed in this one.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs `aside` on a thread of its own while `task` runs on this one; where there is a single thread, before it.
pub(crate) fn beside<S: Send, T>(
    threads: usize,
    aside: impl FnOnce() -> S + Send,
    task: impl FnOnce() -> T,
) -> (S, T) {
    if threads <= 1 {
        return (aside(), task());
    }
    std::thread::scope(|scope| {
        let aside = scope.spawn(aside);
        let done = task();
        (joined(aside), done)
    })
}

/// Runs `task(0)` to `task(tasks - 1)` on `threads` threads and calls `take` with each result, in order, on this thread.
pub fn ordered<T: Send>(
    threads: usize,
    tasks: usize,
    task: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(T),
) {
    let cut = |result: Option<T>| result;
    staged(threads, tasks, task, cut, |result| result, &mut take);
}

/// Work in two stages, for pieces whose bounds show only when the pieces before them are there.
///
/// Runs `first(0)` to `first(tasks - 1)` on `threads` threads; passes each result in order, and `None` at the end, to `cut` on this thread;
/// runs `second` on the threads for every piece that `cut` returns; and calls `take` with each result in order, on this thread.
pub fn staged<T: Send, P: Send, R: Send, I: IntoIterator<Item = P>>(
    threads: usize,
    tasks: usize,
    first: impl Fn(usize) -> T + Sync,
    cut: impl FnMut(Option<T>) -> I,
    second: impl Fn(P) -> R + Sync,
    take: impl FnMut(R),
) {
    let window = threads * WINDOW_PER_THREAD;
    staged_within(window, (threads, tasks), first, cut, second, take);
}

/// Runs `task` once for each of `inputs` on up to `threads` threads, and returns the results in the order of the inputs. Inputs are begun in
/// the order of `cost`, the largest first, so that no long one is left for the end.
pub fn map<I: Sync, T: Send>(
    threads: usize,
    inputs: &[I],
    cost: impl Fn(&I) -> usize,
    task: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(cost(&inputs[place])));
    let mut found = Vec::with_capacity(inputs.len());
    // All results are kept, so as many may wait for the first and longest.
    staged_within(
        inputs.len(),
        (threads.min(inputs.len()), inputs.len()),
        |index| (order[index], task(&inputs[order[index]])),
        |result| result,
        |result| result,
        |result| found.push(result),
    );
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, result)| result).collect()
}

/// [`staged`] with at most `window` results in work or waiting.
fn staged_within<T: Send, P: Send, R: Send, I: IntoIterator<Item = P>>(
    window: usize,
    (threads, tasks): (usize, usize),
    first: impl Fn(usize) -> T + Sync,
    mut cut: impl FnMut(Option<T>) -> I,
    second: impl Fn(P) -> R + Sync,
    mut take: impl FnMut(R),
) {
    // A single task has nothing to run beside.
    if threads <= 1 || tasks <= 1 {
        for index in 0..tasks {
            cut(Some(first(index)))
                .into_iter()
                .for_each(|piece| take(second(piece)));
        }
        cut(None).into_iter().for_each(|piece| take(second(piece)));
        return;
    }
    std::thread::scope(|scope| {
        let (queue, channels) = queues(window);
        for _ in 0..threads {
            let (channels, first, second) = (channels.clone(), &first, &second);
            scope.spawn(move || channels.work(first, second));
        }
        drop(channels);
        queue.run(tasks, &mut cut, &mut take);
    });
}

/// A task of a thread, and where its result goes.
struct TaskChannels<T, P, R> {
    indices: Receiver<usize>,
    pieces: Receiver<(usize, P)>,
    results: Sender<Done<T, R>>,
}

impl<T, P, R> Clone for TaskChannels<T, P, R> {
    fn clone(&self) -> Self {
        TaskChannels {
            indices: self.indices.clone(),
            pieces: self.pieces.clone(),
            results: self.results.clone(),
        }
    }
}

enum Done<T, R> {
    First(usize, T),
    Second(usize, R),
}

impl<T, P, R> TaskChannels<T, P, R> {
    /// Pieces come before new tasks: what is nearly done frees memory soonest.
    fn work(self, first: &impl Fn(usize) -> T, second: &impl Fn(P) -> R) {
        let TaskChannels {
            indices,
            pieces,
            results,
        } = self;
        loop {
            let done = select_biased! {
                recv(pieces) -> piece => match piece {
                    Ok((number, piece)) => Done::Second(number, second(piece)),
                    Err(_) => return,
                },
                recv(indices) -> index => match index {
                    Ok(index) => Done::First(index, first(index)),
                    // No task is left; pieces may still come.
                    Err(_) => match pieces.recv() {
                        Ok((number, piece)) => Done::Second(number, second(piece)),
                        Err(_) => return,
                    },
                },
            };
            if results.send(done).is_err() {
                return;
            }
        }
    }
}

/// The side of the thread that waits.
struct Queue<T, P, R> {
    indices: Sender<usize>,
    pieces: Sender<(usize, P)>,
    results: Receiver<Done<T, R>>,
    window: usize,
}

fn queues<T, P, R>(window: usize) -> (Queue<T, P, R>, TaskChannels<T, P, R>) {
    let (indices, for_indices) = unbounded();
    let (pieces, for_pieces) = unbounded();
    let (for_results, results) = bounded(window);
    let queue = Queue {
        indices,
        pieces,
        results,
        window,
    };
    let channels = TaskChannels {
        indices: for_indices,
        pieces: for_pieces,
        results: for_results,
    };
    (queue, channels)
}

impl<T, P, R> Queue<T, P, R> {
    fn run<I: IntoIterator<Item = P>>(
        self,
        tasks: usize,
        cut: &mut impl FnMut(Option<T>) -> I,
        take: &mut impl FnMut(R),
    ) {
        let Queue {
            indices,
            pieces,
            results,
            window,
        } = self;
        let mut indices = Some(indices);
        let (mut firsts, mut seconds) = (BTreeMap::new(), BTreeMap::new());
        let (mut issued, mut cut_count) = (0, 0);
        let (mut sent, mut taken) = (0, 0);
        loop {
            // Starts as many tasks as the window allows, pieces included.
            while issued < tasks && issued - cut_count + sent - taken < window {
                if let Some(indices) = &indices {
                    let _ = indices.send(issued);
                }
                issued += 1;
            }
            if issued == tasks {
                indices = None;
            }
            if cut_count > tasks && sent == taken {
                return;
            }
            // A thread that panicked closes the channel; the scope then passes the panic on.
            match results.recv() {
                Ok(Done::First(index, result)) => drop(firsts.insert(index, result)),
                Ok(Done::Second(number, result)) => drop(seconds.insert(number, result)),
                Err(_) => return,
            }
            while cut_count <= tasks {
                let result = firsts.remove(&cut_count);
                if result.is_none() && cut_count < tasks {
                    break;
                }
                cut_count += 1;
                for piece in cut(result) {
                    let _ = pieces.send((sent, piece));
                    sent += 1;
                }
            }
            while let Some(result) = seconds.remove(&taken) {
                take(result);
                taken += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let mut taken = Vec::new();
            ordered(
                threads,
                100,
                |index| index * index,
                |result| taken.push(result),
            );
            assert_eq!(
                taken,
                (0..100).map(|index| index * index).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn mapped_results_keep_the_order_of_their_inputs_for_any_number_of_threads() {
        let inputs: Vec<usize> = (0..100).collect();
        for threads in [0, 1, 2, 3, 200] {
            let found = map(threads, &inputs, |it| it * 7 % 13, |it| it * it);
            let wanted: Vec<usize> = inputs.iter().map(|it| it * it).collect();
            assert_eq!(found, wanted);
        }
        assert!(map(4, &[], |_: &u8| 0, |it| *it).is_empty());
    }

    #[test]
    fn a_long_input_is_begun_first_and_lets_no_thread_wait() {
        // The first ends only once all others have: with a window for each thread they would wait for it.
        let inputs: Vec<usize> = (0..50).collect();
        let (done, others) = std::sync::mpsc::channel();
        let others = std::sync::Mutex::new(others);
        let run = |input: &usize| match input {
            49 => {
                let others = others.lock().expect("no thread has panicked");
                for _ in 0..49 {
                    others.recv().expect("the others are run");
                }
            }
            _ => done.send(()).expect("the long one waits"),
        };
        assert_eq!(map(2, &inputs, |it| *it, run).len(), 50);
    }

    #[test]
    fn pieces_that_are_cut_across_results_come_in_order() {
        for (threads, tasks) in [(1, 50), (2, 50), (8, 50), (4, 1), (4, 0)] {
            let (mut held, mut taken) = (Vec::new(), Vec::new());
            staged(
                threads,
                tasks,
                |index| (index * 7..index * 7 + 7).collect::<Vec<_>>(),
                |more: Option<Vec<usize>>| {
                    let is_end = more.is_none();
                    held.extend(more.into_iter().flatten());
                    let mut pieces = Vec::new();
                    while held.len() >= 10 || (is_end && !held.is_empty()) {
                        let rest = held.split_off(held.len().min(10));
                        pieces.push(std::mem::replace(&mut held, rest));
                    }
                    pieces
                },
                |piece| piece,
                |piece| taken.extend(piece),
            );
            assert_eq!(taken, (0..tasks * 7).collect::<Vec<_>>());
        }
    }
}
