//! Row groups cut from chunks of rows: chunks come as tasks finish them, groups have their own size, and no row is copied.

use std::ops::Range;
use std::sync::Arc;

/// Rows of one chunk.
#[derive(Debug)]
struct Piece<T> {
    chunk: Arc<T>,
    rows: Range<usize>,
}

/// The rows of one row group.
#[derive(Debug)]
pub(crate) struct Group<T> {
    pieces: Vec<Piece<T>>,
    rows: usize,
}

impl<T> Group<T> {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// A value of every row, in order.
    #[inline(always)]
    pub(crate) fn each<'g, V>(
        &'g self,
        value: impl Fn(&'g T, usize) -> V + Copy + 'g,
    ) -> impl Iterator<Item = V> + Clone + 'g {
        self.pieces.iter().flat_map(move |piece| {
            let chunk = &*piece.chunk;
            piece.rows.clone().map(move |row| value(chunk, row))
        })
    }

    /// The values of all rows, in order, from the column that each chunk has them in.
    #[inline(always)]
    pub(crate) fn column<'g, V: Copy + 'g>(
        &'g self,
        of: impl Fn(&'g T) -> &'g [V] + Copy + 'g,
    ) -> impl Iterator<Item = V> + Clone + 'g {
        let pieces = self.pieces.iter();
        pieces.flat_map(move |piece| of(&piece.chunk)[piece.rows.clone()].iter().copied())
    }

    /// The same as the slices that they lie in.
    pub(crate) fn slices<'g, V: 'g>(
        &'g self,
        of: impl Fn(&'g T) -> &'g [V] + Copy + 'g,
    ) -> impl Iterator<Item = &'g [V]> + Clone + 'g {
        let pieces = self.pieces.iter();
        pieces.map(move |piece| &of(&piece.chunk)[piece.rows.clone()])
    }

    /// Every chunk with its rows, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (&T, Range<usize>)> + Clone {
        self.pieces
            .iter()
            .map(|piece| (&*piece.chunk, piece.rows.clone()))
    }
}

/// Cuts chunks into groups of so many rows and so much weight at most.
#[derive(Debug)]
pub(crate) struct RowGrouper<T> {
    pieces: Vec<Piece<T>>,
    rows: usize,
    weight: usize,
    rows_max: usize,
    weight_max: usize,
}

impl<T> RowGrouper<T> {
    /// An empty grouper.
    pub(crate) const fn new(rows_max: usize, weight_max: usize) -> Self {
        RowGrouper {
            pieces: Vec::new(),
            rows: 0,
            weight: 0,
            rows_max,
            weight_max,
        }
    }

    /// Takes the `rows` rows of a chunk; gives the groups that are full now. `weight` is that of a row.
    pub(crate) fn push(
        &mut self,
        chunk: T,
        rows: usize,
        weight: impl Fn(&T, usize) -> usize,
    ) -> Vec<Group<T>> {
        let chunk = Arc::new(chunk);
        let mut groups = Vec::new();
        let mut start = 0;
        for row in 0..rows {
            let more = weight(&chunk, row);
            let is_full = self.rows == self.rows_max || self.weight + more > self.weight_max;
            if is_full && self.rows > 0 {
                self.keep(&chunk, start..row);
                start = row;
                groups.extend(self.finish());
            }
            self.rows += 1;
            self.weight += more;
        }
        self.keep(&chunk, start..rows);
        groups
    }

    /// The rest of the rows, if any.
    pub(crate) fn finish(&mut self) -> Option<Group<T>> {
        let rows = std::mem::take(&mut self.rows);
        self.weight = 0;
        let pieces = std::mem::take(&mut self.pieces);
        (rows > 0).then_some(Group { pieces, rows })
    }

    fn keep(&mut self, chunk: &Arc<T>, rows: Range<usize>) {
        if !rows.is_empty() {
            let chunk = Arc::clone(chunk);
            self.pieces.push(Piece { chunk, rows });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_their_size_and_hold_every_row_in_order() {
        let mut grouper = RowGrouper::new(10, 100);
        let mut groups = Vec::new();
        let mut next = 0;
        for length in [3, 0, 25, 7, 10, 1] {
            let chunk: Vec<usize> = (next..next + length).collect();
            next += length;
            groups.extend(grouper.push(chunk, length, |chunk, row| chunk[row]));
        }
        groups.extend(grouper.finish());
        let rows: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| group.each(|chunk, row| chunk[row]).collect())
            .collect();
        assert_eq!(rows.concat(), (0..next).collect::<Vec<_>>());
        for (group, rows) in groups.iter().zip(&rows) {
            assert_eq!(&group.column(|chunk| chunk).collect::<Vec<_>>(), rows);
        }
        for (group, rows) in groups.iter().zip(&rows) {
            assert_eq!(group.rows(), rows.len());
            assert!(rows.len() <= 10 && (rows.iter().sum::<usize>() <= 100 || rows.len() == 1));
        }
        assert!(grouper.finish().is_none());
    }
}
