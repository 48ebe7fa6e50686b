//! Work on several threads whose results are taken in order, with a bound on how many wait.

use std::collections::BTreeMap;

use crossbeam::channel::{bounded, unbounded};

/// Results that may be under way or waiting, per thread.
const WINDOW_PER_THREAD: usize = 2;

/// Runs `task(0)` to `task(tasks - 1)` on `threads` threads and calls `take` with each result, in order, on this thread.
pub fn ordered<T: Send>(
    threads: usize,
    tasks: usize,
    task: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(T),
) {
    if threads <= 1 || tasks <= 1 {
        (0..tasks).for_each(|index| take(task(index)));
        return;
    }
    let (tickets, claims) = unbounded();
    let (sender, results) = bounded(threads * WINDOW_PER_THREAD);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(tasks) {
            let (claims, sender, task) = (claims.clone(), sender.clone(), &task);
            scope.spawn(move || {
                for index in claims {
                    if sender.send((index, task(index))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut issued = (threads * WINDOW_PER_THREAD).min(tasks);
        for index in 0..issued {
            let _ = tickets.send(index);
        }
        let mut waiting = BTreeMap::new();
        for next in 0..tasks {
            while !waiting.contains_key(&next) {
                // A thread that panicked closes the channel; the scope then passes the panic on.
                let Ok((index, result)) = results.recv() else {
                    return;
                };
                waiting.insert(index, result);
            }
            take(
                waiting
                    .remove(&next)
                    .expect("present: the loop above waited for it"),
            );
            if issued < tasks {
                let _ = tickets.send(issued);
                issued += 1;
            }
        }
        drop(tickets);
    });
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
}
