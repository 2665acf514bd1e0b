/// The longest word that means anything: a member's name, a number, an event's name.
const LONGEST: usize = 32;

/// The text, or nothing where it is too long to mean anything.
pub(super) fn of(text: &[u8]) -> &[u8] {
    if text.len() > LONGEST { b"" } else { text }
}

/// A short text while it arrives, in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    bytes: [u8; LONGEST],
    /// More than there is room for where it was too long, and so means nothing.
    len: usize,
}

impl Word {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
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
            None => self.len = LONGEST + 1,
        }
    }

    /// Nothing, where it was too long.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
