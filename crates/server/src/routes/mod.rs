//! paddock's own routes, on ordinary axum routers: a few on the public plane, the admin plane.

mod activity;
mod admin;
mod chat;
mod dashboard;
mod events;
mod explain;
mod guard;
mod health;
mod in_flight;
mod keyed;
mod lifecycle;
mod load;
mod logs;
mod metrics;
mod models;
mod openapi;
#[cfg(debug_assertions)]
mod panic;
mod parameters;
mod pin;
mod reload;
mod requests;
mod status;

pub(crate) use self::guard::Transport;
pub(crate) use self::metrics::{Engines, families};

use crate::reload::Reloader;
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use paddock_admission::catalog::Catalog;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_proxy::{ConnectionLimiter, WorkersHandle};
use paddock_runtime::RuntimeHandle;
use paddock_scheduler::ModelId;
use paddock_telemetry::sink;
use paddock_telemetry::{ActivityHandle, OtlpHandle};
use serde_json::json;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// What the routes tell about. Reading it decides nothing.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) runtime: RuntimeHandle,
    pub(crate) catalog: watch::Receiver<Arc<Catalog>>,
    /// Clients' connections.
    pub(crate) connections: ConnectionLimiter,
    /// When paddock started, in seconds since 1970.
    pub(crate) started: u64,
}

/// What the admin plane works with.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) view: View,
    pub(crate) workers: WorkersHandle,
    pub(crate) reloader: Reloader,
    /// The requests that have ended, and what happened to models.
    pub(crate) activity: ActivityHandle,
    /// What nobody took of traces.
    pub(crate) otlp: OtlpHandle,
    /// What children say when `/metrics` is asked for.
    pub(crate) engines: Engines,
    /// What has become of events that are posted, where they are.
    pub(crate) events: Option<Arc<sink::PostCounts>>,
}

impl View {
    /// The model of a name or an alias.
    fn find(&self, name: &str) -> Result<ModelId, Box<Response>> {
        let found = self.catalog.borrow().find(name);
        found
            .map(|model| model.id)
            .map_err(|error| Box::new(refusal(&error)))
    }
}

/// The source of the public plane's `/metrics`. The public plane's workers are a part of it, so it is set once
/// these run.
pub(crate) type Counted = Arc<OnceLock<Admin>>;

/// The public plane's own routes.
pub(crate) fn public(view: View, counted: Counted) -> Router {
    let metrics = Router::new()
        .route("/metrics", get(metrics::public))
        .with_state(counted);
    Router::new()
        .route("/health", get(health::health))
        .route("/v1/health", get(health::health))
        .route("/models", get(models::list))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .fallback(models::not_found)
        .with_state(view)
        .merge(metrics)
}

/// The admin plane.
pub(crate) fn admin(admin: Admin, transport: Transport) -> Router {
    let catalog = admin.view.catalog.clone();
    let reads = Router::new()
        .route("/livez", get(admin::livez))
        .route("/api/openapi.json", get(openapi::openapi))
        .route("/readyz", get(health::ready))
        .route("/api/status", get(status::status))
        .route("/api/models/{id}/explain", get(explain::model))
        .route("/api/models/{id}/logs", get(logs::logs))
        .route("/api/models/{id}/load", post(load::load))
        .route("/api/models/{id}/unload", post(load::unload))
        .route("/api/models/{id}/pin", post(pin::pin))
        .route("/api/models/{id}/unpin", post(pin::unpin))
        .with_state(admin.view.clone());
    let works = Router::new()
        .route("/api/requests/{id}/explain", get(explain::request))
        .route("/api/requests/{id}", delete(requests::cancel))
        .route("/api/requests", get(activity::list))
        .route("/api/chat", post(chat::chat))
        .route("/api/events", get(events::events))
        .route("/api/lifecycle", get(lifecycle::list))
        .route("/metrics", get(metrics::metrics))
        .route("/api/reload", post(reload::reload));
    #[cfg(debug_assertions)]
    let works = works.route("/api/panic/{part}", post(panic::panic));
    let works = works.with_state(admin);
    reads
        .merge(works)
        .merge(dashboard::routes())
        .fallback(admin::not_found)
        .method_not_allowed_fallback(admin::not_allowed)
        .layer(middleware::from_fn_with_state(
            catalog.clone(),
            keyed::keyed,
        ))
        .layer(middleware::from_fn_with_state(
            (catalog, transport),
            guard::guard,
        ))
        .layer(middleware::map_response(admin::signed))
}

/// An error of the request path, on these routes.
fn refusal(error: &ProxyError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [("x-paddock-error", error.kind())];
    (status, kind, Json(error.body(Dialect::OpenAi))).into_response()
}

/// A parameter of the query is not what it has to be.
fn bad_query(parameter: &str, message: &str) -> Response {
    let error = json!({ "error": {
        "message": message,
        "type": "invalid_request_error",
        "code": "bad_request",
        "param": parameter,
    } });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}
