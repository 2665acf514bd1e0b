//! Answers `/livez`, unknown routes and unsupported methods of the admin plane (the routes for operators), and adds the
//! header fields that all of its responses have.

use super::errors::admin_error;
use super::openapi::responses::ForeignPage;
use axum::Json;
use axum::http::header::{SERVER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use paddock_api::{Liveness, LivenessStatus};

/// Reports that paddock is running.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "paddock",
    security(),
    responses(
        (status = 200, description = "paddock is running.", body = Liveness),
        ForeignPage,
    ),
)]
pub(super) async fn livez() -> Json<Liveness> {
    let status = LivenessStatus::Ok;
    Json(Liveness { status })
}

/// Adds `Server`, by which clients recognize paddock and its version, and `nosniff`, which keeps browsers from
/// reading JSON as a script or a page.
pub(super) async fn add_server_headers(mut response: Response) -> Response {
    const SERVER_NAME: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(SERVER_NAME));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Answers a method that the route does not support. axum adds `Allow`.
pub(super) async fn not_allowed() -> Response {
    let message =
        "this route does not support the method; the Allow header lists those that it does";
    admin_error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
}

/// Answers an unknown route.
pub(super) async fn not_found() -> Response {
    let message = "the admin address has no such route; try /api/status";
    admin_error(StatusCode::NOT_FOUND, "not_found", message)
}
