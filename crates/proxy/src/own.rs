use super::client::{After, Client};
use super::reply::{self, Payload};
use super::request::Request;
use super::worker::Worker;
use bytes::Bytes;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Limited};
use paddock_admission::keys::ShownKey;
use paddock_admission::phase::ServicePhase;
use std::convert::Infallible;
use std::fmt::Write as _;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// The service that answers paddock's own routes. Requests arrive without a body.
pub type OwnRoutes = BoxCloneSyncService<OwnRequest, Response<OwnBody>, Infallible>;

/// A request for one of paddock's own routes.
pub type OwnRequest = http::Request<Empty<Bytes>>;

/// The body of an answer of paddock's own.
pub type OwnBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The longest answer of paddock's own, in bytes: `/metrics` has some 2,000 for each model.
const MOST: usize = 64 * 1024 * 1024;

/// Passes a request to paddock's own routes, and writes their answer out.
pub(super) async fn answer(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    routes: OwnRoutes,
) -> After {
    let closes = request.head.close
        || !request.body.is_complete()
        || worker.phase() != ServicePhase::Serving;
    let asked = http::Request::builder()
        .extension(ShownKey(client.record.key().cloned()))
        .method(request.head.method.slice(request.buffer.bytes()))
        .uri(request.head.target.slice(request.buffer.bytes()))
        .body(Empty::new());
    request.give_back(worker);
    let response = match asked {
        Ok(asked) => routes
            .oneshot(asked)
            .await
            .unwrap_or_else(|never| match never {}),
        Err(error) => {
            tracing::debug!(%error, "a target that http does not take");
            let mut response = Response::new(OwnBody::default());
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
    // Set for answers to HEAD, which have no body.
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
    client.record.set_own_answer(status, sent);
    reply::write(worker, client, head, payload, closes).await
}
