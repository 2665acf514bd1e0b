//! Turns an answer that is no success into an error that says why.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use reqwest::Url;

use super::OpenAnswer;
use crate::error::{HttpError, StatusError};
use crate::limits;
use crate::redirect::display_url;

/// Characters of a server's message that are quoted.
const MAX_QUOTED_CHARS: usize = 300;

/// Returns the answer if it is a success. Otherwise reads its message.
pub(super) async fn check_status(
    answer: OpenAnswer,
    url: &Url,
    stall: Duration,
) -> Result<OpenAnswer, HttpError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let field = |name| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    let (code, header_message) = (field("x-error-code"), field("x-error-message"));
    let retry_after = parse_retry_after(answer.headers());
    let body = answer.read_all(limits::MAX_ERROR_BYTES, stall).await;
    let message = body
        .ok()
        .and_then(|body| find_message(&body))
        .or(header_message);
    Err(HttpError::Status(Box::new(StatusError {
        url: display_url(url),
        status,
        message,
        code,
        retry_after,
    })))
}

/// Returns the pause that a server asks for: `Retry-After` in seconds, or the end of the window in the hub's
/// `RateLimit: "api";r=0;t=55` (<https://huggingface.co/docs/hub/rate-limits>).
fn parse_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let window_end = || {
        text("ratelimit")?
            .split(';')
            .find_map(|part| part.trim().strip_prefix("t="))
    };
    let seconds = retry_after.and_then(|text| text.trim().parse().ok());
    let seconds = seconds.or_else(|| window_end()?.trim().parse().ok());
    seconds.map(Duration::from_secs)
}

/// Returns the text in `error` (the hub) or `message` (GitHub) of a JSON object.
fn find_message(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = body
        .get("error")
        .or_else(|| body.get("message"))?
        .as_str()?;
    Some(text.chars().take(MAX_QUOTED_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_ask_for_pauses_in_two_ways() {
        for (name, value, expected) in [
            ("retry-after", "7", Some(7)),
            ("retry-after", " 0 ", Some(0)),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("retry-after", "-1", None),
            ("ratelimit", "\"api\";r=0;t=55", Some(55)),
            ("ratelimit", "\"api\";r=0", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let pause = parse_retry_after(&headers).map(|pause| pause.as_secs());
            assert_eq!(pause, expected, "{name}: {value}");
        }
    }

    #[test]
    fn messages_are_found_in_json_and_cut() {
        for (body, expected) in [
            (
                r#"{"error":"Repository not found"}"#,
                Some("Repository not found"),
            ),
            (
                r#"{"message":"API rate limit exceeded"}"#,
                Some("API rate limit exceeded"),
            ),
            (r#"{"error":{"code":1}}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(find_message(body.as_bytes()).as_deref(), expected);
        }
        let long = format!(r#"{{"error":"{}"}}"#, "a".repeat(1000));
        assert_eq!(
            find_message(long.as_bytes()).unwrap().len(),
            MAX_QUOTED_CHARS
        );
    }
}
