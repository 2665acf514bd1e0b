//! Client of the llama-server routes that list, save, restore and erase slots (llama.cpp b11434,
//! tools/server/README.md).

use std::time::Duration;

use paddock_supervisor::{Listener, ask_child};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::error::SlotsError;
use super::next_token::NextToken;

/// Maximum size of an answer. `/slots` repeats the sampling parameters of each slot, about 2 KiB.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// Maximum wait for an answer that needs neither a file nor a prompt.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// Maximum number of characters of the child's message in an error.
const MAX_MESSAGE_CHARS: usize = 200;

/// A slot with a conversation in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: u32,
    /// Number of tokens in the slot: the last prompt, as far as the child has read it, and its answer.
    pub(super) tokens: u32,
    /// Number that the child gave the last request in this slot. Later requests have higher numbers.
    pub(super) last_task: i64,
    /// Number of the prompt's tokens that were cached; `None` unless a request is being processed.
    pub(super) cached: Option<u32>,
}

/// The result of evaluating tokens in a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evaluation {
    /// Number of tokens that the child did not read again.
    pub(super) cached: u32,
    pub(super) next: NextToken,
}

/// The child's report on a file that it wrote or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) bytes: u64,
    /// Time for which the child was blocked.
    pub(super) time: Duration,
}

/// Sends requests for slots to one child.
#[derive(Debug)]
pub(super) struct SlotClient {
    listener: Listener,
}

impl SlotClient {
    pub(super) fn new(listener: Listener) -> Self {
        Self { listener }
    }

    /// Returns the slots that hold a conversation.
    pub(super) async fn slots(&self, limit: Duration) -> Result<Vec<Slot>, SlotsError> {
        let answer = self.ask("GET", "/slots", None, limit).await?;
        let slots = answer.as_array().ok_or(SlotsError::Unexpected)?;
        Ok(slots.iter().filter_map(parse_slot).collect())
    }

    /// Saves a slot to a file in the child's staging directory.
    pub(super) async fn save(
        &self,
        slot: u32,
        file: &str,
        limit: Duration,
    ) -> Result<Transfer, SlotsError> {
        let body = json!({ "filename": file });
        let path = format!("/slots/{slot}?action=save");
        let answer = self.ask("POST", &path, Some(&body), limit).await?;
        parse_transfer(&answer, "n_written", "save_ms").ok_or(SlotsError::Unexpected)
    }

    /// Restores a slot from a file in the child's staging directory.
    pub(super) async fn restore(
        &self,
        slot: u32,
        file: &str,
        limit: Duration,
    ) -> Result<Transfer, SlotsError> {
        let body = json!({ "filename": file });
        let path = format!("/slots/{slot}?action=restore");
        let answer = self.ask("POST", &path, Some(&body), limit).await?;
        parse_transfer(&answer, "n_read", "restore_ms").ok_or(SlotsError::Unexpected)
    }

    /// Empties a slot.
    pub(super) async fn erase(&self, slot: u32, limit: Duration) -> Result<(), SlotsError> {
        let path = format!("/slots/{slot}?action=erase");
        self.ask("POST", &path, None, limit).await.map(drop)
    }

    /// Evaluates exactly these tokens in a slot. The child does not read tokens again that the slot or the prompt cache
    /// already holds.
    pub(super) async fn evaluate(
        &self,
        slot: u32,
        tokens: &[i32],
        limit: Duration,
    ) -> Result<Evaluation, SlotsError> {
        let body = json!({
            "prompt": tokens,
            "n_predict": 0,
            "id_slot": slot,
            "cache_prompt": true,
            "n_probs": 1,
            "temperature": 0,
            "response_fields": ["timings", "completion_probabilities"],
        });
        let answer = self.ask("POST", "/completion", Some(&body), limit).await?;
        parse_evaluation(&answer).ok_or(SlotsError::Unexpected)
    }

    /// Returns the text of tokens.
    pub(super) async fn detokenize(
        &self,
        tokens: &[i32],
        limit: Duration,
    ) -> Result<String, SlotsError> {
        let body = json!({ "tokens": tokens });
        let answer = self.ask("POST", "/detokenize", Some(&body), limit).await?;
        let text = answer.get("content").and_then(Value::as_str);
        text.map(str::to_owned).ok_or(SlotsError::Unexpected)
    }

    /// Returns the number of prompt tokens that the child has read since its start, and the time that this took; `None`
    /// unless the child publishes metrics.
    pub(super) async fn reading_totals(&self, limit: Duration) -> Option<(u32, Duration)> {
        let request = head("GET", "/metrics", 0);
        let asked = ask_child(&self.listener, request.as_bytes(), MAX_ANSWER_BYTES);
        let answer = timeout(limit, asked).await.ok()?.ok()?;
        if answer.status != 200 {
            return None;
        }
        parse_reading_totals(std::str::from_utf8(&answer.body).ok()?)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, SlotsError> {
        let body = body.map_or_else(String::new, Value::to_string);
        let mut request = head(method, path, body.len());
        request.push_str(&body);
        let asked = ask_child(&self.listener, request.as_bytes(), MAX_ANSWER_BYTES);
        let answer = timeout(limit, asked)
            .await
            .map_err(|_| SlotsError::Timeout)??;
        if answer.status != 200 {
            let message = String::from_utf8_lossy(&answer.body);
            return Err(SlotsError::Refused {
                status: answer.status,
                message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| SlotsError::Unexpected)
    }
}

fn head(method: &str, path: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Returns the slot, unless it is empty.
fn parse_slot(slot: &Value) -> Option<Slot> {
    let count = |name: &str| u32::try_from(slot.get(name)?.as_u64()?).ok();
    let tokens = count("n_prompt_tokens")?;
    let is_processing = slot.get("is_processing")?.as_bool()?;
    (tokens > 0).then_some(Slot {
        id: count("id")?,
        tokens,
        last_task: slot.get("id_task")?.as_i64()?,
        // llama-server resets the count after each answer.
        cached: count("n_prompt_tokens_cache").filter(|_| is_processing),
    })
}

fn parse_evaluation(answer: &Value) -> Option<Evaluation> {
    let cached = answer.get("timings")?.get("cache_n")?.as_u64()?;
    let next = answer.get("completion_probabilities")?.get(0)?;
    Some(Evaluation {
        cached: u32::try_from(cached).ok()?,
        next: NextToken {
            id: i32::try_from(next.get("id")?.as_i64()?).ok()?,
            logprob: next.get("logprob")?.as_f64()?,
        },
    })
}

fn parse_transfer(answer: &Value, bytes: &str, milliseconds: &str) -> Option<Transfer> {
    let milliseconds = answer.get("timings")?.get(milliseconds)?.as_f64()?;
    Some(Transfer {
        bytes: answer.get(bytes)?.as_u64()?,
        time: Duration::try_from_secs_f64(milliseconds / 1e3).ok()?,
    })
}

/// Parses two counters of llama-server's metrics page.
fn parse_reading_totals(page: &str) -> Option<(u32, Duration)> {
    let counter = |name: &str| -> Option<f64> {
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(' ')?.trim().parse().ok()
    };
    let tokens = counter("llamacpp:prompt_tokens_total")?;
    let seconds = counter("llamacpp:prompt_seconds_total")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float saturates, and the counter is a whole number"
    )]
    let tokens = tokens as u32;
    Some((tokens, Duration::try_from_secs_f64(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slots_with_a_conversation_are_returned() {
        let cases = [
            (
                "idle",
                json!({"id": 1, "is_processing": false, "id_task": 7, "n_prompt_tokens": 199,
                    "n_prompt_tokens_cache": 0}),
                Some((1, 199, 7, None)),
            ),
            (
                "busy",
                json!({"id": 1, "is_processing": true, "id_task": 7, "n_prompt_tokens": 199,
                    "n_prompt_tokens_cache": 90}),
                Some((1, 199, 7, Some(90))),
            ),
            ("never used", json!({"id": 0, "is_processing": false}), None),
            (
                "empty",
                json!({"id": 1, "is_processing": false, "id_task": 7, "n_prompt_tokens": 0}),
                None,
            ),
            ("not a slot", json!("x"), None),
        ];
        for (name, slot, expected) in cases {
            let expected = expected.map(|(id, tokens, last_task, cached)| Slot {
                id,
                tokens,
                last_task,
                cached,
            });
            assert_eq!(parse_slot(&slot), expected, "{name}");
        }
    }

    #[test]
    fn an_evaluation_is_parsed() {
        let answer = json!({"timings": {"cache_n": 5, "prompt_n": 1},
            "completion_probabilities": [{"id": 236_888, "token": "!", "logprob": -1.04}]});
        let next = NextToken {
            id: 236_888,
            logprob: -1.04,
        };
        let evaluation = parse_evaluation(&answer);
        assert_eq!(evaluation, Some(Evaluation { cached: 5, next }));
        assert_eq!(parse_evaluation(&json!({"timings": {"cache_n": 5}})), None);
    }

    #[test]
    fn a_transfer_is_parsed() {
        let answer = json!({"id_slot": 0, "filename": "f", "n_saved": 701, "n_written": 10_035_668,
            "timings": {"save_ms": 9.5}});
        let transfer = parse_transfer(&answer, "n_written", "save_ms").unwrap();
        assert_eq!(transfer.bytes, 10_035_668);
        assert_eq!(transfer.time, Duration::from_micros(9500));
        assert_eq!(parse_transfer(&json!({}), "n_written", "save_ms"), None);
        let negative = json!({"n_written": 1, "timings": {"save_ms": -1.0}});
        assert_eq!(parse_transfer(&negative, "n_written", "save_ms"), None);
    }

    #[test]
    fn reading_totals_are_parsed_from_two_counters() {
        let page =
            "# HELP x\nllamacpp:prompt_tokens_total 414\nllamacpp:prompt_seconds_total 20.5\n";
        assert_eq!(
            parse_reading_totals(page),
            Some((414, Duration::from_millis(20_500)))
        );
        assert_eq!(
            parse_reading_totals("llamacpp:prompt_tokens_total 414"),
            None
        );
        assert_eq!(parse_reading_totals(""), None);
    }
}
