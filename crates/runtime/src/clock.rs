//! Reads the monotonic clock and the wall clock together, and converts times from one to the other.

use std::time::SystemTime;
use tokio::time::Instant;

/// The current time on both clocks, taken once for each decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) monotonic: Instant,
    pub(super) wall: SystemTime,
}

impl Clock {
    /// Reads both clocks.
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Converts a monotonic time to wall-clock time. A time in the past becomes the current one.
    pub(super) fn to_wall(self, at: Instant) -> SystemTime {
        self.wall + at.saturating_duration_since(self.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_future_time_keeps_its_distance_and_a_past_one_is_now() {
        let monotonic = Instant::now() + Duration::from_mins(1);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let clock = Clock { monotonic, wall };
        let second = Duration::from_secs(1);
        assert_eq!(clock.to_wall(monotonic + 7 * second), wall + 7 * second);
        assert_eq!(clock.to_wall(monotonic), wall);
        assert_eq!(clock.to_wall(monotonic - 7 * second), wall);
    }
}
