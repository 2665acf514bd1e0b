use super::View;
use crate::HealthState;
use crate::error::failure_json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// 200 when requests are served, else 503 with what is going on.
pub(super) async fn health(State(view): State<View>) -> Response {
    let state = view.state();
    let health = HealthState::from(&state);
    let status = match health {
        HealthState::Ready => StatusCode::OK,
        HealthState::Starting | HealthState::Unhealthy | HealthState::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut model = json!({ "id": view.model.name, "status": health.as_str() });
    if let Some(failure) = state.failure() {
        model["failure"] = failure_json(failure);
    }
    let body = json!({ "status": health.as_str(), "models": [model] });
    (status, axum::Json(body)).into_response()
}
