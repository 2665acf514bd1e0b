use crate::Span;

/// The most edits one head can have. A request with more hop-by-hop lines than this is refused.
const MOST: usize = 16;

/// What is changed in a head on its way: spans cut out, and a byte put in the place of some.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edits {
    /// One more than [`MOST`]: the place kept for [`cut_first`](Self::cut_first).
    items: [(Span, Option<u8>); MOST + 1],
    len: u8,
}

/// There is no room for one more edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Edits {
    /// Puts `with` in the place of `span`. Edits are made in the order of the head's bytes.
    pub(crate) fn replace(&mut self, span: Span, with: u8) -> Result<(), Full> {
        self.push((span, Some(with)))
    }

    /// Cuts `span` out.
    pub(crate) fn cut(&mut self, span: Span) -> Result<(), Full> {
        self.push((span, None))
    }

    fn push(&mut self, edit: (Span, Option<u8>)) -> Result<(), Full> {
        let at = usize::from(self.len);
        if at == MOST {
            return Err(Full);
        }
        self.items[at] = edit;
        self.len += 1;
        Ok(())
    }

    /// Cuts `span` out, which lies before every edit made so far. There is room for one such cut.
    pub(crate) fn cut_first(&mut self, span: Span) {
        let len = usize::from(self.len);
        debug_assert!(len <= MOST, "the first cut is made twice");
        if len <= MOST {
            self.items.copy_within(0..len, 1);
            self.items[0] = (span, None);
            self.len += 1;
        }
    }

    /// Cuts `span` out, wherever it lies: before, between or behind the edits made so far, or where one of
    /// them cuts it out already. It overlaps none in part.
    pub(crate) fn cut_anywhere(&mut self, span: Span) -> Result<(), Full> {
        let len = usize::from(self.len);
        let items = &self.items[..len];
        let at = items.partition_point(|(other, _)| other.start() < span.start());
        if items.get(at).is_some_and(|(other, _)| *other == span) {
            return Ok(());
        }
        if len >= MOST {
            return Err(Full);
        }
        self.items.copy_within(at..len, at + 1);
        self.items[at] = (span, None);
        self.len += 1;
        Ok(())
    }

    /// Appends `head` to `out` as it goes on: edited, `additions` (whole field lines with their
    /// CRLF) behind its last field, then the empty line.
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

    fn left(cuts: &[(usize, usize)]) -> Option<String> {
        let mut edits = Edits::default();
        edits.replace(Span::new(4, 5), b'E').ok()?;
        for (start, end) in cuts {
            edits.cut_anywhere(Span::new(*start, *end)).ok()?;
        }
        let mut out = Vec::new();
        edits.render(b"abcdefgh\r\n", &[], &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_cut_is_made_wherever_it_lies() {
        assert_eq!(left(&[(6, 7)]).as_deref(), Some("abcdEfh\r\n"));
        assert_eq!(
            left(&[(6, 7), (0, 2), (5, 6), (0, 2)]).as_deref(),
            Some("cdEh\r\n")
        );
    }

    #[test]
    fn one_too_many_is_none() {
        let most: Vec<_> = (10..9 + MOST).map(|at| (at, at + 1)).collect();
        assert!(left(&most).is_some());
        let one_more = [most, vec![(5, 6)]].concat();
        assert_eq!(left(&one_more), None);
    }
}
