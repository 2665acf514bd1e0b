//! Decides which slots to save, and in which order.
//!
//! A save blocks every slot of the child, so it must pay off: reading the conversation again must take at least
//! `MIN_READING_TIME`, and at least `MIN_GAIN` times as long as saving and restoring it.

use std::cmp::Reverse;
use std::time::Duration;

use crate::costs::Costs;

/// Minimum time to read a conversation again that makes it worth keeping.
const MIN_READING_TIME: Duration = Duration::from_secs(1);

/// Minimum ratio of the time to read a conversation again to the time to save and restore it.
const MIN_GAIN: u32 = 4;

/// Maximum estimated time for which saves may block a child that serves: a request may arrive at any moment.
const MAX_SERVING_SAVE: Duration = Duration::from_millis(50);

/// Growth that makes another save worthwhile while the child serves: more than 1 / `GROWTH_DIVISOR` of the saved
/// tokens.
const GROWTH_DIVISOR: u32 = 4;

/// A slot of the child that holds a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotState {
    /// Number of the slot.
    pub slot: u32,
    /// Tokens in the slot.
    pub tokens: u32,
    /// Number of tokens of this conversation when it was last saved; 0 if it is not in the store.
    pub saved_tokens: u32,
    /// Age of the slot's last use. Only compared with that of other slots.
    pub idle: Duration,
}

/// The reason for a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The child serves and keeps running.
    Serving,
    /// The child is about to stop; all saves together may take this long.
    Stopping(Duration),
}

/// Returns the slots to save, the most recently used first.
pub fn plan_saves(slots: &[SlotState], costs: &Costs, occasion: Occasion) -> Vec<SlotState> {
    let mut slots: Vec<SlotState> = slots
        .iter()
        .copied()
        .filter(|slot| is_worth_saving(slot, costs, occasion))
        .collect();
    slots.sort_by_key(|slot| (slot.idle, Reverse(slot.tokens)));
    let mut left = match occasion {
        Occasion::Serving => MAX_SERVING_SAVE,
        Occasion::Stopping(limit) => limit,
    };
    slots.retain(
        |slot| match left.checked_sub(costs.save_time(slot.tokens)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        },
    );
    slots
}

fn is_worth_saving(slot: &SlotState, costs: &Costs, occasion: Occasion) -> bool {
    let Some(reading_time) = costs.reading_time(slot.tokens) else {
        return false;
    };
    let restore_time = costs.restore_time(costs.size(slot.tokens));
    let keeping_time = costs.save_time(slot.tokens).saturating_add(restore_time);
    if reading_time < MIN_READING_TIME || reading_time < keeping_time.saturating_mul(MIN_GAIN) {
        return false;
    }
    let new_tokens = slot.tokens.saturating_sub(slot.saved_tokens);
    match occasion {
        Occasion::Serving => new_tokens > slot.saved_tokens / GROWTH_DIVISOR,
        // Tokens that are not saved now must be read again after the next load.
        Occasion::Stopping(_) => {
            new_tokens > 0
                && costs
                    .reading_time(new_tokens)
                    .is_some_and(|time| time > costs.save_time(slot.tokens))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns the costs of a child that reads 100 tokens and saves 10,000 tokens per second.
    fn costs() -> Costs {
        let mut costs = Costs::default();
        costs.record_reading(100, SECOND);
        for _ in 0..100 {
            costs.record_save(10_000, 1_000_000, SECOND);
            costs.record_restore(1_000_000, SECOND);
        }
        costs
    }

    fn slot(slot: u32, tokens: u32, saved_tokens: u32) -> SlotState {
        SlotState {
            slot,
            tokens,
            saved_tokens,
            idle: Duration::from_secs(slot.into()),
        }
    }

    #[test]
    fn a_slot_is_saved_if_the_save_pays_off() {
        let stopping = Occasion::Stopping(5 * SECOND);
        let cases = [
            ("worth a second", slot(0, 100, 0), Occasion::Serving, true),
            (
                "just below a second",
                slot(0, 99, 0),
                Occasion::Serving,
                false,
            ),
            ("an empty slot", slot(0, 0, 0), stopping, false),
            (
                "grown by more than a quarter",
                slot(0, 251, 200),
                Occasion::Serving,
                true,
            ),
            (
                "grown by a quarter",
                slot(0, 250, 200),
                Occasion::Serving,
                false,
            ),
            (
                "grown a little, and stopping",
                slot(0, 210, 200),
                stopping,
                true,
            ),
            (
                "unchanged, and stopping",
                slot(0, 200, 200),
                stopping,
                false,
            ),
            (
                "too long for a serving child",
                slot(0, 510, 0),
                Occasion::Serving,
                false,
            ),
            (
                "just short enough for a serving child",
                slot(0, 499, 0),
                Occasion::Serving,
                true,
            ),
            (
                "too long for a stopping child",
                slot(0, 51_000, 0),
                stopping,
                false,
            ),
        ];
        for (name, slot, occasion, is_saved) in cases {
            let plan = plan_saves(&[slot], &costs(), occasion);
            assert_eq!(!plan.is_empty(), is_saved, "{name}");
        }
    }

    #[test]
    fn reading_the_new_tokens_must_take_longer_than_the_save() {
        // Reading a new token takes 10 ms; saving 202 tokens takes 20 ms.
        let plan = |tokens| {
            plan_saves(
                &[slot(0, tokens, 200)],
                &costs(),
                Occasion::Stopping(SECOND),
            )
        };
        assert_eq!(plan(202), []);
        assert_eq!(plan(203).len(), 1);
    }

    #[test]
    fn nothing_is_saved_before_the_child_has_read_a_prompt() {
        let plan = plan_saves(
            &[slot(0, 10_000, 0)],
            &Costs::default(),
            Occasion::Stopping(5 * SECOND),
        );
        assert_eq!(plan, []);
    }

    #[test]
    fn a_conversation_that_costs_more_than_a_quarter_of_its_reading_time_is_not_saved() {
        let mut costs = Costs::default();
        costs.record_reading(100, SECOND);
        for _ in 0..100 {
            // 1,000 tokens: read in 10 s, saved and restored in 2.6 s.
            costs.record_save(1000, 1_000_000, Duration::from_millis(1300));
            costs.record_restore(1_000_000, Duration::from_millis(1300));
        }
        let plan = plan_saves(&[slot(0, 1000, 0)], &costs, Occasion::Stopping(5 * SECOND));
        assert_eq!(plan, []);
    }

    #[test]
    fn recent_conversations_come_first_and_smaller_ones_use_the_time_left() {
        let slots = [
            slot(3, 200, 0),
            slot(1, 6000, 0),
            slot(2, 6000, 0),
            slot(4, 3000, 0),
        ];
        let plan = plan_saves(&slots, &costs(), Occasion::Stopping(SECOND));
        let order: Vec<u32> = plan.iter().map(|slot| slot.slot).collect();
        assert_eq!(order, [1, 3, 4]);
    }
}
