//! Estimates when a refused request is worth sending again.

use super::model_entry::ModelEntry;
use paddock_scheduler::{ModelSnapshot, ModelStatus};
use paddock_supervisor::State;
use std::time::Duration;
use tokio::time::Instant;

/// The time until a model can serve.
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
    /// Derives the outlook from the states of the scheduler and the instance.
    pub(super) fn from_entry(entry: &ModelEntry, snapshot: &ModelSnapshot, now: Instant) -> Self {
        let until = |at: Instant| at.saturating_duration_since(now);
        match (snapshot.status, snapshot.retry_at) {
            (ModelStatus::Failed, None) => Self::Never,
            (ModelStatus::Failed, Some(at)) => Self::StartsIn(until(Instant::from_std(at))),
            (ModelStatus::Ready, _) => Self::Serving,
            (ModelStatus::Loading, _) => {
                let running = entry.running.as_ref();
                match running.map(|running| running.instance.watch().borrow().clone()) {
                    Some(State::Backoff { until: at, .. }) => Self::StartsIn(until(at)),
                    Some(State::Starting { since, .. }) => Self::Loading(now - since),
                    _ => Self::StartsIn(Duration::ZERO),
                }
            }
            _ => Self::StartsIn(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
