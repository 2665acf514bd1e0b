//! Passes requests for paddock's own routes to an in-process service, and writes the response.

use super::client::NextStep;
use super::exchange::Exchange;
use super::local_reply::{self, Payload};
use bytes::Bytes;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Limited};
use paddock_admission::keys::AuthenticatedKey;
use paddock_admission::phase::ServicePhase;
use std::convert::Infallible;
use std::fmt::Write as _;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// Service for paddock's own routes. Requests have no body.
pub type OwnRoutes = BoxCloneSyncService<OwnRequest, Response<OwnBody>, Infallible>;

/// A request for one of paddock's own routes.
pub type OwnRequest = http::Request<Empty<Bytes>>;

/// Body of a response of paddock's own routes.
pub type OwnBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Largest response of paddock's own routes, in bytes: `/metrics` has about 2,000 per model.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// Passes a request to paddock's own routes and writes their response.
pub(super) async fn serve(exchange: &mut Exchange<'_>, routes: OwnRoutes) -> NextStep {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let closes = request.head.close
        || !request.body.is_complete()
        || worker.phase() != ServicePhase::Serving;
    let own_request = http::Request::builder()
        .extension(AuthenticatedKey(client.record.key().cloned()))
        .method(request.head.method.slice(request.buffer.bytes()))
        .uri(request.head.target.slice(request.buffer.bytes()))
        .body(Empty::new());
    request.release_buffers();
    let response = match own_request {
        Ok(own_request) => routes
            .oneshot(own_request)
            .await
            .unwrap_or_else(|never| match never {}),
        Err(error) => {
            tracing::debug!(%error, "the http crate rejects a request target");
            let mut response = Response::new(OwnBody::default());
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            response
        }
    };
    let status = response.status().as_u16();
    let mut head = local_reply::status_line(status);
    for (name, value) in response.headers() {
        if name != http::header::CONTENT_LENGTH {
            let _ = write!(
                head,
                "{name}: {}\r\n",
                String::from_utf8_lossy(value.as_bytes())
            );
        }
    }
    // Present in responses to HEAD, which have no body.
    let length = response.headers().get(http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let body = match Limited::new(response.into_body(), MAX_RESPONSE_BYTES)
        .collect()
        .await
    {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "a response of paddock's own routes is too large");
            return NextStep::Drop;
        }
    };
    let (payload, sent) = if request.is_head {
        (Payload::Head(length), 0)
    } else {
        (Payload::Body(&body), body.len())
    };
    client.record.set_own_answer(status, sent);
    local_reply::write(worker, client, head, payload, closes).await
}
