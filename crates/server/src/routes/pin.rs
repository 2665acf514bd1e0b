//! Pins and unpins models (`POST /api/models/{id}/pin`, `…/unpin`).

use super::SharedContext;
use super::errors::refusal;
use super::openapi::responses::{Denied, InvalidParameter, Stopping, UnknownModel};
use super::parameters::PathName;
use super::status::model_status;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use paddock_api::PinResult;

/// Pins a model, which then is neither evicted nor unloaded when idle.
///
/// Pinning does not load the model. Pinning a pinned model changes nothing.
#[utoipa::path(
    post,
    path = "/api/models/{id}/pin",
    operation_id = "pin",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model.")),
    responses(
        (status = 200, description = "The model is pinned.", body = PinResult),
        InvalidParameter,
        Denied,
        UnknownModel,
        Stopping,
    ),
)]
pub(super) async fn pin(State(shared): State<SharedContext>, PathName(name): PathName) -> Response {
    set(&shared, &name, true).await
}

/// Unpins a model, which then can be evicted, or unloaded when idle.
///
/// Unpinning a model that is not pinned changes nothing.
#[utoipa::path(
    post,
    path = "/api/models/{id}/unpin",
    operation_id = "unpin",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model.")),
    responses(
        (status = 200, description = "The model is not pinned.", body = PinResult),
        InvalidParameter,
        Denied,
        UnknownModel,
        Stopping,
    ),
)]
pub(super) async fn unpin(
    State(shared): State<SharedContext>,
    PathName(name): PathName,
) -> Response {
    set(&shared, &name, false).await
}

/// Sets the pin and answers with the resulting state. Idempotent.
async fn set(shared: &SharedContext, name: &str, pinned: bool) -> Response {
    let id = match shared.find(name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    shared.runtime.pin(id, pinned).await;
    let snapshot = shared.runtime.snapshot().await;
    let models = snapshot.into_iter().flat_map(|snapshot| snapshot.models);
    match models.into_iter().find(|model| model.id == id) {
        Some(model) => Json(PinResult {
            id: model.config.id.clone(),
            pinned: model.scheduling.pinned,
            status: model_status(&model),
        })
        .into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}
