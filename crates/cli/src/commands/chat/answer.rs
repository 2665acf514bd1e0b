//! Parses a model's answer, which arrives as server-sent events, and collects its text and token usage.

use std::time::Duration;

use serde_json::Value;

use crate::admin::{CommandError, SseParser, parse_refusal};

/// An incremental parser of a streamed answer.
#[derive(Debug, Default)]
pub(super) struct AnswerParser {
    sse: SseParser,
    /// Set once `[DONE]`, the last event, has been received.
    done: bool,
}

/// A part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AnswerPiece {
    /// A part of the reasoning.
    Reasoning(String),
    /// A part of the answer itself.
    Text(String),
}

/// The collected parts of an answer.
#[derive(Debug, Default)]
pub(super) struct CollectedAnswer {
    /// The answer without the reasoning.
    pub(super) text: String,
    /// Time from the request to the first part.
    first_piece_after: Option<Duration>,
    /// Time from the request to the last part so far.
    last_piece_after: Duration,
    /// Set if the answer ended at the token limit.
    is_truncated: bool,
    usage: Value,
    /// llama-server's `timings` object.
    timings: Value,
}

impl AnswerParser {
    /// Adds bytes and returns the events that are now complete.
    ///
    /// # Errors
    /// An incomplete line is too long, so the bytes are probably no stream of events.
    pub(super) fn parse(&mut self, bytes: &[u8]) -> Result<Vec<Value>, CommandError> {
        let sse_events = self
            .sse
            .parse(bytes)
            .map_err(|_| CommandError::AnswerTruncated)?;
        let mut events = Vec::new();
        for event in sse_events {
            match event.data.as_slice() {
                b"[DONE]" => self.done = true,
                data => events.extend(serde_json::from_slice::<Value>(data)),
            }
        }
        Ok(events)
    }

    /// Returns whether the answer is complete.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }
}

impl CollectedAnswer {
    /// Adds an event that arrived `after` the request was sent, and returns the part to print.
    ///
    /// # Errors
    /// The event is an error.
    pub(super) fn add_event(
        &mut self,
        event: &Value,
        after: Duration,
    ) -> Result<Option<AnswerPiece>, CommandError> {
        if let Some(error) = event.get("error") {
            let refused = parse_refusal(event.to_string().as_bytes());
            return Err(refused.unwrap_or_else(|| CommandError::Refused {
                message: crate::output::printable(&error.to_string()),
                code: None,
            }));
        }
        for (kept, value) in [
            (&mut self.usage, &event["usage"]),
            (&mut self.timings, &event["timings"]),
        ] {
            if value.is_object() {
                kept.clone_from(value);
            }
        }
        let choice = &event["choices"][0];
        self.is_truncated |= choice["finish_reason"] == "length";
        let delta = |name: &str| {
            let text = choice["delta"][name].as_str();
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let piece = delta("content").map(AnswerPiece::Text);
        let piece = piece.or_else(|| delta("reasoning_content").map(AnswerPiece::Reasoning));
        if let Some(piece) = &piece {
            self.first_piece_after.get_or_insert(after);
            self.last_piece_after = after;
            if let AnswerPiece::Text(text) = piece {
                self.text.push_str(text);
            }
        }
        Ok(piece)
    }

    /// Formats the usage as far as it is known: tokens, their rate, the time to the first.
    pub(super) fn format_usage(&self) -> Option<String> {
        let first = self.first_piece_after?;
        let mut line = Vec::new();
        let tokens = self.usage["completion_tokens"].as_u64();
        if let Some(tokens) = tokens.or_else(|| self.timings["predicted_n"].as_u64()) {
            let word = if tokens == 1 { "token" } else { "tokens" };
            line.push(match self.rate(tokens, first) {
                Some(rate) => format!("{tokens} {word} at {rate:.1} tok/s"),
                None => format!("{tokens} {word}"),
            });
        }
        line.push(format!("first token after {:.2} s", first.as_secs_f64()));
        if let Some(prompt) = self.usage["prompt_tokens"].as_u64() {
            let cached = self.usage["prompt_tokens_details"]["cached_tokens"].as_u64();
            let cached = cached.filter(|cached| *cached > 0);
            let cached = cached.map_or_else(String::new, |cached| format!(" ({cached} cached)"));
            line.push(format!("prompt {prompt}{cached}"));
        }
        if self.is_truncated {
            line.push("truncated at the token limit".to_owned());
        }
        Some(line.join(", "))
    }

    /// Returns tokens per second as the engine states them, else as measured after the first token.
    fn rate(&self, tokens: u64, first: Duration) -> Option<f64> {
        if let Some(rate) = self.timings["predicted_per_second"].as_f64() {
            return Some(rate);
        }
        let seconds = self.last_piece_after.saturating_sub(first).as_secs_f64();
        let after = u32::try_from(tokens.checked_sub(1)?).ok()?;
        (seconds > 0.0).then(|| f64::from(after) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AFTER: Duration = Duration::from_millis(250);

    fn delta(name: &str, text: &str) -> Value {
        json!({ "choices": [{ "delta": { name: text }, "finish_reason": null }] })
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut reading = AnswerParser::default();
        let events = reading.parse(b"data: {\"a\":1}\n\ndata: [DO").unwrap();
        assert_eq!(events, [json!({ "a": 1 })]);
        assert!(!reading.is_done());
        assert_eq!(reading.parse(b"NE]\n\n").unwrap(), [Value::Null; 0]);
        assert!(reading.is_done());
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        let mut written = CollectedAnswer::default();
        let mut take = |event| written.add_event(&event, AFTER).unwrap();
        let thought = AnswerPiece::Reasoning("hm".to_owned());
        assert_eq!(take(delta("reasoning_content", "hm")), Some(thought));
        let text = AnswerPiece::Text("yes".to_owned());
        assert_eq!(take(delta("content", "yes")), Some(text));
        assert_eq!(take(delta("content", "")), None);
        assert_eq!(take(json!({ "choices": [] })), None);
        assert_eq!(written.text, "yes");
    }

    #[test]
    fn an_error_in_the_stream_ends_it() {
        let mut written = CollectedAnswer::default();
        let event = json!({ "error": { "message": "gone\u{1b}[31m" } });
        let error = written.add_event(&event, AFTER).unwrap_err();
        assert_eq!(error.to_string(), "gone\u{fffd}[31m");
        let error = written
            .add_event(&json!({ "error": "so" }), AFTER)
            .unwrap_err();
        assert_eq!(error.to_string(), "\"so\"");
    }

    #[test]
    fn figures_are_told_as_far_as_they_are_known() {
        let mut written = CollectedAnswer::default();
        assert_eq!(written.format_usage(), None);
        written.add_event(&delta("content", "a"), AFTER).unwrap();
        assert_eq!(written.format_usage().unwrap(), "first token after 0.25 s");
        written
            .add_event(&delta("content", "b"), 3 * AFTER)
            .unwrap();
        let usage = json!({ "usage": { "completion_tokens": 3, "prompt_tokens": 9,
            "prompt_tokens_details": { "cached_tokens": 4 } } });
        written.add_event(&usage, 4 * AFTER).unwrap();
        let expected = "3 tokens at 4.0 tok/s, first token after 0.25 s, prompt 9 (4 cached)";
        assert_eq!(written.format_usage().unwrap(), expected);
        let last = json!({ "choices": [{ "delta": {}, "finish_reason": "length" }],
            "timings": { "predicted_per_second": 51.25, "predicted_n": 3 } });
        written.add_event(&last, 4 * AFTER).unwrap();
        let expected = "3 tokens at 51.2 tok/s, first token after 0.25 s, prompt 9 (4 cached), \
            truncated at the token limit";
        assert_eq!(written.format_usage().unwrap(), expected);
    }
}
