//! Maps the scheduler's decisions and the failures of children (llama-server processes) to the names of lifecycle
//! events in the activity database.

use crate::contexts::Direction;
use paddock_scheduler::Note;
use paddock_supervisor::ChildPhase;

/// Returns the event and its reason, or `None` if the decision does not change the model's state yet. A failed load
/// is recorded with its class when the child fails.
pub(super) fn event_and_reason(note: &Note) -> Option<(&'static str, Option<&'static str>)> {
    Some(match note {
        Note::Starts { .. } => ("load_started", None),
        Note::Ready { .. } => ("ready", None),
        Note::Evicted { .. } => ("evicted", Some("room")),
        Note::DrainsFor { .. } => ("evicted", Some("yield")),
        Note::OverBudget { .. } => ("evicted", Some("over_budget")),
        Note::DrainCancelled => ("stays", None),
        Note::KeepAliveExpired { .. } => ("unloaded", Some("keep_alive")),
        Note::Unloaded => ("unloaded", Some("operator")),
        Note::Reconfigured => ("unloaded", Some("reload")),
        Note::DoesNotFit { .. } => ("refused", Some("does_not_fit")),
        Note::Wanted { .. }
        | Note::WaitsForRoom { .. }
        | Note::MakesRoom { .. }
        | Note::Tries
        | Note::Pinned { .. }
        | Note::Unpinned { .. }
        | Note::OutOfMemory { .. }
        | Note::Failed { .. }
        | Note::Abandoned => return None,
    })
}

/// Returns the event of a child's failure.
pub(super) fn failure_event(phase: ChildPhase) -> &'static str {
    match phase {
        ChildPhase::Ready => "crashed",
        ChildPhase::Spawn | ChildPhase::Starting => "load_failed",
    }
}

/// Returns the name of the event for saved or restored contexts.
pub(super) const fn contexts_event(direction: Direction) -> &'static str {
    match direction {
        Direction::Saved => "contexts_saved",
        Direction::Restored => "contexts_restored",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_scheduler::{Memory, ModelId, PinnedBy, WantedBy};
    use std::time::Duration;

    #[test]
    fn decisions_that_change_a_models_state_are_events() {
        let (memory, time) = (Memory::NONE, Duration::ZERO);
        let by = ModelId(1);
        let models = Vec::new;
        let (needs, free) = (memory, memory);
        let table = [
            (Note::Starts { needs, free }, Some(("load_started", None))),
            (Note::Ready { took: time }, Some(("ready", None))),
            (
                Note::Evicted {
                    by,
                    idle: time,
                    worth: 1.0,
                    frees: memory,
                },
                Some(("evicted", Some("room"))),
            ),
            (
                Note::DrainsFor {
                    to: by,
                    waited: time,
                    in_flight: 1,
                },
                Some(("evicted", Some("yield"))),
            ),
            (
                Note::OverBudget {
                    idle: time,
                    over: memory,
                },
                Some(("evicted", Some("over_budget"))),
            ),
            (Note::DrainCancelled, Some(("stays", None))),
            (
                Note::KeepAliveExpired { idle: time },
                Some(("unloaded", Some("keep_alive"))),
            ),
            (Note::Unloaded, Some(("unloaded", Some("operator")))),
            (Note::Reconfigured, Some(("unloaded", Some("reload")))),
            (
                Note::DoesNotFit {
                    needs,
                    available: memory,
                    pinned: models(),
                },
                Some(("refused", Some("does_not_fit"))),
            ),
            (
                Note::Wanted {
                    by: WantedBy::Operator,
                },
                None,
            ),
            (
                Note::WaitsForRoom {
                    needs,
                    free,
                    kept: models(),
                    pinned: models(),
                },
                None,
            ),
            (
                Note::MakesRoom {
                    needs,
                    victims: models(),
                },
                None,
            ),
            (Note::Tries, None),
            (
                Note::Pinned {
                    by: PinnedBy::Operator,
                },
                None,
            ),
            (Note::OutOfMemory { free }, None),
            (Note::Failed { retry: None }, None),
            (Note::Abandoned, None),
        ];
        for (note, expected) in table {
            assert_eq!(event_and_reason(&note), expected, "{note:?}");
        }
    }

    #[test]
    fn a_child_that_served_crashes_and_any_other_is_a_failed_load() {
        assert_eq!(failure_event(ChildPhase::Ready), "crashed");
        assert_eq!(failure_event(ChildPhase::Starting), "load_failed");
        assert_eq!(failure_event(ChildPhase::Spawn), "load_failed");
    }
}
