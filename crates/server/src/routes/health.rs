use super::View;
use crate::HealthState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::failure_json;
use paddock_config::Scope;
use serde_json::{Value, json};

/// 200 when requests are served or loaded for, else 503. What is going on besides is for those alone who
/// show a key where there are keys, and this wants none.
pub(super) async fn health(State(view): State<View>) -> Response {
    let open = view.catalog.borrow().keys().is_empty();
    tell(&view, open).await
}

/// The same on the admin plane.
pub(super) async fn ready(State(view): State<View>) -> Response {
    let open = !view.catalog.borrow().keys().has_key_for(&[Scope::Admin]);
    tell(&view, open).await
}

async fn tell(view: &View, in_full: bool) -> Response {
    let look = view.runtime.snapshot().await;
    let health = HealthState::of_all(look.as_ref());
    let status = match health {
        HealthState::Ready => StatusCode::OK,
        HealthState::Starting | HealthState::Unhealthy | HealthState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    if !in_full {
        return (status, axum::Json(json!({ "status": health.as_str() }))).into_response();
    }
    let models = look.iter().flat_map(|look| &look.models);
    let models = models.map(|model| {
        let health = HealthState::of_model(model);
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
