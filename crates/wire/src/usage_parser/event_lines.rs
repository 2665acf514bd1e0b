//! Reads an event stream line by line (HTML, "Server-sent events", event stream interpretation).

use super::document::Document;
use super::short_text::ShortText;
use super::usage_fields::UsageFields;

/// The byte order mark that a stream may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The data of the event that ends `OpenAI`'s streams.
const DONE: &[u8] = b"[DONE]";

/// The meaning of the last event for the end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventMeaning {
    /// Another event follows.
    Open,
    /// The event ends the stream.
    End,
    /// An error, which also ends the stream.
    Error,
}

/// Splits a stream into lines, fields and events.
#[derive(Debug, Clone)]
pub(super) struct EventLines {
    state: LineState,
    /// The last byte was CR; a following LF belongs to the same line break.
    after_cr: bool,
    /// No line has ended yet.
    first: bool,
    /// The field name of the current line.
    field_name: ShortText,
    /// The current event's name.
    event_name: ShortText,
    /// The current event has data.
    has_data: bool,
    /// Number of bytes of [`DONE`] matched; `None` if the data differs from [`DONE`].
    done_matched: Option<usize>,
    /// The current event's data, parsed as JSON.
    document: Document,
    /// The merged fields of all events so far.
    pub(super) fields: UsageFields,
    /// The meaning of the last complete event.
    pub(super) last_event: EventMeaning,
}

/// The position of the next byte within a line.
#[derive(Debug, Clone, Copy)]
enum LineState {
    Start,
    Field,
    /// After the colon, where one space is ignored.
    AfterColon(EventField),
    Value(EventField),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventField {
    Data,
    Event,
    Other,
}

/// The depth to which event data is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadDepth {
    /// Parse the data as JSON; the event may be relevant.
    Json,
    /// Only split lines; the event is known to be irrelevant.
    Lines,
}

impl EventLines {
    pub(super) fn new() -> Self {
        Self {
            state: LineState::Start,
            after_cr: false,
            first: true,
            field_name: ShortText::new(),
            event_name: ShortText::new(),
            has_data: false,
            done_matched: Some(0),
            document: Document::Start,
            fields: UsageFields::default(),
            last_event: EventMeaning::Open,
        }
    }

    /// No event has begun.
    pub(super) fn is_between_events(&self) -> bool {
        matches!(self.state, LineState::Start)
            && !self.after_cr
            && !self.first
            && !self.has_data
            && self.event_name.is_empty()
    }

    /// Takes bytes through the next line end. Returns the number of bytes taken.
    pub(super) fn read_line(&mut self, bytes: &[u8], depth: ReadDepth) -> usize {
        if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
            return 1;
        }
        let end = memchr::memchr2(b'\r', b'\n', bytes);
        let content = bytes.get(..end.unwrap_or(bytes.len()));
        self.read_content(content.unwrap_or_default(), depth);
        let Some(end) = end else {
            return bytes.len();
        };
        self.after_cr = bytes.get(end) == Some(&b'\r');
        self.end_line();
        end + 1
    }

    /// Takes all bytes. Returns true if an event with data has ended.
    pub(super) fn read(&mut self, mut bytes: &[u8], depth: ReadDepth) -> bool {
        let mut ended = false;
        while !bytes.is_empty() {
            let had_data = self.has_data;
            let taken = self.read_line(bytes, depth);
            ended |= had_data && !self.has_data;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        ended
    }

    fn read_content(&mut self, mut bytes: &[u8], depth: ReadDepth) {
        if bytes.is_empty() {
            return;
        }
        if matches!(self.state, LineState::Start) {
            self.field_name.clear();
            self.state = LineState::Field;
        }
        if matches!(self.state, LineState::Field) {
            let colon = memchr::memchr(b':', bytes);
            let (name, rest) = bytes.split_at(colon.unwrap_or(bytes.len()));
            self.field_name.extend(name);
            if colon.is_none() {
                return;
            }
            self.state = LineState::AfterColon(self.begin_value(depth));
            bytes = rest.get(1..).unwrap_or_default();
        }
        if let (LineState::AfterColon(field), Some(first)) = (self.state, bytes.first()) {
            bytes = bytes.get(usize::from(*first == b' ')..).unwrap_or_default();
            self.state = LineState::Value(field);
        }
        match self.state {
            LineState::Value(EventField::Data) => self.read_data(bytes, depth),
            LineState::Value(EventField::Event) => self.event_name.extend(bytes),
            _ => {}
        }
    }

    /// Ends a field name.
    fn begin_value(&mut self, depth: ReadDepth) -> EventField {
        let mut name = self.field_name.text();
        if self.first {
            name = name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name);
        }
        match name {
            b"data" => {
                if self.has_data {
                    self.read_data(b"\n", depth);
                }
                self.has_data = true;
                EventField::Data
            }
            b"event" => {
                self.event_name.clear();
                EventField::Event
            }
            _ => EventField::Other,
        }
    }

    fn read_data(&mut self, bytes: &[u8], depth: ReadDepth) {
        if bytes.is_empty() {
            return;
        }
        self.done_matched = self.done_matched.and_then(|matched| {
            let end = matched + bytes.len();
            (DONE.get(matched..end) == Some(bytes)).then_some(end)
        });
        if depth == ReadDepth::Json {
            self.document.feed(bytes);
        }
    }

    fn end_line(&mut self) {
        match self.state {
            LineState::Start => self.end_event(),
            // A line without a colon is a field with an empty value.
            LineState::Field => drop(self.begin_value(ReadDepth::Json)),
            LineState::AfterColon(_) | LineState::Value(_) => {}
        }
        self.state = LineState::Start;
        self.first = false;
    }

    /// Handles an empty line, which ends the event if it has data.
    fn end_event(&mut self) {
        if self.has_data {
            self.last_event = match self.event_name.text() {
                _ if self.done_matched == Some(DONE.len()) => EventMeaning::End,
                b"message_stop" | b"response.completed" | b"response.incomplete" => {
                    EventMeaning::End
                }
                b"error" | b"response.failed" => EventMeaning::Error,
                _ => EventMeaning::Open,
            };
            if let Some(fields) = self.document.fields().filter(|fields| fields.is_relevant) {
                if fields.stop {
                    self.last_event = EventMeaning::End;
                }
                self.fields.merge_event(fields);
            }
            self.document = Document::Start;
        }
        self.event_name.clear();
        self.has_data = false;
        self.done_matched = Some(0);
    }

    /// Records a skipped event of one data line whose JSON is irrelevant.
    pub(super) fn skip_plain_event(&mut self) {
        self.last_event = EventMeaning::Open;
    }
}
