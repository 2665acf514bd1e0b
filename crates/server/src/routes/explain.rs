//! Why a model was loaded, kept, evicted or refused, and what became of a request.

mod passage;

use super::parameters::Name;
use super::status::word;
use super::{Admin, View};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::unix_seconds;
use paddock_runtime::{JournalEntry, RequestExplanation};
use passage::Passage;
use serde_json::{Value, json};

/// The last decisions about a model, the newest last.
pub(super) async fn model(State(view): State<View>, Name(name): Name) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let decisions = view.runtime.explain_model(id).await;
    let look = view.runtime.snapshot().await;
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

/// What became of a request, by its `x-request-id`.
pub(super) async fn request(State(admin): State<Admin>, Name(name): Name) -> Response {
    let explained = admin.view.runtime.explain_request(name.clone()).await;
    let passage = passage::find(&admin, &name).await;
    // Nothing is said of the engine where a request never got there.
    let is_granted = explained
        .as_ref()
        .is_none_or(|explained| explained.outcome == "granted");
    let mut answer = match (explained, &passage) {
        (Some(explained), _) => queued(&explained),
        (None, Some(passage)) => passage.unqueued(&name),
        (None, None) => return unknown(),
    };
    answer["engine_wait_seconds"] = json!(passage.as_ref().map(Passage::engine_wait_seconds));
    let told = passage
        .as_ref()
        .filter(|_| is_granted)
        .and_then(Passage::told);
    if let (Some(told), Some(meanwhile)) = (told, answer["meanwhile"].as_array_mut()) {
        meanwhile.push(told);
    }
    Json(answer).into_response()
}

fn unknown() -> Response {
    let error = json!({ "error": {
        "message": "no request of this id is known: it was never here, or is no longer listed",
        "type": "invalid_request_error",
        "code": "not_found",
        "param": null,
    } });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

/// Describes a request that had to wait in paddock's queue, or was refused there.
fn queued(explained: &RequestExplanation) -> Value {
    let error = explained.error.as_ref();
    let error = error.map(|(kind, message)| json!({ "kind": kind, "message": message }));
    json!({
        "request": explained.request,
        "model": explained.model,
        "arrived": unix_seconds(explained.arrived),
        "waited_seconds": explained.waited.as_secs_f64(),
        "outcome": explained.outcome,
        "error": error,
        "meanwhile": told(&explained.meanwhile),
    })
}

fn told(decisions: &[JournalEntry]) -> Vec<Value> {
    let one = |told: &JournalEntry| json!({ "at": unix_seconds(told.at), "what": told.kind, "message": told.message });
    decisions.iter().map(one).collect()
}
