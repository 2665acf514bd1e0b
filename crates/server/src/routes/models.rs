use super::View;
use crate::error::{Dialect, ProxyError};
use crate::routes::status::word;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The configured models, in `OpenAI`'s shape.
pub(super) async fn list(State(view): State<View>) -> Json<Value> {
    Json(json!({ "object": "list", "data": [entry(&view)] }))
}

/// One of them, by its name or an alias.
pub(super) async fn one(State(view): State<View>, Path(id): Path<String>) -> Response {
    let known = id == view.model.name || view.config.model.aliases.contains(&id);
    if known {
        return Json(entry(&view)).into_response();
    }
    let error = ProxyError::UnknownModel {
        name: id,
        configured: view.model.name.clone(),
    };
    let kind = [("x-paddock-error", error.kind())];
    (
        StatusCode::NOT_FOUND,
        kind,
        Json(error.body(Dialect::OpenAi)),
    )
        .into_response()
}

/// What is not there.
pub(super) async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

fn entry(view: &View) -> Value {
    json!({
        "id": view.model.name,
        "object": "model",
        "created": view.started,
        "owned_by": "paddock",
        "aliases": view.config.model.aliases,
        "status": word(&view.state()),
    })
}
