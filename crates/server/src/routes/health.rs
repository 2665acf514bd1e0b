//! Answers health routes of both planes.

use super::SharedContext;
use crate::HealthState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::failure_json;
use paddock_config::Scope;
use serde_json::{Value, json};

/// Answers 200 if requests are served or cause a load, else 503. This route needs no key, so it lists models only
/// if no keys are configured.
pub(super) async fn health(State(shared): State<SharedContext>) -> Response {
    let lists_models = shared.catalog.borrow().keys().is_empty();
    respond(&shared, lists_models).await
}

/// Answers `/readyz` of the admin plane like [`health`], listing models if no key has the scope `admin`.
pub(super) async fn ready(State(shared): State<SharedContext>) -> Response {
    let lists_models = !shared.catalog.borrow().keys().has_key_for(&[Scope::Admin]);
    respond(&shared, lists_models).await
}

async fn respond(shared: &SharedContext, lists_models: bool) -> Response {
    let snapshot = shared.runtime.snapshot().await;
    let health = HealthState::from_view(snapshot.as_ref());
    let status = match health {
        HealthState::Ready => StatusCode::OK,
        HealthState::Starting | HealthState::Unhealthy | HealthState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    if !lists_models {
        return (status, axum::Json(json!({ "status": health.as_str() }))).into_response();
    }
    let models = snapshot.iter().flat_map(|snapshot| &snapshot.models);
    let models = models.map(|model| {
        let health = HealthState::from_model(model);
        let mut entry = json!({ "id": model.config.id, "status": health.as_str() });
        if let Some(failed) = &model.failed {
            entry["failure"] = failure_json(&failed.failure);
        }
        entry
    });
    let models: Vec<Value> = models.collect();
    let body = json!({ "status": health.as_str(), "models": models });
    (status, axum::Json(body)).into_response()
}
