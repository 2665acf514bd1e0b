use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// paddock runs.
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
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
