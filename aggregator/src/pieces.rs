//! A vector in large pieces: its elements never move, except those of the first piece while it is small, and its memory is in large pages.
//!
//! A vector that doubles copies all its elements at each step and needs half as much memory again meanwhile. An open hour is read at random,
//! which causes a TLB miss for almost every access with small pages. No file, clock, lock or log here.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::prefetch::{advise_large_pages, prefetch};

/// Bytes of a piece: a few large pages.
const PIECE_BYTES: usize = 8 << 20;
/// Elements of the first piece at its start.
const FIRST_MIN: usize = 64;

/// Unused pieces: the next hour takes them instead of new memory, which the kernel would first have to find and clear.
#[derive(Clone, Debug)]
pub struct Spare<T>(Option<Arc<ArrayQueue<Vec<T>>>>);

impl<T> Spare<T> {
    /// None yet, and never more than `pieces` of them or `bytes` together.
    #[must_use]
    pub fn new(pieces: usize, bytes: usize) -> Self {
        let pieces = pieces.min(bytes / PIECE_BYTES);
        // A queue has room for one at least.
        Spare((pieces > 0).then(|| Arc::new(ArrayQueue::new(pieces))))
    }

    fn take(&self) -> Option<Vec<T>> {
        self.0.as_ref()?.pop()
    }

    /// Keeps a piece; if there are enough, its memory is freed.
    fn give(&self, piece: Vec<T>) {
        if let Some(queue) = &self.0 {
            let _ = queue.push(piece);
        }
    }
}

/// The elements, in pieces of equal length.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    pieces: Vec<Vec<T>>,
    length: usize,
    spare: Option<Spare<T>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Pieces {
            pieces: Vec::new(),
            length: 0,
            spare: None,
        }
    }
}

impl<T> Drop for Pieces<T> {
    fn drop(&mut self) {
        if let Some(spare) = &self.spare {
            // The first piece may be a small one.
            let whole = self.pieces.drain(..).filter(|piece| {
                let bytes = piece.capacity() * size_of::<T>();
                bytes > PIECE_BYTES / 2
            });
            whole.for_each(|mut piece| {
                piece.clear();
                spare.give(piece);
            });
        }
    }
}

impl<T> Pieces<T> {
    /// No element yet; pieces come from and go back to `spare`.
    #[must_use]
    pub(crate) fn sparing(spare: Spare<T>) -> Self {
        let mut pieces = Pieces::default();
        pieces.spare = Some(spare);
        pieces
    }

    /// Number of elements.
    #[must_use]
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

impl<T: Copy> Pieces<T> {
    /// Base-2 logarithm of the elements in a piece.
    const BITS: u32 = (PIECE_BYTES / size_of::<T>()).ilog2();
    const MASK: usize = (1 << Self::BITS) - 1;

    /// Memory held, bytes.
    #[must_use]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum::<usize>() * size_of::<T>()
    }

    /// Appends `count` contiguous elements and returns the index of the first. `count` must divide the length of a piece and be the same in
    /// every call.
    #[inline]
    pub(crate) fn extend(&mut self, count: usize, value: T) -> usize {
        let start = self.length;
        let piece = start >> Self::BITS;
        if piece == self.pieces.len() || piece == 0 {
            self.reserve(piece, count);
        }
        let piece = &mut self.pieces[piece];
        let end = piece.len() + count;
        piece.resize(end, value);
        self.length += count;
        start
    }

    #[inline(never)]
    fn reserve(&mut self, piece: usize, count: usize) {
        let whole = 1 << Self::BITS;
        if piece == self.pieces.len() {
            let spare = self.spare.as_ref().filter(|_| piece > 0);
            if let Some(memory) = spare.and_then(Spare::take) {
                self.pieces.push(memory);
                return;
            }
            let elements = if piece == 0 {
                FIRST_MIN.clamp(count, whole)
            } else {
                whole
            };
            let memory = Vec::with_capacity(elements);
            advise_large_pages(&memory);
            self.pieces.push(memory);
        }
        let memory = &mut self.pieces[piece];
        if memory.len() + count > memory.capacity() {
            if memory.capacity() * 2 >= whole
                && let Some(mut spare) = self.spare.as_ref().and_then(Spare::take)
            {
                spare.append(memory);
                *memory = spare;
                return;
            }
            memory.reserve_exact(memory.capacity().max(count));
            advise_large_pages(memory);
        }
    }

    /// The element at `index`.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> &T {
        &self.pieces[index >> Self::BITS][index & Self::MASK]
    }

    /// The element at `index`.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, index: usize) -> &mut T {
        &mut self.pieces[index >> Self::BITS][index & Self::MASK]
    }

    /// The element at `index`, if there is one.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.pieces
            .get(index >> Self::BITS)?
            .get(index & Self::MASK)
    }

    /// The `count` elements from `start` on that were appended together.
    #[inline(always)]
    pub(crate) fn slice(&self, start: usize, count: usize) -> &[T] {
        &self.pieces[start >> Self::BITS][start & Self::MASK..][..count]
    }

    /// The `count` elements from `start` on that were appended together.
    #[inline(always)]
    pub(crate) fn slice_mut(&mut self, start: usize, count: usize) -> &mut [T] {
        &mut self.pieces[start >> Self::BITS][start & Self::MASK..][..count]
    }

    /// Asks for the memory of an element. Only a hint: it need not exist.
    #[inline(always)]
    pub(crate) fn prefetch(&self, index: usize) {
        if let Some(piece) = self.pieces.get(index >> Self::BITS) {
            prefetch(piece, index & Self::MASK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are_over_many_pieces() {
        let mut pieces = Pieces::<u64>::default();
        let count = 3 * (PIECE_BYTES / 8) / 32 + 5;
        for number in 0..count {
            assert_eq!(pieces.extend(32, number as u64), number * 32);
        }
        assert_eq!(pieces.len(), count * 32);
        assert_eq!(pieces.pieces.len(), 4);
        for number in 0..count {
            assert_eq!(pieces.slice(number * 32, 32), [number as u64; 32]);
        }
        assert_eq!(pieces.get(count * 32), None);
    }

    #[test]
    fn pieces_that_were_given_back_are_used_again() {
        let spare = Spare::new(2, usize::MAX);
        for round in 0..3 {
            let mut pieces = Pieces::sparing(spare.clone());
            let count = 5 * (PIECE_BYTES / 8) / 32;
            for number in 0..count {
                pieces.extend(32, number as u64 + round);
            }
            assert_eq!(spare.0.as_ref().map(|queue| queue.len()), Some(0));
            assert_eq!(pieces.slice(64, 32), [2 + round; 32]);
            assert_eq!(*pieces.at(pieces.len() - 1), count as u64 - 1 + round);
            drop(pieces);
            assert_eq!(spare.0.as_ref().map(|queue| queue.len()), Some(2));
        }
        // A first piece alone takes one where it becomes whole.
        let mut pieces = Pieces::sparing(spare.clone());
        for number in 0..PIECE_BYTES / 8 / 32 {
            pieces.extend(32, number as u64);
        }
        assert_eq!(spare.0.as_ref().map(|queue| queue.len()), Some(1));
        assert_eq!(pieces.slice(32, 32), [1; 32]);
        drop(pieces);
        assert_eq!(spare.0.as_ref().map(|queue| queue.len()), Some(2));
    }
}
