//! Work on several threads whose results keep their order.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `task` once for each of `inputs` on up to `workers` threads, and returns the results in the order of the inputs. Inputs are begun in
/// the order of `cost`, the largest first, so that no long one is left for the end.
pub(crate) fn map<I: Sync, T: Send>(
    workers: usize,
    inputs: &[I],
    cost: impl Fn(&I) -> usize,
    task: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(cost(&inputs[place])));
    let (order, next) = (&order, AtomicUsize::new(0));
    let found = Mutex::new(Vec::with_capacity(inputs.len()));
    let work = || {
        while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = task(&inputs[place]);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push((place, result));
        }
    };
    // This thread works too, so that one worker needs no other.
    std::thread::scope(|scope| {
        for _ in 1..workers.clamp(1, inputs.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_for_any_number_of_workers() {
        let inputs: Vec<usize> = (0..100).collect();
        for workers in [0, 1, 2, 3, 200] {
            let found = map(workers, &inputs, |it| it * 7 % 13, |it| it * it);
            let wanted: Vec<usize> = inputs.iter().map(|it| it * it).collect();
            assert_eq!(found, wanted);
        }
        assert!(map(4, &[], |_: &u8| 0, |it| *it).is_empty());
    }
}
