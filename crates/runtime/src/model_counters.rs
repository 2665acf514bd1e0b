//! Counts a model's loads, evictions, failures and restarts, for metrics and snapshots.

use super::child_failure::RestartDecision;
use super::contexts::ContextCounters;
use paddock_scheduler::Note;
use paddock_supervisor::{ChildPhase, FailureClass};
use paddock_telemetry::Histogram;

/// Counters since paddock started.
#[derive(Debug, Clone)]
pub struct ModelCounters {
    /// Loads by outcome; a restarted child loads again.
    pub loads: Vec<(&'static str, u64)>,
    /// Durations of completed loads.
    pub load_time: Histogram,
    /// Evictions and unloads by reason.
    pub evictions: Vec<(&'static str, u64)>,
    /// Failures of the model's children, by class.
    pub failures: Vec<(&'static str, u64)>,
    /// Failures after which the instance started another child, by class.
    pub restarts: Vec<(&'static str, u64)>,
    /// Counts of saves, restores and hits of the model's contexts.
    pub contexts: ContextCounters,
    /// True after a completed load, or if the last child had served when it failed: the next failure is then not a
    /// failed load.
    served: bool,
    /// Reason of a pending eviction.
    eviction_reason: Option<&'static str>,
}

impl Default for ModelCounters {
    fn default() -> Self {
        Self {
            loads: Vec::new(),
            load_time: Histogram::with_request_bounds(),
            evictions: Vec::new(),
            failures: Vec::new(),
            restarts: Vec::new(),
            contexts: ContextCounters::default(),
            served: false,
            eviction_reason: None,
        }
    }
}

impl ModelCounters {
    /// Adds the counters of another model of the same name.
    pub(super) fn merge(&mut self, other: &Self) {
        self.load_time.merge(&other.load_time);
        self.contexts.merge(&other.contexts);
        for (counts, more) in [
            (&mut self.loads, &other.loads),
            (&mut self.evictions, &other.evictions),
            (&mut self.failures, &other.failures),
            (&mut self.restarts, &other.restarts),
        ] {
            for (what, count) in more {
                add_to(counts, what, *count);
            }
        }
    }

    /// Counts a decision.
    pub(super) fn count_note(&mut self, note: &Note) {
        match note {
            Note::Ready { took } => {
                self.served = true;
                self.load_time.add(*took);
                increment(&mut self.loads, "complete");
            }
            Note::Failed { .. } if self.served => {}
            Note::Failed { .. } => increment(&mut self.loads, "failed"),
            Note::DoesNotFit { .. } => increment(&mut self.loads, "does_not_fit"),
            Note::OutOfMemory { .. } => increment(&mut self.loads, "out_of_memory"),
            Note::Evicted { .. } => self.eviction_reason = Some("room"),
            Note::DrainsFor { .. } => self.eviction_reason = Some("yield"),
            Note::KeepAliveExpired { .. } => self.eviction_reason = Some("keep_alive"),
            Note::Unloaded => self.eviction_reason = Some("operator"),
            Note::Reconfigured => self.eviction_reason = Some("reload"),
            Note::OverBudget { .. } => self.eviction_reason = Some("over_budget"),
            Note::DrainCancelled => self.eviction_reason = None,
            Note::Wanted { .. } | Note::Starts { .. } => {
                self.served = false;
                self.eviction_reason = None;
            }
            Note::WaitsForRoom { .. }
            | Note::MakesRoom { .. }
            | Note::Tries
            | Note::Pinned { .. }
            | Note::Unpinned { .. }
            | Note::Abandoned => {}
        }
    }

    /// Counts a pending eviction when the child is told to stop.
    pub(super) fn count_eviction(&mut self) {
        if let Some(reason) = self.eviction_reason.take() {
            increment(&mut self.evictions, reason);
        }
    }

    /// Counts a child's failure, with its phase and the restart decision.
    pub(super) fn count_failure(
        &mut self,
        class: FailureClass,
        phase: ChildPhase,
        decision: RestartDecision,
    ) {
        self.served = phase == ChildPhase::Ready;
        increment(&mut self.failures, class.as_str());
        if let RestartDecision::Restart { .. } = decision {
            increment(&mut self.restarts, class.as_str());
        }
    }
}

fn increment(counts: &mut Vec<(&'static str, u64)>, what: &'static str) {
    add_to(counts, what, 1);
}

fn add_to(counts: &mut Vec<(&'static str, u64)>, what: &'static str, more: u64) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, count)) => *count += more,
        None => counts.push((what, more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_scheduler::{ModelId, WantedBy};
    use std::time::{Duration, SystemTime};

    const READY: Note = Note::Ready {
        took: Duration::from_secs(3),
    };
    const YIELDS: Note = Note::DrainsFor {
        to: ModelId(1),
        waited: Duration::from_secs(1),
        in_flight: 1,
    };
    const FAILED: Note = Note::Failed { retry: None };

    fn again() -> RestartDecision {
        RestartDecision::Restart {
            at: SystemTime::UNIX_EPOCH,
            left: 3,
        }
    }

    #[test]
    fn who_has_to_go_is_counted_when_it_goes() {
        let mut counters = ModelCounters::default();
        counters.count_note(&READY);
        counters.count_note(&YIELDS);
        counters.count_note(&Note::DrainCancelled);
        counters.count_eviction();
        assert_eq!(counters.evictions, [], "nobody waits for it any more");
        counters.count_note(&YIELDS);
        assert_eq!(counters.evictions, [], "it has requests in flight");
        counters.count_note(&Note::Unloaded);
        counters.count_note(&Note::Unloaded);
        counters.count_eviction();
        counters.count_eviction();
        assert_eq!(counters.evictions, [("operator", 1)]);
        let by = WantedBy::Operator;
        for note in [Note::Wanted { by }, READY, YIELDS] {
            counters.count_note(&note);
        }
        counters.count_eviction();
        assert_eq!(counters.evictions, [("operator", 1), ("yield", 1)]);
        assert_eq!(counters.loads, [("complete", 2)]);
        assert_eq!(counters.load_time.count(), 2);
    }

    #[test]
    fn a_child_that_has_served_is_no_failed_load() {
        let mut counters = ModelCounters::default();
        counters.count_note(&READY);
        counters.count_failure(FailureClass::Killed, ChildPhase::Ready, again());
        counters.count_note(&READY);
        counters.count_failure(
            FailureClass::Crashed,
            ChildPhase::Ready,
            RestartDecision::GiveUp,
        );
        counters.count_note(&FAILED);
        assert_eq!(counters.loads, [("complete", 2)]);
        assert_eq!(counters.failures, [("killed", 1), ("crashed", 1)]);
        assert_eq!(
            counters.restarts,
            [("killed", 1)],
            "the last is not restarted"
        );

        // The next child fails before it serves.
        counters.count_note(&READY);
        counters.count_failure(FailureClass::Killed, ChildPhase::Ready, again());
        counters.count_failure(
            FailureClass::Crashed,
            ChildPhase::Starting,
            RestartDecision::GiveUp,
        );
        counters.count_note(&FAILED);
        assert_eq!(counters.loads, [("complete", 3), ("failed", 1)]);
        // The next load fails as well.
        let by = WantedBy::Operator;
        for note in [READY, Note::Wanted { by }, FAILED] {
            counters.count_note(&note);
        }
        assert_eq!(counters.loads, [("complete", 4), ("failed", 2)]);
    }
}
