//! Starts and stops one supervised child through a handle, whose clones share the child.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::{InstanceSpec, Logs, Spawner, State, actor::Actor, desired_state::DesiredState};

/// The handle of one child that is kept running until it is stopped.
///
/// Clones are handles of the same instance. Dropping the last one stops the instance gracefully; receivers
/// and logs obtained from it stay readable.
#[derive(Clone, Debug)]
pub struct Instance {
    desired: Arc<watch::Sender<DesiredState>>,
    state: watch::Receiver<State>,
    logs: Logs,
    name: Arc<str>,
}

impl Instance {
    /// Starts a child by `spec` and keeps it running in a task of `tasks`, which ends when the instance is
    /// stopped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(spec: InstanceSpec, spawner: &Spawner, tasks: &TaskTracker) -> Self {
        let desired = watch::Sender::new(DesiredState::Running);
        let logs = spec.logs.clone();
        let name: Arc<str> = spec.name.as_str().into();
        let actor = Actor::new(spec, spawner.clone(), desired.subscribe());
        let state = actor.watch();
        tasks.spawn(actor.run());
        Self {
            desired: Arc::new(desired),
            state,
            logs,
            name,
        }
    }

    /// Returns the instance's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a receiver of the instance's state.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Returns the logs given in the instance's spec.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// Stops the instance gracefully: SIGTERM to the child's process group, grace, SIGTERM, grace, SIGKILL,
    /// reap. In backoff or after a failure there is no child, and the instance stops at once.
    ///
    /// Returns when the child is reaped. May be called at any time and any number of times; a caller that
    /// stops waiting does not cancel the stop.
    pub async fn stop(&self) {
        self.request(DesiredState::Stopped).await;
    }

    /// Stops the instance with SIGKILL at once, even during the grace of a stop. Returns when the child is
    /// reaped.
    pub async fn kill(&self) {
        self.request(DesiredState::Killed).await;
    }

    async fn request(&self, desired: DesiredState) {
        self.desired.send_if_modified(|current| {
            let rises = desired > *current;
            *current = desired.max(*current);
            rises
        });
        // An error means that the actor is gone, and the child with it.
        let _ = self
            .state
            .clone()
            .wait_for(|state| matches!(state, State::Stopped))
            .await;
    }
}
