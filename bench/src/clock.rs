//! The monotonic clock, which all processes of the machine share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const SECOND: u64 = 1_000_000_000;

/// Returns `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * SECOND + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Sleeps until a point in time of this clock, or until a signal arrives.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn sleep_until(moment: u64) {
    use rustix::thread::clock_nanosleep_absolute;
    use rustix::time::Timespec;

    let until = Timespec {
        tv_sec: i64::try_from(moment / SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(moment % SECOND).unwrap_or(0),
    };
    // A signal ends the sleep early, which delays or advances one event only.
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &until);
}

/// Sleeps until a point in time of this clock. Apple's systems have no sleep until a point in time.
#[cfg(target_vendor = "apple")]
pub(crate) fn sleep_until(moment: u64) {
    std::thread::sleep(Duration::from_nanos(moment.saturating_sub(now())));
}

/// Blocks the thread for a duration.
pub(crate) fn sleep(duration: Duration) {
    sleep_until(now() + nanoseconds(duration));
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
