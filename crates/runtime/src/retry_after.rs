//! Estimates when a refused request is worth sending again, for the `Retry-After` header.

use paddock_scheduler::ModelStatus;
use paddock_supervisor::State;
use std::time::Duration;
use tokio::time::Instant;

/// The expected time until a model can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadOutlook {
    /// The model serves: its queue advances.
    Serving,
    /// A load has been running for this long.
    Loading(Duration),
    /// A load starts after this time at the earliest: a backoff, or an open circuit breaker.
    StartsIn(Duration),
    /// Only a change of files or configuration can help.
    Never,
}

/// Returns the seconds after which a request may succeed: the remaining wait and load (expected to take `load`),
/// rounded up, at least one. Returns `None` if waiting cannot help.
pub(super) fn retry_after_seconds(outlook: LoadOutlook, load: Duration) -> Option<u64> {
    let wait = match outlook {
        LoadOutlook::Serving => Duration::ZERO,
        LoadOutlook::Loading(since) => load.saturating_sub(since),
        LoadOutlook::StartsIn(wait) => wait.saturating_add(load),
        LoadOutlook::Never => return None,
    };
    let begun = u64::from(wait.subsec_nanos() > 0);
    Some(wait.as_secs().saturating_add(begun).max(1))
}

impl LoadOutlook {
    /// Derives the outlook from the model's status in the scheduler, the time of its next try if it failed, and the
    /// state of its instance if there is one.
    pub(super) fn from_state(
        status: ModelStatus,
        retry_at: Option<Instant>,
        instance: Option<&State>,
        now: Instant,
    ) -> Self {
        let until = |at: Instant| at.saturating_duration_since(now);
        match (status, retry_at, instance) {
            (ModelStatus::Failed, None, _) => Self::Never,
            (ModelStatus::Failed, Some(at), _) => Self::StartsIn(until(at)),
            (ModelStatus::Ready, ..) => Self::Serving,
            (ModelStatus::Loading, _, Some(State::Backoff { until: at, .. })) => {
                Self::StartsIn(until(*at))
            }
            (ModelStatus::Loading, _, Some(State::Starting { since, .. })) => {
                Self::Loading(now - *since)
            }
            _ => Self::StartsIn(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::failure;
    use paddock_supervisor::FailureClass;

    #[test]
    fn a_retry_is_due_after_the_wait_and_the_load() {
        let ms = Duration::from_millis;
        let table = [
            (LoadOutlook::Serving, ms(90_000), Some(1)),
            (LoadOutlook::StartsIn(ms(0)), ms(0), Some(1)),
            (LoadOutlook::StartsIn(ms(0)), ms(12_001), Some(13)),
            (LoadOutlook::StartsIn(ms(250)), ms(1_750), Some(2)),
            (LoadOutlook::StartsIn(ms(59_500)), ms(4_200), Some(64)),
            (LoadOutlook::Loading(ms(0)), ms(30_000), Some(30)),
            (LoadOutlook::Loading(ms(10_400)), ms(30_000), Some(20)),
            (LoadOutlook::Loading(ms(31_000)), ms(30_000), Some(1)),
            (LoadOutlook::Never, ms(30_000), None),
            (LoadOutlook::StartsIn(Duration::MAX), ms(1), Some(u64::MAX)),
        ];
        for (outlook, load, wanted) in table {
            assert_eq!(
                retry_after_seconds(outlook, load),
                wanted,
                "{outlook:?} {load:?}"
            );
        }
    }

    #[test]
    fn the_outlook_follows_from_the_scheduler_and_the_instance() {
        let now = Instant::now() + Duration::from_secs(100);
        let (later, earlier) = (now + Duration::from_secs(7), now - Duration::from_secs(5));
        let backoff = |until| State::Backoff {
            failure: failure(FailureClass::Crashed, "it crashed"),
            attempt: 1,
            left: 1,
            until,
        };
        let starting = State::Starting {
            pid: 1,
            generation: 1,
            since: earlier,
            progress: None,
            listening: None,
        };
        let starts_in = |seconds| LoadOutlook::StartsIn(Duration::from_secs(seconds));
        let loading = LoadOutlook::Loading(Duration::from_secs(5));
        for (status, retry_at, instance, expected) in [
            (ModelStatus::Failed, None, None, LoadOutlook::Never),
            (ModelStatus::Failed, Some(later), None, starts_in(7)),
            (ModelStatus::Failed, Some(earlier), None, starts_in(0)),
            (ModelStatus::Ready, None, None, LoadOutlook::Serving),
            (
                ModelStatus::Loading,
                None,
                Some(backoff(later)),
                starts_in(7),
            ),
            (
                ModelStatus::Loading,
                None,
                Some(backoff(earlier)),
                starts_in(0),
            ),
            (ModelStatus::Loading, None, Some(starting), loading),
            (ModelStatus::Loading, None, None, starts_in(0)),
            (
                ModelStatus::Loading,
                None,
                Some(State::Stopped),
                starts_in(0),
            ),
            (ModelStatus::Unloaded, None, None, starts_in(0)),
        ] {
            let outlook = LoadOutlook::from_state(status, retry_at, instance.as_ref(), now);
            assert_eq!(outlook, expected, "{status:?} {instance:?}");
        }
    }
}
