use super::parameters::number;
use super::{Admin, bad_query, in_flight};
use crate::error::unix;
use crate::telemetry::{Listed, Wanted};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The most that are given at once, and how many unless it is said.
const MOST: usize = 1000;
const USUAL: usize = 100;

/// The greatest place that there can be.
const LAST: u64 = i64::MAX.cast_unsigned();

/// A parameter that cannot be read, and what it has to be.
pub(super) type Misread = (&'static str, String);

/// The requests that have ended, newest first.
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match query.get("in_flight").map(String::as_str) {
        None | Some("false") => {}
        Some("true") => return in_flight::list(&admin, &query).await,
        Some(text) => {
            let message = format!("`in_flight` has to be true or false, and is `{text}`");
            return bad_query("in_flight", &message);
        }
    }
    match wanted(&query) {
        Ok(wanted) => {
            let listed = admin.activity.requests(wanted).await;
            let requests: Vec<Value> = listed.iter().map(one).collect();
            Json(json!({ "requests": requests })).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

/// Which of what is listed is asked for.
pub(super) fn wanted(query: &HashMap<String, String>) -> Result<Wanted, Misread> {
    let limit = match query.get("limit") {
        None => USUAL,
        Some(limit) => limited(limit, MOST)
            .ok_or_else(|| ("limit", format!("`limit` is a number from 1 to {MOST}")))?,
    };
    let place = |name: &'static str| {
        let place = query.get(name).map(|place| number(place, 0..=LAST));
        let misread = || (name, format!("`{name}` is a `seq` of an answer before"));
        place.map(|place| place.ok_or_else(misread)).transpose()
    };
    Ok(Wanted {
        limit,
        before: place("before")?,
        after: place("after")?,
        model: query.get("model").cloned(),
        id: query.get("id").cloned(),
    })
}

/// How many are wanted, of so many at most.
pub(super) fn limited(text: &str, most: usize) -> Option<usize> {
    usize::try_from(number(text, 1..=most as u64)?).ok()
}

/// A request as lists show it.
pub(crate) fn one((seq, listed): &(u64, Listed)) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let per_second = listed.per_token.map(|time| 1.0 / time.as_secs_f64());
    json!({
        "seq": seq,
        "at": unix(listed.at),
        "id": listed.id,
        "model": listed.model.as_deref(),
        "key": listed.key.as_deref(),
        "route": listed.route,
        "status": listed.status,
        "outcome": listed.outcome,
        "error": listed.error,
        "queue_seconds": listed.queue.as_secs_f64(),
        "load_seconds": listed.load.as_secs_f64(),
        "engine_wait_seconds": listed.engine_wait.as_secs_f64(),
        "ttft_seconds": seconds(listed.ttft),
        "total_seconds": listed.total.as_secs_f64(),
        "tokens": {
            "prompt": listed.prompt,
            "cached": listed.cached,
            "generated": listed.generated,
        },
        "tokens_per_second": per_second,
        "bytes_in": listed.bytes_in,
        "bytes_out": listed.bytes_out,
    })
}
