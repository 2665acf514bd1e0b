//! Lists ended requests (`GET /api/requests`), and reads the query of lists.

use super::errors::bad_query;
use super::parameters::parse_number;
use super::{AdminContext, active_requests};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::EndedRequests;
use paddock_telemetry::ActivityQuery;
use std::collections::HashMap;

/// Highest `limit` of a list.
const MAX_LISTED: usize = 1000;

/// Length of a list without `limit`.
const DEFAULT_LISTED: usize = 100;

/// Highest `seq` that the database can hold.
const MAX_SEQ: u64 = i64::MAX.cast_unsigned();

/// The name of an invalid parameter, and a message.
pub(super) type BadParameter = (&'static str, String);

/// Lists ended requests, newest first; with `in_flight=true` the active ones.
pub(super) async fn list(
    State(admin): State<AdminContext>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match query.get("in_flight").map(String::as_str) {
        None | Some("false") => {}
        Some("true") => return active_requests::list(&admin, &query).await,
        Some(text) => {
            let message = format!("`in_flight` has to be true or false, and is `{text}`");
            return bad_query("in_flight", &message);
        }
    }
    match parse_query(&query) {
        Ok(filter) => {
            let listed = admin.activity.requests(filter).await;
            let requests = listed.iter().map(|(seq, ended)| ended.to_api(*seq));
            let requests = requests.collect();
            Json(EndedRequests { requests }).into_response()
        }
        Err((parameter, message)) => bad_query(parameter, &message),
    }
}

/// Parses the query of a list of requests or lifecycle events.
pub(super) fn parse_query(query: &HashMap<String, String>) -> Result<ActivityQuery, BadParameter> {
    let limit = match query.get("limit") {
        None => DEFAULT_LISTED,
        Some(limit) => parse_limit(limit, MAX_LISTED).ok_or_else(|| {
            (
                "limit",
                format!("`limit` is a number from 1 to {MAX_LISTED}"),
            )
        })?,
    };
    let seq = |name: &'static str| {
        let seq = query.get(name).map(|seq| parse_number(seq, 0..=MAX_SEQ));
        let error = || (name, format!("`{name}` is a `seq` of an answer before"));
        seq.map(|seq| seq.ok_or_else(error)).transpose()
    };
    Ok(ActivityQuery {
        limit,
        before: seq("before")?,
        after: seq("after")?,
        model: query.get("model").cloned(),
        id: query.get("id").cloned(),
    })
}

/// Parses a `limit` from 1 to `max`.
pub(super) fn parse_limit(text: &str, max: usize) -> Option<usize> {
    usize::try_from(parse_number(text, 1..=max as u64)?).ok()
}
