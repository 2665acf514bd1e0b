//! Cancels a request (`DELETE /api/requests/{id}`).

use super::AdminContext;
use super::errors::admin_error;
use super::openapi::responses::{Denied, InvalidParameter, UnknownRequest};
use super::parameters::PathName;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_api::CancelResult;

/// Ends a queued or in-flight request. The client gets the error `cancelled`.
#[utoipa::path(
    delete,
    path = "/api/requests/{id}",
    operation_id = "cancel",
    tag = "requests",
    params(("id" = String, Path, min_length = 1, description = "The `x-request-id` of the request.")),
    responses(
        (status = 200, description = "The request was ended.", body = CancelResult),
        InvalidParameter,
        Denied,
        UnknownRequest,
    ),
)]
pub(super) async fn cancel(
    State(admin): State<AdminContext>,
    PathName(name): PathName,
) -> Response {
    match admin.workers.cancel(&name).await {
        0 => {
            let message = "no request with this id is queued or in flight";
            admin_error(StatusCode::NOT_FOUND, "not_found", message)
        }
        count => {
            let cancelled = count as u64;
            Json(CancelResult { cancelled }).into_response()
        }
    }
}
