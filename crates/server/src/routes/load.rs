//! Loading and unloading by hand.

use super::parameters::Name;
use super::status::word;
use super::{View, bad_query, refusal};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use paddock_admission::error::failure_json;
use paddock_runtime::ModelDetails;
use paddock_scheduler::{ModelId, ModelStatus};
use serde_json::json;
use std::collections::HashMap;

/// Loads a model: 202 at once, or with `?wait=true` 200 when it is ready and 503 when it does not
/// load.
pub(super) async fn load(
    State(view): State<View>,
    Name(name): Name,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let waits = match waits(&query) {
        Ok(waits) => waits,
        Err(message) => return bad_query("wait", &message),
    };
    view.runtime.load(id).await;
    let done = |status| {
        matches!(
            status,
            ModelStatus::Ready | ModelStatus::Failed | ModelStatus::Unloaded
        )
    };
    answer(&view, id, waits, done, ModelStatus::Ready).await
}

/// Unloads a model when what is in flight to it has ended: 202 at once, or with `?wait=true` 200
/// when it is out of memory.
pub(super) async fn unload(
    State(view): State<View>,
    Name(name): Name,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let waits = match waits(&query) {
        Ok(waits) => waits,
        Err(message) => return bad_query("wait", &message),
    };
    view.runtime.unload(id).await;
    let done = |status| matches!(status, ModelStatus::Unloaded | ModelStatus::Failed);
    answer(&view, id, waits, done, ModelStatus::Unloaded).await
}

/// Whether to answer only when it is done.
fn waits(query: &HashMap<String, String>) -> Result<bool, String> {
    match query.get("wait").map(String::as_str) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(text) => Err(format!("`wait` has to be true or false, and is `{text}`")),
    }
}

async fn answer(
    view: &View,
    id: ModelId,
    waits: bool,
    done: impl Fn(ModelStatus) -> bool,
    wanted: ModelStatus,
) -> Response {
    let mut changes = view.runtime.changes();
    loop {
        changes.mark_unchanged();
        let look = view.runtime.snapshot().await;
        let models = look.into_iter().flat_map(|look| look.models);
        let Some(model) = models.into_iter().find(|model| model.id == id) else {
            return refusal(&ProxyError::ShuttingDown);
        };
        let status = model.scheduling.status;
        if status == wanted || (waits && done(status)) {
            return ended(view, &model, wanted).await;
        }
        if !waits {
            let body = json!({ "id": model.config.id, "status": word(&model) });
            return (StatusCode::ACCEPTED, Json(body)).into_response();
        }
        if changes.changed().await.is_err() {
            return refusal(&ProxyError::ShuttingDown);
        }
    }
}

async fn ended(view: &View, model: &ModelDetails, wanted: ModelStatus) -> Response {
    let mut body = json!({ "id": model.config.id, "status": word(model) });
    if model.scheduling.status == wanted {
        return (StatusCode::OK, Json(body)).into_response();
    }
    let told = view.runtime.explain_model(model.id).await;
    body["message"] = json!(told.last().map(|told| &told.message));
    if let Some(failed) = &model.failed {
        body["failure"] = failure_json(&failed.failure);
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}
