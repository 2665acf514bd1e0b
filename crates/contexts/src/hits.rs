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

/// The restored contexts of a child that no request has used yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredContexts {
    /// Tokens of each restored context.
    unused: Vec<u32>,
    /// Tokens of each conversation that the child has served since the restore.
    live: Vec<u32>,
}

impl RestoredContexts {
    /// Creates the record of a child; `tokens` holds the number of tokens of each restored context.
    pub fn new(tokens: Vec<u32>) -> Self {
        Self {
            unused: tokens,
            live: Vec::new(),
        }
    }

    /// Records an answer. Returns true if its cached tokens are credited to a restored context that no earlier answer
    /// used.
    pub fn record(&mut self, prompt: u32, cached: u32, generated: u32) -> bool {
        let is_hit = self.take_used(cached);
        if self.live.len() == MAX_LIVE {
            self.live.remove(0);
        }
        self.live.push(prompt.saturating_add(generated));
        is_hit
    }

    fn take_used(&mut self, cached: u32) -> bool {
        if cached < MIN_CACHED {
            return false;
        }
        let excess = |tokens: &u32| tokens.checked_sub(cached);
        let candidates = self.unused.iter().enumerate();
        let candidates = candidates.filter_map(|(index, tokens)| Some((excess(tokens)?, index)));
        let Some((best, index)) = candidates.min() else {
            return false;
        };
        let live = self.live.iter().filter_map(excess).min();
        if live.is_some_and(|live| live <= best) {
            return false;
        }
        self.unused.swap_remove(index);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_restored_context_is_credited_once() {
        let mut contexts = RestoredContexts::new(vec![1000, 400]);
        // (prompt, cached, generated), hit
        let answers = [
            ("a new conversation", (50, 8, 10), false),
            ("the short context", (420, 398, 20), true),
            ("the same conversation goes on", (460, 438, 20), false),
            ("the long context, edited", (900, 700, 10), true),
            ("no context is left", (900, 700, 10), false),
        ];
        for (name, (prompt, cached, generated), is_hit) in answers {
            assert_eq!(contexts.record(prompt, cached, generated), is_hit, "{name}");
        }
    }

    #[test]
    fn a_shared_system_prompt_is_credited_to_the_live_conversation() {
        let mut contexts = RestoredContexts::new(vec![1000]);
        assert!(!contexts.record(350, 0, 20));
        assert!(!contexts.record(340, 300, 20));
        assert!(contexts.record(1010, 1000, 20));
    }

    #[test]
    fn the_record_of_live_conversations_is_bounded() {
        let mut contexts = RestoredContexts::new(vec![1000]);
        for _ in 0..2 * MAX_LIVE {
            assert!(!contexts.record(100, 0, 1));
        }
        assert_eq!(contexts.live.len(), MAX_LIVE);
    }
}
