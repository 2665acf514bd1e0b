//! Estimates the cost of keeping a conversation from a child's own measurements.

use std::time::Duration;

/// Weight of a new measurement in the moving average.
const NEW_WEIGHT: f64 = 0.25;

/// Assumed speed of a save before the first measurement, in bytes per second. llama.cpp b11434 reached 280 MB/s with
/// 131 MB on two shared cores.
const INITIAL_SAVE_SPEED: f64 = 200e6;

/// Assumed speed of a restore before the first measurement, in bytes per second. The same file was restored at 845
/// MB/s.
const INITIAL_RESTORE_SPEED: f64 = 600e6;

/// The predicted size of a saved conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSize {
    /// Bytes per token.
    pub per_token: u64,
    /// Bytes that do not depend on the number of tokens: sliding windows and recurrent states.
    pub fixed: u64,
}

impl Default for StateSize {
    /// Returns the size for a model of 8 billion parameters with grouped-query attention and f16 cells. For smaller
    /// models this overestimates the time of a save.
    fn default() -> Self {
        Self {
            per_token: 131_072,
            fixed: 0,
        }
    }
}

/// The measured speeds and sizes of one model on this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Time to read one prompt token; `None` until the child has read a prompt.
    seconds_per_token: Option<f64>,
    save_speed: f64,
    restore_speed: f64,
    fixed_bytes: f64,
    bytes_per_token: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self::new(StateSize::default())
    }
}

impl Costs {
    /// Returns the costs of a model before the first measurement.
    pub fn new(size: StateSize) -> Self {
        Self {
            seconds_per_token: None,
            save_speed: INITIAL_SAVE_SPEED,
            restore_speed: INITIAL_RESTORE_SPEED,
            fixed_bytes: to_f64(size.fixed),
            bytes_per_token: to_f64(size.per_token),
        }
    }

    /// Records that the child read `tokens` prompt tokens, not counting cached tokens, in `time`.
    pub fn record_reading(&mut self, tokens: u32, time: Duration) {
        if tokens == 0 || time.is_zero() {
            return;
        }
        let measured = time.as_secs_f64() / f64::from(tokens);
        self.seconds_per_token = Some(match self.seconds_per_token {
            Some(known) => average(known, measured),
            None => measured,
        });
    }

    /// Records a save of `tokens` tokens to a file of `bytes` bytes, which took `time`.
    pub fn record_save(&mut self, tokens: u32, bytes: u64, time: Duration) {
        if tokens == 0 || time.is_zero() {
            return;
        }
        self.fixed_bytes = self.fixed_bytes.min(to_f64(bytes));
        self.bytes_per_token = (to_f64(bytes) - self.fixed_bytes) / f64::from(tokens);
        self.save_speed = average(self.save_speed, to_f64(bytes) / time.as_secs_f64());
    }

    /// Records a restore of a file of `bytes` bytes, which took `time`.
    pub fn record_restore(&mut self, bytes: u64, time: Duration) {
        if !time.is_zero() {
            self.restore_speed = average(self.restore_speed, to_f64(bytes) / time.as_secs_f64());
        }
    }

    /// Returns the estimated time to read `tokens` prompt tokens; `None` until the child has read a prompt.
    pub fn reading_time(&self, tokens: u32) -> Option<Duration> {
        let seconds = self.seconds_per_token? * f64::from(tokens);
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Returns the estimated size of a context of `tokens` tokens, in bytes.
    pub fn size(&self, tokens: u32) -> f64 {
        self.fixed_bytes + self.bytes_per_token * f64::from(tokens)
    }

    /// Returns the estimated time for which a save of `tokens` tokens blocks the child.
    pub fn save_time(&self, tokens: u32) -> Duration {
        seconds(self.size(tokens) / self.save_speed)
    }

    /// Returns the estimated time for which a restore of `bytes` bytes blocks the child.
    pub fn restore_time(&self, bytes: f64) -> Duration {
        seconds(bytes / self.restore_speed)
    }
}

fn average(known: f64, measured: f64) -> f64 {
    known + NEW_WEIGHT * (measured - known)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_size_replaces_the_predicted_one() {
        let mut costs = Costs::new(StateSize {
            per_token: 1000,
            fixed: 50_000,
        });
        let is_size = |costs: &Costs, tokens, size: f64| (costs.size(tokens) - size).abs() < 1.0;
        assert!(is_size(&costs, 100, 150_000.0));
        costs.record_save(100, 250_000, Duration::from_millis(1));
        assert!(is_size(&costs, 200, 450_000.0));
        // A file smaller than the predicted fixed part corrects that part.
        costs.record_save(100, 20_000, Duration::from_millis(1));
        assert!(is_size(&costs, 200, 20_000.0));
    }

    #[test]
    fn measurements_without_tokens_or_time_are_ignored() {
        let mut costs = Costs::default();
        costs.record_reading(0, Duration::from_secs(1));
        costs.record_reading(1, Duration::ZERO);
        costs.record_save(0, 1, Duration::from_secs(1));
        costs.record_restore(1, Duration::ZERO);
        assert_eq!(costs, Costs::default());
        assert_eq!(costs.reading_time(1), None);
    }
}
