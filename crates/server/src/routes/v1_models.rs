//! Lists models in the JSON format of `OpenAI`'s API (`GET /v1/models`).

use super::SharedContext;
use super::errors::refusal;
use super::parameters::PathName;
use super::status::model_status;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::keys::AuthenticatedKey;
use paddock_api::ModelStatus;
use paddock_runtime::ModelDetails;
use serde::Serialize;

/// A list of models, as `OpenAI`'s clients read it.
#[derive(Debug, Serialize)]
pub(super) struct ModelList {
    data: Vec<ListedModel>,
    object: &'static str,
}

/// An entry of the list, with fields that `OpenAI`'s clients ignore: aliases, status and facts from the model's header.
#[derive(Debug, Serialize)]
struct ListedModel {
    aliases: Vec<String>,
    created: u64,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<ModelMeta>,
    object: &'static str,
    owned_by: &'static str,
    status: ModelStatus,
}

/// Facts from a model's header, under the names that llama-server gives them.
#[derive(Debug, Serialize)]
struct ModelMeta {
    architecture: Option<String>,
    n_ctx_train: Option<u64>,
    n_params: u64,
    size: u64,
}

/// Lists the configured models that the request's key may use.
pub(super) async fn list(
    State(shared): State<SharedContext>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Json<ModelList> {
    let snapshot = shared.runtime.snapshot().await;
    let models = snapshot.iter().flat_map(|snapshot| &snapshot.models);
    let models = models.filter(|model| key.is_for(model.id));
    let data = models.map(|model| ListedModel::new(model, shared.started));
    Json(ModelList {
        data: data.collect(),
        object: "list",
    })
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
        Some(model) => Json(ListedModel::new(model, shared.started)).into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

/// Answers requests that match no route, such as `/v1/models/` without an id.
pub(super) async fn not_found() -> Response {
    refusal(&ProxyError::Unroutable(Unroutable::UnknownRoute))
}

impl ListedModel {
    fn new(model: &ModelDetails, started: u64) -> Self {
        Self {
            aliases: model.config.aliases.clone(),
            created: started,
            id: model.config.id.clone(),
            meta: model.facts.as_ref().map(|facts| ModelMeta {
                architecture: facts.architecture.clone(),
                n_ctx_train: facts.context,
                n_params: facts.parameters,
                size: facts.size,
            }),
            object: "model",
            owned_by: "paddock",
            status: model_status(model),
        }
    }
}
