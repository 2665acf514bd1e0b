//! Reads tokens, times and the outcome from a response body while the body passes.
//!
//! The relay feeds the parser each piece of a response body as it passes, and asks for a report at
//! the end:
//!
//! ```
//! use paddock_wire::{BodyOutcome, ResponseHead, UsageParser, Version};
//!
//! let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
//! let head = ResponseHead::parse(head, false, Version::Http11)?;
//! let mut parser = UsageParser::for_response(&head);
//! parser.feed(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"comple");
//! parser.feed(b"tion_tokens\":8}}\n\ndata: [DONE]\n\n");
//! let report = parser.report();
//! assert_eq!(report.usage.generated_tokens, Some(8));
//! assert_eq!(report.outcome, BodyOutcome::Ended);
//! # Ok::<(), paddock_wire::InvalidResponse>(())
//! ```
//!
//! The parser stores no body bytes and allocates nothing; [`UsageParser`] is its whole memory.
//!
//! The parser reads `OpenAI`'s `usage` (chat, completions, embeddings, Responses, and llama-server's
//! rerank), Anthropic's `usage`, and llama-server's own `timings`, `tokens_evaluated` and
//! `tokens_predicted`. It ignores llama-server's `tokens_cached`, the number of tokens in the slot
//! afterwards, not the number that the cache served.
//!
//! The report says "unknown" rather than guess:
//!
//! - A body with a content coding, with a type other than `text/event-stream` and
//!   `application/json`, or with a status other than 2xx is not read.
//! - Invalid or truncated JSON states nothing. Skipped strings and arrays are not validated.
//! - If a response has several choices (`n`, or several prompts), llama-server counts one of them,
//!   so all numbers are unknown. A body that is an array is not read.
//! - Events are never reported as tokens. Their number is reported separately if the caller asks
//!   for it ([`UsageParser::count_events`]).

mod document;
mod event_count;
mod event_lines;
mod event_stream;
mod incremental;
mod markers;
mod members;
mod short_text;
mod single_pass;
mod usage_fields;

use crate::ResponseHead;
use document::Document;
use event_count::EventCount;
use event_lines::EventMeaning;
use event_stream::EventStream;
use std::time::Duration;
use usage_fields::UsageFields;

/// The tokens and times that a response states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens, including those that the cache served.
    pub prompt_tokens: Option<u64>,
    /// Prompt tokens that the cache served.
    pub cached_tokens: Option<u64>,
    /// Generated tokens; for a truncated stream the last number it stated.
    pub generated_tokens: Option<u64>,
    /// llama-server's time for evaluating the prompt, without cached tokens.
    pub prompt_time: Option<Duration>,
    /// llama-server's time for generating.
    pub generation_time: Option<Duration>,
}

/// The end of a response body, judged by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyOutcome {
    /// The body was not read.
    Unread,
    /// The body has not shown its end.
    Open,
    /// The body is a complete JSON object, or its last event ends a stream of its dialect:
    /// `[DONE]`, `message_stop`, `response.completed` (or `.incomplete`), `"stop":true`.
    Ended,
    /// The body states an error: a top-level member `error`, or a last event of that name.
    Failed,
}

/// The facts known about a response body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageReport {
    /// Body bytes, without framing.
    pub bytes: u64,
    /// Tokens and times.
    pub usage: Usage,
    /// The end of the body.
    pub outcome: BodyOutcome,
    /// The response has several choices, so its numbers are unknown.
    pub has_multiple_choices: bool,
    /// Events of the stream so far, without comments; 0 unless counting is on.
    pub events: u64,
}

/// Reads a response body while it passes; see the module documentation.
#[derive(Debug, Clone)]
pub struct UsageParser {
    bytes: u64,
    format: Format,
    /// Counts the events of a stream, if requested.
    event_count: Option<EventCount>,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a parser stands beside every answer, and none is worth an allocation"
)]
enum Format {
    Ignored,
    Json(Document),
    EventStream(EventStream),
}

/// Feeds the pieces of one network read to the parser. Deferred events are read on drop.
#[derive(Debug)]
pub struct BatchReader<'a> {
    parser: &'a mut UsageParser,
    /// The read contains a marker, so a complete event in it may be relevant.
    has_marker: bool,
    /// Complete events not read yet; irrelevant if others follow.
    deferred: Option<&'a [u8]>,
}

impl<'a> BatchReader<'a> {
    /// Takes the next piece of body data in this read, as
    /// [`Body::follow_with`](crate::Body::follow_with) passes it.
    pub fn feed(&mut self, piece: &'a [u8]) {
        self.parser.bytes += piece.len() as u64;
        match &mut self.parser.format {
            Format::Ignored => {}
            Format::Json(document) => document.feed(piece),
            Format::EventStream(events) => {
                if let Some(count) = &mut self.parser.event_count {
                    count.feed(piece);
                }
                let between = self.deferred.is_some() || events.is_between_events();
                if !self.has_marker && between && event_stream::are_complete_events(piece) {
                    self.deferred = Some(piece);
                    return;
                }
                if let Some(deferred) = self.deferred.take() {
                    events.feed(deferred, self.has_marker);
                }
                events.feed(piece, self.has_marker);
            }
        }
    }
}

impl Drop for BatchReader<'_> {
    fn drop(&mut self) {
        if let (Format::EventStream(events), Some(deferred)) =
            (&mut self.parser.format, self.deferred)
        {
            events.feed(deferred, self.has_marker);
        }
    }
}

impl UsageParser {
    /// Creates the parser for the body of the response with this head.
    pub fn for_response(head: &ResponseHead) -> Self {
        let format = match head.status {
            200..300 if head.is_encoded => Format::Ignored,
            200..300 if head.is_event_stream => Format::EventStream(EventStream::new()),
            200..300 if head.is_json => Format::Json(Document::Start),
            _ => Format::Ignored,
        };
        Self {
            bytes: 0,
            format,
            event_count: None,
        }
    }

    /// Starts counting the events of a stream, which examines each byte once more.
    pub fn count_events(&mut self) {
        self.event_count = Some(EventCount::new());
    }

    /// Takes the next body bytes, without framing, in pieces of any size.
    pub fn feed(&mut self, piece: &[u8]) {
        self.begin_batch(piece).feed(piece);
    }

    /// Begins a batch for the bytes of one network read, framing included. Searching the whole read
    /// for markers once is cheaper than searching each piece of the body.
    pub fn begin_batch<'a>(&'a mut self, bytes: &'a [u8]) -> BatchReader<'a> {
        let has_marker =
            matches!(self.format, Format::EventStream(_)) && markers::contain_marker(bytes);
        BatchReader {
            parser: self,
            has_marker,
            deferred: None,
        }
    }

    /// Returns the number of body bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the facts known so far; final at the end of the body.
    pub fn report(&self) -> UsageReport {
        let (fields, ended) = match &self.format {
            Format::Ignored => (None, None),
            Format::Json(document) => {
                let fields = document.fields();
                (
                    fields,
                    Some(fields.map_or(EventMeaning::Open, |_| EventMeaning::End)),
                )
            }
            Format::EventStream(events) => {
                let (fields, last) = events.fields();
                (Some(fields), Some(last))
            }
        };
        let outcome = match ended {
            None => BodyOutcome::Unread,
            Some(_) if fields.is_some_and(|fields| fields.error) => BodyOutcome::Failed,
            Some(EventMeaning::Error) => BodyOutcome::Failed,
            Some(EventMeaning::End) => BodyOutcome::Ended,
            Some(EventMeaning::Open) => BodyOutcome::Open,
        };
        UsageReport {
            bytes: self.bytes,
            usage: fields.map(UsageFields::compute_usage).unwrap_or_default(),
            outcome,
            has_multiple_choices: fields.is_some_and(|fields| fields.has_multiple_choices),
            events: self.event_count.as_ref().map_or(0, EventCount::events),
        }
    }
}
