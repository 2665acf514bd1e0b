//! Derives from an instance's new state the information for the scheduler, the journal and waiting requests.
//!
//! An instance supervises the llama-server processes (children) of one model, one after the other; a generation is the
//! number of a child.

use super::child_failure::RestartDecision;
use super::clock::Clock;
use super::command_end;
use paddock_admission::error::LoadFailure;
use paddock_config::Mode;
use paddock_scheduler::{Generation, InstanceStatus};
use paddock_supervisor::{ChildPhase, Failure, FailureClass, Listener, State};
use std::sync::Arc;
use tokio::time::Instant;

/// Facts about a model that decide what a new state of its instance means.
#[derive(Debug, Clone, Copy)]
pub(super) struct InstanceFacts {
    /// Last generation that became ready.
    pub(super) ready: Option<u64>,
    /// Source of the configuration.
    pub(super) mode: Mode,
    /// True for a wrapped command that has never served.
    pub(super) awaits_command: bool,
}

/// The meaning of an instance's new state.
#[derive(Debug)]
pub(super) enum StateChange<'a> {
    /// A child loads. `listener` is its address, once it answers.
    Loading {
        generation: u64,
        listener: Option<&'a Listener>,
    },
    /// A child has become ready.
    Ready {
        generation: u64,
        listener: &'a Listener,
    },
    /// Only the liveness of a ready child has changed.
    LivenessChanged,
    /// A child has failed.
    Failed(FailureOutcome),
    /// A child is being stopped.
    Stopping,
    /// The instance has ended.
    Stopped,
}

/// The consequences of a child's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailureOutcome {
    /// The failure, as clients see it.
    pub(super) failure: LoadFailure,
    /// Exit status for paddock, if the failure ends a wrapped command.
    pub(super) command_status: Option<u8>,
    /// The reaction, for the journal.
    pub(super) decision: RestartDecision,
    /// True if the restart budget was full before: the failure begins a new streak.
    pub(super) is_first: bool,
    /// Time from which a new instance may be started, if one is needed and can help.
    pub(super) until: Option<Instant>,
    /// True if the restart budget is now exhausted.
    pub(super) opens_breaker: bool,
    /// True if the instance has no further use: it will start no other child.
    pub(super) ends_instance: bool,
    /// The instance's status for the scheduler.
    pub(super) status: InstanceStatus,
}

impl<'a> StateChange<'a> {
    /// Compares a new state with what was known.
    pub(super) fn from_state(state: &'a State, facts: InstanceFacts, clock: Clock) -> Self {
        match state {
            State::Starting {
                generation,
                listening,
                ..
            } => Self::Loading {
                generation: *generation,
                listener: listening.as_ref(),
            },
            State::Ready { generation, .. } if facts.ready == Some(*generation) => {
                Self::LivenessChanged
            }
            State::Ready {
                generation,
                listener,
                ..
            } => Self::Ready {
                generation: *generation,
                listener,
            },
            State::Backoff {
                failure,
                attempt,
                left,
                until,
            } => Self::Failed(match facts.command_status(failure) {
                // The instance would restart the command, but paddock ends with it.
                Some(status) => facts.final_failure(failure, None, Some(status), clock),
                None => facts.restarted_failure(failure, (*attempt, *left), *until, clock),
            }),
            State::Failed { failure, retry_at } => {
                let status = facts.command_status(failure);
                Self::Failed(facts.final_failure(failure, *retry_at, status, clock))
            }
            State::Stopping { .. } => Self::Stopping,
            State::Stopped => Self::Stopped,
        }
    }
}

impl InstanceFacts {
    /// Describes a failure after which the instance starts another child. If the child ran out of memory, the
    /// scheduler decides instead.
    fn restarted_failure(
        self,
        failure: &Arc<Failure>,
        (attempt, left): (u32, u32),
        until: Instant,
        clock: Clock,
    ) -> FailureOutcome {
        let out_of_memory = self.is_out_of_memory(failure);
        let at = clock.to_wall(until);
        FailureOutcome {
            failure: LoadFailure {
                cause: Arc::clone(failure),
                retry_at: (!out_of_memory).then_some(at),
                restarts_left: left,
            },
            command_status: None,
            decision: match out_of_memory {
                true => RestartDecision::SchedulerDecides,
                false => RestartDecision::Restart { at, left },
            },
            // This is the first restart of the budget, or a free one.
            is_first: attempt <= 1,
            until: None,
            opens_breaker: false,
            ends_instance: out_of_memory,
            status: match out_of_memory {
                true => InstanceStatus::OutOfMemory,
                false => InstanceStatus::Restarting {
                    at: until.into_std(),
                },
            },
        }
    }

    /// Describes a failure after which the instance starts no other child. With `until`, another instance may be
    /// started then.
    fn final_failure(
        self,
        failure: &Arc<Failure>,
        until: Option<Instant>,
        command_status: Option<u8>,
        clock: Clock,
    ) -> FailureOutcome {
        let out_of_memory = self.is_out_of_memory(failure);
        let at = until
            .filter(|_| !out_of_memory)
            .map(|until| clock.to_wall(until));
        FailureOutcome {
            failure: LoadFailure {
                cause: Arc::clone(failure),
                retry_at: at,
                restarts_left: 0,
            },
            command_status,
            decision: match at {
                _ if out_of_memory => RestartDecision::SchedulerDecides,
                Some(until) => RestartDecision::BreakerOpen { until },
                None => RestartDecision::GiveUp,
            },
            is_first: false,
            until,
            opens_breaker: until.is_some(),
            ends_instance: true,
            status: match out_of_memory {
                true => InstanceStatus::OutOfMemory,
                false => InstanceStatus::Failed {
                    until: until.map(Instant::into_std),
                },
            },
        }
    }

    /// Returns the exit status for paddock if the failure ends a wrapped command that has never served.
    fn command_status(self, failure: &Failure) -> Option<u8> {
        command_end::exit_status(failure).filter(|_| self.awaits_command)
    }

    /// Returns true if a load ran out of memory and evicting another model may help.
    fn is_out_of_memory(self, failure: &Failure) -> bool {
        failure.class == FailureClass::OutOfMemory
            && failure.phase != ChildPhase::Ready
            && self.mode == Mode::Serve
    }
}

/// Converts the number of a child to the scheduler's type.
pub(super) fn to_generation(count: u64) -> Generation {
    Generation(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
