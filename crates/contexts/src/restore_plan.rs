//! Decides which contexts to restore after a load, and in which order.
//!
//! The child keeps one conversation in each slot and moves the others to its prompt cache in RAM. The newest contexts
//! are restored first: if the child is slower than estimated, only older contexts are left out.

use std::time::Duration;

use crate::costs::Costs;

/// Lower bound of the time limit for restoring.
const MIN_RESTORE_LIMIT: Duration = Duration::from_millis(250);

/// Upper bound of the time limit for restoring.
const MAX_RESTORE_LIMIT: Duration = Duration::from_secs(2);

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

/// Returns the contexts to restore, the newest first.
///
/// `limit` bounds the estimated time, `cache_bytes` the size of the child's prompt cache. The context that is restored
/// last stays in a slot, so it needs no room in the cache.
pub fn plan_restores(
    stored: &[StoredContext],
    costs: &Costs,
    limit: Duration,
    cache_bytes: u64,
) -> Vec<StoredContext> {
    let mut newest_first = stored.to_vec();
    newest_first.sort_by_key(|context| context.age);
    let (mut time_left, mut bytes_left) = (limit, cache_bytes);
    let mut plan: Vec<StoredContext> = Vec::new();
    for context in newest_first {
        let Some(time) = time_left.checked_sub(costs.restore_time(context.bytes_as_f64())) else {
            continue;
        };
        time_left = time;
        plan.push(context);
        match bytes_left.checked_sub(context.bytes) {
            Some(bytes) => bytes_left = bytes,
            None => break,
        }
    }
    plan
}

impl StoredContext {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn bytes_as_f64(&self) -> f64 {
        self.bytes as f64
    }
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

    fn plan(stored: &[StoredContext], limit_ms: u64, cache_bytes: u64) -> Vec<i64> {
        let limit = Duration::from_millis(limit_ms);
        let plan = plan_restores(stored, &costs(), limit, cache_bytes);
        plan.iter().map(|context| context.id).collect()
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
    fn the_newest_context_comes_first() {
        let stored = [
            context(1, 1000, 30),
            context(2, 1000, 10),
            context(3, 1000, 20),
        ];
        assert_eq!(plan(&stored, 2000, 10_000), [2, 3, 1]);
    }

    #[test]
    fn contexts_that_exceed_the_remaining_time_are_skipped() {
        let stored = [
            context(1, 2_000_000, 10),
            context(2, 2_000_000, 20),
            context(3, 500_000, 30),
        ];
        assert_eq!(plan(&stored, 260, 10_000_000), [1, 3]);
        assert_eq!(plan(&stored, 100, 10_000_000), [3]);
    }

    #[test]
    fn all_contexts_except_the_last_must_fit_into_the_cache() {
        let stored = [
            context(1, 800, 10),
            context(2, 600, 20),
            context(3, 400, 30),
        ];
        assert_eq!(plan(&stored, 2000, 500), [1]);
        assert_eq!(plan(&stored, 2000, 800), [1, 2]);
        assert_eq!(plan(&stored, 2000, 1399), [1, 2]);
        assert_eq!(plan(&stored, 2000, 1400), [1, 2, 3]);
        assert_eq!(plan(&stored, 2000, 0), [1]);
    }
}
