//! Messages to the runtime actor: commands from other parts of paddock, and results of the actor's own tasks.

use super::config_changes::ReloadReport;
use super::contexts::{ContextCounters, DifferenceQuery, RestoreReport, StoreUsage};
use super::inspection::InspectionResult;
use super::journal::{JournalEntry, RequestExplanation};
use super::measure::MeasuredLoad;
use super::snapshot::RuntimeSnapshot;
use crate::engine_probe::Engine;
use paddock_config::Config;
use paddock_contexts::Costs;
use paddock_scheduler::ModelId;
use paddock_supervisor::{Listener, LogReader, State};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A command from a [`RuntimeHandle`](super::RuntimeHandle).
#[derive(Debug)]
pub(super) enum Command {
    /// Load a model.
    Load(ModelId),
    /// Unload a model.
    Unload(ModelId),
    /// Pin a model, or unpin it.
    Pin(ModelId, bool),
    /// Take a snapshot.
    Snapshot(oneshot::Sender<RuntimeSnapshot>),
    /// List the decisions about a model.
    ExplainModel(ModelId, oneshot::Sender<Vec<JournalEntry>>),
    /// Explain a request.
    ExplainRequest(String, oneshot::Sender<Option<RequestExplanation>>),
    /// Compare the prompt of an answered request with the contexts that the child had restored.
    FindDifference(ModelId, DifferenceQuery),
    /// Open a reader of a model's output.
    Logs(ModelId, oneshot::Sender<Option<LogReader>>),
    /// Apply another configuration.
    Reload(Box<Config>, oneshot::Sender<ReloadReport>),
    /// Drain until the deadline, then stop.
    Shutdown(Instant),
    /// Stop now and kill every child.
    ShutdownNow,
}

/// A result of one of the actor's tasks.
#[derive(Debug)]
pub(super) enum RuntimeMessage {
    /// The engine was probed.
    EngineProbed(Box<Engine>),
    /// An instance's state has changed.
    StateChanged {
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
        state: State,
    },
    /// The memory of a stopped instance is free.
    MemoryFreed {
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
    },
    /// Restoring the contexts of a loaded child has ended.
    ContextsRestored {
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
        generation: u64,
        listener: Listener,
        report: RestoreReport,
    },
    /// A keeper has saved contexts, or its child's requests have used restored ones.
    ContextsSaved {
        model: ModelId,
        /// Counts since the keeper's last message.
        counts: ContextCounters,
        costs: Costs,
    },
    /// Usage of the store by each model.
    ContextsStored(BTreeMap<String, StoreUsage>),
    /// A model's files were inspected.
    Inspected {
        model: ModelId,
        /// Number of the inspection; older results of the model are ignored.
        inspection_id: u64,
        result: InspectionResult,
    },
    /// A loaded model was measured.
    Measured {
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
        measured: Box<MeasuredLoad>,
        /// Bytes that the child's prompt cache, still empty when measured, may take later.
        prompt_cache: u64,
    },
}
