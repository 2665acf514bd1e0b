//! Alternates between two models of which only one is loaded at a time: after each swap, the child finds its
//! conversation.

use crate::support::{Conversation, Kind, is_long, paddock, swap_to};

/// Minimum share of the previous prompt's tokens that must be cached, in percent.
const MIN_CACHED_PERCENT: u64 = 95;

fn turns() -> usize {
    match is_long() {
        true => 10,
        false => 3,
    }
}

/// Alternates between a conversation and another model.
fn alternate(kind: Kind) {
    let paddock = paddock(kind, Kind::Random).start();
    let mut conversation = Conversation::new("m");
    conversation.say(&paddock, &kind.text("A story"));
    for turn in 2..=turns() {
        swap_to(&paddock, "other");
        let cached = conversation.say(&paddock, &format!("Go on with part {turn}."));
        assert!(cached >= MIN_CACHED_PERCENT, "{cached} % at turn {turn}");
    }
}

#[test]
fn two_conversations_with_full_attention_alternate() {
    let paddock = paddock(Kind::Full, Kind::Random).start();
    let mut conversations = [
        (Conversation::new("m"), Kind::Full),
        (Conversation::new("other"), Kind::Random),
    ];
    for (conversation, kind) in &mut conversations {
        conversation.say(&paddock, &kind.text("A story"));
    }
    for turn in 2..=turns() {
        for (conversation, kind) in &mut conversations {
            let cached = conversation.say(&paddock, &format!("Go on with part {turn}."));
            assert!(
                cached >= MIN_CACHED_PERCENT,
                "{cached} % of {kind:?} at turn {turn}"
            );
        }
    }
}

#[test]
fn a_hybrid_model_finds_its_conversation() {
    alternate(Kind::Hybrid);
}

#[test]
fn a_recurrent_model_finds_its_conversation() {
    alternate(Kind::Recurrent);
}

#[test]
fn a_model_with_a_sliding_window_finds_its_conversation() {
    alternate(Kind::Window);
}
