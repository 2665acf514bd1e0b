//! What has become of a model's loads and children, counted.

use crate::telemetry::Histogram;
use paddock_scheduler::Note;
use paddock_supervisor::FailureClass;

/// Counts since paddock started.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Loads by how they ended.
    pub(crate) loads: Vec<(&'static str, u64)>,
    /// How long those took that ended well.
    pub(crate) load_time: Histogram,
    /// How often it had to go, by reason.
    pub(crate) evictions: Vec<(&'static str, u64)>,
    /// Its children's failures, by class.
    pub(crate) failures: Vec<(&'static str, u64)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            loads: Vec::new(),
            load_time: Histogram::long(),
            evictions: Vec::new(),
            failures: Vec::new(),
        }
    }
}

impl Tally {
    /// Counts what has been decided.
    pub(super) fn noted(&mut self, note: &Note) {
        match note {
            Note::Ready { took } => {
                self.load_time.add(*took);
                add(&mut self.loads, "complete");
            }
            Note::Failed { .. } => add(&mut self.loads, "failed"),
            Note::DoesNotFit { .. } => add(&mut self.loads, "does_not_fit"),
            Note::OutOfMemory { .. } => add(&mut self.loads, "out_of_memory"),
            Note::Evicted { .. } => add(&mut self.evictions, "room"),
            Note::Yields { .. } => add(&mut self.evictions, "yield"),
            Note::KeepAliveOver { .. } => add(&mut self.evictions, "keep_alive"),
            Note::Unloaded => add(&mut self.evictions, "operator"),
            Note::Reconfigured => add(&mut self.evictions, "reload"),
            Note::OverBudget { .. } => add(&mut self.evictions, "over_budget"),
            Note::Wanted { .. }
            | Note::WaitsForRoom { .. }
            | Note::MakesRoom { .. }
            | Note::Starts { .. }
            | Note::Stays
            | Note::Abandoned => {}
        }
    }

    /// Counts the failure of a child.
    pub(super) fn died(&mut self, class: FailureClass) {
        add(&mut self.failures, class.as_str());
    }
}

fn add(counts: &mut Vec<(&'static str, u64)>, what: &'static str) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, count)) => *count += 1,
        None => counts.push((what, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn notes_and_deaths_are_counted_by_kind() {
        let mut tally = Tally::default();
        let took = Duration::from_secs(3);
        for note in [
            Note::Ready { took },
            Note::Stays,
            Note::Unloaded,
            Note::Ready { took },
        ] {
            tally.noted(&note);
        }
        tally.died(FailureClass::Killed);
        assert_eq!(tally.loads, [("complete", 2)]);
        assert_eq!(tally.load_time.count(), 2);
        assert_eq!(tally.evictions, [("operator", 1)]);
        assert_eq!(tally.failures, [("killed", 1)]);
    }
}
