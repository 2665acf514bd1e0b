use super::parameters::Name;
use super::status::word;
use super::{View, refusal};
use crate::runtime::ModelView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The configured models, in `OpenAI`'s shape.
pub(super) async fn list(State(view): State<View>) -> Json<Value> {
    let look = view.runtime.look().await;
    let models = look.iter().flat_map(|look| &look.models);
    let data: Vec<Value> = models.map(|model| entry(model, view.started)).collect();
    Json(json!({ "object": "list", "data": data }))
}

/// One of them, by its name or an alias.
pub(super) async fn one(State(view): State<View>, Name(name): Name) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let look = view.runtime.look().await;
    let model = look
        .iter()
        .flat_map(|look| &look.models)
        .find(|model| model.id == id);
    match model {
        Some(model) => Json(entry(model, view.started)).into_response(),
        None => refusal(&crate::ProxyError::ShuttingDown),
    }
}

/// What is not there.
pub(super) async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

fn entry(model: &ModelView, started: u64) -> Value {
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
