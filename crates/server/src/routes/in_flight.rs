//! The requests that have begun and not ended.

use super::activity::limited;
use super::{Admin, bad_query};
use crate::error::unix;
use crate::proxy::{AllAtHand, AtHand};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::SystemTime;

/// The most that are told of at once.
pub(super) const MOST: usize = 200;

/// The oldest of them, of all models or of one.
pub(super) async fn list(admin: &Admin, query: &HashMap<String, String>) -> Response {
    let limit = match query.get("limit").map(|limit| limited(limit, MOST)) {
        None => MOST,
        Some(Some(limit)) => limit,
        Some(None) => {
            let message = format!("`limit` is a number from 1 to {MOST} with `in_flight=true`");
            return bad_query("limit", &message);
        }
    };
    let mut all = admin.errands.at_hand(MOST).await;
    if let Some(model) = query.get("model") {
        all.oldest
            .retain(|request| request.model.as_deref() == Some(model));
    }
    all.oldest.truncate(limit);
    Json(shown(&all)).into_response()
}

/// Those, and how many there are in all.
pub(super) fn shown(all: &AllAtHand) -> Value {
    let requests: Vec<Value> = all.oldest.iter().map(one).collect();
    json!({ "requests": requests, "total": all.total })
}

fn one(request: &AtHand) -> Value {
    let seconds = request.since.elapsed();
    let now = SystemTime::now();
    json!({
        "id": request.id,
        "model": request.model.as_deref(),
        "key": request.key.as_deref(),
        "route": request.route.as_str(),
        "at": unix(now.checked_sub(seconds).unwrap_or(now)),
        "seconds": seconds.as_secs_f64(),
        "state": request.stage.as_str(),
        "engine_wait_seconds": request.engine_wait.as_secs_f64(),
    })
}
