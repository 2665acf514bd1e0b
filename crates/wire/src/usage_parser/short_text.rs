//! Stores short texts in a bounded buffer. A name or number longer than any that the usage parser
//! knows counts as empty.

/// Limit on the length of a relevant text: a member name, a number or an event name.
const MAX_TEXT_LEN: usize = 32;

/// Returns the text, or an empty one if it is too long to be relevant.
pub(super) fn text_if_short(text: &[u8]) -> &[u8] {
    if text.len() > MAX_TEXT_LEN { b"" } else { text }
}

/// A short text that arrives in pieces, stored inline.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortText {
    bytes: [u8; MAX_TEXT_LEN],
    /// Exceeds the capacity if the text was too long, which makes it irrelevant.
    len: usize,
}

impl ShortText {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; MAX_TEXT_LEN],
            len: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.len = MAX_TEXT_LEN + 1,
        }
    }

    /// Returns the text, or an empty one if it was too long.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
