//! The handle through which other tasks send commands to the runtime actor.

use super::config_changes::ReloadReport;
use super::contexts::{DifferenceError, DifferenceQuery, PromptDifference};
use super::journal::{JournalEntry, RequestExplanation};
use super::message::Command;
use super::snapshot::RuntimeSnapshot;
use paddock_admission::recent_answers::AnswerTokens;
use paddock_config::Config;
use paddock_scheduler::ModelId;
use paddock_supervisor::LogReader;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Capacity of the channel to the actor. Senders beyond it wait.
const MAX_COMMANDS: usize = 1024;

/// Sends commands to the runtime actor; clones share its channel.
#[derive(Debug, Clone)]
pub struct RuntimeHandle {
    commands: mpsc::Sender<Command>,
    /// Counts changes visible in a snapshot.
    changes: watch::Receiver<u64>,
}

/// The actor's end of a [`RuntimeHandle`].
#[derive(Debug)]
pub struct RuntimeReceiver {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) changes: watch::Sender<u64>,
}

impl RuntimeHandle {
    /// Creates a handle and the receiver of its commands.
    pub fn new() -> (Self, RuntimeReceiver) {
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let (changes, changed) = watch::channel(0);
        let handle = Self {
            commands: sender,
            changes: changed,
        };
        (handle, RuntimeReceiver { commands, changes })
    }

    /// Requests a load, without waiting for it.
    pub async fn load(&self, model: ModelId) {
        let _ = self.commands.send(Command::Load(model)).await;
    }

    /// Requests an unload once the model's in-flight requests have ended.
    pub async fn unload(&self, model: ModelId) {
        let _ = self.commands.send(Command::Unload(model)).await;
    }

    /// Pins a model, or unpins it. Later requests and snapshots see the change.
    pub async fn pin(&self, model: ModelId, pinned: bool) {
        let _ = self.commands.send(Command::Pin(model, pinned)).await;
    }

    /// Takes a snapshot; `None` if the actor has ended.
    pub async fn snapshot(&self) -> Option<RuntimeSnapshot> {
        self.query(Command::Snapshot).await
    }

    /// Returns the decisions about a model, the newest last.
    pub async fn explain_model(&self, model: ModelId) -> Vec<JournalEntry> {
        let entries = self
            .query(|reply| Command::ExplainModel(model, reply))
            .await;
        entries.unwrap_or_default()
    }

    /// Explains a request that had to wait, or returns `None` if it is unknown.
    pub async fn explain_request(&self, name: String) -> Option<RequestExplanation> {
        self.query(|reply| Command::ExplainRequest(name, reply))
            .await
            .flatten()
    }

    /// Finds the first place where the prompt of an answered request differs from the contexts that the model's child had
    /// restored. The child saves the request's slot for this.
    ///
    /// # Errors
    ///
    /// Returns the reason why the place cannot be found.
    pub async fn find_difference(
        &self,
        model: ModelId,
        answer: AnswerTokens,
    ) -> Result<PromptDifference, DifferenceError> {
        let found = self.query(|reply| {
            let query = DifferenceQuery { answer, reply };
            Command::FindDifference(model, query)
        });
        // The keeper drops the question when its child stops.
        found.await.unwrap_or(Err(DifferenceError::NotLoaded))
    }

    /// Returns a reader of the output of a model's children; `None` if the actor has ended.
    pub async fn logs(&self, model: ModelId) -> Option<LogReader> {
        self.query(|reply| Command::Logs(model, reply))
            .await
            .flatten()
    }

    /// Applies another configuration and reports the differences.
    pub async fn reload(&self, config: Config) -> Option<ReloadReport> {
        self.query(|reply| Command::Reload(Box::new(config), reply))
            .await
    }

    /// Refuses new requests, and stops every instance when it is idle or at the deadline.
    pub async fn shutdown(&self, deadline: Instant) {
        // A closed channel means that the actor has already ended.
        let _ = self.commands.send(Command::Shutdown(deadline)).await;
    }

    /// Aborts in-flight requests and kills every child.
    pub async fn shutdown_now(&self) {
        let _ = self.commands.send(Command::ShutdownNow).await;
    }

    /// Returns a counter that changes whenever a snapshot would differ.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn query<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
