use super::journal::{Explained, Told};
use super::reload::Reloaded;
use super::view::View;
use paddock_config::Config;
use paddock_scheduler::ModelId;
use paddock_supervisor::LogReader;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Capacity of the channel to the actor. Senders beyond it wait.
const MAX_COMMANDS: usize = 1024;

/// A message to the actor.
#[derive(Debug)]
pub(super) enum Command {
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
pub enum Part {
    /// The actor itself.
    Runtime,
    /// The thread that forks.
    Spawner,
}

/// A way to reach the runtime actor.
#[derive(Debug, Clone)]
pub struct RuntimeHandle {
    commands: mpsc::Sender<Command>,
    /// Counts changes that people may see.
    changes: watch::Receiver<u64>,
}

/// The actor's end of a [`RuntimeHandle`].
#[derive(Debug)]
pub struct RuntimeReceiver {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) changes: watch::Sender<u64>,
}

impl RuntimeHandle {
    /// Creates a handle and the end at which its commands arrive.
    pub fn new() -> (Self, RuntimeReceiver) {
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let (changes, changed) = watch::channel(0);
        let handle = Self {
            commands: sender,
            changes: changed,
        };
        (handle, RuntimeReceiver { commands, changes })
    }

    /// Wants a model loaded. Nobody waits for it here.
    pub async fn load(&self, model: ModelId) {
        let _ = self.commands.send(Command::Load(model)).await;
    }

    /// Wants a model unloaded, when what is in flight to it has ended.
    pub async fn unload(&self, model: ModelId) {
        let _ = self.commands.send(Command::Unload(model)).await;
    }

    /// Pins a model, or unpins it. What is asked for after this is answered of what is true then.
    pub async fn pin(&self, model: ModelId, pinned: bool) {
        let _ = self.commands.send(Command::Pin(model, pinned)).await;
    }

    /// How everything is. Nothing when the actor has ended.
    pub async fn look(&self) -> Option<View> {
        self.ask(Command::Look).await
    }

    /// Why a model is what it is, the newest last.
    pub async fn explain_model(&self, model: ModelId) -> Vec<Told> {
        let told = self.ask(|reply| Command::ExplainModel(model, reply)).await;
        told.unwrap_or_default()
    }

    /// What became of a request that had to wait.
    pub async fn explain_request(&self, name: String) -> Option<Explained> {
        self.ask(|reply| Command::ExplainRequest(name, reply))
            .await
            .flatten()
    }

    /// The output of a model's children. Nothing when the actor has ended.
    pub async fn logs(&self, model: ModelId) -> Option<LogReader> {
        self.ask(|reply| Command::Logs(model, reply))
            .await
            .flatten()
    }

    /// Goes on with another configuration.
    pub async fn reload(&self, config: Config) -> Option<Reloaded> {
        self.ask(|reply| Command::Reload(Box::new(config), reply))
            .await
    }

    /// Lets nothing new in, and stops every instance when it is idle or at the deadline.
    pub async fn shutdown(&self, deadline: Instant) {
        // A closed channel means that it has ended already.
        let _ = self.commands.send(Command::Shutdown(deadline)).await;
    }

    /// Ends what is in flight, and every child, now.
    pub async fn shutdown_now(&self) {
        let _ = self.commands.send(Command::ShutdownNow).await;
    }

    /// Makes a part of paddock panic.
    #[cfg(debug_assertions)]
    pub async fn panic(&self, part: Part) {
        let _ = self.commands.send(Command::Panic(part)).await;
    }

    /// Changes with everything that people may see.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
