//! Serves `GET /api/openapi.json`, the `OpenAPI` document of the admin plane (the routes for operators).
//!
//! The document is built for each request: the operations from the comments and attributes of the handlers, the
//! schemas from the types of `paddock_api`.

pub(super) mod responses;

use super::{
    cancel_request, chat, ended_requests, events, explain, fallback, health, lifecycle, load, logs,
    metrics, pin, reload, status,
};
use axum::Json;
use paddock_api::{LogRecord, MemoryUsage, MissedRequests, RemovedModel};
use responses::Denied;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The document of the admin plane.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "paddock's admin plane",
        description = "The API for monitoring and controlling paddock."
    ),
    paths(
        fallback::livez,
        health::ready,
        status::status,
        load::load,
        load::unload,
        pin::pin,
        pin::unpin,
        explain::explain_model,
        logs::logs,
        ended_requests::list,
        cancel_request::cancel,
        explain::explain_request,
        lifecycle::list,
        events::events,
        chat::chat,
        reload::reload,
        openapi,
        metrics::metrics
    ),
    components(schemas(LogRecord, MemoryUsage, MissedRequests, RemovedModel)),
    modifiers(&SecuritySchemes),
    security(("bearer" = []), ("header" = []), ("basic" = []), ())
)]
struct AdminApi;

/// The ways to present an API key.
struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let http = |scheme, description| {
            let scheme = HttpBuilder::new().scheme(scheme);
            SecurityScheme::Http(scheme.description(Some(description)).build())
        };
        let key = "An API key that allows `admin` (for /metrics, `metrics` is enough), if one is configured.";
        components.add_security_scheme("bearer", http(HttpAuthScheme::Bearer, key));
        let header = ApiKey::Header(ApiKeyValue::with_description("x-api-key", key));
        components.add_security_scheme("header", SecurityScheme::ApiKey(header));
        let password = "The API key as the password, with any user name, as browsers send it.";
        components.add_security_scheme("basic", http(HttpAuthScheme::Basic, password));
    }
}

/// Returns this document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "openapi",
    tag = "paddock",
    responses(
        (
            status = 200,
            description = "An OpenAPI document.",
            body = Object,
            content_type = "application/json"
        ),
        Denied,
    ),
)]
pub(super) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(AdminApi::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Returns the path and method of each admin route, from the source of `admin_router`.
    fn routes() -> BTreeSet<(String, String)> {
        let source = include_str!("../routes.rs");
        let (_, admin) = source
            .split_once("fn admin_router(admin: AdminContext,")
            .unwrap();
        let (admin, _) = admin.split_once("\n}\n").unwrap();
        let routes = admin.split(".route(\"").skip(1).flat_map(|route| {
            let (path, handlers) = route.split_once('"').unwrap();
            let (handlers, _) = handlers.split_once('\n').unwrap_or((handlers, ""));
            let methods = ["get", "post", "put", "patch", "delete"]
                .into_iter()
                .filter(move |method| handlers.contains(&format!("{method}(")));
            methods.map(|method| (path.to_owned(), method.to_owned()))
        });
        // Only debug builds have this route.
        routes
            .filter(|(path, _)| path != "/api/panic/{part}")
            .collect()
    }

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let document = serde_json::to_value(AdminApi::openapi()).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let described: BTreeSet<_> = paths
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(|method| (path.clone(), method.clone()))
            })
            .collect();
        assert!(described.len() > 10);
        assert_eq!(described, routes());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn visit(value: &Value, document: &Value) {
            if let Some(to) = value["$ref"].as_str() {
                assert!(document.pointer(&to[1..]).is_some(), "{to}");
            }
            match value {
                Value::Object(members) => members.values().for_each(|v| visit(v, document)),
                Value::Array(items) => items.iter().for_each(|v| visit(v, document)),
                _ => {}
            }
        }
        let document = serde_json::to_value(AdminApi::openapi()).unwrap();
        visit(&document, &document);
    }
}
