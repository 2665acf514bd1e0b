//! The task that saves the conversations of one child while the child serves and before the child stops.
//!
//! A save blocks every slot of the child. The child defers the save of a busy slot, and the save then takes the turn of a
//! request that waits for the slot. While the child serves, the keeper therefore saves only while no request is in flight,
//! and only conversations whose save takes an estimated 50 ms at most.

mod accounts;
mod difference;
mod slots_to_save;

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use paddock_admission::model::Model;
use paddock_admission::recent_answers::AnswerTokens;
use paddock_contexts::{Costs, Occasion, RestoredContexts, SavedSlots, SlotState};
use paddock_scheduler::ModelId;
use paddock_supervisor::Listener;
use paddock_telemetry::LifecycleSender;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::child_contexts::ChildContexts;
use super::difference::DifferenceQuery;
use super::keeper_handle::{KeeperHandle, StopRequest};
use super::restore::RestoreReport;
use super::save::{SaveError, SavedSlot, SlotSave, Structure};
use super::slots::{Slot, SlotClient};
use super::stats::ContextCounters;
use super::store::SavedConversation;
use super::thread::ContextsHandle;
use super::transfer::{ContextTransfer, Direction};
use crate::message::RuntimeMessage;

/// Time between two rounds of saves while a child serves.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum wait for a save while the child serves. The child cancels a deferred save when the connection closes.
const IDLE_LIMIT: Duration = Duration::from_millis(250);

/// Pause after a failed save, because each attempt writes a whole file.
const FAILURE_PAUSE: Duration = Duration::from_mins(1);

/// Maximum time to commit the conversations that were saved before a stop.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// Capacity of the channel for questions. Further ones are refused.
const MAX_QUERIES: usize = 4;

/// Maximum number of answers whose token counts are remembered; children rarely have more slots.
const MAX_ANSWERS: usize = 64;

/// A child that is about to serve.
#[derive(Debug)]
pub(crate) struct ServingChild {
    pub(crate) id: ModelId,
    pub(crate) model: Arc<Model>,
    /// Number of the child among the model's children.
    pub(crate) generation: u64,
    pub(crate) listener: Listener,
    pub(crate) contexts: ChildContexts,
    /// The result of restoring contexts in the child.
    pub(crate) restored: RestoreReport,
}

/// A saved conversation that has not been committed yet.
#[derive(Debug)]
struct KeptConversation {
    saved: SavedConversation,
    /// Tokens in the slot.
    tokens: u32,
    is_recurrent: bool,
}

/// The state of a keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: ServingChild,
    client: SlotClient,
    store: ContextsHandle,
    messages: mpsc::Sender<RuntimeMessage>,
    lifecycle: LifecycleSender,
    costs: Costs,
    /// Number of prompt tokens that the child had read at the last measurement, and the time that this had taken.
    read: (u32, Duration),
    restored: RestoredContexts,
    /// Numbers of the restored contexts in the store.
    restored_ids: Vec<i64>,
    /// Contexts that requests have used since the last report.
    used: Vec<i64>,
    /// Number of the model's answers that have been processed.
    seen: u64,
    answers: VecDeque<AnswerTokens>,
    saved: SavedSlots,
    /// True if a request interrupted the last round of saves.
    has_unsaved: bool,
    /// End of the pause after a failed save. The save before a stop is attempted all the same.
    paused_until: Option<Instant>,
    /// True if paddock cannot read the files that the child writes.
    is_unreadable: bool,
    /// Slots of a recurrent model that were saved without a step back: the save before the stop replaces these files.
    partial: HashSet<u32>,
    /// Structure of the model's state, known after the first save.
    structure: Option<Structure>,
    files: u64,
    report: ContextCounters,
    /// Totals of this child's saves.
    transfer: ContextTransfer,
}

impl Keeper {
    /// Creates the keeper of a child to which no request has been admitted yet.
    pub(crate) fn new(
        mut child: ServingChild,
        store: ContextsHandle,
        messages: mpsc::Sender<RuntimeMessage>,
        lifecycle: LifecycleSender,
    ) -> Self {
        let restored = std::mem::take(&mut child.restored);
        let mut saved = SavedSlots::default();
        for slot in &restored.baseline.slots {
            saved.record(slot.id, slot.last_task, slot.tokens);
        }
        Self {
            client: SlotClient::new(child.listener.clone()),
            costs: restored.costs,
            read: restored.baseline.read,
            restored: RestoredContexts::new(&restored.contexts),
            restored_ids: restored.contexts.iter().map(|context| context.id).collect(),
            used: Vec::new(),
            seen: child.model.answers.count(),
            answers: VecDeque::new(),
            saved,
            has_unsaved: false,
            paused_until: None,
            is_unreadable: false,
            partial: HashSet::new(),
            structure: None,
            files: 0,
            report: ContextCounters::default(),
            transfer: ContextTransfer::new(Direction::Saved),
            child,
            store,
            messages,
            lifecycle,
        }
    }

    /// Returns the keeper's task and the handle that ends it.
    pub(crate) fn run(self) -> (impl Future<Output = ()> + Send, KeeperHandle) {
        let (stop, stopped) = oneshot::channel();
        let (queries, asked) = mpsc::channel(MAX_QUERIES);
        (self.keep(stopped, asked), KeeperHandle::new(stop, queries))
    }

    async fn keep(
        mut self,
        mut stopped: oneshot::Receiver<StopRequest>,
        mut queries: mpsc::Receiver<DifferenceQuery>,
    ) {
        loop {
            tokio::select! {
                biased;
                request = &mut stopped => {
                    if let Ok(request) = request {
                        self.save_before_stop(request).await;
                    }
                    self.send_event();
                    return;
                }
                () = self.serve(&mut queries) => {}
            }
        }
    }

    /// Answers a question. Without a question within the interval, saves the conversations that have grown enough.
    async fn serve(&mut self, queries: &mut mpsc::Receiver<DifferenceQuery>) {
        match timeout(SAVE_INTERVAL, queries.recv()).await {
            Ok(Some(query)) => self.answer_query(query).await,
            // The handle is gone, so the keeper is about to end.
            Ok(None) => {}
            Err(_) => self.save_grown().await,
        }
    }

    /// Saves the conversations that have grown enough since their last save.
    async fn save_grown(&mut self) {
        let model = &self.child.model;
        if model.answers.count() == self.seen && !self.has_unsaved || model.gate.in_flight() > 0 {
            return;
        }
        self.has_unsaved = false;
        self.take_answers();
        if self.may_save_now() {
            if self.costs.reading_time(1).is_none() {
                self.measure_reading().await;
            }
            for (slot, state) in self.plan(Occasion::Serving).await {
                if self.child.model.gate.in_flight() > 0 {
                    self.has_unsaved = true;
                    break;
                }
                let save = self.next_save(slot.id, Instant::now() + IDLE_LIMIT);
                let saved = save.save().await;
                if let Some(conversation) = self.record(state, saved) {
                    if conversation.is_recurrent {
                        self.partial.insert(slot.id);
                    }
                    self.commit(conversation, slot).await;
                }
            }
        }
        self.send_report().await;
    }

    /// Returns true if the child's slots may be saved while the child serves. A child cannot continue a window saved
    /// without a step back, and a step back would drop the end of a conversation that a client may be continuing.
    fn may_save_now(&self) -> bool {
        let is_paused = self
            .paused_until
            .is_some_and(|until| Instant::now() < until);
        !is_paused && !self.is_unreadable && self.structure != Some(Structure::Window)
    }

    /// Saves the conversations for which a save pays off and reports that the child can stop; then commits the files and
    /// removes the staging directory.
    async fn save_before_stop(&mut self, request: StopRequest) {
        let deadline = Instant::now() + request.limit;
        self.take_answers();
        self.measure_reading().await;
        let left = deadline.saturating_duration_since(Instant::now());
        let is_window = self.structure == Some(Structure::Window);
        let slots = match self.is_unreadable || is_window && !self.child.contexts.saves_windows {
            true => Vec::new(),
            false => self.plan(Occasion::Stopping(left)).await,
        };
        let mut conversations = Vec::new();
        for (slot, state) in slots {
            let answers: Vec<AnswerTokens> = self.answers.iter().copied().collect();
            let save = self.next_save(slot.id, deadline);
            let saved = save.save_with_step_back(&answers).await;
            let conversation = self.record(state, saved);
            conversations.extend(conversation.map(|conversation| (conversation, slot)));
        }
        // Sending fails if the runtime no longer waits.
        let _ = request.saved.send(());
        let committing = async {
            for (conversation, slot) in conversations {
                self.commit(conversation, slot).await;
            }
        };
        if timeout(COMMIT_LIMIT, committing).await.is_err() {
            tracing::warn!(
                model = self.child.model.name,
                "the context store is too slow to keep all saved contexts"
            );
        }
        let staging = self.child.contexts.staging.clone();
        if let Err(error) = self.store.remove_staging(staging).await {
            tracing::debug!(model = self.child.model.name, %error, "cannot remove a staging directory");
        }
        self.send_report().await;
    }

    fn next_save(&mut self, slot: u32, deadline: Instant) -> SlotSave<'_> {
        self.files += 1;
        SlotSave {
            client: &self.client,
            staging: &self.child.contexts.staging,
            slot,
            name: format!("{}-{}", self.child.generation, self.files),
            deadline,
            records_next: !self.child.contexts.is_window_checked,
        }
    }

    /// Records the result of a save. Returns the conversation to commit, if there is one.
    fn record(
        &mut self,
        state: SlotState,
        saved: Result<SavedSlot, SaveError>,
    ) -> Option<KeptConversation> {
        let saved = match saved {
            Ok(saved) => saved,
            Err(SaveError::ShorterThanWindow) => {
                self.structure = Some(Structure::Window);
                return None;
            }
            Err(error) => {
                tracing::warn!(model = self.child.model.name, slot = state.slot, %error, "a context was not saved");
                self.report.save_failures += 1;
                self.paused_until = Some(Instant::now() + FAILURE_PAUSE);
                self.is_unreadable |= matches!(error, SaveError::File(_));
                return None;
            }
        };
        self.structure = Some(saved.structure);
        let tokens = saved.tokens();
        self.transfer.tokens += u64::from(tokens);
        self.transfer.time += saved.time;
        self.costs.record_save(tokens, saved.file.len, saved.time);
        let is_useless = saved.earlier.is_none() || !self.child.contexts.saves_windows;
        if saved.structure == Structure::Window && is_useless {
            // The child would refuse this file. If removing it fails, it is removed with the directory.
            let _ = fs::remove_file(saved.file.path);
            return None;
        }
        Some(KeptConversation {
            tokens,
            is_recurrent: saved.structure == Structure::Recurrent,
            saved: SavedConversation {
                model: self.child.model.name.clone(),
                identity: self.child.contexts.identity.clone(),
                file: saved.file,
                earlier: saved.earlier,
                next: saved.next,
                conversation: saved.conversation,
                time_per_token: self.costs.reading_time(1).unwrap_or_default(),
            },
        })
    }

    /// Moves a saved conversation to the store. Only then does the slot count as saved.
    async fn commit(&mut self, conversation: KeptConversation, slot: Slot) {
        let bytes = conversation.saved.file.len;
        // The store logs failures and removes the files.
        if self.store.commit(conversation.saved).await.is_ok() {
            self.saved
                .record(slot.id, slot.last_task, conversation.tokens);
            self.report.saved += 1;
            self.transfer.bytes += bytes;
        } else {
            self.report.save_failures += 1;
            self.paused_until = Some(Instant::now() + FAILURE_PAUSE);
        }
    }
}
