use super::activity::{self, Misread};
use super::{Admin, bad_query};
use crate::error::unix;
use crate::telemetry::{Lifecycle, Wanted};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What happened to models and to paddock, newest first.
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match wanted(&query) {
        Ok(wanted) => {
            let events = admin.activity.events(wanted).await;
            let events: Vec<Value> = events.iter().map(one).collect();
            Json(json!({ "events": events })).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

fn wanted(query: &HashMap<String, String>) -> Result<Wanted, Misread> {
    Ok(Wanted {
        id: None,
        ..activity::wanted(query)?
    })
}

/// An event as lists show it.
pub(crate) fn one((seq, event): &(u64, Lifecycle)) -> Value {
    json!({
        "seq": seq,
        "at": unix(event.at),
        "model": Some(&*event.model).filter(|model| !model.is_empty()),
        "event": event.event,
        "reason": event.reason,
        "message": event.message,
    })
}
