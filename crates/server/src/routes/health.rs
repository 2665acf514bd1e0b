//! Answers the health routes of both planes: `/health` for clients, `/readyz` for operators.

use super::SharedContext;
use super::errors::failure_to_api;
use super::openapi::responses::ForeignPage;
use crate::HealthState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_api::{Health, ModelHealth};
use paddock_config::Scope;
use paddock_runtime::ModelDetails;

/// Returns 200 if requests can be served, loading a model if needed; otherwise 503. Models are omitted if API keys
/// are configured, because this route requires none.
pub(super) async fn health(State(shared): State<SharedContext>) -> Response {
    let lists_models = shared.catalog.borrow().keys().is_empty();
    respond(&shared, lists_models).await
}

/// Returns 200 if requests can be served, loading a model if needed; otherwise 503.
///
/// Models are omitted if an API key that allows `admin` is configured, because this route requires no key.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "paddock",
    security(),
    responses(
        (status = 200, description = "Requests can be served, loading a model if needed.", body = Health),
        ForeignPage,
        (status = 503, description = "Models are loading and none is ready, all models have failed, or paddock is stopping.", body = Health),
    ),
)]
pub(super) async fn ready(State(shared): State<SharedContext>) -> Response {
    let lists_models = !shared.catalog.borrow().keys().has_key_for(&[Scope::Admin]);
    respond(&shared, lists_models).await
}

/// Returns the service's health, and the health of each model if `lists_models`.
async fn respond(shared: &SharedContext, lists_models: bool) -> Response {
    let snapshot = shared.runtime.snapshot().await;
    let health = HealthState::from_view(snapshot.as_ref());
    let status = match health {
        HealthState::Ready => StatusCode::OK,
        HealthState::Starting | HealthState::Unhealthy | HealthState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let models = snapshot.iter().flat_map(|snapshot| &snapshot.models);
    let body = Health {
        models: lists_models.then(|| models.map(model_to_api).collect()),
        status: health.to_api(),
    };
    (status, axum::Json(body)).into_response()
}

fn model_to_api(model: &ModelDetails) -> ModelHealth {
    let failed = model.failed.as_ref();
    ModelHealth {
        failure: failed.map(|failed| failure_to_api(&failed.failure)),
        id: model.config.id.clone(),
        status: HealthState::from_model(model).to_api(),
    }
}
