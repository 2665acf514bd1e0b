//! Explains decisions about a model, and the history of a request.

mod request_history;

use super::parameters::PathName;
use super::status::status_name;
use super::{AdminContext, SharedContext};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::unix_seconds;
use paddock_runtime::{JournalEntry, RequestExplanation};
use request_history::RequestHistory;
use serde_json::{Value, json};

/// Lists the last decisions about a model, newest last.
pub(super) async fn explain_model(
    State(shared): State<SharedContext>,
    PathName(name): PathName,
) -> Response {
    let id = match shared.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let decisions = shared.runtime.explain_model(id).await;
    let snapshot = shared.runtime.snapshot().await;
    let model = snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.models)
        .find(|model| model.id == id);
    Json(json!({
        "id": model.map(|model| model.config.id.as_str()),
        "status": model.map(status_name),
        "decisions": decisions_to_json(&decisions),
    }))
    .into_response()
}

/// Describes the history of a request by its `x-request-id`.
pub(super) async fn explain_request(
    State(admin): State<AdminContext>,
    PathName(name): PathName,
) -> Response {
    let explained = admin.shared.runtime.explain_request(name.clone()).await;
    let history = request_history::find(&admin, &name).await;
    // A request that was not granted never reached its engine.
    let is_granted = explained
        .as_ref()
        .is_none_or(|explained| explained.outcome == "granted");
    let mut answer = match (explained, &history) {
        (Some(explained), _) => queued_to_json(&explained),
        (None, Some(history)) => history.to_json(&name),
        (None, None) => return not_found(),
    };
    answer["engine_wait_seconds"] =
        json!(history.as_ref().map(RequestHistory::engine_wait_seconds));
    let entry = history
        .as_ref()
        .filter(|_| is_granted)
        .and_then(RequestHistory::meanwhile_entry);
    if let (Some(entry), Some(meanwhile)) = (entry, answer["meanwhile"].as_array_mut()) {
        meanwhile.push(entry);
    }
    Json(answer).into_response()
}

fn not_found() -> Response {
    let error = json!({ "error": {
        "message": "no request of this id is known: it was never here, or is no longer listed",
        "type": "invalid_request_error",
        "code": "not_found",
        "param": null,
    } });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

/// Describes a request that waited in paddock's queue or was refused there.
fn queued_to_json(explained: &RequestExplanation) -> Value {
    let error = explained.error.as_ref();
    let error = error.map(|(kind, message)| json!({ "kind": kind, "message": message }));
    json!({
        "request": explained.request,
        "model": explained.model,
        "arrived": unix_seconds(explained.arrived),
        "waited_seconds": explained.waited.as_secs_f64(),
        "outcome": explained.outcome,
        "error": error,
        "meanwhile": decisions_to_json(&explained.meanwhile),
    })
}

fn decisions_to_json(decisions: &[JournalEntry]) -> Vec<Value> {
    let to_json = |decision: &JournalEntry| {
        json!({
            "at": unix_seconds(decision.at),
            "what": decision.kind,
            "message": decision.message,
        })
    };
    decisions.iter().map(to_json).collect()
}
