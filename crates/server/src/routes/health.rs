use super::View;
use crate::HealthState;
use crate::error::failure_json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// 200 when requests are served or loaded for, else 503 with what is going on.
pub(super) async fn health(State(view): State<View>) -> Response {
    let look = view.runtime.look().await;
    let health = HealthState::of_all(look.as_ref());
    let status = match health {
        HealthState::Ready => StatusCode::OK,
        HealthState::Starting | HealthState::Unhealthy | HealthState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
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
