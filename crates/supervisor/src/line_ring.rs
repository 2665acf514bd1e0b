//! Keeps the last lines of a text in bounded memory.

use std::{collections::VecDeque, ops::Range};

/// The maximum number of lines.
pub(crate) const MAX_LINES: usize = 1_000;

/// The maximum number of bytes of text.
const MAX_BYTES: usize = 1 << 20;

/// The newest lines, at most [`MAX_LINES`] with at most [`MAX_BYTES`] together, numbered from 0.
///
/// The texts are stored one after the other in one buffer, so that a line costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct LineRing {
    text: VecDeque<u8>,
    lengths: VecDeque<usize>,
    /// The number of the first line that is kept.
    first: u64,
}

impl LineRing {
    /// Adds a line, and removes old lines until it fits.
    pub(crate) fn push(&mut self, line: &str) {
        while self.lengths.len() == MAX_LINES || self.text.len() + line.len() > MAX_BYTES {
            let Some(oldest) = self.lengths.pop_front() else {
                break;
            };
            self.text.drain(..oldest);
            self.first += 1;
        }
        self.lengths.push_back(line.len());
        self.text.extend(line.as_bytes());
    }

    /// Returns the number of the first line that is kept.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of the next line.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.lengths.len() as u64
    }

    /// Returns the kept lines from number `from` on: the first one, whatever its length, and later ones while
    /// all together have at most `max_bytes` bytes.
    pub(crate) fn read(&self, from: u64, max_bytes: usize) -> Vec<String> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let mut at: usize = self.lengths.iter().take(skip).sum();
        let begin = at;
        let mut lines = Vec::new();
        for length in self.lengths.iter().skip(skip) {
            let end = at + length;
            if end - begin > max_bytes && !lines.is_empty() {
                break;
            }
            lines.push(self.line(at..end));
            at = end;
        }
        lines
    }

    fn line(&self, range: Range<usize>) -> String {
        let bytes: Vec<u8> = self.text.range(range).copied().collect();
        // Only whole strings are stored.
        String::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(lines: impl IntoIterator<Item = String>) -> LineRing {
        let mut ring = LineRing::default();
        for line in lines {
            ring.push(&line);
            assert!(ring.lengths.len() <= MAX_LINES && ring.text.len() <= MAX_BYTES);
            assert_eq!(ring.text.len(), ring.lengths.iter().sum::<usize>());
        }
        ring
    }

    #[test]
    fn as_many_lines_are_kept_as_are_allowed() {
        let ring = filled((0..2_500).map(|line| line.to_string()));
        assert_eq!((ring.first(), ring.end()), (1_500, 2_500));
        let all = ring.read(0, usize::MAX);
        assert_eq!((all.len(), all[0].as_str()), (MAX_LINES, "1500"));
        assert_eq!(ring.read(2_499, usize::MAX), ["2499"]);
        assert!(ring.read(2_500, usize::MAX).is_empty());
    }

    #[test]
    fn as_many_bytes_are_kept_as_are_allowed() {
        let ring = filled((0..1_000).map(|line| format!("{line:04096}")));
        assert_eq!((ring.first(), ring.end()), (1_000 - 256, 1_000));
        let ring = filled((0..100_000).map(|line| "é".repeat(line % 2_000)));
        let kept = ring.read(0, usize::MAX);
        assert_eq!(kept.len() as u64, ring.end() - ring.first());
        let texts = (ring.first()..ring.end()).map(|line| "é".repeat((line % 2_000) as usize));
        assert!(kept.into_iter().eq(texts), "every line is what it was");
    }

    #[test]
    fn a_piece_is_bounded_and_never_empty_where_there_is_a_line() {
        let ring = filled(["aaaa", "bbbb", "", "cc"].map(str::to_owned));
        assert_eq!(ring.read(0, 8), ["aaaa", "bbbb", ""]);
        assert_eq!(ring.read(1, 1), ["bbbb"]);
        assert_eq!(ring.read(2, 0), [""]);
    }
}
