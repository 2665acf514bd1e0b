//! Reports the state of everything (`GET /api/status`).

use super::SharedContext;
use axum::Json;
use paddock_admission::error::failure_json;
use paddock_runtime::{self as runtime, ModelDetails};
use paddock_scheduler::{Memory, ModelStatus};
use paddock_supervisor::State;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// Answers with a snapshot of models, memory and connections.
pub(super) async fn status(
    axum::extract::State(shared): axum::extract::State<SharedContext>,
) -> Json<Value> {
    let mut status = match shared.runtime.snapshot().await {
        Some(snapshot) => to_json(&snapshot),
        None => json!({ "version": env!("CARGO_PKG_VERSION"), "models": [] }),
    };
    status["connections"] = json!({
        "open": shared.connections.open_count(),
        "limit": shared.connections.limit(),
        "refused": shared.connections.refused_count(),
    });
    Json(status)
}

/// Converts a snapshot to JSON.
pub(super) fn to_json(snapshot: &runtime::RuntimeSnapshot) -> Value {
    let models: Vec<Value> = snapshot
        .models
        .iter()
        .map(|model| model_to_json(model, snapshot))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "memory": {
            "budget": memory(&snapshot.usage.budget, snapshot),
            "used": memory(&snapshot.usage.used, snapshot),
            "claimed": memory(&snapshot.usage.claimed, snapshot),
        },
    })
}

fn model_to_json(model: &ModelDetails, snapshot: &runtime::RuntimeSnapshot) -> Value {
    let failed = model.failed.as_ref();
    let now = Instant::now();
    let until = failed.and_then(|failed| failed.until);
    let until = until.or(model.scheduling.retry_at.map(Instant::from_std));
    let bytes =
        |memory: &Option<Memory>| memory.as_ref().map(|known| self::memory(known, snapshot));
    json!({
        "id": model.config.id,
        "aliases": model.config.aliases,
        "status": status_name(model),
        "pinned": model.scheduling.pinned,
        "in_flight": model.scheduling.in_flight,
        "queued": model.scheduling.queued,
        "waiting_in_engine": model.waiting_in_engine.map(|waiting| json!({
            "estimated": waiting.count,
            "longest_seconds": waiting.longest.as_secs_f64(),
        })),
        "pid": model.state.as_ref().and_then(State::pid),
        "since": model.since.map(|since| since.as_secs_f64()),
        "progress": model.state.as_ref().and_then(progress),
        "restarts": count_restarts(model),
        "suspicion": model.state.as_ref().and_then(hang_evidence),
        "memory": {
            "predicted": bytes(&model.predicted),
            "measured": bytes(&model.measured),
            "prompt_cache": model.prompt_cache.map(|cache| cache.counted),
        },
        "sandbox": sandbox(model),
        "failure": failed.map(|failed| failure_json(&failed.failure)),
        "retry_after": until.map(|until| until.saturating_duration_since(now).as_secs_f64()),
    })
}

/// Returns the sandbox restrictions of the model's child, and the flags that relaxed some.
fn sandbox(model: &ModelDetails) -> Value {
    let (parts, opened) = &model.sandbox;
    let parts = parts.as_named().into_iter();
    let mut object: Map<String, Value> = parts
        .map(|(name, holds)| (name.to_owned(), json!(holds)))
        .collect();
    object.insert("opened_by".to_owned(), json!(opened.by));
    Value::Object(object)
}

/// Returns bytes of the host and of each device; null means no limit.
fn memory(memory: &Memory, snapshot: &runtime::RuntimeSnapshot) -> Value {
    let bytes = |bytes: u64| (bytes != u64::MAX).then_some(bytes);
    let devices = snapshot.devices.iter().enumerate();
    let devices: Map<String, Value> = devices
        .map(|(index, name)| (name.clone(), json!(bytes(memory.device(index)))))
        .collect();
    json!({ "host": bytes(memory.host()), "devices": devices })
}

/// Returns the API's name of a model's status.
pub(super) fn status_name(model: &ModelDetails) -> &'static str {
    match model.scheduling.status {
        ModelStatus::Waiting | ModelStatus::Loading => "loading",
        ModelStatus::Ready => "ready",
        ModelStatus::Draining | ModelStatus::Stopping => "draining",
        ModelStatus::Failed => "failed",
        ModelStatus::Unloaded => "unloaded",
    }
}

fn progress(state: &State) -> Option<f32> {
    match state {
        State::Starting { progress, .. } => *progress,
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
