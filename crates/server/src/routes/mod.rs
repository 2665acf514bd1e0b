//! paddock's own routes, on ordinary axum routers: a few on the public plane, the admin plane.

mod admin;
mod health;
mod models;
mod status;

use crate::config::Config;
use crate::model::Model;
use axum::Router;
use axum::routing::get;
use paddock_supervisor::{Instance, State};
use std::sync::Arc;

/// What the routes tell about. Reading it decides nothing.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) config: Arc<Config>,
    pub(crate) model: Arc<Model>,
    pub(crate) instance: Instance,
    /// When paddock started, in seconds since 1970.
    pub(crate) started: u64,
}

impl View {
    fn state(&self) -> State {
        self.instance.watch().borrow().clone()
    }
}

/// The public plane's own routes.
pub(crate) fn public(view: View) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/v1/health", get(health::health))
        .route("/models", get(models::list))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .fallback(models::not_found)
        .with_state(view)
}

/// The admin plane.
pub(crate) fn admin(view: View) -> Router {
    Router::new()
        .route("/livez", get(admin::livez))
        .route("/readyz", get(health::health))
        .route("/api/status", get(status::status))
        .fallback(admin::not_found)
        .with_state(view)
}
