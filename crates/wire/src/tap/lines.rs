use super::document::Document;
use super::said::Said;
use super::word::Word;

/// The mark that a stream may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The data of the event that ends `OpenAI`'s streams.
const DONE: &[u8] = b"[DONE]";

/// How the last event was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// Another was to follow.
    Open,
    /// It was the last.
    End,
    /// An error, the last too.
    Error,
}

/// Reads an event stream line by line (HTML, "Server-sent events", event stream interpretation).
#[derive(Debug, Clone)]
pub(super) struct Lines {
    at: At,
    /// The last byte was CR: LF, if it comes next, belongs to it.
    after_cr: bool,
    /// No line has ended yet.
    first: bool,
    /// The name of the field that a line holds.
    field: Word,
    /// The event's name.
    name: Word,
    /// The event has data.
    has_data: bool,
    /// So many bytes of the data are those of [`DONE`], and there are no others.
    done: Option<usize>,
    /// The data, as JSON.
    document: Document,
    /// What all events state, and how the last was meant.
    pub(super) said: Said,
    pub(super) last: Last,
}

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy)]
enum At {
    Start,
    Field,
    /// Behind the colon: one space does not count.
    Space(Field),
    Value(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Other,
}

/// Whether an event's data is read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// It may count.
    Json,
    /// It is known not to.
    Lines,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            after_cr: false,
            first: true,
            field: Word::new(),
            name: Word::new(),
            has_data: false,
            done: Some(0),
            document: Document::Start,
            said: Said::default(),
            last: Last::Open,
        }
    }

    /// No event has begun.
    pub(super) fn is_between_events(&self) -> bool {
        matches!(self.at, At::Start)
            && !self.after_cr
            && !self.first
            && !self.has_data
            && self.name.is_empty()
    }

    /// Takes bytes up to and with the next line's end. Returns how many that were.
    pub(super) fn line(&mut self, bytes: &[u8], depth: Depth) -> usize {
        if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
            return 1;
        }
        let end = memchr::memchr2(b'\r', b'\n', bytes);
        let content = bytes.get(..end.unwrap_or(bytes.len()));
        self.content(content.unwrap_or_default(), depth);
        let Some(end) = end else {
            return bytes.len();
        };
        self.after_cr = bytes.get(end) == Some(&b'\r');
        self.end_line();
        end + 1
    }

    /// Takes all of these. Says whether an event with data has ended.
    pub(super) fn read(&mut self, mut bytes: &[u8], depth: Depth) -> bool {
        let mut ended = false;
        while !bytes.is_empty() {
            let had_data = self.has_data;
            let taken = self.line(bytes, depth);
            ended |= had_data && !self.has_data;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        ended
    }

    fn content(&mut self, mut bytes: &[u8], depth: Depth) {
        if bytes.is_empty() {
            return;
        }
        if matches!(self.at, At::Start) {
            self.field.clear();
            self.at = At::Field;
        }
        if matches!(self.at, At::Field) {
            let colon = memchr::memchr(b':', bytes);
            let (name, rest) = bytes.split_at(colon.unwrap_or(bytes.len()));
            self.field.extend(name);
            if colon.is_none() {
                return;
            }
            self.at = At::Space(self.begin_value(depth));
            bytes = rest.get(1..).unwrap_or_default();
        }
        if let (At::Space(field), Some(first)) = (self.at, bytes.first()) {
            bytes = bytes.get(usize::from(*first == b' ')..).unwrap_or_default();
            self.at = At::Value(field);
        }
        match self.at {
            At::Value(Field::Data) => self.data(bytes, depth),
            At::Value(Field::Event) => self.name.extend(bytes),
            _ => {}
        }
    }

    /// A field's name has ended.
    fn begin_value(&mut self, depth: Depth) -> Field {
        let mut name = self.field.text();
        if self.first {
            name = name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name);
        }
        match name {
            b"data" => {
                if self.has_data {
                    self.data(b"\n", depth);
                }
                self.has_data = true;
                Field::Data
            }
            b"event" => {
                self.name.clear();
                Field::Event
            }
            _ => Field::Other,
        }
    }

    fn data(&mut self, bytes: &[u8], depth: Depth) {
        if bytes.is_empty() {
            return;
        }
        self.done = self.done.and_then(|matched| {
            let end = matched + bytes.len();
            (DONE.get(matched..end) == Some(bytes)).then_some(end)
        });
        if depth == Depth::Json {
            self.document.feed(bytes);
        }
    }

    fn end_line(&mut self) {
        match self.at {
            At::Start => self.end_event(),
            // A name alone is a field too, and its value empty.
            At::Field => drop(self.begin_value(Depth::Json)),
            At::Space(_) | At::Value(_) => {}
        }
        self.at = At::Start;
        self.first = false;
    }

    /// An empty line: the event has ended, if it has data.
    fn end_event(&mut self) {
        if self.has_data {
            self.last = match self.name.text() {
                _ if self.done == Some(DONE.len()) => Last::End,
                b"message_stop" | b"response.completed" | b"response.incomplete" => Last::End,
                b"error" | b"response.failed" => Last::Error,
                _ => Last::Open,
            };
            if let Some(said) = self.document.said().filter(|said| said.counts) {
                if said.stop {
                    self.last = Last::End;
                }
                self.said.take(said);
            }
            self.document = Document::Start;
        }
        self.name.clear();
        self.has_data = false;
        self.done = Some(0);
    }

    /// An event of one line has passed, whose data is JSON that does not count.
    pub(super) fn pass_plain(&mut self) {
        self.last = Last::Open;
    }
}
