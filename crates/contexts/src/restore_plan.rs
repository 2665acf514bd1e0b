//! Decides which contexts to restore after a load, and in which order.
//!
//! The child keeps the last restored context in a slot and moves the others to its prompt cache in RAM. If that cache
//! is full, it drops the entry that it has held longest (llama.cpp b11434, tools/server/server-task.cpp,
//! `server_prompt_cache::update`). The oldest context is therefore restored first, and the newest stays in the slot.
//! While the time might not suffice for all contexts, the newest comes first instead: then only older ones are left out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::costs::Costs;

/// Lower bound of the time limit for restoring.
const MIN_RESTORE_LIMIT: Duration = Duration::from_millis(250);

/// Upper bound of the time limit for restoring.
const MAX_RESTORE_LIMIT: Duration = Duration::from_secs(2);

/// The oldest context is restored first only while the time left is at least this many times the estimate for all
/// contexts left: the speed of a disk may be lower than assumed.
const SAFETY_FACTOR: u32 = 2;

/// A context in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredContext {
    /// Number of the context in the store.
    pub id: i64,
    /// Tokens of the conversation.
    pub tokens: u32,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Time since the context was last used.
    pub age: Duration,
}

/// Returns the time limit for restoring after a load that took `load_time`: a quarter of it, within bounds.
pub fn restore_limit(load_time: Duration) -> Duration {
    (load_time / 4).clamp(MIN_RESTORE_LIMIT, MAX_RESTORE_LIMIT)
}

/// The contexts that are to be restored in a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    newest_first: VecDeque<StoredContext>,
    /// Room left in the child's prompt cache, in bytes.
    cache_left: u64,
}

impl RestorePlan {
    /// Chooses the contexts to restore, the newest first, as long as time and prompt cache suffice.
    ///
    /// `limit` bounds the estimated time, `cache_bytes` the size of the child's prompt cache. The context that is
    /// restored last stays in a slot, so it needs no room in the cache.
    pub fn new(stored: &[StoredContext], costs: &Costs, limit: Duration, cache_bytes: u64) -> Self {
        let mut sorted = stored.to_vec();
        sorted.sort_by_key(|context| context.age);
        let (mut time_left, mut bytes_left) = (limit, cache_bytes);
        let mut newest_first = VecDeque::new();
        for context in sorted {
            let time = time_left.checked_sub(costs.restore_time(to_f64(context.bytes)));
            let Some(time) = time else {
                continue;
            };
            time_left = time;
            newest_first.push_back(context);
            match bytes_left.checked_sub(context.bytes) {
                Some(bytes) => bytes_left = bytes,
                None => break,
            }
        }
        Self {
            newest_first,
            cache_left: cache_bytes,
        }
    }

    /// Removes and returns the context to restore next; `None` if none is left. `costs` and `time_left` are the current
    /// ones.
    pub fn take_next(&mut self, costs: &Costs, time_left: Duration) -> Option<StoredContext> {
        let next = match self.is_oldest_next(costs, time_left) {
            true => self.newest_first.pop_back(),
            false => self.newest_first.pop_front(),
        }?;
        self.cache_left = self.cache_left.saturating_sub(next.bytes);
        Some(next)
    }

    /// Returns true if no context is left.
    pub fn is_empty(&self) -> bool {
        self.newest_first.is_empty()
    }

    fn is_oldest_next(&self, costs: &Costs, time_left: Duration) -> bool {
        let total: u64 = self.newest_first.iter().map(|context| context.bytes).sum();
        let newest = self.newest_first.front().map_or(0, |context| context.bytes);
        let time = costs.restore_time(to_f64(total));
        time.saturating_mul(SAFETY_FACTOR) <= time_left && total - newest <= self.cache_left
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the costs of a child that restores a megabyte in a tenth of a second.
    fn costs() -> Costs {
        let mut costs = Costs::default();
        for _ in 0..100 {
            costs.record_restore(1_000_000, Duration::from_millis(100));
        }
        costs
    }

    fn context(id: i64, bytes: u64, age: u64) -> StoredContext {
        StoredContext {
            id,
            tokens: 1000,
            bytes,
            age: Duration::from_secs(age),
        }
    }

    /// Returns the order of the restores if each takes as long as estimated.
    fn order(stored: &[StoredContext], limit_ms: u64, cache_bytes: u64) -> Vec<i64> {
        let mut time_left = Duration::from_millis(limit_ms);
        let mut plan = RestorePlan::new(stored, &costs(), time_left, cache_bytes);
        let mut order = Vec::new();
        while let Some(context) = plan.take_next(&costs(), time_left) {
            time_left -= costs().restore_time(to_f64(context.bytes));
            order.push(context.id);
        }
        order
    }

    #[test]
    fn the_limit_is_a_quarter_of_the_load_time_within_bounds() {
        let cases = [
            (0, 250),
            (1000, 250),
            (4000, 1000),
            (8000, 2000),
            (60_000, 2000),
        ];
        for (load, limit) in cases {
            let found = restore_limit(Duration::from_millis(load));
            assert_eq!(found, Duration::from_millis(limit), "load of {load} ms");
        }
    }

    #[test]
    fn the_oldest_context_comes_first_if_the_time_suffices() {
        let stored = [
            context(1, 1_000_000, 30),
            context(2, 1_000_000, 10),
            context(3, 1_000_000, 20),
        ];
        let cases = [
            ("ample time", 2000, vec![1, 3, 2]),
            ("twice the estimate", 610, vec![1, 3, 2]),
            // After the newest, the time left is twice the estimate for the others.
            ("less", 590, vec![2, 1, 3]),
            ("just enough", 310, vec![2, 3, 1]),
            ("not enough", 290, vec![2, 3]),
        ];
        for (name, limit, expected) in cases {
            assert_eq!(order(&stored, limit, 10_000_000), expected, "{name}");
        }
    }

    #[test]
    fn a_child_slower_than_estimated_restores_the_newest_next() {
        let ages = [10, 20, 30, 40];
        let stored = (0..).zip(ages).map(|(id, age)| context(id, 1_000_000, age));
        let stored: Vec<StoredContext> = stored.collect();
        let mut plan = RestorePlan::new(&stored, &costs(), Duration::from_secs(1), 10_000_000);
        let mut next = |milliseconds| {
            let next = plan.take_next(&costs(), Duration::from_millis(milliseconds));
            next.map(|context| context.id)
        };
        assert_eq!(next(1000), Some(3));
        assert_eq!(next(400), Some(0));
        assert_eq!(next(410), Some(2));
        assert_eq!(next(0), Some(1));
        assert_eq!(next(0), None);
    }

    #[test]
    fn contexts_that_exceed_the_remaining_time_are_skipped() {
        let stored = [
            context(1, 2_000_000, 10),
            context(2, 2_000_000, 20),
            context(3, 500_000, 30),
        ];
        assert_eq!(order(&stored, 260, 10_000_000), [1, 3]);
        assert_eq!(order(&stored, 100, 10_000_000), [3]);
    }

    #[test]
    fn all_contexts_except_the_last_must_fit_into_the_cache() {
        let stored = [
            context(1, 800, 10),
            context(2, 600, 20),
            context(3, 400, 30),
        ];
        for (cache_bytes, expected) in [
            (0, vec![1]),
            (500, vec![1]),
            (800, vec![2, 1]),
            (1399, vec![2, 1]),
            (1400, vec![3, 2, 1]),
        ] {
            assert_eq!(order(&stored, 2000, cache_bytes), expected, "{cache_bytes}");
        }
        // The older one fits only into the slot.
        let stored = [context(1, 100, 10), context(2, 1000, 20)];
        assert_eq!(order(&stored, 2000, 500), [1, 2]);
    }
}
