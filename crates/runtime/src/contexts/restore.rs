//! Restores the conversations of a model in a child that has loaded, before requests are admitted.
//!
//! The child restores each context into the same slot. After each context except the last, the child evaluates only the
//! context's first token in the slot, and before that moves the context to its prompt cache (llama.cpp b11434,
//! tools/server/server-context.cpp, `get_available_slot`).

use std::fs;
use std::time::Duration;

use paddock_contexts::{Costs, RestorePlan, StoredContext, restore_limit};
use paddock_supervisor::Listener;
use tokio::time::{Instant, timeout_at};

use super::child_contexts::ChildContexts;
use super::error::{ContextsError, SlotsError};
use super::slots::{ANSWER_LIMIT, Evaluation, Slot, SlotClient};
use super::store::StagedContext;
use super::thread::ContextsHandle;

/// The slot into which contexts are restored. Every child has it.
const SLOT: u32 = 0;

/// Maximum wait until the child has erased a slot, in addition to the limit on restoring. A child that takes longer hangs.
const ERASE_LIMIT: Duration = Duration::from_secs(2);

/// Maximum number of tokens of a merged context that the child may read again; more mean that it refused the window.
const MAX_READ: u32 = 8;

/// A child that has loaded its model and to which no request has been admitted yet.
#[derive(Debug)]
pub(crate) struct LoadedChild {
    pub(crate) model: String,
    pub(crate) listener: Listener,
    pub(crate) contexts: ChildContexts,
    /// Time that the load took.
    pub(crate) load_time: Duration,
}

/// The state of a child before its first request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Baseline {
    /// Slots with restored conversations.
    pub(super) slots: Vec<Slot>,
    /// Number of prompt tokens that the child has read, and the time that this took.
    pub(super) read: (u32, Duration),
}

impl Baseline {
    async fn read(client: &SlotClient) -> Self {
        let slots = client.slots(ANSWER_LIMIT).await;
        let read = client.reading_totals(ANSWER_LIMIT).await;
        Self {
            slots: slots.unwrap_or_default(),
            read: read.unwrap_or_default(),
        }
    }
}

/// The result of restoring.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RestoreReport {
    /// Number of stored contexts that are valid for this load.
    pub(crate) found: u64,
    /// The restored contexts.
    pub(crate) contexts: Vec<StoredContext>,
    pub(crate) time: Duration,
    pub(crate) failures: u64,
    /// State of the child after the restore; empty if nothing was restored.
    pub(crate) baseline: Baseline,
    /// True if the child continued an extended window like the child that saved it.
    pub(crate) is_window_checked: bool,
    /// True if the child may continue a context wrongly and must not serve.
    pub(crate) is_unusable: bool,
    /// True if the child continued a context differently from the child that saved it.
    pub(crate) differs: bool,
    /// The costs, updated by the measurements of these restores.
    pub(crate) costs: Costs,
}

/// Restores contexts until the plan is complete or the time limit is reached. Failures are logged and reported.
pub(crate) async fn restore(child: &LoadedChild, store: &ContextsHandle) -> RestoreReport {
    let began = Instant::now();
    let deadline = began + restore_limit(child.load_time);
    let mut report = RestoreReport {
        costs: child.contexts.costs,
        ..RestoreReport::default()
    };
    let listed = store.list(child.contexts.identity.clone());
    let listed = match timeout_at(deadline, listed).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => {
            tracing::warn!(model = child.model, %error, "cannot list the contexts to restore");
            report.failures = 1;
            return report;
        }
        // The store is busy with another context.
        Err(_) => return report,
    };
    report.found = listed.len() as u64;
    let mut plan = RestorePlan::new(
        &listed,
        &child.contexts.costs,
        time_left(deadline),
        child.contexts.cache_bytes,
    );
    let client = SlotClient::new(child.listener.clone());
    while let Some(context) = plan.take_next(&report.costs, time_left(deadline)) {
        let is_last = plan.is_empty();
        let restoring = restore_one(&client, child, store, &context, deadline, is_last);
        let error = match restoring.await {
            Ok(Some(restored)) => {
                report.is_window_checked |= restored.is_checked;
                report.costs.record_restore(context.bytes, restored.time);
                report.contexts.push(context);
                continue;
            }
            Ok(None) => continue,
            Err(error) => error,
        };
        if report.record_failure(child, &error) {
            // The child would refuse the context again. The store fails to delete it only if the disk fails.
            let _ = timeout_at(deadline, store.delete(context.id)).await;
        }
        if error.ends_restore() {
            break;
        }
    }
    if !report.contexts.is_empty() && !report.is_unusable {
        report.baseline = Baseline::read(&client).await;
    }
    report.time = began.elapsed();
    report
}

impl RestoreReport {
    /// Returns the number of restored contexts.
    pub(crate) fn count(&self) -> u64 {
        self.contexts.len() as u64
    }

    /// Returns the number of tokens in the restored contexts.
    pub(crate) fn tokens(&self) -> u64 {
        self.contexts
            .iter()
            .map(|context| u64::from(context.tokens))
            .sum()
    }

    /// Returns the total size of the restored contexts, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.contexts.iter().map(|context| context.bytes).sum()
    }

    /// Records a failure. Returns true if the context must be deleted.
    fn record_failure(&mut self, child: &LoadedChild, error: &RestoreError) -> bool {
        if !matches!(error, RestoreError::TimeOver) {
            tracing::warn!(model = child.model, %error, "a context was not restored");
            self.failures += 1;
        }
        self.differs |= matches!(error, RestoreError::Different);
        self.is_unusable |= matches!(error, RestoreError::NotErased(_));
        // The store has deleted a damaged one.
        let is_refused = matches!(error, RestoreError::Child(SlotsError::Refused { .. }));
        is_refused || matches!(error, RestoreError::Different | RestoreError::NotErased(_))
    }
}

/// A failure to restore one context.
#[derive(Debug, thiserror::Error)]
enum RestoreError {
    #[error("the time for restoring is over")]
    TimeOver,
    #[error(transparent)]
    Store(#[from] ContextsError),
    #[error(transparent)]
    Child(SlotsError),
    /// The child continues the context differently from the child that saved it.
    #[error(
        "the child continues the context differently from the child that saved it; the context is deleted"
    )]
    Different,
    /// The child may hold a context that it continues wrongly.
    #[error(
        "the child did not erase a context that failed its check, so paddock restarts the child: {0}"
    )]
    NotErased(SlotsError),
}

impl From<SlotsError> for RestoreError {
    fn from(error: SlotsError) -> Self {
        match error {
            SlotsError::Timeout => Self::TimeOver,
            error => Self::Child(error),
        }
    }
}

impl RestoreError {
    /// Returns true if paddock should restore no other context.
    fn ends_restore(&self) -> bool {
        let is_refused = matches!(self, Self::Child(SlotsError::Refused { .. }));
        !is_refused && !matches!(self, Self::Store(_))
    }
}

/// A restored context.
#[derive(Debug, Clone, Copy)]
struct Restored {
    /// Time that the restore took.
    time: Duration,
    /// The child has continued an extended window like the child that saved it.
    is_checked: bool,
}

/// Restores one context; returns `None` if the store no longer has it.
async fn restore_one(
    client: &SlotClient,
    child: &LoadedChild,
    store: &ContextsHandle,
    context: &StoredContext,
    deadline: Instant,
    is_last: bool,
) -> Result<Option<Restored>, RestoreError> {
    let began = Instant::now();
    let staging = store.stage(context.id, &child.contexts.staging);
    let staged = timeout_at(deadline, staging).await;
    let Some(staged) = staged.map_err(|_| RestoreError::TimeOver)?? else {
        return Ok(None);
    };
    let restored = client
        .restore(SLOT, &staged.file, time_left(deadline))
        .await;
    // If this fails, the file is removed with the directory.
    let _ = fs::remove_file(child.contexts.staging.join(&staged.file));
    if staged.is_merged {
        let checked = match restored {
            Ok(_) => check_merged(client, child, &staged, deadline).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = checked {
            // The child may hold the context all the same, and must not answer from it.
            let erased = client.erase(SLOT, ERASE_LIMIT).await;
            return Err(erased.err().map_or(error, RestoreError::NotErased));
        }
    } else {
        restored?;
    }
    if !is_last {
        let first = staged.tokens.first().copied().unwrap_or_default();
        client.evaluate(SLOT, &[first], time_left(deadline)).await?;
    }
    Ok(Some(Restored {
        time: began.elapsed(),
        is_checked: staged.is_merged && staged.next.is_some(),
    }))
}

/// Lets the child evaluate a merged context, which creates a checkpoint, and compares how the child continues it.
async fn check_merged(
    client: &SlotClient,
    child: &LoadedChild,
    staged: &StagedContext,
    deadline: Instant,
) -> Result<(), RestoreError> {
    let evaluated = client
        .evaluate(SLOT, &staged.tokens, time_left(deadline))
        .await?;
    if is_accepted(staged, evaluated) {
        return Ok(());
    }
    tracing::debug!(
        model = child.model,
        tokens = staged.tokens.len(),
        cached = evaluated.cached,
        found = ?evaluated.next,
        expected = ?staged.next,
        "the child continues a context differently"
    );
    Err(RestoreError::Different)
}

/// Returns true if the child has accepted the extended window and continues the conversation like the child that saved
/// it.
fn is_accepted(staged: &StagedContext, evaluated: Evaluation) -> bool {
    let tokens = u32::try_from(staged.tokens.len()).unwrap_or(u32::MAX);
    let is_cached = evaluated.cached.saturating_add(MAX_READ) >= tokens;
    is_cached
        && staged
            .next
            .is_none_or(|next| next.agrees_with(evaluated.next))
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
