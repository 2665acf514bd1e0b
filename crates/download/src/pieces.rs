//! Determines which bytes of a file are missing, and which of them a connection requests next.

use std::ops::Range;

use crate::limits;

/// Ranges of bytes, in order, that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ByteRanges(Vec<Range<u64>>);

impl ByteRanges {
    /// Adds a range.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|other| other.end < range.start);
        let last = self.0.partition_point(|other| other.start <= range.end);
        let touched = &self.0[first..last];
        let start = touched
            .first()
            .map_or(range.start, |other| other.start.min(range.start));
        let end = touched
            .last()
            .map_or(range.end, |other| other.end.max(range.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    /// Returns the number of bytes.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns the end of the last range.
    pub(crate) fn end(&self) -> u64 {
        self.0.last().map_or(0, |range| range.end)
    }

    /// Returns the ranges.
    pub(crate) fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }
}

/// Returns the first range of a file that is neither complete nor requested, at most `max_bytes` long.
pub(crate) fn next_piece(
    complete: &ByteRanges,
    requested: impl IntoIterator<Item = Range<u64>>,
    size: u64,
    max_bytes: u64,
) -> Option<Range<u64>> {
    let mut taken = complete.clone();
    for range in requested {
        taken.insert(range);
    }
    let first = taken.0.first();
    let (start, next) = match first.filter(|range| range.start == 0) {
        Some(range) => (range.end, taken.0.get(1)),
        None => (0, first),
    };
    let gap_end = next.map_or(size, |range| range.start).min(size);
    let end = gap_end.min(start.saturating_add(max_bytes));
    (start < end).then_some(start..end)
}

/// Returns the length of the pieces in which a file is requested: several for each connection, within limits.
pub(crate) fn piece_bytes(size: u64, connections: usize) -> u64 {
    let (min, max) = limits::PIECE_BYTES;
    let connections = u64::try_from(connections.max(1)).unwrap_or(u64::MAX);
    size.div_ceil(connections.saturating_mul(4)).clamp(min, max)
}

/// Returns the number of new bytes after which the record is written.
pub(crate) fn checkpoint_bytes(size: u64) -> u64 {
    let (min, max) = limits::CHECKPOINT_BYTES;
    (size / 64).clamp(min, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(pairs: &[(u64, u64)]) -> ByteRanges {
        let mut set = ByteRanges::default();
        for &(start, end) in pairs {
            set.insert(start..end);
        }
        set
    }

    fn pairs(set: &ByteRanges) -> Vec<(u64, u64)> {
        let ranges = set.ranges().iter();
        ranges.map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        for (inserted, expected) in [
            (vec![(5, 9), (0, 3)], vec![(0, 3), (5, 9)]),
            (vec![(0, 3), (3, 5)], vec![(0, 5)]),
            (vec![(3, 5), (0, 3)], vec![(0, 5)]),
            (vec![(0, 9), (2, 3)], vec![(0, 9)]),
            (vec![(2, 3), (5, 6), (8, 9), (0, 9)], vec![(0, 9)]),
            (vec![(2, 4), (8, 9), (3, 8)], vec![(2, 9)]),
            (vec![(4, 4)], vec![]),
        ] {
            let set = collect(&inserted);
            assert_eq!(pairs(&set), expected, "{inserted:?}");
            let count: u64 = expected.iter().map(|(start, end)| end - start).sum();
            assert_eq!(set.count(), count);
        }
    }

    #[test]
    fn the_first_gap_is_requested_next() {
        for (complete, requested, expected) in [
            (vec![], vec![], Some((0, 10))),
            (vec![(0, 5)], vec![], Some((5, 15))),
            (vec![(0, 5)], vec![(5, 15)], Some((15, 25))),
            (vec![(3, 5)], vec![], Some((0, 3))),
            (vec![(0, 5), (8, 95)], vec![(5, 8)], Some((95, 100))),
            (vec![(0, 100)], vec![], None),
            (vec![(0, 50)], vec![(50, 100)], None),
            (vec![(0, 200)], vec![], None),
        ] {
            let ranges = requested.iter().map(|&(start, end)| start..end);
            let piece = next_piece(&collect(&complete), ranges, 100, 10);
            let piece = piece.map(|range| (range.start, range.end));
            assert_eq!(piece, expected, "{complete:?} {requested:?}");
        }
    }

    #[test]
    fn pieces_cover_a_file_without_overlap() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (size, max) = (rng.u64(1..5_000), rng.u64(1..700));
            let mut complete = ByteRanges::default();
            let mut requested: Vec<Range<u64>> = Vec::new();
            while complete.count() < size {
                let piece = next_piece(&complete, requested.iter().cloned(), size, max);
                if let Some(piece) = piece.filter(|_| requested.len() < 4) {
                    requested.push(piece);
                    continue;
                }
                // A connection delivers a part of its piece and then breaks, or delivers all of it.
                let piece = requested.swap_remove(rng.usize(..requested.len()));
                let before = complete.count();
                let arrived = piece.start..rng.u64(piece.start + 1..=piece.end);
                complete.insert(arrived.clone());
                assert_eq!(complete.count(), before + arrived.end - arrived.start);
            }
            assert_eq!(pairs(&complete), [(0, size)]);
        }
    }
}
