//! Records how much of each slot's conversation has been saved.

use std::collections::HashMap;

/// The state of a slot at its last save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SavedState {
    task: i64,
    tokens: u32,
}

/// The saved states of all slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedSlots {
    slots: HashMap<u32, SavedState>,
}

impl SavedSlots {
    /// Records a save of `tokens` tokens of a slot. `task` is the number that the child gave the slot's last request.
    pub fn record(&mut self, slot: u32, task: i64, tokens: u32) {
        self.slots.insert(slot, SavedState { task, tokens });
    }

    /// Returns the number of tokens at the last save of a slot; 0 if the slot now holds another conversation.
    ///
    /// `cached` is the number of prompt tokens that the slot's last request found in the slot: after an edit, the saved
    /// tokens beyond them belong to the conversation no longer. A request that found fewer than half of the saved tokens,
    /// or for which the number is unknown, counts as the start of another conversation.
    pub fn saved_tokens(&self, slot: u32, task: i64, cached: Option<u32>) -> u32 {
        let Some(saved) = self.slots.get(&slot) else {
            return 0;
        };
        if saved.task == task {
            return saved.tokens;
        }
        let shared = cached.unwrap_or(0).min(saved.tokens);
        match shared >= saved.tokens / 2 {
            true => shared,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_recognised_by_its_task_or_by_its_cached_tokens() {
        let mut slots = SavedSlots::default();
        slots.record(1, 7, 100);
        let cases = [
            ("unchanged", (1, 7, None), 100),
            ("another slot", (0, 7, None), 0),
            ("continued", (1, 8, Some(100)), 100),
            (
                "continued from a cache with more of it",
                (1, 8, Some(150)),
                100,
            ),
            ("edited in its second half", (1, 8, Some(50)), 50),
            ("edited in its first half", (1, 8, Some(49)), 0),
            ("unknown", (1, 8, None), 0),
        ];
        for (name, (slot, task, cached), expected) in cases {
            assert_eq!(slots.saved_tokens(slot, task, cached), expected, "{name}");
        }
        slots.record(1, 9, 30);
        assert_eq!(slots.saved_tokens(1, 9, None), 30);
    }
}
