//! Serves the output of a model's children (llama-server processes): the last lines, or a stream of new ones.

use super::SharedContext;
use super::errors::bad_query;
use super::list_query::BadParameter;
use super::openapi::responses::{Denied, InvalidParameter, UnknownModel};
use super::parameters::{PathName, parse_number};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use paddock_api::{LogLines, LogRecord};
use paddock_supervisor::{LogPage, LogReader, Logs};
use std::collections::HashMap;
use std::convert::Infallible;

/// Number of lines to return if the query has no `n`.
const DEFAULT_LINES: u64 = 100;

/// Bytes of lines to send at once. Limits the memory for a client that does not read.
const MAX_CHUNK_BYTES: usize = 32 * 1024;

/// The query of a request for logs.
#[derive(Debug, PartialEq, Eq, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// Number of lines to return.
    #[param(
        rename = "n",
        required = false,
        default = 100,
        minimum = 0,
        maximum = 1000
    )]
    lines: u64,
    /// If true, streams new lines after the last ones.
    #[param(required = false, default = false)]
    follow: bool,
}

/// Returns the last lines of a model's children and, with `follow=true`, streams new ones until paddock stops.
#[utoipa::path(
    get,
    path = "/api/models/{id}/logs",
    operation_id = "logs",
    tag = "models",
    params(("id" = String, Path, min_length = 1, description = "Name or alias of the model."), LogQuery),
    responses(
        (
            status = 200,
            description = "The last lines; with `follow=true`, a stream of `LogRecord`s, one per line.",
            content((LogLines = "application/json"), (String = "application/x-ndjson"))
        ),
        InvalidParameter,
        Denied,
        UnknownModel,
    ),
)]
pub(super) async fn logs(
    State(shared): State<SharedContext>,
    PathName(name): PathName,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match shared.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let query = match LogQuery::parse(&query) {
        Ok(query) => query,
        Err((parameter, message)) => return bad_query(parameter, &message),
    };
    let Some(logs) = shared.runtime.logs(id).await else {
        return Json(LogLines { lines: Vec::new() }).into_response();
    };
    let from = logs.first_of_last(query.lines);
    if query.follow {
        let kind = [(CONTENT_TYPE, "application/x-ndjson")];
        return (kind, follow(logs, from)).into_response();
    }
    let lines = logs.page(from, usize::MAX).lines;
    Json(LogLines { lines }).into_response()
}

impl LogQuery {
    fn parse(query: &HashMap<String, String>) -> Result<Self, BadParameter> {
        let lines = match query.get("n") {
            None => DEFAULT_LINES,
            Some(text) => parse_number(text, 0..=Logs::MAX_LINES as u64).ok_or_else(|| {
                let most = Logs::MAX_LINES;
                (
                    "n",
                    format!("`n` must be a number from 0 to {most}, not `{text}`"),
                )
            })?,
        };
        let follow = match query.get("follow").map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(text) => {
                let message = format!("`follow` must be true or false, not `{text}`");
                return Err(("follow", message));
            }
        };
        Ok(Self { lines, follow })
    }
}

/// Streams lines, starting with line `from`. Reads the logs only when the client can receive: a slow client misses
/// lines, and none accumulate.
fn follow(logs: LogReader, from: u64) -> Body {
    let pieces = stream::unfold((logs, from), |(mut logs, from)| async move {
        if !logs.wait_for_line(from).await {
            return None;
        }
        let page = logs.page(from, MAX_CHUNK_BYTES);
        let next = page.next();
        let chunk = Ok::<_, Infallible>(format_chunk(from, page));
        Some((chunk, (logs, next)))
    });
    Body::from_stream(pieces)
}

/// Formats lines as one JSON object each, after the number of missed lines, if any.
fn format_chunk(from: u64, page: LogPage) -> Bytes {
    let missed = page.first.saturating_sub(from);
    let gap = (missed > 0).then_some(LogRecord::Missed { missed });
    let lines = page.lines.into_iter().map(|line| LogRecord::Line { line });
    let mut text = Vec::new();
    for record in gap.into_iter().chain(lines) {
        // Neither the conversion of these records to JSON nor writing to memory fails.
        if serde_json::to_writer(&mut text, &record).is_ok() {
            text.push(b'\n');
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<LogQuery, BadParameter> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        LogQuery::parse(&query.iter().map(owned).collect())
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let read = |query| parse(query).map(|query| (query.lines, query.follow));
        assert_eq!(read(&[]), Ok((100, false)));
        assert_eq!(read(&[("n", "0"), ("follow", "true")]), Ok((0, true)));
        assert_eq!(
            read(&[("n", "1000"), ("follow", "false")]),
            Ok((1_000, false))
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_is_right() {
        for text in ["", "-1", "+1", "1001", "ten", "99999999999999999999999"] {
            let message = format!("`n` must be a number from 0 to 1000, not `{text}`");
            assert_eq!(parse(&[("n", text)]), Err(("n", message)));
        }
        for text in ["", "1", "yes", "True"] {
            let message = format!("`follow` must be true or false, not `{text}`");
            assert_eq!(parse(&[("follow", text)]), Err(("follow", message)));
        }
    }

    #[test]
    fn who_was_too_slow_is_told_how_many_lines_are_lost() {
        let lines = vec!["a \"b\"".to_owned(), "\u{1b}[0m".to_owned()];
        let page = || LogPage {
            first: 7,
            lines: lines.clone(),
        };
        let told = "{\"line\":\"a \\\"b\\\"\"}\n{\"line\":\"\\u001b[0m\"}\n";
        assert_eq!(format_chunk(7, page()), told);
        assert_eq!(format_chunk(4, page()), format!("{{\"missed\":3}}\n{told}"));
    }
}
