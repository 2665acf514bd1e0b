//! A context is restored only for the weights and settings with which it was computed: the engine itself accepts a file
//! of any model with the same shape, and answers wrongly.

use std::fs;
use std::path::Path;

use paddock_e2e::harness::{Paddock, Signal, real};

use crate::answer::Completes;
use crate::support::{SavedState, context_count, text};

/// Sends the beginning of a prompt and returns the number of cached tokens.
fn cached(paddock: &Paddock, prompt: &[i64]) -> usize {
    paddock.complete(&prompt[..BEGINNING]).cached
}

/// Number of tokens that are sent.
const BEGINNING: usize = 40;

#[test]
fn only_the_same_weights_and_settings_find_a_context() {
    let state = SavedState::new();
    let mut paddock = state.start(&[]);
    let prompt = paddock.tokens(&text("A story", 320));
    paddock.complete(&prompt);
    assert!(paddock.stop(Signal::TERM).success());
    assert_eq!(context_count(state.directory()), 1, "a context is kept");

    for args in [["--rope-freq-base", "20000"], ["--rope-scale", "2"]] {
        let paddock = state.start(&args);
        assert_eq!(cached(&paddock, &prompt), 0, "{args:?}");
    }

    let paddock = state.start(&[]);
    assert_eq!(
        cached(&paddock, &prompt),
        BEGINNING - 1,
        "the same settings"
    );
    drop(paddock);

    let other = real::context_model("llama-other");
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    assert_eq!(size(&other), size(&state.model()));
    fs::copy(other, state.model()).unwrap();
    let paddock = state.start(&[]);
    assert_eq!(cached(&paddock, &prompt), 0, "other weights");
}

#[test]
fn contexts_with_a_lora_adapter_are_not_kept_and_the_status_has_the_reason() {
    let state = SavedState::with_load_time(0);
    let adapter = real::context_model("llama-adapter").display().to_string();
    let mut paddock = state.start(&["--lora", &adapter]);
    paddock.complete(&paddock.tokens(&text("A story", 320)));
    let status = paddock.status().to_string();
    assert!(paddock.stop(Signal::TERM).success());
    assert_eq!(context_count(state.directory()), 0, "contexts are kept");
    let reason = "the model's arguments contain `--lora`";
    assert!(status.contains(reason), "{status}");
}
