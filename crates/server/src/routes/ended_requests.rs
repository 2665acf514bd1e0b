//! Lists ended requests (`GET /api/requests`).

use super::AdminContext;
use super::active_requests::{self, ACTIVE_LIMITS};
use super::errors::bad_query;
use super::list_query::{BadParameter, ListQuery, STORED_LIMITS};
use super::openapi::responses::{Denied, InvalidParameter, RequestList};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use paddock_api::EndedRequests;
use std::collections::HashMap;

/// The parameters of a list of requests alone.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RequestQuery {
    /// Only requests with this `x-request-id`.
    id: Option<String>,
    /// If true, lists active requests; `limit` is then at most 200.
    #[param(required = false, default = false)]
    in_flight: bool,
}

/// Lists ended requests, newest first; with `in_flight=true` the active ones, oldest first.
#[utoipa::path(
    get,
    path = "/api/requests",
    operation_id = "requests",
    tag = "requests",
    params(ListQuery, RequestQuery),
    responses(
        (status = 200, description = "The requests.", body = RequestList),
        InvalidParameter,
        Denied,
    ),
)]
pub(super) async fn list(
    State(admin): State<AdminContext>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let (request_query, list_query) = match parse_query(&query) {
        Ok(parsed) => parsed,
        Err((parameter, message)) => return bad_query(parameter, &message),
    };
    if request_query.in_flight {
        return Json(active_requests::list(&admin, &list_query).await).into_response();
    }
    let filter = list_query.into_filter(request_query.id);
    let listed = admin.activity.requests(filter).await;
    let requests = listed.iter().map(|(seq, ended)| ended.to_api(*seq));
    let requests = requests.collect();
    Json(EndedRequests { requests }).into_response()
}

/// Parses the parameters. The highest `limit` depends on `in_flight`.
fn parse_query(query: &HashMap<String, String>) -> Result<(RequestQuery, ListQuery), BadParameter> {
    let request_query = RequestQuery::parse(query)?;
    let limits = match request_query.in_flight {
        true => ACTIVE_LIMITS,
        false => STORED_LIMITS,
    };
    Ok((request_query, ListQuery::parse(query, limits)?))
}

impl RequestQuery {
    fn parse(query: &HashMap<String, String>) -> Result<Self, BadParameter> {
        let in_flight = match query.get("in_flight").map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(text) => {
                let message = format!("`in_flight` must be true or false, not `{text}`");
                return Err(("in_flight", message));
            }
        };
        Ok(Self {
            id: query.get("id").cloned(),
            in_flight,
        })
    }
}
