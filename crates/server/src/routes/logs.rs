//! The output of a model's children: the last lines, or every line as it comes.

use super::parameters::{Name, number};
use super::{View, bad_query};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use paddock_supervisor::{LogPage, LogReader, Logs};
use serde_json::json;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write;

/// How many lines are given unless it is said.
const LINES: u64 = 100;

/// Bytes of lines that are sent at once. Who does not read holds up so many, and no more.
const PIECE: usize = 32 * 1024;

/// What of it is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// So many of the lines that are there.
    lines: u64,
    /// And all that come.
    follow: bool,
}

/// A parameter that cannot be read, and what it has to be.
type Misread = (&'static str, String);

/// The last lines of a model's children, and with `follow` those that come, until paddock stops.
pub(super) async fn logs(
    State(view): State<View>,
    Name(name): Name,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let asked = match Asked::read(&query) {
        Ok(asked) => asked,
        Err((parameter, message)) => return bad_query(parameter, &message),
    };
    let Some(logs) = view.runtime.logs(id).await else {
        return Json(json!({ "lines": [] })).into_response();
    };
    let from = logs.first_of_last(asked.lines);
    if asked.follow {
        let kind = [(CONTENT_TYPE, "application/x-ndjson")];
        return (kind, follow(logs, from)).into_response();
    }
    Json(json!({ "lines": logs.page(from, usize::MAX).lines })).into_response()
}

impl Asked {
    fn read(query: &HashMap<String, String>) -> Result<Self, Misread> {
        let lines = match query.get("n") {
            None => LINES,
            Some(text) => number(text, 0..=Logs::MAX_LINES as u64).ok_or_else(|| {
                let most = Logs::MAX_LINES;
                (
                    "n",
                    format!("`n` has to be a number from 0 to {most}, and is `{text}`"),
                )
            })?,
        };
        let follow = match query.get("follow").map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(text) => {
                let message = format!("`follow` has to be true or false, and is `{text}`");
                return Err(("follow", message));
            }
        };
        Ok(Self { lines, follow })
    }
}

/// Lines from this one on as they come. They are read from the logs only when there is room to send
/// them: who is too slow for a child misses lines, and nothing piles up.
fn follow(logs: LogReader, from: u64) -> Body {
    let pieces = stream::unfold((logs, from), |(mut logs, from)| async move {
        if !logs.wait_for_line(from).await {
            return None;
        }
        let page = logs.page(from, PIECE);
        let piece = Ok::<_, Infallible>(piece(from, &page));
        Some((piece, (logs, page.next())))
    });
    Body::from_stream(pieces)
}

/// One JSON object a line: how many lines are lost, if any are, and each line.
fn piece(from: u64, page: &LogPage) -> Bytes {
    let mut text = String::new();
    let missed = page.first - from.min(page.first);
    if missed > 0 {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", json!({ "missed": missed }));
    }
    for line in &page.lines {
        let _ = writeln!(text, "{}", json!({ "line": line }));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[(&str, &str)]) -> Result<Asked, Misread> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Asked::read(&query.iter().map(owned).collect())
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let read = |query| asked(query).map(|asked| (asked.lines, asked.follow));
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
            let message = format!("`n` has to be a number from 0 to 1000, and is `{text}`");
            assert_eq!(asked(&[("n", text)]), Err(("n", message)));
        }
        for text in ["", "1", "yes", "True"] {
            let message = format!("`follow` has to be true or false, and is `{text}`");
            assert_eq!(asked(&[("follow", text)]), Err(("follow", message)));
        }
    }

    #[test]
    fn who_was_too_slow_is_told_how_many_lines_are_lost() {
        let lines = vec!["a \"b\"".to_owned(), "\u{1b}[0m".to_owned()];
        let page = LogPage { first: 7, lines };
        let told = "{\"line\":\"a \\\"b\\\"\"}\n{\"line\":\"\\u001b[0m\"}\n";
        assert_eq!(piece(7, &page), told);
        assert_eq!(piece(4, &page), format!("{{\"missed\":3}}\n{told}"));
    }
}
