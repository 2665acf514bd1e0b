//! The requests that have begun and not ended.

use super::activity::limited;
use super::{Admin, bad_query};
use axum::Json;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::unix_seconds;
use paddock_api::{ActiveRequest, ActiveRequests};
use paddock_proxy as proxy;
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
    let mut all = admin.workers.active_requests(MOST).await;
    if let Some(model) = query.get("model") {
        all.oldest
            .retain(|request| request.model.as_deref() == Some(model));
    }
    all.oldest.truncate(limit);
    Json(to_api(&all)).into_response()
}

/// Returns these requests as the admin API shows them.
pub(super) fn to_api(all: &proxy::ActiveRequests) -> ActiveRequests {
    ActiveRequests {
        requests: all.oldest.iter().map(active_request).collect(),
        total: all.total as u64,
    }
}

fn active_request(request: &proxy::ActiveRequest) -> ActiveRequest {
    let age = request.since.elapsed();
    let now = SystemTime::now();
    ActiveRequest {
        id: request.id.clone(),
        model: request.model.as_deref().map(str::to_owned),
        key: request.key.as_deref().map(str::to_owned),
        route: request.route.as_str().to_owned(),
        at: unix_seconds(now.checked_sub(age).unwrap_or(now)),
        seconds: age.as_secs_f64(),
        state: request.stage.as_str().to_owned(),
        engine_wait_seconds: request.engine_wait.as_secs_f64(),
    }
}
