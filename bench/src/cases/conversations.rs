//! Measures conversations that continue after a swap, with a real llama-server: the time to the first
//! token of a turn, minus the time of a swap with a short prompt. The difference is mostly the time
//! of reading the conversation, or of saving the other one and restoring this one.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Case;
use super::model_starts::ONE_MODEL_AT_A_TIME;
use super::real_model_starts::{POLL_INTERVAL, first_answer};
use crate::clock;
use crate::load::post;
use crate::load::request_bodies::CHAT_PATH;
use crate::output;
use crate::results::{Quantity, RunResults};
use crate::stats::{median, micros};
use crate::subjects::{RealEngine, Subject, Subjects};

/// Context size in tokens: enough for all turns of a conversation.
const CONTEXT_SIZE: u32 = 4096;

/// The two models, only one of which is in memory.
const MODELS: [&str; 2] = ["a", "b"];

/// Number of measured swaps and turns, alternating between the models. A subject that reads the whole
/// prompt takes many seconds for each turn.
const TURN_COUNT: usize = 9;

/// A sentence of ten tokens. The first prompt repeats it until it has 2,000.
const SENTENCE: &str = "The quick brown fox jumps over the lazy dog. ";
const SENTENCE_COUNT: usize = 200;

const QUESTION: &str = "And what happened then?";

pub(super) async fn run(subjects: &Subjects, results: &mut RunResults) -> Result<()> {
    let Some(engine) = RealEngine::find() else {
        output::progress("  skipped: set PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL");
        return Ok(());
    };
    let engine = engine.with_context_size(CONTEXT_SIZE);
    // A swap of conversations would include the work that their difference is to show, so other
    // processes without any conversation are swapped. The turns in between see the same machine.
    let mut swapped = start_all(&engine, subjects)?;
    for subject in &mut swapped {
        ask_both(subject).await?;
    }
    let mut all = Vec::new();
    for subject in start_all(&engine, subjects)? {
        all.push(Conversations::begin(subject).await?);
    }
    for index in (0..MODELS.len()).cycle().take(TURN_COUNT) {
        for (subject, conversations) in swapped.iter_mut().zip(&mut all) {
            let started = clock::now();
            first_answer(subject, MODELS[index]).await?;
            let swap = millis_since(started);
            results.add(
                Case::Conversations,
                Quantity::SwapMillis,
                subject.name,
                swap,
            );
            let turn = conversations.take_turn(index, QUESTION).await?;
            conversations.turns_millis.push(turn);
        }
    }
    for conversations in all {
        conversations.end(results)?;
    }
    swapped.into_iter().try_for_each(Subject::end)
}

/// Starts each subject with two models, one in memory at a time.
fn start_all(engine: &RealEngine, subjects: &Subjects) -> Result<Vec<Subject>> {
    let (run_dir, program) = (&subjects.run_dir, &subjects.paddock);
    let mut all = vec![
        engine.paddock_two(run_dir, program, ONE_MODEL_AT_A_TIME)?,
        engine.router_two(run_dir)?,
    ];
    for peer in &subjects.peers {
        all.extend(peer.start_two(run_dir, &engine.command())?);
    }
    Ok(all)
}

/// Loads each model once. The first request also waits for paddock's questions to the engine.
async fn ask_both(subject: &mut Subject) -> Result<()> {
    for model in MODELS {
        first_answer(subject, model).await?;
    }
    Ok(())
}

/// A subject with a conversation for each model.
#[derive(Debug)]
struct Conversations {
    subject: Subject,
    /// The messages of each model's conversation.
    messages: [Vec<Value>; 2],
    /// The times to the first token of the measured turns.
    turns_millis: Vec<f64>,
}

impl Conversations {
    /// Asks each model its long first question.
    async fn begin(mut subject: Subject) -> Result<Self> {
        ask_both(&mut subject).await?;
        let mut this = Self {
            subject,
            messages: [const { Vec::new() }; 2],
            turns_millis: Vec::new(),
        };
        for (index, model) in MODELS.into_iter().enumerate() {
            // The conversations differ from their beginning, so neither can be used for the other.
            let story = SENTENCE.repeat(SENTENCE_COUNT);
            this.take_turn(index, &format!("Story {model}. {story}"))
                .await?;
        }
        Ok(this)
    }

    /// Records the times of the turns without the median time of a swap.
    fn end(self, results: &mut RunResults) -> Result<()> {
        let name = self.subject.name;
        let swap = median(results.get(Case::Conversations, Quantity::SwapMillis, name));
        for turn in self.turns_millis {
            let quantity = Quantity::FirstTokenMillis;
            results.add(Case::Conversations, quantity, name, turn - swap);
        }
        self.subject.end()
    }

    /// Asks a question and adds the answer to the conversation. Returns the time to the first token.
    async fn take_turn(&mut self, index: usize, question: &str) -> Result<f64> {
        let messages = &mut self.messages[index];
        messages.push(json!({"role": "user", "content": question}));
        let body = format!(
            r#"{{"model":"{}","messages":{},"max_tokens":8,"temperature":0}}"#,
            MODELS[index],
            serde_json::to_string(messages)?
        );
        let request = post(CHAT_PATH, body.as_bytes());
        let started = clock::now();
        let body = self
            .subject
            .retry_until_served(&request, POLL_INTERVAL)
            .await?;
        let millis = millis_since(started);
        let mut answer = parse_answer(&body)?;
        // llama-server counts this time from the first token to the last.
        let generating = answer["timings"]["predicted_ms"].as_f64();
        messages.push(answer["choices"][0]["message"].take());
        Ok(millis - generating.context("an answer without its times")?)
    }
}

fn millis_since(started: u64) -> f64 {
    micros(clock::now() - started) / 1e3
}

/// Parses an answer that is sent whole or as one chunk.
fn parse_answer(body: &[u8]) -> Result<Value> {
    let start = memchr::memchr(b'{', body).context("no JSON")?;
    let end = memchr::memrchr(b'}', body).context("no JSON")?;
    serde_json::from_slice(&body[start..=end]).context("an answer in several chunks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_parsed_with_and_without_chunk_framing() {
        for body in [
            &br#"{"a":{"b":1}}"#[..],
            b"d\r\n{\"a\":{\"b\":1}}\r\n0\r\n\r\n",
        ] {
            assert_eq!(parse_answer(body).unwrap(), json!({"a": {"b": 1}}));
        }
        assert!(parse_answer(b"0\r\n\r\n").is_err());
    }
}
