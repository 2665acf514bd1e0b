//! Runs the thread that owns the store of contexts.
//!
//! File access and `SQLite` block, so one thread owns the store and async code sends commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use paddock_contexts::{PromptComparison, StoredContext};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::error::ContextsError;
use super::store::{
    ContextStore, NO_SPACE_PAUSE, SavedConversation, SpacePause, StagedContext, StoreLimits,
    StorePlace, StoreUsage, create_staging, remove_staging,
};

/// Capacity of the command channel. Senders beyond it wait.
const MAX_COMMANDS: usize = 64;

/// Maximum wait for the thread, which may be writing a large context for another model.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Sends commands to the thread. The thread ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct ContextsHandle {
    commands: mpsc::Sender<Command>,
    /// The current limits, which the thread applies before its next command.
    limits: Arc<watch::Sender<StoreLimits>>,
    staging_parent: PathBuf,
}

/// Waits for the end of the thread.
#[derive(Debug)]
pub struct ContextsThread {
    ended: oneshot::Receiver<()>,
}

type Reply<T> = oneshot::Sender<Result<T, ContextsError>>;

#[derive(Debug)]
enum Command {
    RemoveStaging(PathBuf, Reply<()>),
    Commit(Box<SavedConversation>, Reply<()>),
    List(String, Reply<Vec<StoredContext>>),
    Stage(i64, PathBuf, Reply<Option<StagedContext>>),
    Compare(Vec<i64>, Vec<i32>, Reply<Option<PromptComparison>>),
    /// Records that these contexts were used.
    Touch(Vec<i64>, Reply<()>),
    Delete(i64, Reply<()>),
    DeleteIdentity(String, Reply<()>),
    ReportUsage(Reply<BTreeMap<String, StoreUsage>>),
    /// Wakes the thread so that it applies new limits.
    ApplyLimits,
}

/// Starts the thread and waits until it has opened the store.
///
/// # Errors
///
/// The thread cannot be started, or the store cannot be opened.
pub async fn start(
    place: StorePlace,
    limits: StoreLimits,
) -> Result<(ContextsHandle, ContextsThread), ContextsError> {
    let (commands, queue) = mpsc::channel(MAX_COMMANDS);
    let (opened, open) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let (limits_sender, new_limits) = watch::channel(limits);
    thread::Builder::new()
        .name("paddock-contexts".to_owned())
        .spawn(move || {
            match ContextStore::open(&place, limits, unix_now()) {
                Ok(store) => {
                    let staging_parent = store.staging_parent().to_owned();
                    if opened.send(Ok(staging_parent)).is_ok() {
                        serve(store, queue, &new_limits);
                    }
                }
                // The caller of `start` may have been cancelled.
                Err(error) => drop(opened.send(Err(error))),
            }
            // Sending fails if the [`ContextsThread`] was dropped.
            let _ = end.send(());
        })
        .map_err(ContextsError::Thread)?;
    let staging_parent = open.await.map_err(|_| ended_early())??;
    let handle = ContextsHandle {
        commands,
        limits: Arc::new(limits_sender),
        staging_parent,
    };
    Ok((handle, ContextsThread { ended }))
}

impl ContextsHandle {
    /// Creates the staging directory of the child with this serial number, without waiting for the thread.
    pub(crate) fn create_staging(&self, serial: u64) -> std::io::Result<PathBuf> {
        create_staging(&self.staging_parent, serial)
    }

    pub(crate) async fn remove_staging(&self, path: PathBuf) -> Result<(), ContextsError> {
        self.ask(|reply| Command::RemoveStaging(path, reply)).await
    }

    pub(crate) async fn commit(&self, saved: SavedConversation) -> Result<(), ContextsError> {
        // A large context takes as long as the disk; the caller limits the time.
        self.send(|reply| Command::Commit(Box::new(saved), reply))
            .await
    }

    pub(crate) async fn list(&self, identity: String) -> Result<Vec<StoredContext>, ContextsError> {
        self.ask(|reply| Command::List(identity, reply)).await
    }

    pub(crate) async fn stage(
        &self,
        id: i64,
        staging: &Path,
    ) -> Result<Option<StagedContext>, ContextsError> {
        let staging = staging.to_owned();
        self.ask(|reply| Command::Stage(id, staging, reply)).await
    }

    /// Compares a prompt with stored contexts; see [`ContextStore::compare`].
    pub(crate) async fn compare(
        &self,
        ids: Vec<i64>,
        prompt: Vec<i32>,
    ) -> Result<Option<PromptComparison>, ContextsError> {
        self.ask(|reply| Command::Compare(ids, prompt, reply)).await
    }

    /// Records that requests have used these contexts.
    pub(crate) async fn touch(&self, ids: Vec<i64>) -> Result<(), ContextsError> {
        self.ask(|reply| Command::Touch(ids, reply)).await
    }

    pub(crate) async fn delete(&self, id: i64) -> Result<(), ContextsError> {
        self.ask(|reply| Command::Delete(id, reply)).await
    }

    /// Deletes the contexts of an identity.
    pub(crate) async fn delete_identity(&self, identity: String) -> Result<(), ContextsError> {
        self.ask(|reply| Command::DeleteIdentity(identity, reply))
            .await
    }

    /// Returns for each model the contexts and bytes in the store, and the number deleted since the last report.
    pub(crate) async fn report_usage(&self) -> Result<BTreeMap<String, StoreUsage>, ContextsError> {
        self.ask(Command::ReportUsage).await
    }

    /// Sets new limits without waiting for the thread.
    pub(crate) fn set_limits(&self, limits: StoreLimits) {
        let replace = |now: &mut StoreLimits| std::mem::replace(now, limits) != limits;
        if self.limits.send_if_modified(replace) {
            // If the queue is full, the thread applies the limits before its next command.
            let _ = self.commands.try_send(Command::ApplyLimits);
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ContextsError> {
        let answer = timeout(ANSWER_LIMIT, self.send(command)).await;
        answer.unwrap_or(Err(ContextsError::TooSlow))
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ContextsError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| ended_early())?;
        answer.await.map_err(|_| ended_early())?
    }
}

impl ContextsThread {
    /// Waits until the last [`ContextsHandle`] is dropped, and the thread has handled its queue and closed the store.
    pub async fn join(self) {
        // A thread that panicked has ended as well.
        let _ = self.ended.await;
    }
}

fn ended_early() -> ContextsError {
    ContextsError::Thread(std::io::Error::other("it has ended"))
}

fn serve(
    mut store: ContextStore,
    mut queue: mpsc::Receiver<Command>,
    limits: &watch::Receiver<StoreLimits>,
) {
    let mut pause = SpacePause::default();
    let mut applied = *limits.borrow();
    while let Some(command) = queue.blocking_recv() {
        let newest = *limits.borrow();
        if newest != applied {
            applied = newest;
            if let Err(error) = store.set_limits(newest, unix_now()) {
                warn!(%error, "cannot delete the contexts that exceed the new limits");
            }
        }
        // Sending a reply fails if the caller was cancelled.
        match command {
            Command::RemoveStaging(path, reply) => drop(reply.send(remove_staging(&path))),
            Command::Commit(saved, reply) => {
                drop(reply.send(commit(&mut store, &mut pause, &saved, Instant::now())));
            }
            Command::List(identity, reply) => {
                drop(reply.send(store.list(&identity, unix_now())));
            }
            Command::Stage(id, staging, reply) => drop(reply.send(store.stage(id, &staging))),
            Command::Compare(ids, prompt, reply) => drop(reply.send(store.compare(&ids, &prompt))),
            Command::Touch(ids, reply) => drop(reply.send(store.touch(&ids, unix_now()))),
            Command::Delete(id, reply) => drop(reply.send(store.delete(id))),
            Command::DeleteIdentity(identity, reply) => {
                drop(reply.send(store.delete_identity(&identity)));
            }
            Command::ReportUsage(reply) => drop(reply.send(store.report_usage(unix_now()))),
            Command::ApplyLimits => {}
        }
    }
}

/// Commits a context, except during the pause after a full disk. Logs each failure, and each pause once.
fn commit(
    store: &mut ContextStore,
    pause: &mut SpacePause,
    saved: &SavedConversation,
    now: Instant,
) -> Result<(), ContextsError> {
    if pause.is_active(now) {
        saved.remove_files();
        return Err(ContextsError::NoSpace);
    }
    let committed = store.commit(saved, unix_now());
    match &committed {
        Ok(()) => {}
        Err(error @ ContextsError::NoSpace) => {
            pause.begin(now);
            let seconds = NO_SPACE_PAUSE.as_secs();
            warn!(model = saved.model, %error, "no context will be saved for {seconds} s");
        }
        Err(error) => warn!(model = saved.model, %error, "a context was not saved"),
    }
    committed
}

/// Returns the current Unix time in seconds.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
