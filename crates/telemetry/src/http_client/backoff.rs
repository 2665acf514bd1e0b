//! Computes pauses between retries.

use std::time::Duration;

/// Exponential backoff between retries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// Returns the pause after `retries` earlier ones. `chance`, from 0 to 1, shortens it by up to a half,
    /// which spreads clients that failed together.
    pub(crate) fn pause_after(self, retries: u32, chance: f64) -> Duration {
        let doubled = self.initial.saturating_mul(2_u32.saturating_pow(retries));
        doubled.min(self.max).mul_f64(0.5 + chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_bounds_and_are_spread() {
        let backoff = Backoff {
            initial: Duration::from_millis(500),
            max: Duration::from_mins(1),
        };
        let milliseconds = |retries, chance| backoff.pause_after(retries, chance).as_millis();
        let whole: Vec<u128> = (0..9).map(|retries| milliseconds(retries, 1.0)).collect();
        assert_eq!(
            whole,
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!((milliseconds(0, 0.0), milliseconds(0, 0.5)), (250, 375));
        assert_eq!(milliseconds(u32::MAX, 1.0), 60_000);
    }
}
