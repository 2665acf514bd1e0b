use super::parameters::Name;
use super::status::word;
use super::{View, refusal};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::keys::AuthenticatedKey;
use paddock_runtime::ModelDetails;
use serde_json::{Value, json};

/// The configured models, in `OpenAI`'s shape: those that a key is for, where it is not for all.
pub(super) async fn list(
    State(view): State<View>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Json<Value> {
    let look = view.runtime.snapshot().await;
    let models = look.iter().flat_map(|look| &look.models);
    let models = models.filter(|model| key.is_for(model.id));
    let data: Vec<Value> = models.map(|model| entry(model, view.started)).collect();
    Json(json!({ "object": "list", "data": data }))
}

/// One of them, by its name or an alias.
pub(super) async fn one(
    State(view): State<View>,
    Extension(key): Extension<AuthenticatedKey>,
    Name(name): Name,
) -> Response {
    let found = {
        let catalog = view.catalog.borrow();
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
    let look = view.runtime.snapshot().await;
    let model = look
        .iter()
        .flat_map(|look| &look.models)
        .find(|model| model.id == id);
    match model {
        Some(model) => Json(entry(model, view.started)).into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

/// Answers what no route matches, such as `/v1/models/` without an id.
pub(super) async fn not_found() -> Response {
    refusal(&ProxyError::Unroutable(Unroutable::UnknownRoute))
}

fn entry(model: &ModelDetails, started: u64) -> Value {
    let mut entry = json!({
        "id": model.config.id,
        "object": "model",
        "created": started,
        "owned_by": "paddock",
        "aliases": model.config.aliases,
        "status": word(model),
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
