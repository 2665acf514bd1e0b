//! Reloads the configuration (`POST /api/reload`).

use super::AdminContext;
use crate::reload::ReloadError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Reloads the configuration and answers with the changes, or with the reason why nothing changed.
pub(super) async fn reload(State(admin): State<AdminContext>) -> Response {
    let error = match admin.reloader.reload().await {
        Ok(reloaded) => return Json(reloaded).into_response(),
        Err(error) => error,
    };
    let status = match error {
        ReloadError::Invalid(_) | ReloadError::OpenToAll(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ReloadError::NoSource => StatusCode::CONFLICT,
        ReloadError::Unread(_) | ReloadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    let error = json!({ "error": {
        "message": error.to_string(),
        "type": "invalid_request_error",
        "code": "not_reloaded",
        "param": null,
    } });
    (status, Json(error)).into_response()
}
