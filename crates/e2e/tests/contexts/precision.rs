//! After a swap, log-probabilities equal those of a child that was never unloaded.

use crate::answer::Completes;
use crate::engine::Engine;
use crate::support::{Kind, paddock, swap_to};

/// Maximum difference of log-probabilities.
const TOLERANCE: f64 = 1e-5;

/// Number of tokens before the end of a prompt to which a child without full attention steps back before a save.
const STEP_BACK: usize = 3;

/// Compares a continuation after a swap with that of a live child that has the same tokens cached.
fn compare(kind: Kind) {
    let paddock = paddock(kind, Kind::Random).start();
    let prompt = paddock.tokens(&kind.text("A story"));
    let asked = paddock.complete(&prompt);
    let longer = [&prompt[..], &asked.tokens, &prompt[1..20]].concat();
    swap_to(&paddock, "other");
    let after_swap = paddock.complete(&longer);

    let live = Engine::start(kind, &[]);
    let first = live.complete(&prompt);
    asked.assert_equal(&first, TOLERANCE, "the first answer");
    // The child may have stepped back before it was saved.
    if after_swap.cached < prompt.len() {
        live.read(&prompt[..prompt.len() - STEP_BACK]);
    }
    let continued = live.complete(&longer);
    assert!(
        after_swap.cached * 100 >= 95 * prompt.len(),
        "{} of {} tokens are cached after the swap",
        after_swap.cached,
        prompt.len()
    );
    assert_eq!(after_swap.cached, continued.cached, "cached tokens");
    after_swap.assert_equal(&continued, TOLERANCE, "the continuation");
}

#[test]
fn a_full_attention_model_continues_like_a_live_child() {
    compare(Kind::Full);
}

#[test]
fn a_hybrid_model_continues_like_a_live_child() {
    compare(Kind::Hybrid);
}

#[test]
#[ignore = "scripts/test --long runs it"]
fn a_recurrent_model_continues_like_a_live_child() {
    compare(Kind::Recurrent);
}

#[test]
fn a_sliding_window_model_continues_like_a_live_child() {
    compare(Kind::Window);
}
