//! Loads and unloads models (`POST /api/models/{id}/load`, `…/unload`).

use super::SharedContext;
use super::errors::{bad_query, failure_to_api, refusal};
use super::openapi::responses::{Denied, InvalidParameter, NotDone, UnknownModel};
use super::parameters::PathName;
use super::status::model_status;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use paddock_api::LoadResult;
use paddock_runtime::ModelDetails;
use paddock_scheduler::{ModelId, ModelStatus};
use std::collections::HashMap;

/// Loads a model.
///
/// Returns 202 immediately, or 200 if the model is already loaded; with `wait=true`, 200 when the model is ready or
/// 503 when the load has failed.
#[utoipa::path(
    post,
    path = "/api/models/{id}/load",
    operation_id = "load",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model."), WaitQuery),
    responses(
        (status = 200, description = "The model is loaded.", body = LoadResult),
        (status = 202, description = "The model will be loaded.", body = LoadResult),
        InvalidParameter,
        Denied,
        UnknownModel,
        (status = 503, description = "The model could not be loaded, or paddock is stopping.", body = NotDone),
    ),
)]
pub(super) async fn load(
    State(shared): State<SharedContext>,
    PathName(name): PathName,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match shared.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let waits = match WaitQuery::parse(&query) {
        Ok(query) => query.wait,
        Err(message) => return bad_query("wait", &message),
    };
    shared.runtime.load(id).await;
    let is_done = |status| {
        matches!(
            status,
            ModelStatus::Ready | ModelStatus::Failed | ModelStatus::Unloaded
        )
    };
    respond(&shared, id, waits, is_done, ModelStatus::Ready).await
}

/// Unloads a model once its in-flight requests have ended.
///
/// Returns 202 immediately, or 200 if the model is already unloaded; with `wait=true`, 200 when the model has been
/// unloaded.
#[utoipa::path(
    post,
    path = "/api/models/{id}/unload",
    operation_id = "unload",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model."), WaitQuery),
    responses(
        (status = 200, description = "The model is unloaded.", body = LoadResult),
        (status = 202, description = "The model will be unloaded.", body = LoadResult),
        InvalidParameter,
        Denied,
        UnknownModel,
        (status = 503, description = "The model has failed, or paddock is stopping.", body = NotDone),
    ),
)]
pub(super) async fn unload(
    State(shared): State<SharedContext>,
    PathName(name): PathName,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match shared.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let waits = match WaitQuery::parse(&query) {
        Ok(query) => query.wait,
        Err(message) => return bad_query("wait", &message),
    };
    shared.runtime.unload(id).await;
    let is_done = |status| matches!(status, ModelStatus::Unloaded | ModelStatus::Failed);
    respond(&shared, id, waits, is_done, ModelStatus::Unloaded).await
}

/// The query of a load or an unload.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// If true, responds only when the model has been loaded or unloaded.
    #[param(required = false, value_type = String, pattern = "^(true|false|1|0)$")]
    wait: bool,
}

impl WaitQuery {
    fn parse(query: &HashMap<String, String>) -> Result<Self, String> {
        let wait = match query.get("wait").map(String::as_str) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(text) => return Err(format!("`wait` must be true or false, not `{text}`")),
        };
        Ok(Self { wait })
    }
}

async fn respond(
    shared: &SharedContext,
    id: ModelId,
    waits: bool,
    is_done: impl Fn(ModelStatus) -> bool,
    wanted: ModelStatus,
) -> Response {
    let mut changes = shared.runtime.changes();
    loop {
        changes.mark_unchanged();
        let snapshot = shared.runtime.snapshot().await;
        let models = snapshot.into_iter().flat_map(|snapshot| snapshot.models);
        let Some(model) = models.into_iter().find(|model| model.id == id) else {
            return refusal(&ProxyError::ShuttingDown);
        };
        let status = model.scheduling.status;
        if status == wanted || (waits && is_done(status)) {
            return respond_done(shared, &model, wanted).await;
        }
        if !waits {
            return (StatusCode::ACCEPTED, Json(to_api(&model))).into_response();
        }
        if changes.changed().await.is_err() {
            return refusal(&ProxyError::ShuttingDown);
        }
    }
}

async fn respond_done(
    shared: &SharedContext,
    model: &ModelDetails,
    wanted: ModelStatus,
) -> Response {
    let mut result = to_api(model);
    if model.scheduling.status == wanted {
        return (StatusCode::OK, Json(result)).into_response();
    }
    let mut decisions = shared.runtime.explain_model(model.id).await;
    result.message = decisions.pop().map(|decision| decision.message);
    let failed = model.failed.as_ref();
    result.failure = failed.map(|failed| failure_to_api(&failed.failure));
    (StatusCode::SERVICE_UNAVAILABLE, Json(result)).into_response()
}

fn to_api(model: &ModelDetails) -> LoadResult {
    LoadResult {
        failure: None,
        id: model.config.id.clone(),
        message: None,
        status: model_status(model),
    }
}
