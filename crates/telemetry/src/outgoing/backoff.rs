use std::time::Duration;

/// Pauses between tries, each twice as long as the one before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The pause after so many others. `chance`, from 0 to 1, takes up to a half off it, and keeps those apart
    /// that failed together.
    pub(crate) fn pause(self, others: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(others));
        doubled.min(self.longest).mul_f64(0.5 + chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_bounds_and_are_spread() {
        let backoff = Backoff {
            first: Duration::from_millis(500),
            longest: Duration::from_mins(1),
        };
        let milliseconds = |others, chance| backoff.pause(others, chance).as_millis();
        let whole: Vec<u128> = (0..9).map(|others| milliseconds(others, 1.0)).collect();
        assert_eq!(
            whole,
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!((milliseconds(0, 0.0), milliseconds(0, 0.5)), (250, 375));
        assert_eq!(milliseconds(u32::MAX, 1.0), 60_000);
    }
}
