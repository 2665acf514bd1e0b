//! Reloads the configuration (`POST /api/reload`).

use super::AdminContext;
use super::errors::admin_error;
use crate::reload::ReloadError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

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
    admin_error(status, "not_reloaded", &error.to_string())
}
