//! Reloads the configuration (`POST /api/reload`).

use super::AdminContext;
use super::errors::admin_error;
use super::openapi::responses::Denied;
use crate::reload::ReloadError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_api::{ErrorBody, ReloadResult};

/// Reloads the configuration and returns the changes; after an error nothing has changed.
#[utoipa::path(
    post,
    path = "/api/reload",
    operation_id = "reload",
    tag = "paddock",
    responses(
        (status = 200, description = "The configuration has been applied.", body = ReloadResult),
        Denied,
        (status = 409, description = "paddock wraps a command and has no configuration file.", body = ErrorBody),
        (status = 422, description = "The configuration is not valid; nothing has changed.", body = ErrorBody),
        (status = 503, description = "The configuration cannot be read, or paddock is stopping.", body = ErrorBody),
    ),
)]
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
