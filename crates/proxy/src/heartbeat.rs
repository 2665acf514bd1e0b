//! Comments to streaming clients whose requests wait for a load or a place, where `loading_heartbeat` is on: many
//! clients, and proxies between, give up after a minute without a byte.

use super::client::Client;
use super::early::EarlyStream;
use super::exchange::{Denied, poll_with_client};
use super::request::Request;
use super::worker::Worker;
use paddock_admission::model::Model;
use paddock_telemetry::Route;
use paddock_wire::{Body, Version};
use serde::Deserialize;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Time between two comments, and before the first.
const INTERVAL: Duration = Duration::from_secs(10);

/// Largest body, in bytes, that is read for its `stream`. The worker parses it on its thread, once.
pub(super) const MAX_BODY: usize = 8 * 1024 * 1024;

/// Facts of a request that decide whether its client may be sent comments.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// The model's `loading_heartbeat`.
    is_on: bool,
    is_post: bool,
    version: Version,
    route: Route,
}

/// Decides whether a client may be sent comments if its body asks for a stream: its route can answer with one, and
/// the client reads chunks, behind which the child's own follow.
fn may_be_sent(facts: Facts) -> bool {
    let streams = matches!(
        facts.route,
        Route::ChatCompletions
            | Route::Completions
            | Route::Responses
            | Route::Messages
            | Route::Completion
            | Route::Infill
    );
    facts.is_on && facts.is_post && facts.version == Version::Http11 && streams
}

/// Decides whether a request's JSON body asks for a stream. One that is malformed, or says so twice, does not.
fn asks_for_stream(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked {
        stream: Option<bool>,
    }
    let asked: Result<Asked, _> = serde_json::from_slice(body);
    asked.is_ok_and(|asked| asked.stream == Some(true))
}

/// Returns whether a request's client may be sent comments once its body has come.
pub(super) fn is_possible(client: &Client, request: &Request, model: &Model) -> bool {
    may_be_sent(Facts {
        is_on: model.limits.loading_heartbeat,
        is_post: request.head.method.slice(request.buffer.bytes()) == b"POST",
        version: request.head.version,
        route: client.card.route(),
    })
}

/// Waits for something as [`with_client`](super::exchange) does, and sends the client comments meanwhile.
pub(super) async fn wait<T>(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Model,
    waiting: impl Future<Output = T>,
) -> Result<T, Denied> {
    let mut is_possible = is_possible(client, request, model);
    client.watchdog.look();
    client.watchdog.progress();
    let mut waiting = pin!(waiting);
    let done = poll_fn(|cx| {
        if let done @ Poll::Ready(_) = poll_with_client(worker, client, waiting.as_mut(), cx) {
            return done;
        }
        poll_beat(worker, client, request, &mut is_possible, cx).map(Err)
    });
    let done = done.await?;
    if let Some(early) = &mut request.early
        && !early.flush(client).await
    {
        return Err(Denied::ClientGone);
    }
    Ok(done)
}

/// Sends a comment when one is due. Ready when the client has left.
fn poll_beat(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    is_possible: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Denied> {
    while *is_possible {
        if let Some(early) = &mut request.early
            && let Poll::Ready(Err(_)) = early.poll_flush(client, cx)
        {
            return Poll::Ready(Denied::ClientGone);
        }
        client.watchdog.look();
        if client.watchdog.poll_silent(INTERVAL, cx).is_pending() {
            return Poll::Pending;
        }
        client.watchdog.progress();
        if let Some(early) = &mut request.early {
            early.add_comment();
        } else if body_asks_for_stream(request) {
            let early = EarlyStream::begin(worker, client, request);
            request.early = Some(Box::new(early));
        } else {
            *is_possible = false;
        }
    }
    Poll::Pending
}

/// Returns whether a request's body, which has to be in memory as a whole, asks for a stream.
fn body_asks_for_stream(request: &Request) -> bool {
    if !request.body.is_complete() || request.buffered_bytes() > MAX_BODY {
        return false;
    }
    let first = request.buffer.bytes().get(request.head_len..);
    let mut follower = Body::for_request(request.head.framing);
    let mut body = Vec::with_capacity(request.buffered_bytes());
    for piece in first.into_iter().chain(request.held.pieces()) {
        let followed = follower.follow_with(piece, |data| body.extend_from_slice(data));
        if followed.is_err() {
            return false;
        }
    }
    asks_for_stream(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streams_that_a_client_can_read_are_begun() {
        let chat = Facts {
            is_on: true,
            is_post: true,
            version: Version::Http11,
            route: Route::ChatCompletions,
        };
        assert!(may_be_sent(chat));
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
            assert_eq!(may_be_sent(Facts { route, ..chat }), streams, "{path}");
        }
        for other in [
            Facts {
                is_on: false,
                ..chat
            },
            Facts {
                is_post: false,
                ..chat
            },
            Facts {
                version: Version::Http10,
                ..chat
            },
        ] {
            assert!(!may_be_sent(other), "{other:?}");
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
            assert_eq!(asks_for_stream(body.as_bytes()), asks, "{body}");
        }
    }
}
