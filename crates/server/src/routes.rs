//! Builds the axum routers of the routes that paddock answers itself.
//!
//! The public plane serves clients: a few routes are here, and the proxy forwards all other requests to models. The
//! admin plane serves operators: all of its routes are here.

mod active_requests;
mod admin_authentication;
mod browser_guard;
mod cancel_request;
mod chat;
mod contexts;
mod dashboard;
mod ended_requests;
mod errors;
mod events;
mod explain;
mod fallback;
mod health;
mod lifecycle;
mod list_query;
mod load;
mod logs;
mod metrics;
mod openapi;
#[cfg(debug_assertions)]
mod panic;
mod parameters;
mod pin;
mod reload;
mod status;
mod v1_models;

pub(crate) use self::browser_guard::Transport;
pub(crate) use self::metrics::{EngineScraper, families};

use crate::reload::Reloader;
use axum::Router;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post};
use paddock_admission::catalog::Catalog;
use paddock_proxy::{ConnectionLimiter, WorkersHandle};
use paddock_runtime::RuntimeHandle;
use paddock_scheduler::ModelId;
use paddock_telemetry::sink;
use paddock_telemetry::{ActivityHandle, OtlpHandle};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Handles that routes of both planes use. Values read through these may be out of date.
#[derive(Debug, Clone)]
pub(crate) struct SharedContext {
    /// Handle of the runtime actor, the task that decides which models are loaded.
    pub(crate) runtime: RuntimeHandle,
    /// The configured models and API keys.
    pub(crate) catalog: watch::Receiver<Arc<Catalog>>,
    /// Clients' connections.
    pub(crate) connections: ConnectionLimiter,
    /// Start time of paddock, in seconds since 1970.
    pub(crate) started: u64,
}

/// Handles that routes of the admin plane use.
#[derive(Debug, Clone)]
pub(crate) struct AdminContext {
    pub(crate) shared: SharedContext,
    /// Handle of the threads that serve clients.
    pub(crate) workers: WorkersHandle,
    pub(crate) reloader: Reloader,
    /// Ended requests and lifecycle events.
    pub(crate) activity: ActivityHandle,
    /// Counts spans that were dropped.
    pub(crate) otlp: OtlpHandle,
    /// Scrapes the children's own metrics for `/metrics`.
    pub(crate) engines: EngineScraper,
    /// Counts of posted and dropped events, if a receiver is configured.
    pub(crate) events: Option<Arc<sink::PostCounts>>,
}

impl SharedContext {
    /// Finds a model by name or alias.
    fn find(&self, name: &str) -> Result<ModelId, Box<Response>> {
        let found = self.catalog.borrow().find(name);
        found
            .map(|model| model.id)
            .map_err(|error| Box::new(errors::refusal(&error)))
    }
}

/// The source of the public plane's `/metrics`. Set after the start of the workers, because these are part of it.
pub(crate) type MetricsSource = Arc<OnceLock<AdminContext>>;

/// Builds the router of paddock's own routes on the public plane.
pub(crate) fn public_router(shared: SharedContext, metrics_source: MetricsSource) -> Router {
    let metrics = Router::new()
        .route("/metrics", get(metrics::public_metrics))
        .with_state(metrics_source);
    Router::new()
        .route("/health", get(health::health))
        .route("/v1/health", get(health::health))
        .route("/models", get(v1_models::list))
        .route("/v1/models", get(v1_models::list))
        .route("/v1/models/{*id}", get(v1_models::get_one))
        .fallback(v1_models::not_found)
        .with_state(shared)
        .merge(metrics)
}

/// Builds the router of the admin plane.
pub(crate) fn admin_router(admin: AdminContext, transport: Transport) -> Router {
    let catalog = admin.shared.catalog.clone();
    let shared_routes = Router::new()
        .route("/livez", get(fallback::livez))
        .route("/api/openapi.json", get(openapi::openapi))
        .route("/readyz", get(health::ready))
        .route("/api/status", get(status::status))
        .route("/api/models/{id}/explain", get(explain::explain_model))
        .route("/api/models/{id}/logs", get(logs::logs))
        .route("/api/models/{id}/load", post(load::load))
        .route("/api/models/{id}/unload", post(load::unload))
        .route("/api/models/{id}/pin", post(pin::pin))
        .route("/api/models/{id}/unpin", post(pin::unpin))
        .with_state(admin.shared.clone());
    let admin_routes = Router::new()
        .route("/api/requests/{id}/explain", get(explain::explain_request))
        .route("/api/requests/{id}", delete(cancel_request::cancel))
        .route("/api/requests", get(ended_requests::list))
        .route("/api/chat", post(chat::chat))
        .route("/api/events", get(events::events))
        .route("/api/lifecycle", get(lifecycle::list))
        .route("/metrics", get(metrics::metrics))
        .route("/api/reload", post(reload::reload));
    #[cfg(debug_assertions)]
    let admin_routes = admin_routes.route("/api/panic/{part}", post(panic::panic));
    let admin_routes = admin_routes.with_state(admin);
    shared_routes
        .merge(admin_routes)
        .merge(dashboard::routes())
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::not_allowed)
        .layer(middleware::from_fn_with_state(
            catalog.clone(),
            admin_authentication::require_api_key,
        ))
        .layer(middleware::from_fn_with_state(
            (catalog, transport),
            browser_guard::refuse_foreign_pages,
        ))
        .layer(middleware::map_response(fallback::add_server_headers))
}
