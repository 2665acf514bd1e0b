//! Parses the parameters of a request for text.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;

use super::clock;
use super::dialect::Dialect;
use super::server::Server;

/// A requested generation.
#[derive(Debug)]
pub(super) struct GenerationJob {
    pub(super) stream: bool,
    /// Number of tokens to generate.
    pub(super) tokens: u64,
    /// True if the request's limit ends the generation; otherwise the model does.
    pub(super) limited: bool,
    pub(super) prompt: Vec<i32>,
    pub(super) prompt_tokens: u64,
    /// Number of cached prompt tokens, known once the job has a slot.
    pub(super) cached_tokens: u64,
    /// The slot that the request selects.
    pub(super) wanted_slot: Option<u64>,
    /// The reported time to read a prompt token, in milliseconds.
    pub(super) read_ms: u64,
    pub(super) include_usage: bool,
    /// Silence after which a stream sends an SSE comment, to keep the connection open.
    pub(super) ping: Option<Duration>,
    /// The ID, random in the real server, sequential here.
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    /// The text of each token, before its number.
    pub(super) word: String,
    /// Number of reasoning tokens at the start of a chat.
    pub(super) reasoning: u64,
}

impl GenerationJob {
    /// Parses a request; the error is the message of a 400.
    pub(super) fn new(server: &Server, dialect: Dialect, request: &Value) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (key, missing) = match dialect {
            Dialect::Native | Dialect::Completions => (
                "prompt",
                "[json.exception.out_of_range.403] key 'prompt' not found",
            ),
            Dialect::Chat | Dialect::Messages => ("messages", "'messages' is required"),
            Dialect::Responses => ("input", "'input' is required"),
        };
        if request[key].is_null() {
            return Err(missing.into());
        }
        let prompt = tokens_of(&request[key]);
        let limit = [
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "n_predict",
        ]
        .iter()
        .find_map(|key| request[key].as_u64());
        let ping = request["sse_ping_interval"].as_i64().unwrap_or(30);
        Ok(Self {
            stream: request["stream"].as_bool().unwrap_or(false),
            // A limit of zero yields a token, as in the real server.
            tokens: limit.unwrap_or(server.args.tokens).max(1),
            limited: limit.is_some(),
            prompt_tokens: prompt.len() as u64,
            prompt,
            cached_tokens: 0,
            wanted_slot: request["id_slot"].as_u64(),
            read_ms: server.args.read_ms,
            include_usage: request["stream_options"]["include_usage"] == true,
            ping: u64::try_from(ping)
                .ok()
                .filter(|&ping| ping > 0)
                .map(Duration::from_secs),
            id: format!("{:032}", NEXT.fetch_add(1, Relaxed)),
            created: clock::unix_seconds(),
            model: server.model.clone(),
            word: server.args.word.clone(),
            reasoning: server.args.reasoning,
        })
    }

    /// Returns the text of a token, counted from 1.
    pub(super) fn token(&self, number: u64) -> String {
        format!("{} {number} ", self.word)
    }

    /// Returns the whole text.
    pub(super) fn text(&self) -> String {
        (1..=self.tokens).map(|number| self.token(number)).collect()
    }
}

/// Returns the tokens of a prompt: a list of tokens as it is, or the bytes of a text.
fn tokens_of(value: &Value) -> Vec<i32> {
    let tokens = value.as_array().map(|items| {
        let tokens = items.iter().map(Value::as_i64);
        tokens.map(|token| token?.try_into().ok()).collect()
    });
    match tokens {
        Some(Some(tokens)) => tokens,
        _ => text_of(value).bytes().map(i32::from).collect(),
    }
}

/// Returns the text of a prompt: a string, a list, or messages with content.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect(),
        Value::Object(fields) => ["content", "text"]
            .iter()
            .filter_map(|key| fields.get(*key))
            .map(text_of)
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}
