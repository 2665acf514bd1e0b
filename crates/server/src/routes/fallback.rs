//! Answers that belong to no single route of the admin plane: liveness, common headers, unknown routes.

use axum::Json;
use axum::http::header::{SERVER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// Answers that paddock runs.
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Adds `Server`, by which clients recognize paddock and its version, and `nosniff`, which keeps browsers from
/// reading JSON as a script or a page.
pub(super) async fn add_server_headers<B>(mut response: Response<B>) -> Response<B> {
    const SERVER_NAME: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(SERVER_NAME));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Answers a method that the route does not support. axum adds `Allow`.
pub(super) async fn not_allowed() -> (StatusCode, Json<Value>) {
    let message = "this route is asked with another method; the answer's Allow says which";
    let error = json!({ "error": {
        "message": message,
        "type": "invalid_request_error",
        "code": "method_not_allowed",
        "param": null,
    } });
    (StatusCode::METHOD_NOT_ALLOWED, Json(error))
}

/// Answers an unknown route.
pub(super) async fn not_found() -> (StatusCode, Json<Value>) {
    let message = "there is no such route on the admin plane; try /api/status";
    let error = json!({ "error": {
        "message": message,
        "type": "invalid_request_error",
        "code": "not_found",
        "param": null,
    } });
    (StatusCode::NOT_FOUND, Json(error))
}
