//! A prompt that repeats or edits an earlier one is answered after a swap as by a child that has read nothing before.

use serde_json::json;

use crate::answer::{Answer, Completes};
use crate::engine::{Engine, slot_directory};
use crate::support::{Kind, paddock, swap_to};

/// Maximum difference of log-probabilities if each token is computed alone.
const EXACT: f64 = 1e-5;

/// Maximum difference of log-probabilities if batches differ in size, which changes the rounding.
const ROUNDED: f64 = 0.05;

/// Edits a prompt 60 tokens before its end, which is within a sliding window. The next token after the edited prompt is
/// uncertain, so that its log-probability depends on the whole prompt.
fn edit(model: &impl Completes, prompt: &[i64]) -> Vec<i64> {
    let (kept, _) = prompt.split_at(prompt.len() - 60);
    let end = model.tokens(" Then the oldest of them stood up and said: I saw the");
    // The first token of a text marks its beginning.
    [kept, &end[1..]].concat()
}

/// Compares the answer to a repeated prompt with the first answer, and that to an edited prompt with a cold child's.
fn compare(kind: Kind, tolerance: f64, cold: impl FnOnce(&[i64]) -> Answer) {
    let paddock = paddock(kind, Kind::Random).start();
    let prompt = paddock.tokens(&kind.text("A story"));
    let first = paddock.complete(&prompt);
    swap_to(&paddock, "other");
    let repeated = paddock.complete(&prompt);
    assert_same(&repeated, &first, tolerance);
    swap_to(&paddock, "other");
    let edited = paddock.complete(&edit(&paddock, &prompt));
    assert_same(&edited, &cold(&prompt), tolerance);
}

/// Asserts that two answers are the same: exactly if the same number of tokens was cached, otherwise within
/// `tolerance`.
fn assert_same(answer: &Answer, expected: &Answer, tolerance: f64) {
    if answer.cached == expected.cached {
        answer.assert_equal(expected, EXACT, "with the same number of cached tokens");
    }
    let is_near = answer.is_near(expected, tolerance);
    assert!(is_near, "{answer:?} and {expected:?}");
}

/// Returns the answer of a fresh engine to the edited prompt.
fn cold(kind: Kind, prompt: &[i64]) -> Answer {
    let engine = Engine::start(kind, &[]);
    engine.complete(&edit(&engine, prompt))
}

#[test]
fn a_full_attention_model_answers_like_a_cold_child() {
    compare(Kind::Random, EXACT, |prompt| cold(Kind::Random, prompt));
}

#[test]
#[ignore = "scripts/test --long runs it"]
fn a_hybrid_model_answers_like_a_cold_child() {
    compare(Kind::Hybrid, EXACT, |prompt| cold(Kind::Hybrid, prompt));
}

#[test]
#[ignore = "scripts/test --long runs it"]
fn a_sliding_window_model_answers_like_a_cold_child() {
    compare(Kind::Window, ROUNDED, |prompt| cold(Kind::Window, prompt));
}

/// Shows that the tests above detect wrong answers: with `--swa-full`, the engine relies on cells that a file does not
/// contain.
#[test]
fn the_engine_answers_wrongly_from_a_file_with_swa_full() {
    let (live, restored) = live_and_restored();
    assert!(live.cached > 0, "{live:?}");
    assert_eq!(live.cached, restored.cached);
    assert!(
        !live.is_near(&restored, ROUNDED),
        "{live:?} and {restored:?}"
    );
}

/// Returns the answers to the edited prompt with `--swa-full`, of an engine that has read the prompt and of an engine
/// that has restored it.
fn live_and_restored() -> (Answer, Answer) {
    let directory = tempfile::tempdir().unwrap();
    let path = slot_directory(directory.path());
    let args = ["--swa-full", "--slot-save-path", &path];
    let file = json!({"filename": "a"});
    let engine = Engine::start(Kind::Window, &args);
    let prompt = engine.tokens(&Kind::Window.text("A story"));
    engine.read(&prompt);
    engine.ask("/slots/0?action=save", &file);
    let edited = edit(&engine, &prompt);
    let live = engine.complete(&edited);
    drop(engine);
    let engine = Engine::start(Kind::Window, &args);
    engine.ask("/slots/0?action=restore", &file);
    (live, engine.complete(&edited))
}
