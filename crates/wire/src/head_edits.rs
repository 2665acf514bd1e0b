//! The changes that a head undergoes on its way to the next hop: spans removed, single bytes
//! replaced.

use crate::ByteSpan;

/// Limit on the edits of one head. A message with more hop-by-hop lines is refused.
const MAX_EDITS: usize = 16;

/// The edits of one head: spans to cut, and spans to replace with one byte, in the order of the
/// head's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadEdits {
    /// Room for [`MAX_EDITS`] edits, and for another by [`cut_first`](Self::cut_first).
    items: [(ByteSpan, Option<u8>); MAX_EDITS + 1],
    len: u8,
}

/// The head already has [`MAX_EDITS`] edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyEdits;

impl HeadEdits {
    /// Replaces `span` with the byte `with`. Callers add edits in the order of the head's bytes.
    pub(crate) fn replace(&mut self, span: ByteSpan, with: u8) -> Result<(), TooManyEdits> {
        self.push((span, Some(with)))
    }

    /// Cuts `span`.
    pub(crate) fn cut(&mut self, span: ByteSpan) -> Result<(), TooManyEdits> {
        self.push((span, None))
    }

    fn push(&mut self, edit: (ByteSpan, Option<u8>)) -> Result<(), TooManyEdits> {
        let at = usize::from(self.len);
        if at == MAX_EDITS {
            return Err(TooManyEdits);
        }
        self.items[at] = edit;
        self.len += 1;
        Ok(())
    }

    /// Cuts `span`, which lies before every edit so far. Each head has room for one such cut.
    pub(crate) fn cut_first(&mut self, span: ByteSpan) {
        let len = usize::from(self.len);
        debug_assert!(len <= MAX_EDITS, "the first cut is made twice");
        if len <= MAX_EDITS {
            self.items.copy_within(0..len, 1);
            self.items[0] = (span, None);
            self.len += 1;
        }
    }

    /// Cuts `span`, which may lie before, between or behind the edits so far, or equal one of them.
    /// Partial overlaps do not occur.
    pub(crate) fn cut_anywhere(&mut self, span: ByteSpan) -> Result<(), TooManyEdits> {
        let len = usize::from(self.len);
        let items = &self.items[..len];
        let at = items.partition_point(|(other, _)| other.start() < span.start());
        if items.get(at).is_some_and(|(other, _)| *other == span) {
            return Ok(());
        }
        if len >= MAX_EDITS {
            return Err(TooManyEdits);
        }
        self.items.copy_within(at..len, at + 1);
        self.items[at] = (span, None);
        self.len += 1;
        Ok(())
    }

    /// Appends the edited `head` to `out`, with `additions` (whole field lines including CRLF)
    /// after the last field and before the empty line.
    pub fn render(&self, head: &[u8], additions: &[&[u8]], out: &mut Vec<u8>) {
        let fields_end = head.len().saturating_sub(2);
        let mut from = 0;
        for (span, with) in &self.items[..usize::from(self.len)] {
            out.extend_from_slice(head.get(from..span.start()).unwrap_or_default());
            out.extend(*with);
            from = span.end();
        }
        out.extend_from_slice(head.get(from..fields_end).unwrap_or_default());
        for addition in additions {
            out.extend_from_slice(addition);
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_cuts(cuts: &[(usize, usize)]) -> Option<String> {
        let mut edits = HeadEdits::default();
        edits.replace(ByteSpan::new(4, 5), b'E').ok()?;
        for (start, end) in cuts {
            edits.cut_anywhere(ByteSpan::new(*start, *end)).ok()?;
        }
        let mut out = Vec::new();
        edits.render(b"abcdefgh\r\n", &[], &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_cut_may_lie_anywhere() {
        assert_eq!(render_cuts(&[(6, 7)]).as_deref(), Some("abcdEfh\r\n"));
        assert_eq!(
            render_cuts(&[(6, 7), (0, 2), (5, 6), (0, 2)]).as_deref(),
            Some("cdEh\r\n")
        );
    }

    #[test]
    fn one_edit_too_many_is_refused() {
        let most: Vec<_> = (10..9 + MAX_EDITS).map(|at| (at, at + 1)).collect();
        assert!(render_cuts(&most).is_some());
        let one_more = [most, vec![(5, 6)]].concat();
        assert_eq!(render_cuts(&one_more), None);
    }
}
