//! Many conversations in one child.

use crate::answer::Completes;
use crate::support::{Kind, paddock, slow_engine, swap_to, text};

const CONVERSATIONS: usize = 12;

#[test]
fn twelve_conversations_are_found_after_a_swap() {
    let builder = paddock(Kind::Random, Kind::Random);
    // Restoring may take a quarter of the load time, two seconds at most.
    slow_engine(builder.directory(), 8);
    let paddock = builder
        .config(&format!("models.m.parallel = {CONVERSATIONS}"))
        .start();
    let prompts: Vec<Vec<i64>> = (0..CONVERSATIONS)
        .map(|number| paddock.tokens(&text(&format!("{number} stories"), 300)))
        .collect();
    for prompt in &prompts {
        assert_eq!(paddock.complete(prompt).cached, 0);
    }
    swap_to(&paddock, "other");
    let found = prompts.iter().map(|prompt| {
        let cached = paddock.complete(prompt).cached;
        (cached, prompt.len())
    });
    let found: Vec<(usize, usize)> = found.collect();
    let is_cached = |(cached, length): &(usize, usize)| cached * 100 >= 95 * length;
    assert!(found.iter().all(is_cached), "cached tokens: {found:?}");
}
