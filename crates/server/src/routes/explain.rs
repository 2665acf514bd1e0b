//! Why a model was loaded, kept, evicted or refused, and what became of a request.

use super::View;
use super::parameters::Name;
use super::status::word;
use crate::error::unix;
use crate::runtime::Told;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The last decisions about a model, the newest last.
pub(super) async fn model(State(view): State<View>, Name(name): Name) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let decisions = view.runtime.explain_model(id).await;
    let look = view.runtime.look().await;
    let model = look
        .iter()
        .flat_map(|look| &look.models)
        .find(|model| model.id == id);
    Json(json!({
        "id": model.map(|model| model.config.id.as_str()),
        "status": model.map(word),
        "decisions": told(&decisions),
    }))
    .into_response()
}

/// What became of a request that had to wait or was refused, by its `x-request-id`.
pub(super) async fn request(State(view): State<View>, Name(name): Name) -> Response {
    let Some(explained) = view.runtime.explain_request(name).await else {
        let error = json!({ "error": {
            "message": "no request of this id had to wait lately: it went straight to its model, or \
                        it was never here",
            "type": "invalid_request_error",
            "code": "not_found",
            "param": null,
        } });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    };
    let error = explained
        .error
        .map(|(kind, message)| json!({ "kind": kind, "message": message }));
    Json(json!({
        "request": explained.request,
        "model": explained.model,
        "arrived": unix(explained.arrived),
        "waited_seconds": explained.waited.as_secs_f64(),
        "outcome": explained.outcome,
        "error": error,
        "meanwhile": told(&explained.meanwhile),
    }))
    .into_response()
}

fn told(decisions: &[Told]) -> Vec<Value> {
    let one =
        |told: &Told| json!({ "at": unix(told.at), "what": told.what, "message": told.words });
    decisions.iter().map(one).collect()
}
