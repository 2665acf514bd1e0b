//! Serves `GET /api/openapi.json`, the `OpenAPI` document of the admin plane.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// The document, written by hand; a test compares it with the routes.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
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
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
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
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        visit(&document, &document);
    }
}
