use axum::Json;
use axum::http::header::{SERVER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// paddock runs.
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Adds to every answer the name of who gives it, so that a client knows that it has found paddock and which one,
/// and keeps browsers from taking JSON for a script or a page.
pub(super) async fn signed<B>(mut response: Response<B>) -> Response<B> {
    const NAME: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a route does not do; the answer has `Allow` besides.
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

/// What there is instead.
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
