//! Reports the state of models, memory and connections (`GET /api/status`).

use super::SharedContext;
use super::contexts;
use super::errors::failure_to_api;
use super::openapi::responses::Denied;
use axum::Json;
use paddock_api as api;
use paddock_runtime::{ModelDetails, RuntimeSnapshot};
use paddock_scheduler::{Memory, ModelStatus};
use paddock_supervisor::State;
use tokio::time::Instant;

/// Version of paddock.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns a snapshot of models, memory and connections.
#[utoipa::path(
    get,
    path = "/api/status",
    operation_id = "status",
    tag = "paddock",
    responses(
        (status = 200, description = "The current state.", body = api::Status),
        Denied,
    ),
)]
pub(super) async fn status(
    axum::extract::State(shared): axum::extract::State<SharedContext>,
) -> Json<api::Status> {
    let mut status = match shared.runtime.snapshot().await {
        Some(snapshot) => {
            let status = to_api(&snapshot);
            api::Status {
                contexts: Some(contexts::sum(&status.models)),
                ..status
            }
        }
        None => api::Status {
            version: VERSION.to_owned(),
            ..api::Status::default()
        },
    };
    status.connections = Some(api::Connections {
        limit: shared.connections.limit() as u64,
        open: shared.connections.open_count() as u64,
        refused: shared.connections.refused_count(),
    });
    Json(status)
}

/// Converts a snapshot to the admin API's type, without connections and without the totals of contexts.
pub(super) fn to_api(snapshot: &RuntimeSnapshot) -> api::Status {
    let models = snapshot.models.iter();
    let usage = &snapshot.usage;
    api::Status {
        connections: None,
        contexts: None,
        memory: Some(api::MemoryUsage {
            budget: memory_to_api(&usage.budget, snapshot),
            claimed: memory_to_api(&usage.claimed, snapshot),
            used: memory_to_api(&usage.used, snapshot),
        }),
        models: models.map(|model| model_to_api(model, snapshot)).collect(),
        version: VERSION.to_owned(),
    }
}

fn model_to_api(model: &ModelDetails, snapshot: &RuntimeSnapshot) -> api::Model {
    let (failed, state) = (model.failed.as_ref(), model.state.as_ref());
    let retry_at = failed.and_then(|failed| failed.until);
    let retry_at = retry_at.or(model.scheduling.retry_at.map(Instant::from_std));
    let now = Instant::now();
    let memory = |memory: &Option<Memory>| {
        let memory = memory.as_ref();
        memory.map(|memory| memory_to_api(memory, snapshot))
    };
    api::Model {
        aliases: model.config.aliases.clone(),
        contexts: contexts::to_api(model),
        failure: failed.map(|failed| failure_to_api(&failed.failure)),
        id: model.config.id.clone(),
        in_flight: model.scheduling.in_flight.into(),
        memory: api::ModelMemory {
            measured: memory(&model.measured),
            predicted: memory(&model.predicted),
            prompt_cache: model.prompt_cache.map(|cache| cache.counted),
        },
        pid: state.and_then(State::pid),
        pinned: model.scheduling.pinned,
        progress: state.and_then(progress),
        queued: model.scheduling.queued as u64,
        restarts: count_restarts(model),
        retry_after: retry_at.map(|at| at.saturating_duration_since(now).as_secs_f64()),
        sandbox: sandbox_to_api(model),
        since: model.since.map(|since| since.as_secs_f64()),
        status: model_status(model),
        suspicion: state.and_then(hang_evidence).map(str::to_owned),
        waiting_in_engine: model.waiting_in_engine.map(|waiting| api::WaitingInEngine {
            estimated: waiting.count,
            longest_seconds: waiting.longest.as_secs_f64(),
        }),
    }
}

fn sandbox_to_api(model: &ModelDetails) -> api::Sandbox {
    let (support, exemptions) = &model.sandbox;
    api::Sandbox {
        files: support.files,
        limits: support.limits,
        metadata: support.metadata,
        network: support.network,
        no_new_privileges: support.no_new_privileges,
        opened_by: exemptions.by.clone(),
        parent_death: support.parent_death,
        processes: support.processes,
        scheduling: support.scheduling,
        scope: support.scope,
    }
}

fn memory_to_api(memory: &Memory, snapshot: &RuntimeSnapshot) -> api::Memory {
    let bytes = |bytes: u64| (bytes != u64::MAX).then_some(bytes);
    let devices = snapshot.devices.iter().enumerate();
    let devices = devices.map(|(index, name)| (name.clone(), bytes(memory.device(index))));
    api::Memory {
        devices: devices.collect(),
        host: bytes(memory.host()),
    }
}

/// Converts a model's status to the admin API's type.
pub(super) const fn model_status(model: &ModelDetails) -> api::ModelStatus {
    match model.scheduling.status {
        ModelStatus::Waiting | ModelStatus::Loading => api::ModelStatus::Loading,
        ModelStatus::Ready => api::ModelStatus::Ready,
        ModelStatus::Draining | ModelStatus::Stopping => api::ModelStatus::Draining,
        ModelStatus::Failed => api::ModelStatus::Failed,
        ModelStatus::Unloaded => api::ModelStatus::Unloaded,
    }
}

fn progress(state: &State) -> Option<f64> {
    match state {
        State::Starting { progress, .. } => progress.map(f64::from),
        State::Ready { .. } => Some(1.0),
        State::Stopping { .. } | State::Backoff { .. } | State::Failed { .. } | State::Stopped => {
            None
        }
    }
}

/// Returns the evidence that a serving child hangs, if any.
fn hang_evidence(state: &State) -> Option<&str> {
    match state {
        State::Ready { hang_evidence, .. } => hang_evidence.as_deref(),
        _ => None,
    }
}

/// Returns the number of starts after the first one, including one that is about to happen. Returns `None` before
/// the first start, and if the first child has ended and no restart is due.
fn count_restarts(model: &ModelDetails) -> Option<u64> {
    let restarts = model.generations.saturating_sub(1);
    match &model.state {
        Some(State::Starting { .. } | State::Ready { .. }) => Some(restarts),
        Some(State::Backoff { .. }) => Some(restarts + 1),
        Some(State::Stopping { .. } | State::Failed { .. } | State::Stopped) | None => {
            (restarts > 0).then_some(restarts)
        }
    }
}
