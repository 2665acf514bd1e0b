//! Measures the silence on a connection with a single timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The one timer of a connection.
///
/// Progress only stores the time. The timer itself is moved when it fires too early, or when a shorter limit
/// than its own applies. The clock is read once per run of the connection's task, by
/// [`read_clock`](Self::read_clock): work within a run takes no time that matters here.
#[derive(Debug)]
pub(super) struct SilenceTimer {
    now: Instant,
    last: Instant,
    timer: Option<Timer>,
}

/// A timer, and whether it will wake the task. A connection has the same task all its life.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    set: bool,
}

impl SilenceTimer {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            last: now,
            timer: None,
        }
    }

    /// Reads the clock.
    pub(super) fn read_clock(&mut self) {
        self.now = Instant::now();
    }

    /// Returns the time of the last [`read_clock`](Self::read_clock).
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Notes that bytes have passed.
    pub(super) fn record_progress(&mut self) {
        self.last = self.now;
    }

    /// Returns when bytes last passed.
    pub(super) fn last_progress(&self) -> Instant {
        self.last
    }

    /// Ready when no bytes have passed for `limit`.
    pub(super) fn poll_silent(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.last + limit;
        let timer = self.timer.get_or_insert_with(|| Timer {
            sleep: Box::pin(sleep_until(due)),
            set: false,
        });
        if timer.sleep.deadline() > due {
            timer.sleep.as_mut().reset(due);
            timer.set = false;
        }
        if timer.set && self.now < timer.sleep.deadline() {
            return Poll::Pending;
        }
        loop {
            timer.set = timer.sleep.as_mut().poll(cx).is_pending();
            if timer.set {
                return Poll::Pending;
            }
            if timer.sleep.deadline() >= due {
                return Poll::Ready(());
            }
            timer.sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_progress() {
        let start = Instant::now();
        let mut timer = SilenceTimer::new();
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(7)).await;
            timer.read_clock();
            timer.record_progress();
        }
        let silent = poll_fn(|cx| {
            timer.read_clock();
            timer.poll_silent(Duration::from_secs(10), cx)
        });
        silent.await;
        assert_eq!(start.elapsed().as_secs(), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_counts_at_once() {
        let start = Instant::now();
        let mut timer = SilenceTimer::new();
        let long = poll_fn(|cx| {
            assert!(timer.poll_silent(Duration::from_mins(1), cx).is_pending());
            timer.read_clock();
            timer.poll_silent(Duration::from_secs(5), cx)
        });
        long.await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
