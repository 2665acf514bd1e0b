//! Reads the clock and sleeps; no other module of the fake does.
//!
//! The fake llama-server imitates a process that works at its own pace, so it must sleep; its tests
//! wait for conditions.

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

/// Returns seconds since 1970, for the `created` fields.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
