//! Explains paddock's decisions about a model, such as loads and evictions, and the history of a request.

mod cached_tokens;
mod first_difference;
mod request_history;

use super::errors::admin_error;
use super::openapi::responses::{Denied, InvalidParameter, UnknownModel, UnknownRequest};
use super::parameters::PathName;
use super::status::model_status;
use super::{AdminContext, SharedContext};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::unix_seconds;
use paddock_api::{Decision, ModelExplanation, RefusalReason, RequestExplanation};
use paddock_config::Scope;
use paddock_runtime::{self as runtime, JournalEntry};

/// Lists the last decisions about a model and the exits of its children, newest last.
#[utoipa::path(
    get,
    path = "/api/models/{id}/explain",
    operation_id = "explainModel",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model.")),
    responses(
        (status = 200, description = "The last 100 decisions.", body = ModelExplanation),
        InvalidParameter,
        Denied,
        UnknownModel,
    ),
)]
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
    Json(ModelExplanation {
        decisions: decisions_to_api(decisions),
        id: model.map(|model| model.config.id.clone()),
        status: model.map(model_status),
    })
    .into_response()
}

/// Describes the history of a request: its wait, the decisions made meanwhile, the reason for a refusal, and the cached
/// part of its prompt.
///
/// If few prompt tokens came from restored contexts and the model is idle, the child saves the request's slot to a file, from
/// which the first difference is read.
///
/// A request that never waited in paddock's queue can be explained only while `GET /api/requests` lists it.
#[utoipa::path(
    get,
    path = "/api/requests/{id}/explain",
    operation_id = "explainRequest",
    tag = "requests",
    params(("id" = String, Path, min_length = 1, description = "The `x-request-id` of the request.")),
    responses(
        (status = 200, description = "The history of the request.", body = RequestExplanation),
        InvalidParameter,
        Denied,
        UnknownRequest,
    ),
)]
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
        (Some(explained), _) => queued_to_api(explained),
        (None, Some(history)) => history.to_api(name),
        (None, None) => {
            let message = "unknown request id, or its record has been deleted";
            return admin_error(StatusCode::NOT_FOUND, "not_found", message);
        }
    };
    if let Some(history) = history {
        answer.engine_wait_seconds = Some(history.engine_wait_seconds());
        let decision = history.engine_wait().filter(|_| is_granted);
        answer.meanwhile.extend(decision);
        let shows_text = admin
            .shared
            .catalog
            .borrow()
            .keys()
            .has_key_for(&[Scope::Admin]);
        let cached = history.cached_tokens(&admin.shared.runtime).await;
        answer.meanwhile.extend(cached);
        answer.first_difference = history
            .first_difference(&admin.shared.runtime, shows_text)
            .await;
        answer.tokens = history.tokens();
    }
    Json(answer).into_response()
}

/// Describes a request that waited in paddock's queue or was refused there.
fn queued_to_api(explained: runtime::RequestExplanation) -> RequestExplanation {
    let error = explained.error;
    let error = error.map(|(kind, message)| RefusalReason {
        kind: kind.to_owned(),
        message,
    });
    RequestExplanation {
        arrived: unix_seconds(explained.arrived),
        engine_wait_seconds: None,
        error,
        first_difference: None,
        meanwhile: decisions_to_api(explained.meanwhile),
        model: Some(explained.model),
        outcome: explained.outcome.to_owned(),
        request: explained.request,
        tokens: None,
        waited_seconds: explained.waited.as_secs_f64(),
    }
}

fn decisions_to_api(decisions: Vec<JournalEntry>) -> Vec<Decision> {
    let to_api = |decision: JournalEntry| Decision {
        at: unix_seconds(decision.at),
        message: decision.message,
        what: decision.kind.to_owned(),
    };
    decisions.into_iter().map(to_api).collect()
}
