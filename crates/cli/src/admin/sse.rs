//! Parses server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) whose data is a single
//! line. paddock and llama-server write no others.

/// Longest line to buffer. Lines of paddock and llama-server are shorter.
const MAX_LINE_BYTES: usize = 8 << 20;

/// An incremental parser.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    /// Start of a line whose end has not been received yet.
    buffer: Vec<u8>,
    /// Type of the next event.
    name: String,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The event's type; empty if absent.
    pub(crate) name: String,
    /// The event's data.
    pub(crate) data: Vec<u8>,
}

/// A line exceeds [`MAX_LINE_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

impl SseParser {
    /// Adds bytes and returns the events that are now complete.
    ///
    /// # Errors
    /// An incomplete line is too long, so the bytes are probably no stream of events.
    pub(crate) fn parse(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, LineTooLong> {
        self.buffer.extend_from_slice(bytes);
        let end = self.buffer.iter().rposition(|byte| *byte == b'\n');
        let rest = self.buffer.split_off(end.map_or(0, |end| end + 1));
        let lines = std::mem::replace(&mut self.buffer, rest);
        if self.buffer.len() > MAX_LINE_BYTES {
            return Err(LineTooLong);
        }
        let mut events = Vec::new();
        for line in lines.split(|byte| *byte == b'\n') {
            // Comments, other fields and empty lines are ignored.
            if let Some(name) = line.strip_prefix(b"event:") {
                self.name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
            } else if let Some(data) = line.strip_prefix(b"data:") {
                events.push(SseEvent {
                    name: std::mem::take(&mut self.name),
                    data: data.trim_ascii().to_vec(),
                });
            }
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_wherever_they_are_cut() {
        let stream = b": a comment\n\nevent: x\ndata: {\"a\":1}\r\n\ndata:{\"b\":2}\n\nid: 7\n";
        for cut in 0..stream.len() {
            let mut sse = SseParser::default();
            let (one, two) = stream.split_at(cut);
            let mut events = sse.parse(one).unwrap();
            events.extend(sse.parse(two).unwrap());
            let event = |name: &str, data: &str| SseEvent {
                name: name.to_owned(),
                data: data.as_bytes().to_vec(),
            };
            let expected = [event("x", "{\"a\":1}"), event("", "{\"b\":2}")];
            assert_eq!(events, expected, "{cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut sse = SseParser::default();
        assert_eq!(sse.parse(&vec![b'x'; MAX_LINE_BYTES]), Ok(Vec::new()));
        assert_eq!(sse.parse(b"x"), Err(LineTooLong));
    }
}
