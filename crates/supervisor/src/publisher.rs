//! Publishes and logs the states of an instance.

use std::sync::Arc;

use tokio::{sync::watch, time::Instant};

use crate::State;

/// Publishes states, and `Stopped` when the actor ends in any way.
///
/// If the actor panics, the running child, a local variable of the actor's functions, is dropped and thereby killed
/// before `Stopped` is published.
#[derive(Debug)]
pub(crate) struct StatePublisher {
    name: Arc<str>,
    sender: watch::Sender<State>,
}

impl StatePublisher {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            sender: watch::Sender::new(starting(0, 1, Instant::now())),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<State> {
        self.sender.subscribe()
    }

    pub(crate) fn publish(&self, state: State) {
        log(&self.name, &state);
        self.sender.send_replace(state);
    }
}

impl Drop for StatePublisher {
    fn drop(&mut self) {
        self.publish(State::Stopped);
    }
}

/// Logs a state with its details.
fn log(name: &str, state: &State) {
    match state {
        State::Starting {
            pid,
            generation,
            progress,
            listening,
            ..
        } => {
            tracing::debug!(
                name,
                pid,
                generation,
                ?progress,
                listening = listening.is_some(),
                "starting"
            );
        }
        State::Ready {
            pid,
            generation,
            hang_evidence: Some(hang_evidence),
            ..
        } => {
            tracing::warn!(
                name,
                pid,
                generation,
                "the child may be stuck: {hang_evidence}"
            );
        }
        State::Ready {
            pid,
            generation,
            listener,
            ..
        } => {
            tracing::info!(name, pid, generation, address = %listener.address, "ready");
        }
        State::Stopping { pid } => tracing::info!(name, pid, "stopping"),
        State::Backoff {
            failure, attempt, ..
        } => {
            tracing::warn!(name, class = %failure.class, attempt, "restarting later: {failure}");
        }
        State::Failed { failure, retry_at } => {
            tracing::error!(name, class = %failure.class, retry = retry_at.is_some(), "failed: {failure}");
        }
        State::Stopped => tracing::info!(name, "stopped"),
    }
}

/// Returns the state of a child that is about to be started.
pub(crate) const fn starting(pid: u32, generation: u64, since: Instant) -> State {
    State::Starting {
        pid,
        generation,
        since,
        progress: None,
        listening: None,
    }
}
