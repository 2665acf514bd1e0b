use super::journal::{Explained, Told};
use super::reload::Reloaded;
use super::view::View;
use crate::config::Config;
use crate::error::ProxyError;
use crate::model::{Lease, Model};
use paddock_scheduler::{ClientId, ModelId, RequestId};
use paddock_supervisor::LogReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

/// What the actor is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// A lease for a request that could not pass the gate.
    Acquire {
        id: RequestId,
        wants: Wants,
        reply: oneshot::Sender<Result<Granted, ProxyError>>,
    },
    /// A lease for a request that does not count as use, if the model serves.
    Observe(ModelId, oneshot::Sender<Result<Lease, ProxyError>>),
    /// The request's client has left.
    Leave(RequestId),
    /// Load a model.
    Load(ModelId),
    /// Unload a model.
    Unload(ModelId),
    /// Pin a model, or unpin it.
    Pin(ModelId, bool),
    /// Say how everything is.
    Look(oneshot::Sender<View>),
    /// Say why a model is what it is.
    ExplainModel(ModelId, oneshot::Sender<Vec<Told>>),
    /// Say what became of a request.
    ExplainRequest(String, oneshot::Sender<Option<Explained>>),
    /// Give a model's last lines of output.
    Logs(ModelId, oneshot::Sender<Option<LogReader>>),
    /// Go on with another configuration.
    Reload(Box<Config>, oneshot::Sender<Reloaded>),
    /// Drain until the deadline, then stop.
    Shutdown(Instant),
    /// Stop now; where a child does not, kill it.
    ShutdownNow,
    /// Panic, for tests of what follows.
    #[cfg(debug_assertions)]
    Panic(Part),
}

/// What can be told to panic.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// The actor itself.
    Runtime,
    /// The thread that forks.
    Spawner,
}

/// A request that waits.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    /// The model it is for.
    pub(crate) model: Arc<Model>,
    /// Whose it is.
    pub(crate) client: ClientId,
    /// It will occupy one of the child's slots.
    pub(crate) takes_slot: bool,
    /// Its name, as in `x-request-id`.
    pub(crate) name: String,
}

/// A lease that was waited for.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) lease: Lease,
    /// For how much of the waiting the model was loading.
    pub(crate) load: Duration,
}

/// A way to reach the runtime actor.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeHandle {
    pub(super) commands: mpsc::Sender<Command>,
    /// Somebody has left, and could not say so.
    pub(super) left: Arc<Notify>,
    /// Counts changes that people may see.
    pub(super) changes: watch::Receiver<u64>,
    pub(super) last_id: Arc<AtomicU64>,
}

impl RuntimeHandle {
    /// Waits in the model's queue for a lease. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// The request is refused.
    pub(crate) async fn acquire(&self, wants: Wants) -> Result<Granted, ProxyError> {
        let (reply, answer) = oneshot::channel();
        let id = RequestId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let command = Command::Acquire { id, wants, reply };
        if self.commands.send(command).await.is_err() {
            return Err(ProxyError::ShuttingDown);
        }
        let leaving = Leaving { handle: self, id };
        let answer = answer.await;
        std::mem::forget(leaving);
        // The actor drops the sender only when it ends.
        answer.unwrap_or(Err(ProxyError::ShuttingDown))
    }

    /// Returns a lease for a request that does not count as use of its model, without waiting for one.
    ///
    /// # Errors
    /// The model is not loaded.
    pub(crate) async fn observe(&self, model: ModelId) -> Result<Lease, ProxyError> {
        let observed = self.ask(|reply| Command::Observe(model, reply)).await;
        observed.unwrap_or(Err(ProxyError::ShuttingDown))
    }

    /// Wants a model loaded. Nobody waits for it here.
    pub(crate) async fn load(&self, model: ModelId) {
        let _ = self.commands.send(Command::Load(model)).await;
    }

    /// Wants a model unloaded, when what is in flight to it has ended.
    pub(crate) async fn unload(&self, model: ModelId) {
        let _ = self.commands.send(Command::Unload(model)).await;
    }

    /// Pins a model, or unpins it. What is asked for after this is answered of what is true then.
    pub(crate) async fn pin(&self, model: ModelId, pinned: bool) {
        let _ = self.commands.send(Command::Pin(model, pinned)).await;
    }

    /// How everything is. Nothing when the actor has ended.
    pub(crate) async fn look(&self) -> Option<View> {
        self.ask(Command::Look).await
    }

    /// Why a model is what it is, the newest last.
    pub(crate) async fn explain_model(&self, model: ModelId) -> Vec<Told> {
        let told = self.ask(|reply| Command::ExplainModel(model, reply)).await;
        told.unwrap_or_default()
    }

    /// What became of a request that had to wait.
    pub(crate) async fn explain_request(&self, name: String) -> Option<Explained> {
        self.ask(|reply| Command::ExplainRequest(name, reply))
            .await
            .flatten()
    }

    /// The output of a model's children. Nothing when the actor has ended.
    pub(crate) async fn logs(&self, model: ModelId) -> Option<LogReader> {
        self.ask(|reply| Command::Logs(model, reply))
            .await
            .flatten()
    }

    /// Goes on with another configuration.
    pub(crate) async fn reload(&self, config: Config) -> Option<Reloaded> {
        self.ask(|reply| Command::Reload(Box::new(config), reply))
            .await
    }

    /// Lets nothing new in, and stops every instance when it is idle or at the deadline.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        // A closed channel means that it has ended already.
        let _ = self.commands.send(Command::Shutdown(deadline)).await;
    }

    /// Ends what is in flight, and every child, now.
    pub(crate) async fn shutdown_now(&self) {
        let _ = self.commands.send(Command::ShutdownNow).await;
    }

    /// Makes a part of paddock panic.
    #[cfg(debug_assertions)]
    pub(crate) async fn panic(&self, part: Part) {
        let _ = self.commands.send(Command::Panic(part)).await;
    }

    /// Changes with everything that people may see.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// A handle whose actor answers nothing for as long as the other part is there.
    #[cfg(test)]
    pub(crate) fn unanswered() -> (Self, impl Sized) {
        let (commands, unread) = mpsc::channel(64);
        let (changes, changed) = watch::channel(0);
        let handle = Self {
            commands,
            left: Arc::default(),
            changes: changed,
            last_id: Arc::default(),
        };
        (handle, (unread, changes))
    }

    /// A handle whose actor has ended.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self {
            commands: mpsc::channel(1).0,
            left: Arc::default(),
            changes: watch::channel(0).1,
            last_id: Arc::default(),
        }
    }
}

/// Tells the actor, when dropped, that a request's client has left.
struct Leaving<'a> {
    handle: &'a RuntimeHandle,
    id: RequestId,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self
            .handle
            .commands
            .try_send(Command::Leave(self.id))
            .is_err()
        {
            self.handle.left.notify_one();
        }
    }
}
