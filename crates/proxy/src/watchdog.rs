use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The one timer of a connection.
///
/// Progress only notes the time; the timer itself is moved when it goes off too early, or when a
/// shorter limit than the one it waits for comes into force. The clock is read once whenever the
/// connection's task runs, by [`look`](Self::look): what it does takes no time that counts here.
#[derive(Debug)]
pub(super) struct Watchdog {
    now: Instant,
    last: Instant,
    timer: Option<Timer>,
}

/// A timer, and whether it will wake the task. A connection has one task all its life.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    set: bool,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            last: now,
            timer: None,
        }
    }

    /// Reads the clock.
    pub(super) fn look(&mut self) {
        self.now = Instant::now();
    }

    /// The time of the last look.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Something passed.
    pub(super) fn progress(&mut self) {
        self.last = self.now;
    }

    /// When something passed last.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// Ready when nothing has passed for `limit`.
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
        let mut watchdog = Watchdog::new();
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(7)).await;
            watchdog.look();
            watchdog.progress();
        }
        let silent = poll_fn(|cx| {
            watchdog.look();
            watchdog.poll_silent(Duration::from_secs(10), cx)
        });
        silent.await;
        assert_eq!(start.elapsed().as_secs(), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_counts_at_once() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new();
        let long = poll_fn(|cx| {
            assert!(
                watchdog
                    .poll_silent(Duration::from_mins(1), cx)
                    .is_pending()
            );
            watchdog.look();
            watchdog.poll_silent(Duration::from_secs(5), cx)
        });
        long.await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
