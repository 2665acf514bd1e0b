//! Lists lifecycle events (`GET /api/lifecycle`).

use super::AdminContext;
use super::ended_requests::{self, BadParameter};
use super::errors::bad_query;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::LifecycleEvents;
use paddock_telemetry::ActivityQuery;
use std::collections::HashMap;

/// Lists lifecycle events of models and of paddock, newest first.
pub(super) async fn list(
    State(admin): State<AdminContext>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match parse_query(&query) {
        Ok(filter) => {
            let events = admin.activity.events(filter).await;
            let events = events.iter().map(|(seq, event)| event.to_api(*seq));
            let events = events.collect();
            Json(LifecycleEvents { events }).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

fn parse_query(query: &HashMap<String, String>) -> Result<ActivityQuery, BadParameter> {
    Ok(ActivityQuery {
        id: None,
        ..ended_requests::parse_query(query)?
    })
}
