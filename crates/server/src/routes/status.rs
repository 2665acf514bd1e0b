use super::View;
use axum::Json;
use paddock_admission::error::failure_json;
use paddock_runtime::{self as runtime, ModelDetails};
use paddock_scheduler::{Memory, ModelStatus};
use paddock_supervisor::State;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// One snapshot of everything.
pub(super) async fn status(axum::extract::State(view): axum::extract::State<View>) -> Json<Value> {
    let mut status = match view.runtime.snapshot().await {
        Some(look) => shown(&look),
        None => json!({ "version": env!("CARGO_PKG_VERSION"), "models": [] }),
    };
    status["connections"] = json!({
        "open": view.connections.open_count(),
        "limit": view.connections.limit(),
        "refused": view.connections.refused_count(),
    });
    Json(status)
}

/// Everything, as `GET /api/status` answers.
pub(super) fn shown(look: &runtime::RuntimeSnapshot) -> Value {
    let models: Vec<Value> = look
        .models
        .iter()
        .map(|model| self::model(model, look))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "memory": {
            "budget": memory(&look.usage.budget, look),
            "used": memory(&look.usage.used, look),
            "claimed": memory(&look.usage.claimed, look),
        },
    })
}

fn model(model: &ModelDetails, look: &runtime::RuntimeSnapshot) -> Value {
    let failed = model.failed.as_ref();
    let now = Instant::now();
    let until = failed.and_then(|failed| failed.until);
    let until = until.or(model.scheduling.retry_at.map(Instant::from_std));
    let bytes = |memory: &Option<Memory>| memory.as_ref().map(|known| self::memory(known, look));
    json!({
        "id": model.config.id,
        "aliases": model.config.aliases,
        "status": word(model),
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
        "restarts": restarts(model),
        "suspicion": model.state.as_ref().and_then(suspicion),
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

/// Which parts of the sandbox hold for the model's child, and what leaves others open.
fn sandbox(model: &ModelDetails) -> Value {
    let (parts, opened) = &model.sandbox;
    let parts = parts.as_named().into_iter();
    let mut shown: Map<String, Value> = parts
        .map(|(name, holds)| (name.to_owned(), json!(holds)))
        .collect();
    shown.insert("opened_by".to_owned(), json!(opened.by));
    Value::Object(shown)
}

/// Bytes in the host's memory and on each device; none where there is no limit.
fn memory(memory: &Memory, look: &runtime::RuntimeSnapshot) -> Value {
    let bytes = |bytes: u64| (bytes != u64::MAX).then_some(bytes);
    let devices = look.devices.iter().enumerate();
    let devices: Map<String, Value> = devices
        .map(|(at, name)| (name.clone(), json!(bytes(memory.device(at)))))
        .collect();
    json!({ "host": bytes(memory.host()), "devices": devices })
}

/// The status of a model, in the words of the API.
pub(super) fn word(model: &ModelDetails) -> &'static str {
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

/// What speaks against a child that serves.
fn suspicion(state: &State) -> Option<&str> {
    match state {
        State::Ready { hang_evidence, .. } => hang_evidence.as_deref(),
        _ => None,
    }
}

/// How often a child was started after the first one; one that is about to be started counts. Nothing before
/// there was a child, nor where the first one is gone and nothing says that there will be another.
fn restarts(model: &ModelDetails) -> Option<u64> {
    let again = model.generations.saturating_sub(1);
    match &model.state {
        Some(State::Starting { .. } | State::Ready { .. }) => Some(again),
        Some(State::Backoff { .. }) => Some(again + 1),
        Some(State::Stopping { .. } | State::Failed { .. } | State::Stopped) | None => {
            (again > 0).then_some(again)
        }
    }
}
