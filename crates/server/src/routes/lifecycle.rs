//! Lists lifecycle events, such as loads, evictions and crashes (`GET /api/lifecycle`).

use super::AdminContext;
use super::errors::bad_query;
use super::list_query::{ListQuery, STORED_LIMITS};
use super::openapi::responses::{Denied, InvalidParameter};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::LifecycleEvents;
use std::collections::HashMap;

/// Lists lifecycle events of models and of paddock, newest first.
///
/// An empty `model` selects the events of paddock itself.
#[utoipa::path(
    get,
    path = "/api/lifecycle",
    operation_id = "lifecycle",
    tag = "paddock",
    params(ListQuery),
    responses(
        (status = 200, description = "The events.", body = LifecycleEvents),
        InvalidParameter,
        Denied,
    ),
)]
pub(super) async fn list(
    State(admin): State<AdminContext>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match ListQuery::parse(&query, STORED_LIMITS) {
        Ok(list_query) => {
            let events = admin.activity.events(list_query.into_filter(None)).await;
            let events = events.iter().map(|(seq, event)| event.to_api(*seq));
            let events = events.collect();
            Json(LifecycleEvents { events }).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}
