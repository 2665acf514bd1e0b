//! Stores byte ranges within a head as two 32-bit offsets, so that a parsed head borrows nothing.

/// A byte range in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteSpan {
    start: u32,
    end: u32,
}

impl ByteSpan {
    /// Creates the span from `start` up to `end`. Both fit 32 bits because a head has at most
    /// [`MAX_HEAD`](crate::MAX_HEAD) bytes.
    pub fn new(start: usize, end: usize) -> Self {
        let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: fit(start),
            end: fit(end),
        }
    }

    /// Returns the position of `part`, a subslice of `whole`, in `whole`.
    pub(crate) fn of_part(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        Self::new(start, start + part.len())
    }

    /// Returns the index of the first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Returns the index after the last byte.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Returns the bytes of this span in the head it was created for.
    pub fn slice(self, head: &[u8]) -> &[u8] {
        head.get(self.start()..self.end()).unwrap_or_default()
    }
}
