//! Attributes cached prompt tokens to restored contexts.
//!
//! A child reports how many tokens of a prompt were cached, but not which conversation they came from. The number of
//! cached tokens is at most the length of that conversation. A restored context is credited if its length exceeds the
//! number by less than the length of any conversation that the child has served since.

/// Minimum number of cached tokens that counts as a use of a context: unrelated prompts share the beginning of the chat
/// template.
const MIN_CACHED: u32 = 16;

/// Maximum number of the child's latest conversations that are remembered.
const MAX_LIVE: usize = 256;

use crate::restore_plan::StoredContext;

/// The restored contexts of a child that no request has used yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredContexts {
    /// Number in the store and tokens of each restored context.
    unused: Vec<(i64, u32)>,
    /// Tokens of each conversation that the child has served since the restore.
    live: Vec<u32>,
}

impl RestoredContexts {
    /// Creates the record of a child that has restored these contexts.
    pub fn new(restored: &[StoredContext]) -> Self {
        let unused = restored.iter().map(|context| (context.id, context.tokens));
        Self {
            unused: unused.collect(),
            live: Vec::new(),
        }
    }

    /// Records an answer. If its cached tokens are credited to a restored context that no earlier answer used, returns the
    /// number of this context in the store.
    pub fn record(&mut self, prompt: u32, cached: u32, generated: u32) -> Option<i64> {
        let used = self.take_used(cached);
        if self.live.len() == MAX_LIVE {
            self.live.remove(0);
        }
        self.live.push(prompt.saturating_add(generated));
        used
    }

    fn take_used(&mut self, cached: u32) -> Option<i64> {
        if cached < MIN_CACHED {
            return None;
        }
        let excess = |tokens: &u32| tokens.checked_sub(cached);
        let candidates = self.unused.iter().enumerate();
        let candidates =
            candidates.filter_map(|(index, (_, tokens))| Some((excess(tokens)?, index)));
        let (best, index) = candidates.min()?;
        let live = self.live.iter().filter_map(excess).min();
        if live.is_some_and(|live| live <= best) {
            return None;
        }
        Some(self.unused.swap_remove(index).0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns the record of restored contexts with these lengths, which the store numbers from 1.
    fn restored(lengths: &[u32]) -> RestoredContexts {
        let contexts = (1..).zip(lengths).map(|(id, &tokens)| StoredContext {
            id,
            tokens,
            bytes: 0,
            age: Duration::ZERO,
        });
        RestoredContexts::new(&contexts.collect::<Vec<_>>())
    }

    #[test]
    fn each_restored_context_is_credited_once() {
        let mut contexts = restored(&[1000, 400]);
        // (prompt, cached, generated), credited context
        let answers = [
            ("a new conversation", (50, 8, 10), None),
            ("the short context", (420, 398, 20), Some(2)),
            ("the same conversation goes on", (460, 438, 20), None),
            ("the long context, edited", (900, 700, 10), Some(1)),
            ("no context is left", (900, 700, 10), None),
        ];
        for (name, (prompt, cached, generated), used) in answers {
            assert_eq!(contexts.record(prompt, cached, generated), used, "{name}");
        }
    }

    #[test]
    fn a_shared_system_prompt_is_credited_to_the_live_conversation() {
        let mut contexts = restored(&[1000]);
        assert_eq!(contexts.record(350, 0, 20), None);
        assert_eq!(contexts.record(340, 300, 20), None);
        assert_eq!(contexts.record(1010, 1000, 20), Some(1));
    }

    #[test]
    fn the_record_of_live_conversations_is_bounded() {
        let mut contexts = restored(&[1000]);
        for _ in 0..2 * MAX_LIVE {
            assert_eq!(contexts.record(100, 0, 1), None);
        }
        assert_eq!(contexts.live.len(), MAX_LIVE);
    }
}
