use super::parameters::number;
use super::{Admin, bad_query, in_flight};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::EndedRequests;
use paddock_telemetry::ActivityQuery;
use std::collections::HashMap;

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
            let requests = listed.iter().map(|(seq, ended)| ended.to_api(*seq));
            let requests = requests.collect();
            Json(EndedRequests { requests }).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

/// Which of what is listed is asked for.
pub(super) fn wanted(query: &HashMap<String, String>) -> Result<ActivityQuery, Misread> {
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
    Ok(ActivityQuery {
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
