//! Scores how much a model was used recently, to estimate the value of keeping it in memory.

use std::time::{Duration, Instant};

/// The age at which a use counts half in the score.
const USE_HALF_LIFE: Duration = Duration::from_mins(10);

/// A score of recent uses.
///
/// Each use counts one when it happens and less as time passes, which combines frequency and recency in one
/// number, as in LRFU (Lee et al., 2001). Multiplied by the cost of a miss it is the worth of
/// GreedyDual-Size-Frequency (Cherkasova, 1998); `eviction.rs`, which chooses models to evict, adds the size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecentUses {
    score: f64,
    updated_at: Instant,
    /// The total number of uses at the last update.
    counted: u64,
}

impl RecentUses {
    /// Creates the score of a model that was never used.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            score: 0.0,
            updated_at: now,
            counted: 0,
        }
    }

    /// Adds the uses since the last call and returns the score. `total` counts all uses of the model; the latest
    /// ended at `last`.
    pub(crate) fn update(&mut self, total: u64, last: Instant, now: Instant) -> f64 {
        let new = total.saturating_sub(self.counted);
        if new == 0 && now == self.updated_at {
            return self.score;
        }
        let aged = self.score * faded(now.saturating_duration_since(self.updated_at));
        #[expect(clippy::cast_precision_loss, reason = "a score, not a count")]
        let fresh = new as f64 * faded(now.saturating_duration_since(last));
        *self = Self {
            score: aged + fresh,
            updated_at: now,
            counted: total,
        };
        self.score
    }
}

/// Returns the weight of a use of this age, between 0 and 1.
fn faded(age: Duration) -> f64 {
    (-age.as_secs_f64() / USE_HALF_LIFE.as_secs_f64()).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_counts_less_as_time_goes_by() {
        #[expect(clippy::disallowed_methods, reason = "a start to count from")]
        let start = Instant::now();
        let mut uses = RecentUses::new(start);
        assert!((uses.update(4, start, start) - 4.0).abs() < 1e-9);
        assert!((uses.update(4, start, start + USE_HALF_LIFE) - 2.0).abs() < 1e-9);
        let later = start + 2 * USE_HALF_LIFE;
        assert!((uses.update(5, later, later) - 2.0).abs() < 1e-9);
    }
}
