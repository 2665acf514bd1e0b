//! Computes deadlines that cannot overflow the clock.

use std::time::Duration;

use tokio::time::Instant;

/// The longest delay: a hundred years, longer than any process lives and within each clock's range.
pub(crate) const MAX_DELAY: Duration = Duration::from_hours(100 * 365 * 24);

/// Returns the moment `delay` after `now`; a delay that is too long for the clock is cut.
pub(crate) fn deadline_after(now: Instant, delay: Duration) -> Instant {
    now + delay.min(MAX_DELAY)
}
