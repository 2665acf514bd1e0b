use super::{Admin, bad_query, in_flight};
use crate::error::unix;
use crate::telemetry::{Listed, Wanted};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The most that are given at once, and how many unless it is said.
const MOST: usize = 1000;
const USUAL: usize = 100;

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
            let listed = admin.activity.list(wanted).await;
            let requests: Vec<Value> = listed.iter().map(one).collect();
            Json(json!({ "requests": requests })).into_response()
        }
        Err(message) => {
            let error = json!({ "error": {
                "message": message,
                "type": "invalid_request_error",
                "code": "bad_request",
                "param": null,
            } });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

fn wanted(query: &HashMap<String, String>) -> Result<Wanted, String> {
    let limit = match query.get("limit") {
        None => USUAL,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| format!("`limit` is a number from 1 to {MOST}"))?,
    };
    let before = query.get("before").map(|before| before.parse());
    let before = before
        .transpose()
        .map_err(|_| "`before` is a `seq` of an answer before".to_owned())?;
    Ok(Wanted {
        limit,
        before,
        model: query.get("model").cloned(),
    })
}

/// A request as lists show it.
pub(super) fn one(listed: &Listed) -> Value {
    let row = &listed.row;
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let per_second = row.time_per_token().map(|time| 1.0 / time.as_secs_f64());
    json!({
        "seq": listed.seq,
        "at": unix(listed.at),
        "id": listed.id,
        "model": listed.model.as_deref(),
        "route": row.route.as_str(),
        "status": row.status,
        "outcome": row.outcome.as_str(),
        "error": row.error,
        "queue_seconds": row.queue.as_secs_f64(),
        "load_seconds": row.load.as_secs_f64(),
        "ttft_seconds": seconds(row.ttft),
        "total_seconds": row.total.as_secs_f64(),
        "tokens": {
            "prompt": row.usage.prompt_tokens,
            "cached": row.usage.cached_tokens,
            "generated": row.usage.generated_tokens,
        },
        "tokens_per_second": per_second,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
    })
}
