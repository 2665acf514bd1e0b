use crate::Span;

/// The most edits one head can have. A request with more hop-by-hop lines than this is refused.
const MOST: usize = 16;

/// What is changed in a head on its way: spans cut out, and fixed bytes put in their place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edits {
    /// One more than [`MOST`]: the place kept for [`replace_first`](Self::replace_first).
    items: [(Span, &'static [u8]); MOST + 1],
    len: usize,
}

/// There is no room for one more edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Edits {
    /// Puts `with` in the place of `span`. Edits are made in the order of the head's bytes.
    pub(crate) fn replace(&mut self, span: Span, with: &'static [u8]) -> Result<(), Full> {
        if self.len == MOST {
            return Err(Full);
        }
        self.items[self.len] = (span, with);
        self.len += 1;
        Ok(())
    }

    /// Cuts `span` out.
    pub(crate) fn cut(&mut self, span: Span) -> Result<(), Full> {
        self.replace(span, b"")
    }

    /// Puts `with` in the place of `span`, which lies before every edit made so far. There is
    /// room for one such edit.
    pub(crate) fn replace_first(&mut self, span: Span, with: &'static [u8]) {
        debug_assert!(self.len <= MOST, "the first edit is made twice");
        if self.len <= MOST {
            self.items.copy_within(0..self.len, 1);
            self.items[0] = (span, with);
            self.len += 1;
        }
    }

    /// Appends `head` to `out` as it goes on: edited, `additions` (whole field lines with their
    /// CRLF) behind its last field, then the empty line.
    pub fn render(&self, head: &[u8], additions: &[&[u8]], out: &mut Vec<u8>) {
        let fields_end = head.len().saturating_sub(2);
        let mut from = 0;
        for (span, with) in &self.items[..self.len] {
            out.extend_from_slice(head.get(from..span.start()).unwrap_or_default());
            out.extend_from_slice(with);
            from = span.end();
        }
        out.extend_from_slice(head.get(from..fields_end).unwrap_or_default());
        for addition in additions {
            out.extend_from_slice(addition);
        }
        out.extend_from_slice(b"\r\n");
    }
}
