//! Answers of `/completion` to tokenized prompts, and comparisons between them.

use paddock_e2e::harness::Paddock;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::support::ask;

/// A server of the engine's API: an engine, or paddock with an engine.
pub(crate) trait Completes {
    fn post(&self, path: &str, body: &Value) -> Value;

    /// Returns the tokens of a text.
    fn tokens(&self, text: &str) -> Vec<i64> {
        let answer = self.post(
            "/tokenize",
            &json!({"model": "m", "content": text, "add_special": true}),
        );
        let tokens = answer["tokens"].as_array().unwrap();
        tokens.iter().filter_map(Value::as_i64).collect()
    }

    /// Makes the server read a prompt without generating tokens.
    fn read(&self, tokens: &[i64]) {
        self.post(
            "/completion",
            &json!({"model": "m", "prompt": tokens, "n_predict": 0}),
        );
    }

    /// Generates the four most likely tokens after a prompt.
    fn complete(&self, tokens: &[i64]) -> Answer {
        let answer = self.post(
            "/completion",
            &json!({
                "model": "m",
                "prompt": tokens,
                "n_predict": 4,
                "temperature": 0,
                "ignore_eos": true,
                "n_probs": 4,
                "return_tokens": true,
            }),
        );
        let generated = answer["tokens"].as_array().unwrap();
        let first = answer["completion_probabilities"][0]["top_logprobs"]
            .as_array()
            .unwrap();
        Answer {
            cached: answer["timings"]["cache_n"]
                .as_u64()
                .unwrap()
                .try_into()
                .unwrap(),
            tokens: generated.iter().filter_map(Value::as_i64).collect(),
            first: first
                .iter()
                .map(|token| {
                    (
                        token["id"].as_i64().unwrap(),
                        token["logprob"].as_f64().unwrap(),
                    )
                })
                .collect(),
        }
    }
}

impl Completes for Paddock {
    fn post(&self, path: &str, body: &Value) -> Value {
        ask(self, path, body)
    }
}

impl Completes for Engine {
    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(path, body)
    }
}

/// An answer to a prompt.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Number of cached prompt tokens.
    pub(crate) cached: usize,
    /// The generated tokens.
    pub(crate) tokens: Vec<i64>,
    /// The most likely first tokens, and their log-probabilities.
    pub(crate) first: Vec<(i64, f64)>,
}

impl Answer {
    /// Returns the largest difference between the log-probabilities of the first tokens that both answers list.
    pub(crate) fn difference(&self, other: &Self) -> f64 {
        let differences = self.first.iter().filter_map(|(token, logprob)| {
            let same = other.first.iter().find(|(one, _)| one == token)?;
            Some((logprob - same.1).abs())
        });
        differences.fold(0.0, f64::max)
    }

    /// Returns true if both answers have the same most likely first token with log-probabilities within `tolerance`.
    pub(crate) fn is_near(&self, other: &Self, tolerance: f64) -> bool {
        let [(token, logprob), (other_token, other_logprob)] = [self.first[0], other.first[0]];
        token == other_token && (logprob - other_logprob).abs() <= tolerance
    }

    /// Asserts that both answers have the same tokens, and log-probabilities within `tolerance`.
    pub(crate) fn assert_equal(&self, other: &Self, tolerance: f64, what: &str) {
        let difference = self.difference(other);
        assert!(
            difference <= tolerance && self.tokens == other.tokens,
            "{what}: log-probabilities differ by {difference}: {self:?} and {other:?}"
        );
    }
}
