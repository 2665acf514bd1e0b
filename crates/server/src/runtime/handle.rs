use crate::error::ProxyError;
use crate::model::Lease;
use paddock_scheduler::ModelId;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// What the actor is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// A lease for a request that could not pass the gate.
    Acquire {
        model: ModelId,
        reply: oneshot::Sender<Result<Lease, ProxyError>>,
    },
    /// Drain until the deadline, then stop.
    Shutdown { deadline: Instant },
    /// Stop now.
    ShutdownNow,
}

/// A way to reach the runtime actor.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) cancelled: Arc<Notify>,
}

impl RuntimeHandle {
    /// Waits in the model's queue for a lease. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// The request is refused.
    pub(crate) async fn acquire(&self, model: ModelId) -> Result<Lease, ProxyError> {
        let (reply, answer) = oneshot::channel();
        let _leaving = Leaving(&self.cancelled);
        let command = Command::Acquire { model, reply };
        if self.commands.send(command).await.is_err() {
            return Err(ProxyError::ShuttingDown);
        }
        // The actor drops the sender only when it ends.
        answer.await.unwrap_or(Err(ProxyError::ShuttingDown))
    }

    /// Lets nothing new in, and stops every instance when it is idle or at the deadline.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        // A closed channel means that it has ended already.
        let _ = self.commands.send(Command::Shutdown { deadline }).await;
    }

    /// A handle whose actor has ended.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self {
            commands: mpsc::channel(1).0,
            cancelled: Arc::new(Notify::new()),
        }
    }

    /// Ends what is in flight, and stops every instance, now.
    pub(crate) async fn shutdown_now(&self) {
        let _ = self.commands.send(Command::ShutdownNow).await;
    }
}

/// Tells the actor, when dropped, to look for requests whose client has left.
struct Leaving<'a>(&'a Notify);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
