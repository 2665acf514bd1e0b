//! What an answer says of itself, read beside the stream.
//!
//! The relay hands the tap each piece of an answer's body as it passes, and asks at the end:
//!
//! ```
//! use paddock_wire::{Outcome, ResponseHead, Tap, Version};
//!
//! let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
//! let head = ResponseHead::parse(head, false, Version::Http11)?;
//! let mut tap = Tap::of(&head);
//! tap.feed(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"comple");
//! tap.feed(b"tion_tokens\":8}}\n\ndata: [DONE]\n\n");
//! let report = tap.report();
//! assert_eq!(report.usage.generated_tokens, Some(8));
//! assert_eq!(report.outcome, Outcome::Ended);
//! # Ok::<(), paddock_wire::Malformed>(())
//! ```
//!
//! It keeps no byte of the body and allocates nothing: [`Tap`] is all the memory there is.
//!
//! What is read are `OpenAI`'s `usage` (chat, completions, embeddings, Responses, and llama-server's
//! rerank), Anthropic's `usage`, and llama-server's own `timings`, `tokens_evaluated` and
//! `tokens_predicted`. Its `tokens_cached` is not: that is how much the slot holds afterwards,
//! not what the cache has served.
//!
//! It says "unknown" rather than guess:
//!
//! - of a body with a content coding, of another type than `text/event-stream` and
//!   `application/json`, or of another status than 2xx, nothing is read;
//! - what is not JSON, or is cut short, states nothing. The strings and arrays that are passed
//!   over are not checked;
//! - of several answers in one (`n`, or several prompts), llama-server counts one: there, all
//!   numbers are unknown. A body that is an array is not read;
//! - events are never stated as tokens. Their number is known by itself, if it is asked for
//!   ([`Tap::count_events`]).

mod count;
mod document;
mod events;
mod lines;
mod members;
mod said;
mod signs;
mod steps;
mod whole;
mod word;

use crate::ResponseHead;
use count::EventCount;
use document::Document;
use events::Events;
use lines::Last;
use said::Said;
use std::time::Duration;

/// An answer's tokens and times, as far as it states them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The prompt's tokens, those the cache has served among them.
    pub prompt_tokens: Option<u64>,
    /// How many of these the cache has served.
    pub cached_tokens: Option<u64>,
    /// The tokens that were generated. Of a stream that was cut: the last number it stated.
    pub generated_tokens: Option<u64>,
    /// How long llama-server worked on the prompt, without what the cache has served.
    pub prompt_time: Option<Duration>,
    /// How long it generated.
    pub generation_time: Option<Duration>,
}

/// How a body ended, by its own signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not read, so there is no telling.
    Unread,
    /// It has not shown its end.
    Open,
    /// It is a whole JSON object, or its last event was the one its dialect ends with: `[DONE]`,
    /// `message_stop`, `response.completed` (or `.incomplete`), `"stop":true`.
    Ended,
    /// It holds an error: a member `error` at the top, or a last event of that name.
    Failed,
}

/// What is known of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How many bytes it had, framing not counted.
    pub bytes: u64,
    /// Its tokens and times.
    pub usage: Usage,
    /// How it ended.
    pub outcome: Outcome,
    /// There are several answers in it, so that its numbers are unknown.
    pub several: bool,
    /// The events of a stream so far, comments left out; 0 unless they are counted.
    pub events: u64,
}

/// Reads an answer's body while it passes. The module's documentation says what it reads.
#[derive(Debug, Clone)]
pub struct Tap {
    bytes: u64,
    reads: Reads,
    /// Of an event stream, if they are asked for.
    events: Option<EventCount>,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a tap stands beside every answer, and none is worth an allocation"
)]
enum Reads {
    Nothing,
    Json(Document),
    Events(Events),
}

/// A tap while it reads what has come at once. What it holds back is read when it is dropped.
#[derive(Debug)]
pub struct Reading<'a> {
    tap: &'a mut Tap,
    /// An event that lies whole in what has come may count.
    may_count: bool,
    /// Events that are not read yet: if others follow, they say nothing.
    newest: Option<&'a [u8]>,
}

impl<'a> Reading<'a> {
    /// Takes the next piece of the body in it ([`Body::follow_with`](crate::Body::follow_with) tells which
    /// bytes these are).
    pub fn feed(&mut self, piece: &'a [u8]) {
        self.tap.bytes += piece.len() as u64;
        match &mut self.tap.reads {
            Reads::Nothing => {}
            Reads::Json(document) => document.feed(piece),
            Reads::Events(events) => {
                if let Some(count) = &mut self.tap.events {
                    count.feed(piece);
                }
                let between = self.newest.is_some() || events.is_between();
                if !self.may_count && between && events::are_whole(piece) {
                    self.newest = Some(piece);
                    return;
                }
                if let Some(newest) = self.newest.take() {
                    events.feed(newest, self.may_count);
                }
                events.feed(piece, self.may_count);
            }
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let (Reads::Events(events), Some(newest)) = (&mut self.tap.reads, self.newest) {
            events.feed(newest, self.may_count);
        }
    }
}

impl Tap {
    /// A tap for the answer with this head.
    pub fn of(head: &ResponseHead) -> Self {
        let reads = match head.status {
            200..300 if head.is_encoded => Reads::Nothing,
            200..300 if head.is_event_stream => Reads::Events(Events::new()),
            200..300 if head.is_json => Reads::Json(Document::Start),
            _ => Reads::Nothing,
        };
        Self {
            bytes: 0,
            reads,
            events: None,
        }
    }

    /// Counts the events of a stream too, from here on: each byte is then looked at once more.
    pub fn count_events(&mut self) {
        self.events = Some(EventCount::new());
    }

    /// Takes the next bytes of the body, framing not counted, in pieces of any size.
    pub fn feed(&mut self, piece: &[u8]) {
        self.read(piece).feed(piece);
    }

    /// Begins to read what has just come, framing and all: what can be told of it at once is not looked for
    /// in each piece of the body that it holds.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Reading<'a> {
        let may_count = matches!(self.reads, Reads::Events(_)) && signs::are_in(bytes);
        Reading {
            tap: self,
            may_count,
            newest: None,
        }
    }

    /// How many bytes have passed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is known by now; at the end of the body, what is known of it.
    pub fn report(&self) -> Report {
        let (said, ended) = match &self.reads {
            Reads::Nothing => (None, None),
            Reads::Json(document) => {
                let said = document.said();
                (said, Some(said.map_or(Last::Open, |_| Last::End)))
            }
            Reads::Events(events) => {
                let (said, last) = events.said();
                (Some(said), Some(last))
            }
        };
        let outcome = match ended {
            None => Outcome::Unread,
            Some(_) if said.is_some_and(|said| said.error) => Outcome::Failed,
            Some(Last::Error) => Outcome::Failed,
            Some(Last::End) => Outcome::Ended,
            Some(Last::Open) => Outcome::Open,
        };
        Report {
            bytes: self.bytes,
            usage: said.map(Said::usage).unwrap_or_default(),
            outcome,
            several: said.is_some_and(|said| said.several),
            events: self.events.as_ref().map_or(0, EventCount::events),
        }
    }
}
