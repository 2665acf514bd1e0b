//! Pinning and unpinning by hand.

use super::parameters::Name;
use super::status::word;
use super::{View, refusal};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use serde_json::json;

/// Keeps a model in memory once it is loaded, whoever waits for its place and however idle it is.
pub(super) async fn pin(State(view): State<View>, Name(name): Name) -> Response {
    set(&view, &name, true).await
}

/// Lets a model go again like any other.
pub(super) async fn unpin(State(view): State<View>, Name(name): Name) -> Response {
    set(&view, &name, false).await
}

/// Answers what is true then. To ask for what is so already changes nothing.
async fn set(view: &View, name: &str, pinned: bool) -> Response {
    let id = match view.find(name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    view.runtime.pin(id, pinned).await;
    let look = view.runtime.snapshot().await;
    let models = look.into_iter().flat_map(|look| look.models);
    match models.into_iter().find(|model| model.id == id) {
        Some(model) => Json(json!({
            "id": model.config.id,
            "status": word(&model),
            "pinned": model.scheduling.pinned,
        }))
        .into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}
