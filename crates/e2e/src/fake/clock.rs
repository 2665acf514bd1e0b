//! The one place that asks the clock and waits for it.
//!
//! A stand-in for a process that works at its own pace has to keep a pace: its
//! tests wait for conditions, it waits for time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[expect(
    clippy::disallowed_methods,
    reason = "the stand-in is a process of its own, outside any paused test clock"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "keeping a pace is what this process is for"
)]
pub(super) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Seconds since 1970, as the `created` fields carry them.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
