//! Waits for conditions, with a limit.

use std::thread;
use std::time::{Duration, Instant};

/// Limit on waiting for anything that must happen, even on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The time for which a test watches to show that something does not happen.
pub const WATCH_TIME: Duration = Duration::from_millis(300);

/// Bounds of the pause between two checks of a condition.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Returns the real time, which other processes share.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes know no paused clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Polls until the condition holds; panics with `what`, its description, after `limit`.
pub fn wait_until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(limit, what, || is_so().then_some(()));
}

/// Polls until `look` returns a value; panics with `what`, its description, after `limit`.
pub fn wait_for<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = start.elapsed();
        assert!(waited < limit, "waited {limit:?} in vain for {what}");
        // A twentieth of the wait: a look costs the processes that are tested some of their time.
        pause((waited / 20).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process cannot wake who waits for it"
)]
fn pause(time: Duration) {
    thread::sleep(time);
}
