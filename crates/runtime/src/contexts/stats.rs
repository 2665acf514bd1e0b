//! Counters and restore results of kept contexts, for the status, metrics and explanations.

use std::time::{Duration, SystemTime};

use super::restore::RestoreReport;
use super::store::StoreUsage;
use super::support::Unsupported;

/// Maximum number of restores that are remembered per model, to explain requests of earlier loads.
const MAX_RESTORES: usize = 8;

/// The contexts of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelContexts {
    /// The reason why contexts are not kept, for people; `None` if they are kept, or before the first load.
    pub not_kept: Option<String>,
    /// Contexts in the store.
    pub stored: StoreUsage,
    /// The latest restores, at most [`MAX_RESTORES`], oldest first.
    restores: Vec<RestoreSummary>,
}

/// The result of restoring the contexts of a model after a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreSummary {
    /// Time at which the restore ended.
    pub at: SystemTime,
    /// All contexts stored for the model at that time, including those not valid for this load.
    pub stored: u64,
    /// Stored contexts that were valid for this load: of the same files, arguments, environment and engine.
    pub found: u64,
    /// Number of restored contexts.
    pub contexts: u64,
    /// Tokens of the restored contexts.
    pub tokens: u64,
    /// Bytes of the restored contexts.
    pub bytes: u64,
    /// Tokens of the longest restored context.
    pub longest: u64,
    /// Contexts that could not be restored.
    pub failures: u64,
    /// Duration of the restore.
    pub time: Duration,
}

/// Counts of saves and restores since paddock started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextCounters {
    /// Completed saves. A conversation that grows is saved again.
    pub saved: u64,
    /// Failed saves.
    pub save_failures: u64,
    /// Contexts restored after loads.
    pub restored: u64,
    /// Contexts that could not be restored.
    pub restore_failures: u64,
    /// Contexts deleted because of the quota or their age.
    pub deleted: u64,
    /// Restored contexts that a request has continued.
    pub hits: u64,
    /// Prompt tokens that those requests did not read again.
    pub tokens_reused: u64,
    /// Estimated time that reading those tokens would have taken.
    pub time_saved: Duration,
}

impl ModelContexts {
    /// Records a load's decision to keep contexts or not.
    pub(crate) fn record_support(&mut self, decision: Result<(), &Unsupported>) {
        self.not_kept = decision.err().map(ToString::to_string);
    }

    /// Records the result of a restore that ended at `at`.
    pub(crate) fn record_restore(&mut self, report: &RestoreReport, at: SystemTime) {
        if self.restores.len() == MAX_RESTORES {
            self.restores.remove(0);
        }
        let longest = report.contexts.iter().map(|context| context.tokens).max();
        self.restores.push(RestoreSummary {
            at,
            stored: self.stored.contexts,
            found: report.found,
            contexts: report.count(),
            tokens: report.tokens(),
            bytes: report.bytes(),
            longest: longest.unwrap_or(0).into(),
            failures: report.failures,
            time: report.time,
        });
    }

    /// Returns the last restore, which may have restored no context; `None` before the first load that keeps contexts.
    pub fn last_restore(&self) -> Option<&RestoreSummary> {
        self.restores.last()
    }

    /// Returns the last restore before `end`, which belongs to the load that served a request with this end.
    pub fn restore_before(&self, end: SystemTime) -> Option<&RestoreSummary> {
        self.restores.iter().rev().find(|restore| restore.at <= end)
    }
}

impl ContextCounters {
    /// Adds the counters of another model of the same name.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.saved += other.saved;
        self.save_failures += other.save_failures;
        self.restored += other.restored;
        self.restore_failures += other.restore_failures;
        self.deleted += other.deleted;
        self.hits += other.hits;
        self.tokens_reused += other.tokens_reused;
        self.time_saved = self.time_saved.saturating_add(other.time_saved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_explained_by_the_restore_before_its_end() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut contexts = ModelContexts::default();
        assert_eq!(contexts.last_restore(), None);
        let restores = 10;
        for number in 0..restores {
            contexts.stored.contexts = number;
            let report = RestoreReport {
                found: number,
                ..RestoreReport::default()
            };
            contexts.record_restore(&report, at(10 * number));
        }
        let number = |restore: Option<&RestoreSummary>| {
            restore.map(|restore| (restore.found, restore.stored))
        };
        assert_eq!(number(contexts.last_restore()), Some((9, 9)));
        for (end, expected) in [
            (1_000, Some((9, 9))),
            (90, Some((9, 9))),
            (89, Some((8, 8))),
            (20, Some((2, 2))),
            (19, None),
        ] {
            assert_eq!(number(contexts.restore_before(at(end))), expected, "{end}");
        }
    }
}
