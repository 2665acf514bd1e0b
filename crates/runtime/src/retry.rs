//! When a refused request is worth sending again.

use super::entry::Entry;
use paddock_scheduler::{ModelSnapshot, ModelStatus};
use paddock_supervisor::State;
use std::time::Duration;
use tokio::time::Instant;

/// What stands between a model and its next answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It serves: its queue moves on.
    Serves,
    /// Its load began so long ago.
    Loads(Duration),
    /// Its load begins in so long at the earliest: a backoff, or the time that the breaker stays open.
    Begins(Duration),
    /// Nothing but a change of the outside can help.
    Hopeless,
}

/// After how many seconds a request has a chance: what is left of the wait and of the load, which takes
/// `load` as far as is known, rounded up, and one at least. Nothing where time cannot help.
pub(super) fn retry_after(outlook: Outlook, load: Duration) -> Option<u64> {
    let wait = match outlook {
        Outlook::Serves => Duration::ZERO,
        Outlook::Loads(since) => load.saturating_sub(since),
        Outlook::Begins(wait) => wait.saturating_add(load),
        Outlook::Hopeless => return None,
    };
    let begun = u64::from(wait.subsec_nanos() > 0);
    Some(wait.as_secs().saturating_add(begun).max(1))
}

impl Outlook {
    /// What the scheduler and the instance say of a model.
    pub(super) fn of(entry: &Entry, look: &ModelSnapshot, now: Instant) -> Self {
        let until = |at: Instant| at.saturating_duration_since(now);
        match (look.status, look.retry_at) {
            (ModelStatus::Failed, None) => Self::Hopeless,
            (ModelStatus::Failed, Some(at)) => Self::Begins(until(Instant::from_std(at))),
            (ModelStatus::Ready, _) => Self::Serves,
            (ModelStatus::Loading, _) => {
                let running = entry.running.as_ref();
                match running.map(|running| running.instance.watch().borrow().clone()) {
                    Some(State::Backoff { until: at, .. }) => Self::Begins(until(at)),
                    Some(State::Starting { since, .. }) => Self::Loads(now - since),
                    _ => Self::Begins(Duration::ZERO),
                }
            }
            _ => Self::Begins(Duration::ZERO),
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
            (Outlook::Serves, ms(90_000), Some(1)),
            (Outlook::Begins(ms(0)), ms(0), Some(1)),
            (Outlook::Begins(ms(0)), ms(12_001), Some(13)),
            (Outlook::Begins(ms(250)), ms(1_750), Some(2)),
            (Outlook::Begins(ms(59_500)), ms(4_200), Some(64)),
            (Outlook::Loads(ms(0)), ms(30_000), Some(30)),
            (Outlook::Loads(ms(10_400)), ms(30_000), Some(20)),
            (Outlook::Loads(ms(31_000)), ms(30_000), Some(1)),
            (Outlook::Hopeless, ms(30_000), None),
            (Outlook::Begins(Duration::MAX), ms(1), Some(u64::MAX)),
        ];
        for (outlook, load, wanted) in table {
            assert_eq!(retry_after(outlook, load), wanted, "{outlook:?} {load:?}");
        }
    }
}
