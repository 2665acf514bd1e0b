//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), as paddock and
//! llama-server write them: each has one line of data.

/// The longest line; neither writes longer ones.
const LONGEST: usize = 8 << 20;

/// Takes events out of bytes.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    ahead: Vec<u8>,
    name: String,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// What it is called; empty where it has no name.
    pub(crate) name: String,
    /// What it says.
    pub(crate) data: Vec<u8>,
}

/// What comes has no line's end, and is given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Sse {
    /// The events that are whole with these bytes.
    ///
    /// # Errors
    /// What comes is no stream of events.
    pub(crate) fn events(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        self.ahead.extend_from_slice(bytes);
        let end = self.ahead.iter().rposition(|byte| *byte == b'\n');
        let rest = self.ahead.split_off(end.map_or(0, |end| end + 1));
        let lines = std::mem::replace(&mut self.ahead, rest);
        if self.ahead.len() > LONGEST {
            return Err(TooLong);
        }
        let mut events = Vec::new();
        for line in lines.split(|byte| *byte == b'\n') {
            // Comments, other fields and empty lines say nothing here.
            if let Some(name) = line.strip_prefix(b"event:") {
                self.name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
            } else if let Some(data) = line.strip_prefix(b"data:") {
                events.push(Event {
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
            let mut sse = Sse::default();
            let (one, two) = stream.split_at(cut);
            let mut events = sse.events(one).unwrap();
            events.extend(sse.events(two).unwrap());
            let event = |name: &str, data: &str| Event {
                name: name.to_owned(),
                data: data.as_bytes().to_vec(),
            };
            let expected = [event("x", "{\"a\":1}"), event("", "{\"b\":2}")];
            assert_eq!(events, expected, "{cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut sse = Sse::default();
        assert_eq!(sse.events(&vec![b'x'; LONGEST]), Ok(Vec::new()));
        assert_eq!(sse.events(b"x"), Err(TooLong));
    }
}
