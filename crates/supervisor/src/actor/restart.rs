//! Waits between a failed child and the next one, as the restart policy decides.

use super::{Actor, FailedChild, Flow, desired_at_least, sleep_until};
use crate::State;
use crate::deadline::deadline_after;
use crate::desired_state::DesiredState;
use crate::restart_policy::RestartDecision;
use std::sync::Arc;
use tokio::time::Instant;

impl Actor {
    /// Publishes the failure and waits until the next child is due, or for a stop if the policy allows no other
    /// child. Returns `Break` if a stop is requested.
    pub(super) async fn wait_for_restart(&mut self, failed: FailedChild) -> Flow {
        let FailedChild {
            failure,
            ready_for,
            leftovers,
        } = failed;
        let decision = self
            .restarts
            .handle_failure(failure.class, ready_for, fastrand::f64());
        let failure = Arc::new(failure);
        let now = Instant::now();
        let (state, until) = match decision {
            RestartDecision::Retry { attempt, delay } => {
                let until = deadline_after(now, delay);
                (
                    State::Backoff {
                        failure,
                        attempt,
                        left: self.spec.restart.budget.saturating_sub(attempt),
                        until,
                    },
                    Some(until),
                )
            }
            RestartDecision::Pause { delay } => {
                let retry_at = Some(deadline_after(now, delay));
                (State::Failed { failure, retry_at }, retry_at)
            }
            RestartDecision::GiveUp => (
                State::Failed {
                    failure,
                    retry_at: None,
                },
                None,
            ),
        };
        self.state.publish(state);
        if let Some(leftovers) = leftovers {
            leftovers.kill().await;
        }
        tokio::select! {
            biased;
            () = desired_at_least(&mut self.desired, DesiredState::Stopped) => Flow::Break(()),
            () = sleep_until(until) => Flow::Continue(()),
        }
    }
}
