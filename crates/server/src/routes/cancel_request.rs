//! Cancels a request (`DELETE /api/requests/{id}`).

use super::AdminContext;
use super::parameters::PathName;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Ends a queued or in-flight request by its `x-request-id`. The client gets an error.
pub(super) async fn cancel(
    State(admin): State<AdminContext>,
    PathName(name): PathName,
) -> Response {
    match admin.workers.cancel(&name).await {
        0 => {
            let error = json!({ "error": {
                "message": "no request of this id is queued or in flight",
                "type": "invalid_request_error",
                "code": "not_found",
                "param": null,
            } });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
        count => Json(json!({ "cancelled": count })).into_response(),
    }
}
