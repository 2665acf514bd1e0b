//! Lists active requests, which are queued or in flight (`GET /api/requests?in_flight=true`).

use super::AdminContext;
use super::list_query::{ListLimits, ListQuery};
use paddock_admission::error::unix_seconds;
use paddock_api::{ActiveRequest, ActiveRequests};
use paddock_proxy as proxy;
use std::time::SystemTime;

/// Highest number of requests to list.
pub(super) const MAX_LISTED: usize = 200;

/// The bounds of a list of active requests.
pub(super) const ACTIVE_LIMITS: ListLimits = ListLimits {
    max: MAX_LISTED,
    default: MAX_LISTED,
    condition: " with `in_flight=true`",
};

/// Lists the oldest active requests, of all models or of one.
pub(super) async fn list(admin: &AdminContext, query: &ListQuery) -> ActiveRequests {
    let mut all = admin.workers.active_requests(MAX_LISTED).await;
    if let Some(model) = &query.model {
        all.oldest
            .retain(|request| request.model.as_deref() == Some(model));
    }
    all.oldest.truncate(query.limit);
    to_api(&all)
}

/// Converts requests to the admin API's type.
pub(super) fn to_api(all: &proxy::ActiveRequests) -> ActiveRequests {
    ActiveRequests {
        requests: all.oldest.iter().map(request_to_api).collect(),
        total: all.total as u64,
    }
}

fn request_to_api(request: &proxy::ActiveRequest) -> ActiveRequest {
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
