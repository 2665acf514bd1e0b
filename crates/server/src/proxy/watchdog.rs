use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The one timer of a connection.
///
/// Progress only notes the time; the timer itself is moved when it goes off too early, or when a
/// shorter limit than the one it waits for comes into force. So a piece that passes costs a
/// reading of the clock.
#[derive(Debug)]
pub(super) struct Watchdog {
    last: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self {
            last: Instant::now(),
            timer: None,
        }
    }

    /// Something passed.
    pub(super) fn progress(&mut self) {
        self.last = Instant::now();
    }

    /// Ready when nothing has passed for `limit`.
    pub(super) fn poll_silent(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.last + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
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
            watchdog.progress();
        }
        poll_fn(|cx| watchdog.poll_silent(Duration::from_secs(10), cx)).await;
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
            watchdog.poll_silent(Duration::from_secs(5), cx)
        });
        long.await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
