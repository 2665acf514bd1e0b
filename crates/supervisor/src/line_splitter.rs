//! Splits a stream of bytes into lines in bounded memory.

use std::borrow::Cow;

/// Collects bytes until a newline. Only the first `limit` bytes of a longer line are kept.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    buffer: Vec<u8>,
    limit: usize,
    /// True if the current line has been handed over already and the rest of it is dropped.
    skipping: bool,
}

impl LineSplitter {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            limit,
            skipping: false,
        }
    }

    /// Takes a piece of the stream and hands over each line that ends in it, without its newline.
    ///
    /// A line that reaches the limit is handed over at that moment, so that even a line that never ends is
    /// seen.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let whole = &bytes[..end];
            bytes = &bytes[end + 1..];
            if self.buffer.is_empty() && !self.skipping && end <= self.limit {
                line(strip_carriage_return(whole));
                continue;
            }
            self.extend(whole, &mut line);
            self.finish(&mut line);
        }
        self.extend(bytes, &mut line);
    }

    /// Ends the stream: hands over a last line without newline.
    pub(crate) fn end(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.buffer.is_empty() {
            self.finish(&mut line);
        }
    }

    /// Adds bytes to the current line; hands the line over as soon as it exceeds the limit.
    fn extend(&mut self, bytes: &[u8], line: &mut impl FnMut(&[u8])) {
        if self.skipping {
            return;
        }
        let room = self.limit - self.buffer.len();
        self.buffer
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            line(&self.buffer);
            self.buffer.clear();
            self.skipping = true;
        }
    }

    /// Ends the current line; hands it over unless that has been done already.
    fn finish(&mut self, line: &mut impl FnMut(&[u8])) {
        if !self.skipping {
            line(strip_carriage_return(&self.buffer));
        }
        self.buffer.clear();
        self.skipping = false;
    }
}

/// Decodes a line for people: replaces invalid UTF-8, and keeps at most `limit` bytes.
pub(crate) fn decode_line(line: &[u8], limit: usize) -> Cow<'_, str> {
    let mut text = String::from_utf8_lossy(&line[..line.len().min(limit)]);
    if text.len() > limit {
        let end = text.floor_char_boundary(limit);
        text.to_mut().truncate(end);
    }
    text
}

fn strip_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `pieces` with a limit of 8 bytes.
    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = LineSplitter::new(8);
        let mut seen = Vec::new();
        for piece in pieces {
            lines.push(piece, |line| {
                seen.push(String::from_utf8_lossy(line).into_owned());
            });
        }
        lines.end(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
        seen
    }

    #[test]
    fn lines_are_the_same_however_the_pieces_fall() {
        let stream = b"one\ntwo\r\n\nlong-long-long\nfour\nlast";
        let want = ["one", "two", "", "long-lon", "four", "last"];
        for size in 1..=stream.len() {
            let pieces: Vec<_> = stream.chunks(size).collect();
            assert_eq!(split(&pieces), want, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        assert_eq!(split(&[b"12345678\n9\n"]), ["12345678", "9"]);
    }

    #[test]
    fn an_endless_line_is_heard_once_and_does_not_grow() {
        let mut lines = LineSplitter::new(8);
        let mut seen = 0;
        for _ in 0..10_000 {
            lines.push(&[b'x'; 1000], |_| seen += 1);
            assert!(lines.buffer.capacity() <= 64);
        }
        lines.end(|_| seen += 1);
        assert_eq!(seen, 1);
    }

    #[test]
    fn text_is_bounded_also_where_decoding_makes_it_longer() {
        let decoded = decode_line(&[0xff; 5000], 4096);
        assert!(decoded.len() <= 4096 && decoded.starts_with('\u{fffd}'));
        assert_eq!(decode_line("aé".as_bytes(), 2), "a");
    }
}
