/// A range of bytes in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span from `start` up to `end`. Heads are at most [`MAX_HEAD`](crate::MAX_HEAD) bytes,
    /// so both fit.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: fit(start),
            end: fit(end),
        }
    }

    /// Where `part`, a piece of `whole`, lies in it.
    pub(crate) fn of_part(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        Self::new(start, start + part.len())
    }

    /// The first byte's place.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The place behind the last byte.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The bytes themselves, in the head this span was made from.
    pub fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start()..self.end()).unwrap_or_default()
    }
}
