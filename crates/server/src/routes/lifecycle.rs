use super::activity::{self, Misread};
use super::{Admin, bad_query};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::LifecycleEvents;
use paddock_telemetry::ActivityQuery;
use std::collections::HashMap;

/// What happened to models and to paddock, newest first.
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match wanted(&query) {
        Ok(wanted) => {
            let events = admin.activity.events(wanted).await;
            let events = events.iter().map(|(seq, event)| event.to_api(*seq));
            let events = events.collect();
            Json(LifecycleEvents { events }).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

fn wanted(query: &HashMap<String, String>) -> Result<ActivityQuery, Misread> {
    Ok(ActivityQuery {
        id: None,
        ..activity::wanted(query)?
    })
}
