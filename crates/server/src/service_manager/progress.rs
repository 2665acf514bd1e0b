//! Tracks the service's start, reloads and stop, and derives the notifications that report them.

use super::notification::Notification;
use tokio::sync::watch;
use tokio::time::Instant;

/// The service's progress as far as a service manager needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ServiceProgress {
    /// Number of reloads that have begun.
    reloads_begun: u64,
    /// Number of reloads that have ended.
    reloads_ended: u64,
    /// Set when the last reload read an invalid configuration.
    pub(super) refused: bool,
    /// Latest end of the service, once it is stopping.
    pub(super) stopping: Option<Instant>,
    /// Set once the service has stopped.
    over: bool,
}

impl ServiceProgress {
    pub(super) fn is_over(self) -> bool {
        self.over
    }
}

/// Returns the notifications to send to a manager that knows of the progress `sent`, or of none yet.
///
/// Reloads may overlap: their end is sent once all of them have ended.
pub(super) fn notifications_due(
    sent: Option<ServiceProgress>,
    progress: ServiceProgress,
    now: Instant,
) -> Vec<Notification> {
    let mut notifications = Vec::new();
    if sent.is_none() {
        notifications.push(Notification::Ready);
    }
    let sent = sent.unwrap_or_default();
    if let Some(deadline) = progress.stopping {
        if sent.stopping.is_none() {
            notifications.push(Notification::Stopping(
                deadline.saturating_duration_since(now),
            ));
        }
        return notifications;
    }
    if progress.reloads_begun > sent.reloads_begun {
        notifications.push(Notification::Reloading);
    }
    if progress.reloads_ended > sent.reloads_ended
        && progress.reloads_ended == progress.reloads_begun
    {
        notifications.push(Notification::Ready);
    }
    notifications
}

/// The sender by which parts of the service report their progress. Works without a receiver, too.
#[derive(Debug, Clone)]
pub(crate) struct ProgressReporter(watch::Sender<ServiceProgress>);

impl ProgressReporter {
    pub(crate) fn new() -> Self {
        Self(watch::channel(ServiceProgress::default()).0)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<ServiceProgress> {
        self.0.subscribe()
    }

    /// Reports that a reload has begun, which ends when the returned guard is dropped.
    pub(crate) fn begin_reload(&self) -> ReloadGuard<'_> {
        self.0.send_modify(|progress| progress.reloads_begun += 1);
        ReloadGuard {
            progress: &self.0,
            refused: false,
        }
    }

    /// Reports that the service is stopping and ends by `deadline`.
    pub(crate) fn set_stopping(&self, deadline: Instant) {
        self.0
            .send_modify(|progress| progress.stopping = Some(deadline));
    }

    /// Reports that the service has stopped.
    pub(crate) fn set_over(&self) {
        self.0.send_modify(|progress| progress.over = true);
    }
}

/// A running reload; dropping the guard reports its end.
#[derive(Debug)]
pub(crate) struct ReloadGuard<'a> {
    progress: &'a watch::Sender<ServiceProgress>,
    refused: bool,
}

impl ReloadGuard<'_> {
    /// Records that the configuration is not valid.
    pub(crate) fn mark_refused(&mut self) {
        self.refused = true;
    }
}

impl Drop for ReloadGuard<'_> {
    fn drop(&mut self) {
        let refused = self.refused;
        self.progress.send_modify(|progress| {
            progress.reloads_ended += 1;
            progress.refused = refused;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn with_reloads(reloads_begun: u64, reloads_ended: u64) -> ServiceProgress {
        ServiceProgress {
            reloads_begun,
            reloads_ended,
            ..ServiceProgress::default()
        }
    }

    #[test]
    fn every_reload_is_framed_and_those_that_overlap_are_one() {
        use Notification::{Ready, Reloading};
        let reload = vec![Reloading, Ready];
        for (sent, now, expected) in [
            (None, (0, 0), vec![Ready]),
            (None, (1, 0), vec![Ready, Reloading]),
            (Some((0, 0)), (0, 0), vec![]),
            (Some((0, 0)), (1, 0), vec![Reloading]),
            (Some((1, 0)), (1, 1), vec![Ready]),
            (Some((0, 0)), (1, 1), reload.clone()),
            (Some((0, 0)), (3, 3), reload.clone()),
            (Some((0, 0)), (2, 1), vec![Reloading]),
            (Some((1, 0)), (2, 0), vec![Reloading]),
            (Some((2, 0)), (2, 1), vec![]),
            (Some((2, 1)), (2, 2), vec![Ready]),
            (Some((1, 0)), (2, 2), reload),
        ] {
            let sent = sent.map(|(begun, ended)| with_reloads(begun, ended));
            let due = notifications_due(sent, with_reloads(now.0, now.1), Instant::now());
            assert_eq!(due, expected, "{sent:?} then {now:?}");
        }
    }

    #[test]
    fn the_end_is_told_once_with_the_time_it_may_take_and_reloads_no_more() {
        let now = Instant::now();
        let minute = Duration::from_mins(1);
        let mut stopping = with_reloads(1, 1);
        stopping.stopping = Some(now + minute);
        let sent = Some(with_reloads(0, 0));
        assert_eq!(
            notifications_due(sent, stopping, now),
            [Notification::Stopping(minute)]
        );
        assert_eq!(notifications_due(Some(stopping), stopping, now), []);
        let late = now + 2 * minute;
        assert_eq!(
            notifications_due(sent, stopping, late),
            [Notification::Stopping(Duration::ZERO)]
        );
    }

    #[test]
    fn a_reload_that_is_dropped_half_way_has_ended() {
        let reporter = ProgressReporter::new();
        let mut receiver = reporter.subscribe();
        let mut reloading = reporter.begin_reload();
        assert_eq!(*receiver.borrow_and_update(), with_reloads(1, 0));
        reloading.mark_refused();
        drop(reloading);
        assert!(receiver.borrow_and_update().refused);
        drop(reporter.begin_reload());
        assert_eq!(*receiver.borrow_and_update(), with_reloads(2, 2));
    }
}
