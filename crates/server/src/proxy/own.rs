use super::client::{After, Client};
use super::reply::{self, Payload};
use super::request::Request;
use super::worker::Worker;
use crate::routes::ShownKey;
use crate::runtime::Phase;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use std::fmt::Write as _;
use tower::ServiceExt as _;

/// The longest answer of paddock's own, in bytes: `/metrics` has some 2,000 for each model.
const MOST: usize = 64 * 1024 * 1024;

/// Answers one of paddock's own routes: an ordinary axum router gets the request, and its answer
/// is written out. These routes read no body.
pub(super) async fn answer(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    router: Router,
) -> After {
    let closes =
        request.head.close || !request.body.is_complete() || worker.phase() != Phase::Serving;
    let asked = http::Request::builder()
        .extension(ShownKey(client.record.key().cloned()))
        .method(request.head.method.of(request.buffer.bytes()))
        .uri(request.head.target.of(request.buffer.bytes()))
        .body(Body::empty());
    request.give_back(worker);
    let response = match asked {
        Ok(asked) => router
            .oneshot(asked)
            .await
            .unwrap_or_else(|never| match never {}),
        Err(error) => {
            tracing::debug!(%error, "a target that http does not take");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            response
        }
    };
    let status = response.status().as_u16();
    let mut head = reply::head_of(status);
    for (name, value) in response.headers() {
        if name != http::header::CONTENT_LENGTH {
            let _ = write!(
                head,
                "{name}: {}\r\n",
                String::from_utf8_lossy(value.as_bytes())
            );
        }
    }
    // Set by axum for answers to HEAD, whose bodies it leaves out.
    let length = response.headers().get(http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let body = match Limited::new(response.into_body(), MOST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "an answer of our own is too long");
            return After::Drop;
        }
    };
    let (payload, sent) = if request.to_head {
        (Payload::Head(length), 0)
    } else {
        (Payload::Body(&body), body.len())
    };
    client.record.own(status, sent);
    reply::write(worker, client, head, payload, closes).await
}
