//! An answer as it comes: server-sent events, what they add, and what they say of its cost.

use std::time::Duration;

use serde_json::Value;

use crate::admin::{Sse, Trouble, refusal};

/// Takes events out of bytes.
#[derive(Debug, Default)]
pub(super) struct Reading {
    sse: Sse,
    done: bool,
}

/// A part of what a model writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// It thinks.
    Thought(String),
    /// It answers.
    Text(String),
}

/// What a model has written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Its answer, without its thoughts.
    pub(super) text: String,
    first: Option<Duration>,
    last: Duration,
    cut: bool,
    usage: Value,
    timings: Value,
}

impl Reading {
    /// The events that are whole with these bytes.
    ///
    /// # Errors
    /// What comes is no stream of events.
    pub(super) fn events(&mut self, bytes: &[u8]) -> Result<Vec<Value>, Trouble> {
        let told = self.sse.events(bytes).map_err(|_| Trouble::BrokenOff)?;
        let mut events = Vec::new();
        for event in told {
            match event.data.as_slice() {
                b"[DONE]" => self.done = true,
                data => events.extend(serde_json::from_slice::<Value>(data)),
            }
        }
        Ok(events)
    }

    /// Whether the answer has come to its end.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }
}

impl Written {
    /// Adds an event that came so long after the question, and returns what it adds to be read.
    ///
    /// # Errors
    /// The event says that there will be no more.
    pub(super) fn take(
        &mut self,
        event: &Value,
        after: Duration,
    ) -> Result<Option<Piece>, Trouble> {
        if let Some(error) = event.get("error") {
            let refused = refusal(event.to_string().as_bytes());
            return Err(refused.unwrap_or_else(|| Trouble::Refused {
                message: crate::output::printable(&error.to_string()),
                code: None,
            }));
        }
        for (kept, said) in [
            (&mut self.usage, &event["usage"]),
            (&mut self.timings, &event["timings"]),
        ] {
            if said.is_object() {
                kept.clone_from(said);
            }
        }
        let choice = &event["choices"][0];
        self.cut |= choice["finish_reason"] == "length";
        let delta = |name: &str| {
            let text = choice["delta"][name].as_str();
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let piece = delta("content").map(Piece::Text);
        let piece = piece.or_else(|| delta("reasoning_content").map(Piece::Thought));
        if let Some(piece) = &piece {
            self.first.get_or_insert(after);
            self.last = after;
            if let Piece::Text(text) = piece {
                self.text.push_str(text);
            }
        }
        Ok(piece)
    }

    /// What it cost, as far as it is known: tokens, their rate, the time to the first.
    pub(super) fn figures(&self) -> Option<String> {
        let first = self.first?;
        let mut line = Vec::new();
        let tokens = self.usage["completion_tokens"].as_u64();
        if let Some(tokens) = tokens.or_else(|| self.timings["predicted_n"].as_u64()) {
            let word = if tokens == 1 { "token" } else { "tokens" };
            line.push(match self.rate(tokens, first) {
                Some(rate) => format!("{tokens} {word} at {rate:.1} tok/s"),
                None => format!("{tokens} {word}"),
            });
        }
        line.push(format!("first after {:.2} s", first.as_secs_f64()));
        if let Some(prompt) = self.usage["prompt_tokens"].as_u64() {
            let cached = self.usage["prompt_tokens_details"]["cached_tokens"].as_u64();
            let cached = cached.filter(|cached| *cached > 0);
            let cached = cached.map_or_else(String::new, |cached| format!(" ({cached} cached)"));
            line.push(format!("prompt {prompt}{cached}"));
        }
        if self.cut {
            line.push("cut off at the most tokens it may have".to_owned());
        }
        Some(line.join(", "))
    }

    /// Tokens a second, as the model's own clock says, else of those after the first as they came.
    fn rate(&self, tokens: u64, first: Duration) -> Option<f64> {
        if let Some(rate) = self.timings["predicted_per_second"].as_f64() {
            return Some(rate);
        }
        let seconds = self.last.saturating_sub(first).as_secs_f64();
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
        let mut reading = Reading::default();
        let events = reading.events(b"data: {\"a\":1}\n\ndata: [DO").unwrap();
        assert_eq!(events, [json!({ "a": 1 })]);
        assert!(!reading.is_done());
        assert_eq!(reading.events(b"NE]\n\n").unwrap(), [Value::Null; 0]);
        assert!(reading.is_done());
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        let mut written = Written::default();
        let mut take = |event| written.take(&event, AFTER).unwrap();
        let thought = Piece::Thought("hm".to_owned());
        assert_eq!(take(delta("reasoning_content", "hm")), Some(thought));
        let text = Piece::Text("yes".to_owned());
        assert_eq!(take(delta("content", "yes")), Some(text));
        assert_eq!(take(delta("content", "")), None);
        assert_eq!(take(json!({ "choices": [] })), None);
        assert_eq!(written.text, "yes");
    }

    #[test]
    fn an_error_in_the_stream_ends_it() {
        let mut written = Written::default();
        let event = json!({ "error": { "message": "gone\u{1b}[31m" } });
        let error = written.take(&event, AFTER).unwrap_err();
        assert_eq!(error.to_string(), "gone\u{fffd}[31m");
        let error = written.take(&json!({ "error": "so" }), AFTER).unwrap_err();
        assert_eq!(error.to_string(), "\"so\"");
    }

    #[test]
    fn figures_are_told_as_far_as_they_are_known() {
        let mut written = Written::default();
        assert_eq!(written.figures(), None);
        written.take(&delta("content", "a"), AFTER).unwrap();
        assert_eq!(written.figures().unwrap(), "first after 0.25 s");
        written.take(&delta("content", "b"), 3 * AFTER).unwrap();
        let usage = json!({ "usage": { "completion_tokens": 3, "prompt_tokens": 9,
            "prompt_tokens_details": { "cached_tokens": 4 } } });
        written.take(&usage, 4 * AFTER).unwrap();
        let expected = "3 tokens at 4.0 tok/s, first after 0.25 s, prompt 9 (4 cached)";
        assert_eq!(written.figures().unwrap(), expected);
        let last = json!({ "choices": [{ "delta": {}, "finish_reason": "length" }],
            "timings": { "predicted_per_second": 51.25, "predicted_n": 3 } });
        written.take(&last, 4 * AFTER).unwrap();
        let expected = "3 tokens at 51.2 tok/s, first after 0.25 s, prompt 9 (4 cached), \
            cut off at the most tokens it may have";
        assert_eq!(written.figures().unwrap(), expected);
    }
}
