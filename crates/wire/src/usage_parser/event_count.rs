//! Counts the events of a stream.

/// The start of a data line. Each dialect writes one data line per event.
const DATA_FIELD: &[u8] = b"data:";

/// Counts data lines, so comments do not count.
#[derive(Debug, Clone)]
pub(super) struct EventCount {
    events: u64,
    /// Number of bytes of [`DATA_FIELD`] matched on the current line; `None` after a mismatch.
    matched: Option<usize>,
}

impl EventCount {
    pub(super) fn new() -> Self {
        Self {
            events: 0,
            matched: Some(0),
        }
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Takes the next piece of the stream.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        loop {
            rest = self.match_line_start(rest);
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                return;
            };
            rest = rest.get(end + 1..).unwrap_or_default();
            self.matched = Some(0);
        }
    }

    /// Compares the start of a line with [`DATA_FIELD`]. Returns the bytes after the compared part.
    fn match_line_start<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(matched) = self.matched else {
            return bytes;
        };
        let wanted = DATA_FIELD.get(matched..).unwrap_or_default();
        let same = wanted.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        let rest = bytes.get(same..).unwrap_or_default();
        self.matched = match same {
            same if same == wanted.len() => {
                self.events += 1;
                None
            }
            same if rest.is_empty() => Some(matched + same),
            _ => None,
        };
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> u64 {
        let mut count = EventCount::new();
        for piece in pieces {
            count.feed(piece);
        }
        count.events()
    }

    #[test]
    fn events_are_counted_however_they_are_cut() {
        let stream =
            b"data: {\"a\":1}\n\n: ping\n\nevent: x\ndata:2\n\nid: 7\r\ndata: 3\r\n\r\nda: 0\n\
                       data\n\ndata: data: data:\n\n";
        let whole = count(&[stream]);
        assert_eq!(whole, 4);
        for cut in 0..=stream.len() {
            let (start, end) = stream.split_at(cut);
            assert_eq!(count(&[start, end]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(count(&bytes), whole);
    }
}
