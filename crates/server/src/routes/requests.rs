use super::Admin;
use super::parameters::Name;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Ends a request that is queued or in flight, by its `x-request-id`. Its client is told so.
pub(super) async fn cancel(State(admin): State<Admin>, Name(name): Name) -> Response {
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
