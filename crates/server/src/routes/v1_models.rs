//! Lists models in `OpenAI`'s shape (`GET /v1/models`).

use super::parameters::PathName;
use super::status::status_name;
use super::{SharedContext, refusal};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::keys::AuthenticatedKey;
use paddock_runtime::ModelDetails;
use serde_json::{Value, json};

/// Lists the configured models that the request's key may use.
pub(super) async fn list(
    State(shared): State<SharedContext>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Json<Value> {
    let snapshot = shared.runtime.snapshot().await;
    let models = snapshot.iter().flat_map(|snapshot| &snapshot.models);
    let models = models.filter(|model| key.is_for(model.id));
    let data: Vec<Value> = models
        .map(|model| model_entry(model, shared.started))
        .collect();
    Json(json!({ "object": "list", "data": data }))
}

/// Returns one model, by its name or an alias.
pub(super) async fn get_one(
    State(shared): State<SharedContext>,
    Extension(key): Extension<AuthenticatedKey>,
    PathName(name): PathName,
) -> Response {
    let found = {
        let catalog = shared.catalog.borrow();
        let found = catalog.find(&name);
        match &key.0 {
            Some(key) => found
                .map_err(|error| catalog.hide_other_models(key, error))
                .and_then(|model| catalog.check(key, &model).map(|()| model)),
            None => found,
        }
    };
    let id = match found {
        Ok(model) => model.id,
        Err(error) => return refusal(&error),
    };
    let snapshot = shared.runtime.snapshot().await;
    let model = snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.models)
        .find(|model| model.id == id);
    match model {
        Some(model) => Json(model_entry(model, shared.started)).into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

/// Answers requests that match no route, such as `/v1/models/` without an id.
pub(super) async fn not_found() -> Response {
    refusal(&ProxyError::Unroutable(Unroutable::UnknownRoute))
}

fn model_entry(model: &ModelDetails, started: u64) -> Value {
    let mut entry = json!({
        "id": model.config.id,
        "object": "model",
        "created": started,
        "owned_by": "paddock",
        "aliases": model.config.aliases,
        "status": status_name(model),
    });
    if let Some(facts) = &model.facts {
        entry["meta"] = json!({
            "architecture": facts.architecture,
            "n_ctx_train": facts.context,
            "n_params": facts.parameters,
            "size": facts.size,
        });
    }
    entry
}
