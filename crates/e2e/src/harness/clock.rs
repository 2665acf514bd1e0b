//! Waiting for conditions, with a limit.

use std::thread;
use std::time::{Duration, Instant};

/// The longest wait for anything that has to happen, on a machine that is busy.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How long something is watched that must not happen.
pub const A_WHILE: Duration = Duration::from_millis(300);

/// The time, as other processes see it too.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes know no paused clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Looks again and again until it is so.
pub fn wait_until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(limit, what, || is_so().then_some(()));
}

/// Looks again and again until there is something.
pub fn wait_for<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain for {what}"
        );
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process cannot wake who waits for it"
)]
fn pause() {
    thread::sleep(Duration::from_millis(2));
}
