//! What has become of a model's loads and children, counted.

use super::death::Then;
use paddock_scheduler::Note;
use paddock_supervisor::{ChildPhase, FailureClass};
use paddock_telemetry::Histogram;

/// Counts since paddock started.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Loads by how they ended; a child that is started again loads again.
    pub loads: Vec<(&'static str, u64)>,
    /// How long those took that ended well.
    pub load_time: Histogram,
    /// How often it had to go and went, by reason.
    pub evictions: Vec<(&'static str, u64)>,
    /// Its children's failures, by class.
    pub failures: Vec<(&'static str, u64)>,
    /// The failures after which its instance started another child, by class.
    pub restarts: Vec<(&'static str, u64)>,
    /// Its load has ended well, or its last child had served when it died: what fails now is no load.
    served: bool,
    /// Why it has to go, until it does.
    going: Option<&'static str>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            loads: Vec::new(),
            load_time: Histogram::with_request_bounds(),
            evictions: Vec::new(),
            failures: Vec::new(),
            restarts: Vec::new(),
            served: false,
            going: None,
        }
    }
}

impl Tally {
    /// Adds what another model of the same name has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.load_time.merge(&other.load_time);
        for (counts, more) in [
            (&mut self.loads, &other.loads),
            (&mut self.evictions, &other.evictions),
            (&mut self.failures, &other.failures),
            (&mut self.restarts, &other.restarts),
        ] {
            for (what, count) in more {
                add_many(counts, what, *count);
            }
        }
    }

    /// Counts what has been decided.
    pub(super) fn noted(&mut self, note: &Note) {
        match note {
            Note::Ready { took } => {
                self.served = true;
                self.load_time.add(*took);
                add(&mut self.loads, "complete");
            }
            Note::Failed { .. } if self.served => {}
            Note::Failed { .. } => add(&mut self.loads, "failed"),
            Note::DoesNotFit { .. } => add(&mut self.loads, "does_not_fit"),
            Note::OutOfMemory { .. } => add(&mut self.loads, "out_of_memory"),
            Note::Evicted { .. } => self.going = Some("room"),
            Note::DrainsFor { .. } => self.going = Some("yield"),
            Note::KeepAliveExpired { .. } => self.going = Some("keep_alive"),
            Note::Unloaded => self.going = Some("operator"),
            Note::Reconfigured => self.going = Some("reload"),
            Note::OverBudget { .. } => self.going = Some("over_budget"),
            Note::DrainCancelled => self.going = None,
            Note::Wanted { .. } | Note::Starts { .. } => {
                self.served = false;
                self.going = None;
            }
            Note::WaitsForRoom { .. }
            | Note::MakesRoom { .. }
            | Note::Tries
            | Note::Pinned { .. }
            | Note::Unpinned { .. }
            | Note::Abandoned => {}
        }
    }

    /// Counts that it goes: nothing is in flight any more, and its child is told to stop.
    pub(super) fn goes(&mut self) {
        if let Some(reason) = self.going.take() {
            add(&mut self.evictions, reason);
        }
    }

    /// Counts the failure of a child, in a phase of its life, and what follows.
    pub(super) fn died(&mut self, class: FailureClass, phase: ChildPhase, then: Then) {
        self.served = phase == ChildPhase::Ready;
        add(&mut self.failures, class.as_str());
        if let Then::Again { .. } = then {
            add(&mut self.restarts, class.as_str());
        }
    }
}

fn add(counts: &mut Vec<(&'static str, u64)>, what: &'static str) {
    add_many(counts, what, 1);
}

fn add_many(counts: &mut Vec<(&'static str, u64)>, what: &'static str, more: u64) {
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

    fn again() -> Then {
        Then::Again {
            at: SystemTime::UNIX_EPOCH,
            left: 3,
        }
    }

    #[test]
    fn who_has_to_go_is_counted_when_it_goes() {
        let mut tally = Tally::default();
        tally.noted(&READY);
        tally.noted(&YIELDS);
        tally.noted(&Note::DrainCancelled);
        tally.goes();
        assert_eq!(tally.evictions, [], "nobody waits for it any more");
        tally.noted(&YIELDS);
        assert_eq!(tally.evictions, [], "it has requests in flight");
        tally.noted(&Note::Unloaded);
        tally.noted(&Note::Unloaded);
        tally.goes();
        tally.goes();
        assert_eq!(tally.evictions, [("operator", 1)]);
        let by = WantedBy::Operator;
        for note in [Note::Wanted { by }, READY, YIELDS] {
            tally.noted(&note);
        }
        tally.goes();
        assert_eq!(tally.evictions, [("operator", 1), ("yield", 1)]);
        assert_eq!(tally.loads, [("complete", 2)]);
        assert_eq!(tally.load_time.count(), 2);
    }

    #[test]
    fn a_child_that_has_served_is_no_failed_load() {
        let mut tally = Tally::default();
        tally.noted(&READY);
        tally.died(FailureClass::Killed, ChildPhase::Ready, again());
        tally.noted(&READY);
        tally.died(FailureClass::Crashed, ChildPhase::Ready, Then::GivenUp);
        tally.noted(&FAILED);
        assert_eq!(tally.loads, [("complete", 2)]);
        assert_eq!(tally.failures, [("killed", 1), ("crashed", 1)]);
        assert_eq!(tally.restarts, [("killed", 1)], "the last is not restarted");

        // The child after it does not come as far.
        tally.noted(&READY);
        tally.died(FailureClass::Killed, ChildPhase::Ready, again());
        tally.died(FailureClass::Crashed, ChildPhase::Starting, Then::GivenUp);
        tally.noted(&FAILED);
        assert_eq!(tally.loads, [("complete", 3), ("failed", 1)]);
        // Nor does the next load.
        let by = WantedBy::Operator;
        for note in [READY, Note::Wanted { by }, FAILED] {
            tally.noted(&note);
        }
        assert_eq!(tally.loads, [("complete", 4), ("failed", 2)]);
    }
}
