//! Sends SSE comments to streaming clients whose requests wait for a load or a slot of their model, if
//! `loading_heartbeat` is on: many clients and proxies give up after a minute without a byte.

use super::client_disconnect::poll_with_client;
use super::early_stream::EarlyStream;
use super::exchange::{Exchange, ExchangeError};
use super::request::Request;
use paddock_admission::model::Model;
use paddock_telemetry::Route;
use paddock_wire::{Body, Version};
use serde::Deserialize;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Time between two comments, and before the first.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// Largest body, in bytes, parsed for its `stream` member. The worker parses it once, on its own thread.
pub(super) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Facts that decide whether a client may get comments.
#[derive(Debug, Clone, Copy)]
struct HeartbeatConditions {
    /// The model's `loading_heartbeat`.
    is_on: bool,
    is_post: bool,
    version: Version,
    route: Route,
}

/// Returns true if a client whose body asks for a stream may get comments: the route can stream, and the
/// client understands chunked coding, in which the child's events follow the comments.
fn can_send_comments(conditions: HeartbeatConditions) -> bool {
    let streams = matches!(
        conditions.route,
        Route::ChatCompletions
            | Route::Completions
            | Route::Responses
            | Route::Messages
            | Route::Completion
            | Route::Infill
    );
    conditions.is_on && conditions.is_post && conditions.version == Version::Http11 && streams
}

/// Returns true if a JSON body asks for a stream. A malformed body, or one with two `stream` members, does
/// not.
fn has_stream_true(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct StreamField {
        stream: Option<bool>,
    }
    let asked: Result<StreamField, _> = serde_json::from_slice(body);
    asked.is_ok_and(|asked| asked.stream == Some(true))
}

/// Returns true if a request's client may get comments once the body has come.
pub(super) fn can_stream(exchange: &Exchange<'_>, model: &Model) -> bool {
    let Exchange {
        client, request, ..
    } = exchange;
    can_send_comments(HeartbeatConditions {
        is_on: model.limits.loading_heartbeat,
        is_post: request.head.method.slice(request.buffer.bytes()) == b"POST",
        version: request.head.version,
        route: client.status.route(),
    })
}

/// Waits as [`wait_with_client`](super::client_disconnect::wait_with_client) does, and sends the client
/// comments meanwhile.
pub(super) async fn wait<T>(
    exchange: &mut Exchange<'_>,
    model: &Model,
    waiting: impl Future<Output = T>,
) -> Result<T, ExchangeError> {
    let mut can_stream = can_stream(exchange, model);
    exchange.client.timer.read_clock();
    exchange.client.timer.record_progress();
    let mut waiting = pin!(waiting);
    let done = poll_fn(|cx| {
        if let done @ Poll::Ready(_) = poll_with_client(exchange, waiting.as_mut(), cx) {
            return done;
        }
        poll_comment(exchange, &mut can_stream, cx).map(Err)
    });
    let done = done.await?;
    if let Some(early) = &mut exchange.request.early_stream
        && !early.flush(exchange.client).await
    {
        return Err(ExchangeError::ClientGone);
    }
    Ok(done)
}

/// Sends a comment when one is due. Ready when the client has left.
fn poll_comment(
    exchange: &mut Exchange<'_>,
    can_stream: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<ExchangeError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    while *can_stream {
        if let Some(early) = &mut request.early_stream
            && let Poll::Ready(Err(_)) = early.poll_flush(client, cx)
        {
            return Poll::Ready(ExchangeError::ClientGone);
        }
        client.timer.read_clock();
        if client
            .timer
            .poll_silent(HEARTBEAT_INTERVAL, cx)
            .is_pending()
        {
            return Poll::Pending;
        }
        client.timer.record_progress();
        if let Some(early) = &mut request.early_stream {
            early.add_comment();
        } else if has_streaming_body(request) {
            let early = EarlyStream::begin(worker, client, request);
            request.early_stream = Some(Box::new(early));
        } else {
            *can_stream = false;
        }
    }
    Poll::Pending
}

/// Returns true if a request's body is whole in memory and asks for a stream.
fn has_streaming_body(request: &Request) -> bool {
    if !request.body.is_complete() || request.buffered_bytes() > MAX_BODY_BYTES {
        return false;
    }
    let first = request.buffer.bytes().get(request.head_len..);
    let mut follower = Body::for_request(request.head.framing);
    let mut body = Vec::with_capacity(request.buffered_bytes());
    for piece in first.into_iter().chain(request.buffered_body.pieces()) {
        let followed = follower.follow_with(piece, |data| body.extend_from_slice(data));
        if followed.is_err() {
            return false;
        }
    }
    has_stream_true(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streams_that_a_client_can_read_are_begun() {
        let chat = HeartbeatConditions {
            is_on: true,
            is_post: true,
            version: Version::Http11,
            route: Route::ChatCompletions,
        };
        assert!(can_send_comments(chat));
        for (path, streams) in [
            ("/v1/chat/completions", true),
            ("/upstream/m/v1/chat/completions", true),
            ("/v1/completions", true),
            ("/completion", true),
            ("/infill", true),
            ("/v1/responses", true),
            ("/v1/messages", true),
            ("/v1/messages/count_tokens", false),
            ("/v1/embeddings", false),
            ("/v1/rerank", false),
            ("/tokenize", false),
            ("/v1/models", false),
            ("/", false),
        ] {
            let route = Route::from_path(path.as_bytes());
            assert_eq!(
                can_send_comments(HeartbeatConditions { route, ..chat }),
                streams,
                "{path}"
            );
        }
        for other in [
            HeartbeatConditions {
                is_on: false,
                ..chat
            },
            HeartbeatConditions {
                is_post: false,
                ..chat
            },
            HeartbeatConditions {
                version: Version::Http10,
                ..chat
            },
        ] {
            assert!(!can_send_comments(other), "{other:?}");
        }
    }

    #[test]
    fn only_a_body_that_says_so_asks_for_a_stream() {
        for (body, asks) in [
            (r#"{"stream":true}"#, true),
            (
                r#"{"messages":[{"stream":false}], "stream" : true, "model":"m"}"#,
                true,
            ),
            (r#"{"stream":false}"#, false),
            (r#"{"stream":null}"#, false),
            (r#"{"stream":"true"}"#, false),
            (r#"{"stream":1}"#, false),
            (r#"{"stream":true,"stream":false}"#, false),
            (r#"{"stream":true"#, false),
            (r#"{"options":{"stream":true}}"#, false),
            (r#"[{"stream":true}]"#, false),
            ("", false),
        ] {
            assert_eq!(has_stream_true(body.as_bytes()), asks, "{body}");
        }
    }
}
